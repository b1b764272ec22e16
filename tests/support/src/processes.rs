//! Which processes belong to a task: those with its id in their environment.

use std::fs;

/// Processes that were started for the task and run, with what they are.
pub fn of_task(id: &str) -> Vec<String> {
    let mark = format!("VENOM_TASK_ID={id}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|variable| variable == mark.as_bytes()) {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let pid = entry.file_name().to_string_lossy().into_owned();
            found.push(format!(
                "{pid} {}",
                String::from_utf8_lossy(&words).replace('\0', " ")
            ));
        }
    }
    found
}
