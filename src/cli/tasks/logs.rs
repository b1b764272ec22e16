//! `venom logs`: prints the log of a task, and with --follow its new lines until it finishes.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::cli::client::follow::{TaskObserver, until_final};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::paint::{LiveLine, Paint};
use crate::cli::output::print::say;
use crate::cli::output::table::local_time;
use crate::models::TaskId;

/// Lines per request.
const PAGE: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  venom logs 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom logs --follow \"$(venom submit --processor summarise - < report.txt)\"
  venom logs --json 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a | jq -r .line

With --follow the command ends when the task has finished, and reconnects after a restart of the service.";

/// Print the log of a task.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogsArgs {
    /// Id of the task
    #[arg(value_name = "ID")]
    id: TaskId,
    /// Follow the log until the task has finished
    #[arg(long, short)]
    follow: bool,
    /// Print each line as one JSON object: id, at, type, agent, line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Prints the log, then follows it if asked to.
pub(crate) async fn run(logs: &LogsArgs) -> Result<(), Error> {
    let client = logs.target.client()?;
    let id = logs.id.to_string();
    let mut printer = LogPrinter {
        path: format!("/api/v1/tasks/{id}/logs"),
        since: 0,
        json: logs.json,
        paint: Paint::of_stdout(),
        live: LiveLine::default(),
    };
    printer.refresh(&client).await?;
    if !logs.follow {
        return Ok(());
    }
    let task = until_final(client, &logs.target, &id, &mut printer).await?;
    let status = task["status"].as_str().unwrap_or("finished");
    say(format_args!("task {id} is {status}"));
    Ok(())
}

/// Prints the lines of a log that were not printed before.
struct LogPrinter {
    path: String,
    /// Id of the newest printed line.
    since: i64,
    json: bool,
    paint: Paint,
    live: LiveLine,
}

impl TaskObserver for LogPrinter {
    fn last_event_id(&self) -> i64 {
        self.since
    }

    fn shows_live_lines(&self) -> bool {
        self.paint.is_terminal && !self.json
    }

    fn show_live_line(&mut self, line: &Value) -> Result<(), Error> {
        let words = self.paint.line(line);
        let mut out = io::stdout().lock();
        let shown = self.live.show(&mut out, &words);
        shown.map_err(|error| Error::of_stdout(&error))
    }

    /// Prints every line after the newest printed one.
    async fn refresh(&mut self, client: &ServiceClient) -> Result<(), Error> {
        loop {
            let (path, since) = (&self.path, self.since);
            let page = client
                .get(&format!("{path}?since={since}&limit={PAGE}"))
                .await?;
            let lines = page.as_array().ok_or_else(|| client.not_a_service())?;
            let mut text = String::new();
            for line in lines {
                // An id that does not grow would request the same page forever.
                let id = line["id"].as_i64().filter(|id| *id > self.since);
                self.since = id.ok_or_else(|| client.not_a_service())?;
                text += &self.words(line);
                text.push('\n');
            }
            let mut out = io::stdout().lock();
            // The stream sends the unfinished line again after these.
            self.live
                .clear(&mut out)
                .and_then(|()| out.write_all(text.as_bytes()))
                .and_then(|()| out.flush())
                .map_err(|error| Error::of_stdout(&error))?;
            if lines.len() < PAGE {
                return Ok(());
            }
        }
    }
}

impl LogPrinter {
    fn words(&self, line: &Value) -> String {
        if self.json {
            return line.to_string();
        }
        let at = local_time(line["at"].as_str().unwrap_or("-"));
        let words = self.paint.line(line);
        format!("{at}  {words}")
    }
}
