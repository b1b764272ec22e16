//! `venom token whoami`: prints how the service identifies the sent token.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};

/// Show the identity and the role of the sent token
#[derive(Args, Debug)]
pub(crate) struct WhoamiArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the session.
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
        return "Authentication is disabled: everybody may do everything.".to_owned();
    }
    let text = |name: &str| session[name].as_str().unwrap_or("-");
    let processors = session["processors"].as_array();
    let names = processors.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let limits = names.map(|names| format!(", restricted to the processors {}", names.join(", ")));
    let limits = limits.unwrap_or_default();
    format!("Token {} has role {}{limits}.", text("name"), text("role"))
}
