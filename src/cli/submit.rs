//! `venom submit`: hands in a task, and waits for it if asked.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::backoff::Backoff;
use super::client::Client;
use super::error::Error;
use super::output::{print, print_json, say};
use super::target::Target;

/// The service sends a heartbeat every 15 seconds; a stream that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  venom submit hello world               print the id of the new task
  venom submit --wait hello              wait, then print its result
  venom submit --processor summarise --wait - < report.txt
  venom submit --json hello | jq -r .task_id
  venom submit -- --a-text-with-dashes

Exit codes: 0 done, 1 refused, or failed with --wait (its error is on stderr), 2 wrong usage.";

/// Submit a task, and print its id, or with --wait its result.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Submit {
    /// What the task is about; words are joined by blanks, and - stands for all of stdin
    #[arg(required = true)]
    text: Vec<String>,
    /// Processor that runs it [default: the default_processor of the settings, else echo]
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// From -100 to 100; higher runs first [default: 0]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(-100..=100))]
    priority: Option<i64>,
    /// A tag to find it by; may be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// The session it belongs to
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Wait until it is finished, print its result, and fail if it failed
    #[arg(long)]
    wait: bool,
    /// Print the service's answer as JSON; with --wait, the finished task
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Submits, waits, prints.
pub(super) async fn run(submit: Submit) -> Result<(), Error> {
    let task = request(&submit)?;
    let client = submit.target.client()?;
    let answer = client.post("/api/v1/tasks", Some(&task)).await?;
    let Some(id) = answer["task_id"].as_str() else {
        let url = client.url();
        return Err(Error::Failed(format!("{url} took the task without an id")));
    };
    if !submit.wait {
        return match submit.json {
            true => print_json(&answer),
            false => print(id),
        };
    }
    say(format_args!("task {id} is accepted"));
    let task = until_final(client, &submit.target, id).await?;
    report(&task, id, submit.json)
}

fn request(submit: &Submit) -> Result<Value, Error> {
    let content = match submit.text.as_slice() {
        [dash] if dash == "-" => stdin()?,
        words => words.join(" "),
    };
    let mut task = Map::new();
    task.insert("content".to_owned(), json!(content));
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            task.insert(name.to_owned(), value);
        }
    };
    set(
        "processor",
        submit.processor.as_ref().map(|name| json!(name)),
    );
    set("priority", submit.priority.map(|priority| json!(priority)));
    set("tags", (!submit.tag.is_empty()).then(|| json!(submit.tag)));
    set("session_id", submit.session.as_ref().map(|id| json!(id)));
    Ok(Value::Object(task))
}

/// All of stdin, to the last byte.
fn stdin() -> Result<String, Error> {
    let mut text = String::new();
    match std::io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::Failed(format!("cannot read stdin: {error}"))),
    }
}

/// Follows the task until it is final, also through restarts of the service.
async fn until_final(mut client: Client, target: &Target, id: &str) -> Result<Value, Error> {
    let mut backoff = Backoff::new();
    let mut is_lost = false;
    loop {
        match look(&client, id).await {
            Ok(task) if is_final(&task) => return Ok(task),
            Ok(_) => {
                is_lost = false;
                backoff = Backoff::new();
            }
            Err(Error::Unreachable(reason)) => {
                if !is_lost {
                    say(format_args!(
                        "{reason}; waiting for it, since the task is safe"
                    ));
                }
                is_lost = true;
                client = target.client_again(client);
            }
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

/// The task, when it is final or the service has stopped telling about it.
async fn look(client: &Client, id: &str) -> Result<Value, Error> {
    let stream = client.open(&format!("/api/v1/tasks/{id}/stream")).await?;
    // However the stream ends, the task itself says whether there is more to come.
    let mut chunks = stream.bytes_stream();
    while let Ok(Some(Ok(_))) = timeout(SILENCE, chunks.next()).await {}
    client.get(&format!("/api/v1/tasks/{id}")).await
}

fn is_final(task: &Value) -> bool {
    matches!(task["status"].as_str(), Some("COMPLETED" | "FAILED"))
}

fn report(task: &Value, id: &str, json: bool) -> Result<(), Error> {
    if json {
        print_json(task)?;
    }
    if task["status"] == "FAILED" {
        let failure = task["failure"].as_str().unwrap_or("error");
        let error = task["error"].as_str().unwrap_or("it gave no reason");
        return Err(Error::Failed(format!(
            "task {id} failed ({failure}): {error}"
        )));
    }
    match task["result"].as_str() {
        Some(result) if !json => print(result),
        _ => Ok(()),
    }
}
