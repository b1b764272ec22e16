//! `venom resume`: ends a pause.

use clap::Args;
use serde_json::json;

use super::queue_command::QueueCommandArgs;
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom resume
  venom resume --processor summarise

The queue and each processor are paused and resumed separately.";

/// Resume the queue or one processor after `venom pause` or `venom emergency-stop`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ResumeArgs {
    /// Resume only this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Sends the command.
pub(crate) async fn run(resume: &ResumeArgs) -> Result<(), Error> {
    let processor = resume.processor.as_ref();
    let body = processor.map(|processor| json!({ "processor": processor }));
    resume
        .command
        .send("/api/v1/queue/resume", body.as_ref())
        .await
}
