//! `venom list`: prints tasks as a table or as JSON, newest first.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::cli::args::task_filter::{TaskFilterArgs, with_query};
use crate::cli::client::target::ServiceTarget;
use crate::cli::client::task_pages::TaskPages;
use crate::cli::error::Error;
use crate::cli::output::print::{print, say};
use crate::cli::output::table::{age, first_words, table};
use crate::models::Timestamp;

/// Tasks shown without `--limit` and `--all`.
const SHOWN: u64 = 20;
/// The most tasks that the service returns in one page.
const PAGE: u64 = 1000;
/// Characters of the content that are shown.
const CONTENT_CHARS: usize = 50;

const EXAMPLES: &str = "\
Examples:
  venom list                             the newest 20
  venom list --failed --processor summarise --since 2026-01-31T00:00:00Z
  venom list --search 'out of memory' --limit 100
  venom list --all --json | jq -r '.[].id'";

/// List tasks, newest first.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// Show at most this many tasks [default: 20]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show all tasks
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Print the tasks as a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: TaskFilterArgs,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches the tasks and prints them page by page.
pub(crate) async fn run(list: &ListArgs) -> Result<(), Error> {
    let client = list.target.client()?;
    let mut pages = TaskPages::open(&client, &list.path()).await?;
    let mut left = match list.all {
        true => u64::MAX,
        false => list.limit.unwrap_or(SHOWN),
    };
    let mut printer = TaskPrinter::new(list.json);
    while left > 0 {
        let Some(task) = pages.next().await? else {
            return printer.end();
        };
        printer.add(task)?;
        left -= 1;
    }
    printer.end()?;
    if list.limit.is_none() && pages.next().await?.is_some() {
        say("More tasks exist; show them with --limit NUMBER or --all.");
    }
    Ok(())
}

impl ListArgs {
    /// Returns the path of the request. JSON without filter and limit requests the list of all tasks, and reads
    /// only as much of it as is shown.
    fn path(&self) -> String {
        let mut parameters = self.filter.parameters();
        let limit = match self.all {
            true => PAGE,
            false => self.limit.unwrap_or(SHOWN).min(PAGE),
        };
        if self.limit.is_some() || !parameters.is_empty() || !self.json {
            parameters.push(("limit", limit.to_string()));
        }
        // The table shows no logs.
        if !self.json {
            parameters.push(("logs", "false".to_owned()));
        }
        with_query("/api/v1/tasks", &parameters)
    }
}

/// Prints tasks as they come: a table of one page at a time, or one JSON array.
struct TaskPrinter {
    json: bool,
    now: Timestamp,
    rows: Vec<Vec<String>>,
    printed: u64,
}

impl TaskPrinter {
    fn new(json: bool) -> Self {
        Self {
            json,
            now: Timestamp::now(),
            rows: Vec::new(),
            printed: 0,
        }
    }

    fn add(&mut self, task: Value) -> Result<(), Error> {
        if self.json {
            let mark = if self.printed == 0 { "[" } else { ",\n" };
            self.printed += 1;
            return write(&format!("{mark}{task}"));
        }
        self.rows.push(row(&task, self.now));
        match self.rows.len() as u64 >= PAGE {
            true => self.print_rows(),
            false => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        match (self.json, self.printed) {
            (true, 0) => print("[]"),
            (true, _) => print("]"),
            (false, 0) if self.rows.is_empty() => {
                say("No tasks match.");
                Ok(())
            }
            (false, _) => self.print_rows(),
        }
    }

    fn print_rows(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let headers = ["ID", "STATUS", "PROCESSOR", "AGE", "CONTENT"].map(str::to_owned);
        if self.printed == 0 {
            self.rows.insert(0, headers.to_vec());
        }
        self.printed += self.rows.len() as u64;
        print(&table(&std::mem::take(&mut self.rows)))
    }
}

fn row(task: &Value, now: Timestamp) -> Vec<String> {
    let text = |name: &str| task[name].as_str().unwrap_or("-");
    vec![
        text("id").to_owned(),
        text("status").to_owned(),
        text("processor").to_owned(),
        age(&task["created_at"], now),
        first_words(text("content"), CONTENT_CHARS),
    ]
}

fn write(data: &str) -> Result<(), Error> {
    let written = io::stdout().lock().write_all(data.as_bytes());
    written.map_err(|error| Error::of_stdout(&error))
}
