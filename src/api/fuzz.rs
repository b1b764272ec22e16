//! JSON bodies of requests, for `crate::fuzzing`.

use std::sync::LazyLock;

use crate::api::auth::caller::Caller;
use crate::api::input::json::parse_json;
use crate::api::input::new_task::read_task;
use crate::api::input::worker;
use crate::config::Settings;
use crate::processors::Registry;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(&Settings::default()));

/// Reads a body as each kind of call does.
pub fn bodies(bytes: &[u8]) {
    drop(worker::heartbeat(bytes));
    drop(worker::log(bytes));
    drop(worker::progress(bytes));
    drop(worker::complete(bytes));
    drop(worker::fail(bytes));
    if let Ok(task) = read_task(bytes, &REGISTRY, &Caller::default()) {
        let kept = serde_json::to_vec(&task.request).expect("it is JSON");
        parse_json(&kept).expect("what is kept of a body is a body");
    }
    let Ok(value) = parse_json(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&value).expect("it is JSON");
    let again = parse_json(&written).expect("what was written is read");
    assert_eq!(again, value);
}
