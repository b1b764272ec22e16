//! `venom resume`: ends a pause.

use clap::Args;
use serde_json::json;

use super::queue_command::Order;
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom resume
  venom resume --processor summarise

A pause of the queue and one of a processor are two: each is ended by itself.";

/// Start tasks again after `venom pause` or `venom emergency-stop`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ResumeArgs {
    /// Only tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(crate) async fn run(resume: &ResumeArgs) -> Result<(), Error> {
    let processor = resume.processor.as_ref();
    let body = processor.map(|processor| json!({ "processor": processor }));
    resume
        .order
        .give("/api/v1/queue/resume", body.as_ref())
        .await
}
