//! `venom logs`: what a task has said, and with --follow what it goes on to say.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::cli::client::follow::{Follower, until_final};
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::paint::{LiveLine, Paint};
use crate::cli::output::print::say;
use crate::cli::output::table::wall_clock;
use crate::models::TaskId;

/// Lines read at a time.
const PAGE: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  venom logs 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom logs --follow \"$(venom submit --processor summarise - < report.txt)\"
  venom logs --json 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a | jq -r .line

With --follow it ends when the task is finished, and goes on after a restart of the service.";

/// Print a task's log.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogsArgs {
    /// The task's id
    #[arg(value_name = "ID")]
    id: TaskId,
    /// Go on until the task is finished
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON object a line: id, at, type, agent, line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Prints what is there, and what comes if asked.
pub(crate) async fn run(logs: &LogsArgs) -> Result<(), Error> {
    let client = logs.target.client()?;
    let id = logs.id.to_string();
    let mut tail = Tail {
        path: format!("/api/v1/tasks/{id}/logs"),
        since: 0,
        json: logs.json,
        paint: Paint::of_stdout(),
        live: LiveLine::default(),
    };
    tail.look(&client).await?;
    if !logs.follow {
        return Ok(());
    }
    let task = until_final(client, &logs.target, &id, &mut tail).await?;
    let status = task["status"].as_str().unwrap_or("finished");
    say(format_args!("task {id} is {status}"));
    Ok(())
}

/// A log that is printed as far as it is known.
struct Tail {
    path: String,
    /// The newest line that was printed.
    since: i64,
    json: bool,
    paint: Paint,
    live: LiveLine,
}

impl Follower for Tail {
    fn seen(&self) -> i64 {
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

    /// Prints every line after the last one.
    async fn look(&mut self, client: &Client) -> Result<(), Error> {
        loop {
            let (path, since) = (&self.path, self.since);
            let page = client
                .get(&format!("{path}?since={since}&limit={PAGE}"))
                .await?;
            let lines = page.as_array().ok_or_else(|| client.not_a_service())?;
            let mut text = String::new();
            for line in lines {
                // One that is not newer than the last would be asked for again and again.
                let id = line["id"].as_i64().filter(|id| *id > self.since);
                self.since = id.ok_or_else(|| client.not_a_service())?;
                text += &self.words(line);
                text.push('\n');
            }
            let mut out = io::stdout().lock();
            // The service shows a line again that goes on.
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

impl Tail {
    fn words(&self, line: &Value) -> String {
        if self.json {
            return line.to_string();
        }
        let at = wall_clock(line["at"].as_str().unwrap_or("-"));
        let words = self.paint.line(line);
        format!("{at}  {words}")
    }
}
