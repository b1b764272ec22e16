//! Applies a verb (abort, retry, delete) to tasks named by id or selected by a filter.
//!
//! Ids are sent in one request each, so that every id has its own answer; a filter is sent in one request.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::args::task_filter::{TaskFilterArgs, with_query};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};
use crate::cli::output::print::{print_json, say};
use crate::models::TaskId;

/// Flags of a verb that takes many tasks.
#[derive(Args, Debug)]
pub(crate) struct TaskSelection {
    /// Name tasks by id, or select them with the flags below
    #[arg(value_name = "ID")]
    ids: Vec<TaskId>,
    /// Print how many tasks the filter matches, and change nothing
    #[arg(long, conflicts_with = "ids")]
    dry_run: bool,
    /// Print each answer of the service as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: TaskFilterArgs,
    #[command(flatten)]
    target: ServiceTarget,
}

/// A verb and its requests.
pub(crate) struct TaskVerb<'a> {
    /// Such as `Delete`.
    pub(crate) name: &'a str,
    /// Returns method and path of the request for one task.
    pub(crate) one: &'a dyn Fn(TaskId) -> (Method, String),
    /// The message for an answer without one.
    pub(crate) done: &'a str,
    /// Method and path of the request for all tasks that match the filter.
    pub(crate) many: (Method, &'a str),
    /// A further parameter of that request.
    pub(crate) parameter: Option<(&'static str, &'static str)>,
    /// True if a filter needs no confirmation: `--yes` was given, or the verb can be undone.
    pub(crate) confirmed: bool,
}

impl TaskSelection {
    /// Applies the verb to every selected task and prints the answers.
    pub(crate) async fn apply(&self, verb: &TaskVerb<'_>) -> Result<(), Error> {
        match (self.ids.is_empty(), self.filter.parameters().is_empty()) {
            (false, true) => self.apply_to_ids(verb).await,
            (true, false) => self.apply_to_matching(verb).await,
            (true, true) => {
                let message = "name tasks by id, or select them with a filter such as --failed";
                Err(Error::Usage(message.to_owned()))
            }
            (false, false) => {
                let message = "name tasks by id or select them with a filter, not both";
                Err(Error::Usage(message.to_owned()))
            }
        }
    }

    async fn apply_to_ids(&self, verb: &TaskVerb<'_>) -> Result<(), Error> {
        let client = self.target.client()?;
        let mut rejected = 0;
        for id in &self.ids {
            let (method, path) = (verb.one)(*id);
            match client.answer(client.request(method, &path)).await {
                // A delete is answered by 204 without content, read as null.
                Ok(answer) if !answer.is_null() && !answer.is_object() => {
                    return Err(client.not_a_service());
                }
                Ok(answer) => self.print_answer(*id, answer, verb.done)?,
                Err(Error::Failed(reason)) => {
                    rejected += 1;
                    self.print_rejection(*id, reason)?;
                }
                Err(error) => return Err(error),
            }
        }
        match (rejected, self.ids.len()) {
            (0, _) => Ok(()),
            (_, 1) => Err(Error::Reported),
            (rejected, all) => Err(Error::Failed(format!("{rejected} of {all} were rejected"))),
        }
    }

    fn print_answer(&self, id: TaskId, answer: Value, done: &str) -> Result<(), Error> {
        let message = answer["message"].as_str().unwrap_or(done);
        if self.json {
            let answer = match answer {
                Value::Null => json!({ "success": true, "task_id": id, "message": done }),
                answer => answer,
            };
            return print_json(&answer);
        }
        match self.ids.len() {
            1 => say(message),
            _ => say(format_args!("{id}: {message}")),
        }
        Ok(())
    }

    fn print_rejection(&self, id: TaskId, reason: String) -> Result<(), Error> {
        match self.ids.len() {
            1 => say(format_args!("error: {reason}")),
            _ => say(format_args!("{id}: error: {reason}")),
        }
        match self.json {
            true => print_json(&json!({ "success": false, "task_id": id, "message": reason })),
            false => Ok(()),
        }
    }

    async fn apply_to_matching(&self, verb: &TaskVerb<'_>) -> Result<(), Error> {
        let client = self.target.client()?;
        let what = format!("{} by filter", verb.name.to_lowercase());
        if must_ask(verb.confirmed || self.dry_run, &what)? {
            let found = self.call(&client, verb, true).await?;
            let (name, url) = (verb.name, client.url());
            let question = format!("{name} {} tasks at {url}?", found["matched"]);
            if !confirm(&question)? {
                return Err(Error::Failed("cancelled; no task was changed".to_owned()));
            }
        }
        let answer = self.call(&client, verb, self.dry_run).await?;
        if self.json {
            return print_json(&answer);
        }
        say(client.message(&answer)?);
        Ok(())
    }

    async fn call(
        &self,
        client: &ServiceClient,
        verb: &TaskVerb<'_>,
        dry_run: bool,
    ) -> Result<Value, Error> {
        let mut parameters = self.filter.parameters();
        parameters.extend(verb.parameter.map(|(name, value)| (name, value.to_owned())));
        if dry_run {
            parameters.push(("dry_run", "true".to_owned()));
        }
        let (method, path) = &verb.many;
        let path = with_query(path, &parameters);
        client.answer(client.request(method.clone(), &path)).await
    }
}
