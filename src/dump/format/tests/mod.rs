//! Tests of the dump's format.

mod damaged;
mod fixtures;
mod property;
mod size;

use serde_json::{Map, Value};

use super::{Error, read};
use crate::dump::format::write::DumpWriter;
use crate::models::Task;

const DEFAULT_PROCESSOR: &str = "echo";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/dumps/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_all(source: &[u8]) -> Result<(Vec<Task>, Map<String, Value>), Error> {
    let mut tasks = Vec::new();
    let rest = read(source, DEFAULT_PROCESSOR, |task, _| {
        tasks.push(task);
        Ok(())
    })?;
    Ok((tasks, rest.fields))
}

fn write_all(tasks: &[Task], fields: &Map<String, Value>) -> String {
    let mut writer = DumpWriter::new(Vec::new());
    for task in tasks {
        writer.task(task).unwrap();
    }
    writer.finish(fields).unwrap();
    String::from_utf8(std::mem::take(writer.get_mut())).unwrap()
}
