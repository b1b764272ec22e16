//! The tasks that a verb is given: by their ids, or by what they are.
//!
//! By id it is one call each, so that every one has its own answer; by a filter it is one call for all.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::args::task_filter::{Filter, with_query};
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};
use crate::cli::output::print::{print_json, say};
use crate::models::TaskId;

/// The arguments of every verb that takes many tasks.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// Ids of tasks; or choose them by what they are
    #[arg(value_name = "ID")]
    ids: Vec<TaskId>,
    /// Only say how many tasks the filter finds
    #[arg(long, conflicts_with = "ids")]
    dry_run: bool,
    /// Print the service's answers as JSON, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    target: Target,
}

/// What a verb does with its tasks.
pub(crate) struct Verb<'a> {
    /// `Delete`
    pub(crate) name: &'a str,
    /// The call for one task.
    pub(crate) one: &'a dyn Fn(TaskId) -> (Method, String),
    /// What to say of a task when its call gives no words.
    pub(crate) done: &'a str,
    /// The call for those that a filter finds.
    pub(crate) many: (Method, &'a str),
    /// A parameter of that call besides the filter.
    pub(crate) with: Option<(&'static str, &'static str)>,
    /// Whether it is agreed to do it to all that a filter finds: with --yes, or as it can be taken back.
    pub(crate) yes: bool,
}

impl Chosen {
    /// Does it to each of them.
    pub(crate) async fn apply(&self, verb: &Verb<'_>) -> Result<(), Error> {
        match (self.ids.is_empty(), self.filter.parameters().is_empty()) {
            (false, true) => self.apply_to_ids(verb).await,
            (true, false) => self.apply_to_found(verb).await,
            (true, true) => {
                let words = "name tasks by their ids, or choose them, such as with --failed";
                Err(Error::Usage(words.to_owned()))
            }
            (false, false) => {
                let words = "name tasks by their ids, or choose them; both at once makes no sense";
                Err(Error::Usage(words.to_owned()))
            }
        }
    }

    async fn apply_to_ids(&self, verb: &Verb<'_>) -> Result<(), Error> {
        let client = self.target.client()?;
        let mut refused = 0;
        for id in &self.ids {
            let (method, path) = (verb.one)(*id);
            match client.answer(client.request(method, &path)).await {
                // No content is an answer too, to a delete.
                Ok(answer) if !answer.is_null() && !answer.is_object() => {
                    return Err(client.not_a_service());
                }
                Ok(answer) => self.tell(*id, answer, verb.done)?,
                Err(Error::Failed(reason)) => {
                    refused += 1;
                    self.tell_refusal(*id, reason)?;
                }
                Err(error) => return Err(error),
            }
        }
        match (refused, self.ids.len()) {
            (0, _) => Ok(()),
            (_, 1) => Err(Error::Said),
            (refused, all) => Err(Error::Failed(format!("{refused} of {all} were refused"))),
        }
    }

    fn tell(&self, id: TaskId, answer: Value, done: &str) -> Result<(), Error> {
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

    fn tell_refusal(&self, id: TaskId, reason: String) -> Result<(), Error> {
        match self.ids.len() {
            1 => say(format_args!("error: {reason}")),
            _ => say(format_args!("{id}: error: {reason}")),
        }
        match self.json {
            true => print_json(&json!({ "success": false, "task_id": id, "message": reason })),
            false => Ok(()),
        }
    }

    async fn apply_to_found(&self, verb: &Verb<'_>) -> Result<(), Error> {
        let client = self.target.client()?;
        let what = format!("{} by filter", verb.name.to_lowercase());
        if must_ask(verb.yes || self.dry_run, &what)? {
            let found = self.call(&client, verb, true).await?;
            let (name, url) = (verb.name, client.url());
            let question = format!("{name} {} tasks at {url}?", found["matched"]);
            if !confirm(&question)? {
                return Err(Error::Failed("nothing was done".to_owned()));
            }
        }
        let answer = self.call(&client, verb, self.dry_run).await?;
        if self.json {
            return print_json(&answer);
        }
        say(client.message(&answer)?);
        Ok(())
    }

    async fn call(&self, client: &Client, verb: &Verb<'_>, dry_run: bool) -> Result<Value, Error> {
        let mut parameters = self.filter.parameters();
        parameters.extend(verb.with.map(|(name, value)| (name, value.to_owned())));
        if dry_run {
            parameters.push(("dry_run", "true".to_owned()));
        }
        let (method, path) = &verb.many;
        let path = with_query(path, &parameters);
        client.answer(client.request(method.clone(), &path)).await
    }
}
