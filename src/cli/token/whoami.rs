//! `venom token whoami`: for whom the service takes who asks.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};

/// Show which token is sent, and what it is good for
#[derive(Args, Debug)]
pub(crate) struct WhoamiArgs {
    /// Print the service's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks and prints.
pub(crate) async fn run(whoami: &WhoamiArgs) -> Result<(), Error> {
    let client = whoami.target.client()?;
    let session = client.get_object("/api/v1/session").await?;
    match whoami.json {
        true => print_json(&session),
        false => print(&one_line(&words(&session))),
    }
}

fn words(session: &Value) -> String {
    if session["auth"] == false {
        return "The service asks for no token: everybody may do everything.".to_owned();
    }
    let text = |name: &str| session[name].as_str().unwrap_or("-");
    let processors = session["processors"].as_array();
    let names = processors.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let limits = names.map(|names| format!(", for these processors alone: {}", names.join(", ")));
    let limits = limits.unwrap_or_default();
    format!(
        "The token {} has the role {}{limits}.",
        text("name"),
        text("role")
    )
}
