//! What every test needs: a service of its own, clients for each of its doors, and its invariants.

mod arq;
mod backend;
mod database;
mod document;
mod gate;
mod hive_worker;
mod http;
mod invariants;
mod redis;
mod relay;
mod service;
mod sse;
mod tls;
mod token;
mod wait;
mod wire;
mod worker;
mod ws;

pub use arq::Arq;
pub use backend::{Backend, Call};
pub use database::Database;
pub use document::{Document, Operation};
pub use hive_worker::{HiveWorker, Yard, put, result_text};
pub use http::Answer;
pub use redis::{Redis, Reply};
pub use relay::Relay;
pub use service::{Service, Setup, Stopped};
pub use sse::{SseEvent, SseStream};
pub use tls::{certified, certified_pem};
pub use wait::{DEADLINE, eventually, in_time};
pub use wire::Wire;
pub use worker::tasks_of;
pub use ws::Listener;
