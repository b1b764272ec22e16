//! Sends a command to the queue and prints its message; the shared part of pause, resume, purge and stop.

use clap::Args;
use serde_json::Value;

use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print_json, say};

/// Flags of every queue command.
#[derive(Args, Debug)]
pub(crate) struct QueueCommandArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

impl QueueCommandArgs {
    /// Returns a client of the service that receives the command.
    pub(crate) fn client(&self) -> Result<ServiceClient, Error> {
        self.target.client()
    }

    /// Sends the command and prints the answer.
    pub(crate) async fn send(&self, path: &str, body: Option<&Value>) -> Result<(), Error> {
        let client = self.client()?;
        let answer = client.post(path, body).await?;
        if self.json {
            return print_json(&answer);
        }
        say(client.message(&answer)?);
        Ok(())
    }
}
