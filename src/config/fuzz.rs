//! `.env`, for `crate::fuzzing`.

use std::path::Path;

use super::dotenv::parse;

/// Reads a `.env` without any variable around it.
pub fn dotenv(bytes: &[u8]) {
    let read = |text: &str| {
        let variables = parse(Path::new(".env"), text, &[])?;
        let pairs = variables
            .into_iter()
            .map(|variable| (variable.name, variable.value));
        Ok::<_, super::error::Error>(pairs.collect::<Vec<_>>())
    };
    let Ok(variables) = read(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    // What is left of a reference to no variable would be one again.
    if variables.iter().any(|(_, value)| value.contains("${")) {
        return;
    }
    let written: String = variables
        .iter()
        .map(|(name, value)| format!("'{name}'=\"{}\"\n", escaped(value)))
        .collect();
    let again = read(&written).expect("what was written is read");
    assert_eq!(again, variables);
}

/// The value as it stands in double quotes, on one line.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n").replace('\r', "\\r")
}
