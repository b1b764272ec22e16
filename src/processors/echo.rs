//! `echo`: returns the content of its task.

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::processors::context::Context;
use crate::processors::processor::Processor;
use crate::processors::run_error::RunError;

/// Completes every task with `Processed: <content>`.
pub(crate) struct EchoProcessor;

impl Processor for EchoProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        ready(Ok(format!("Processed: {}", context.content()))).boxed()
    }
}
