//! `venom submit`: submits one task, with --wait until it has finished, or a batch of tasks from a file.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::cli::args::new_task::NewTaskArgs;
use crate::cli::client::follow::{NoProgress, until_final};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json, say};
use crate::models::TaskId;

const EXAMPLES: &str = "\
Examples:
  venom submit hello world               print the id of the new task
  venom submit --wait hello              wait for it, then print its result
  venom submit --processor summarise --wait - < report.txt
  venom submit --delay 2h --retry 3 --timeout 5m nightly
  venom submit --unique nightly --after \"$(venom submit first)\" second
  venom submit --batch tasks.ndjson      one JSON object per line, such as {\"content\": \"hello\"}
  venom submit --json hello | jq -r .task_id
  venom submit -- --a-text-with-dashes

Exit codes: 0 done, 1 rejected, or failed with --wait (its error is on stderr), 2 wrong usage.";

/// Submit a task and print its id, or with --wait its result.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SubmitArgs {
    /// Content of the task; several words are joined by blanks, and - reads stdin
    #[arg(required_unless_present = "batch")]
    text: Vec<String>,
    /// Submit all tasks of a file or none: one JSON object per line; - reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "wait"])]
    batch: Option<PathBuf>,
    /// Submit only once, even if the command is repeated with this key within a day
    #[arg(long, value_name = "KEY", value_parser = header_text)]
    idempotency_key: Option<String>,
    /// Wait for the task, print its result, and exit with 1 if it failed
    #[arg(long)]
    wait: bool,
    /// Print the answer of the service as JSON; with --wait, the finished task
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    task: NewTaskArgs,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Submits one task or a batch.
pub(crate) async fn run(submit: SubmitArgs) -> Result<(), Error> {
    match &submit.batch {
        Some(file) => submit_batch(&submit, file).await,
        None => submit_one(&submit).await,
    }
}

async fn submit_one(submit: &SubmitArgs) -> Result<(), Error> {
    let content = match submit.text.as_slice() {
        [dash] if dash == "-" => stdin()?,
        words => words.join(" "),
    };
    let client = submit.target.client()?;
    let request = submit.request(&client, "/api/v1/tasks");
    let answer = client.answer(request.json(&submit.task.request(&content)));
    let answer = answer.await?;
    // A repeated idempotency key returns the first answer.
    let id = task_id(&answer["task_id"]).ok_or_else(|| client.not_a_service())?;
    if !submit.wait {
        return match submit.json {
            true => print_json(&answer),
            false => print(id),
        };
    }
    say(format_args!("task {id} accepted"));
    let task = until_final(client, &submit.target, id, &mut NoProgress).await?;
    report(&task, id, submit.json)
}

async fn submit_batch(submit: &SubmitArgs, file: &Path) -> Result<(), Error> {
    if !submit.task.is_plain() {
        let words = "tasks of --batch have their own fields; leave out the flags of a task";
        return Err(Error::Usage(words.to_owned()));
    }
    let tasks = match file == Path::new("-") {
        true => stdin()?.into_bytes(),
        false => std::fs::read(file).map_err(|error| {
            let name = file.display();
            Error::Failed(format!("cannot read {name}: {error}"))
        })?,
    };
    let client = submit.target.client()?;
    let request = submit.request(&client, "/api/v1/tasks/batch");
    let request = request.header("content-type", "application/x-ndjson");
    let answer = client.answer(request.body(tasks)).await?;
    if submit.json {
        return print_json(&answer);
    }
    let ids = answer["task_ids"].as_array();
    let ids = ids.ok_or_else(|| client.not_a_service())?;
    let ids: Option<Vec<_>> = ids.iter().map(task_id).collect();
    let ids = ids.ok_or_else(|| client.not_a_service())?;
    match ids.is_empty() {
        true => Ok(()),
        false => print(&ids.join("\n")),
    }
}

impl SubmitArgs {
    fn request(&self, client: &ServiceClient, path: &str) -> RequestBuilder {
        let request = client.request(Method::POST, path);
        match &self.idempotency_key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        }
    }
}

/// Returns the task's id in an answer, if it is a valid id: it is printed and used in further paths as it is.
fn task_id(id: &Value) -> Option<&str> {
    id.as_str().filter(|id| id.parse::<TaskId>().is_ok())
}

/// Reads an idempotency key that the service accepts as a header.
fn header_text(key: &str) -> Result<String, String> {
    let is_visible = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match is_visible && (1..=255).contains(&key.len()) {
        true => Ok(key.to_owned()),
        false => Err("expected 1 to 255 visible ASCII characters".to_owned()),
    }
}

/// Reads stdin to its end.
fn stdin() -> Result<String, Error> {
    let mut text = String::new();
    match io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::Failed(format!("cannot read stdin: {error}"))),
    }
}

fn report(task: &Value, id: &str, json: bool) -> Result<(), Error> {
    if json {
        print_json(task)?;
    }
    if task["status"] == "FAILED" {
        let failure = task["failure"].as_str().unwrap_or("error");
        let error = task["error"].as_str().unwrap_or("no reason given");
        return Err(Error::Failed(format!(
            "task {id} failed ({failure}): {error}"
        )));
    }
    match task["result"].as_str() {
        Some(result) if !json => print(result),
        _ => Ok(()),
    }
}
