//! Ways to run a task: the [`Processor`] trait, the [`Context`] of an attempt, and the configured processors.
//!
//! A processor knows nothing of rows, queues and limits. It gets a [`Context`], returns a result or an error, and
//! returns promptly when [`Context::stopped`] resolves; the executor decides the outcome.

mod command;
mod context;
mod echo;
mod hive;
mod http;
mod llm;
mod log_book;
mod processor;
mod registry;
mod run_error;
mod text;
mod webhook;
pub(crate) mod worker;

pub(crate) use command::{die_with, kill_orphans, remember_file_limit};
pub(crate) use context::{Context, Remote, Sent};
pub(crate) use hive::HiveBackend;
#[cfg(test)]
pub(crate) use processor::Processor;
pub(crate) use registry::{ProcessorEntry, Registry};
pub(crate) use run_error::{Next, RunError};
pub(crate) use text::without_nul;
