//! What every integration test needs: a service of its own, clients for each of its interfaces, and its invariants.
//!
//! It is a crate, so that it is compiled once and not with each binary of tests.

#![expect(
    clippy::new_without_default,
    reason = "a test says what it starts with"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;

mod arq;
mod backend;
mod collector;
mod database;
mod document;
mod gate;
pub mod hive;
mod hive_worker;
mod http;
mod invariants;
pub mod ledger;
mod metrics;
mod processes;
mod redis;
mod relay;
mod reload;
mod schedules;
mod service;
mod sse;
mod tls;
mod token;
mod wait;
mod wall_clock;
mod wire;
mod worker;
mod ws;

pub use arq::Arq;
pub use backend::{Backend, Call};
pub use collector::{Collector, attribute};
pub use database::{Database, JOURNAL};
pub use document::{Document, Operation};
pub use hive_worker::{HiveWorker, Yard, put, result_text};
pub use http::Answer;
pub use metrics::value_of;
pub use processes::of_task as processes_of_task;
pub use redis::{Redis, Reply};
pub use relay::Relay;
pub use service::{Service, Setup, Stopped};
pub use sse::{SseEvent, SseStream};
pub use tls::{Pem, certified, certified_pem, self_signed, self_signed_pem};
pub use wait::{DEADLINE, eventually, in_time};
pub use wall_clock::DAY;
pub use wire::Wire;
pub use worker::tasks_of;
pub use ws::Listener;

/// The folder of the repository.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .nth(2)
        .expect("tests/support lies in it")
}

/// The program under test: the one that Cargo has built for these tests, or lies beside them.
pub fn venom() -> PathBuf {
    let built = std::env::var_os("CARGO_BIN_EXE_venom").map(PathBuf::from);
    built.unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a test is a program");
        let profile = test
            .ancestors()
            .nth(2)
            .expect("it lies in target/PROFILE/deps");
        profile.join("venom")
    })
}

/// The ids in a list of tasks.
pub fn ids(tasks: &Value) -> Vec<String> {
    let tasks = tasks.as_array().expect("a list").iter();
    tasks
        .map(|task| task["id"].as_str().expect("an id").to_owned())
        .collect()
}
