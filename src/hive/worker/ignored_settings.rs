//! The settings that a service follows and a worker ignores; the worker warns about each when it starts. All other
//! settings of a processor apply to both.

use crate::config::{Backoff, Settings};

/// Returns a line for each ignored setting that is not at its default; `is_run` says whether the worker runs a
/// processor.
pub(crate) fn ignored_settings(settings: &Settings, is_run: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, processor) in &settings.processors {
        if !is_run(name) {
            let kind = processor.kind.name();
            lines.push(format!(
                "processors.{name} does not run in a worker: jobs for a processor of kind {kind} are refused"
            ));
            continue;
        }
        let tries = [
            ("max_attempts", processor.max_attempts != 1),
            ("backoff", processor.backoff != Backoff::default()),
        ];
        for (setting, _) in tries.into_iter().filter(|(_, is_made)| *is_made) {
            lines.push(format!(
                "processors.{name}.{setting} is ignored by a worker: a failed job is final, and only \
                 its sender can retry it"
            ));
        }
    }
    if !settings.concurrency_keys.is_empty() {
        lines.push("concurrency_keys are ignored by a worker: ARQ's jobs carry no key".to_owned());
    }
    lines
}
