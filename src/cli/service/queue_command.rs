//! An order to the queue: what the verbs without an answer of their own have in common.

use clap::Args;
use serde_json::Value;

use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::{print_json, say};

/// The flags of every order.
#[derive(Args, Debug)]
pub(crate) struct Order {
    /// Print the service's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Order {
    /// A client of the service that takes the order.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        self.target.client()
    }

    /// Gives the order and says what became of it.
    pub(crate) async fn give(&self, path: &str, body: Option<&Value>) -> Result<(), Error> {
        let client = self.client()?;
        let answer = client.post(path, body).await?;
        if self.json {
            return print_json(&answer);
        }
        say(client.message(&answer)?);
        Ok(())
    }
}
