//! Dumps, for `crate::fuzzing`.

use serde_json::{Map, Value};

use crate::dump::format;
use crate::dump::format::write::DumpWriter;
use crate::models::Task;

/// Reads a `state_dump.json`.
pub fn dump(bytes: &[u8]) {
    let Ok((tasks, fields)) = read_dump(bytes) else {
        return;
    };
    let written = write_dump(&tasks, &fields);
    let (tasks_again, fields_again) = read_dump(&written).expect("what was written is read");
    assert_eq!(tasks_again, tasks);
    // The writer adds fields that the original needs.
    for (name, value) in &fields {
        assert_eq!(fields_again.get(name), Some(value), "{name}");
    }
    assert_eq!(write_dump(&tasks_again, &fields_again), written);
}

fn write_dump(tasks: &[Task], fields: &Map<String, Value>) -> Vec<u8> {
    let mut writer = DumpWriter::new(Vec::new());
    for task in tasks {
        writer.task(task).expect("memory takes everything");
    }
    writer.finish(fields).expect("memory takes everything");
    std::mem::take(writer.get_mut())
}

fn read_dump(bytes: &[u8]) -> Result<(Vec<Task>, Map<String, Value>), format::Error> {
    let mut tasks = Vec::new();
    let rest = format::read(bytes, "echo", |task, _| {
        tasks.push(task);
        Ok(())
    })?;
    Ok((tasks, rest.fields))
}
