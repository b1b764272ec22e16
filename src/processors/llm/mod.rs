//! `llm`: asks a language model, through any API like OpenAI's, and lets the answer grow as it comes.
//!
//! - The request is a streamed chat completion: the `system` text if there is one, then one message
//!   of the user: the results of the tasks that this one waited for, and the task's content.
//! - The answer is told as it grows, about ten times a second at most, and is the result in the end,
//!   to 16 MiB. Of several choices it is the first. An attempt that fails has told what it has told;
//!   the next one begins the answer anew.
//! - Only an answer that says that it is whole is a result: one that stops without a `finish_reason`
//!   or `[DONE]` has broken off, and the task is tried again if it has attempts left.
//! - Answers with another status than 2xx, and broken connections, mean what they mean to a `webhook`.
//! - `context_history.llm` is what it took: `model`, `prompt_tokens`, `completion_tokens`,
//!   `total_tokens`, `finish_reason`, `attempt`. A server that does not count leaves null, and the
//!   task's log says so.
//! - `tokens_per_minute` limits this processor: while that many were used within the last minute, it
//!   starts nothing. What a request uses is known when it has ended, so those that run at once can go
//!   beyond the limit together; the time after it makes up for that. An answer without counts, and one
//!   that broke off, counts a token for four bytes.
//!
//! `request` is what is sent, `events` and `answer` read what comes, `growth` tells it, `budget` counts.

mod answer;
mod budget;
mod events;
mod growth;
mod request;

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::Response;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::answer::Answer;
use self::budget::Budget;
use self::events::Events;
use self::growth::Growth;
use super::http::{Http, Secrets, of_answer, of_transport, reveal};
use super::{Context, Next, Processor, RunError};
use crate::config::LlmSettings;
use crate::models::Timestamp;

/// The server's lowest price for text, as a rule of thumb.
const BYTES_PER_TOKEN: usize = 4;

/// Has each task answered by one model.
pub struct Llm {
    settings: LlmSettings,
    url: String,
    http: Http,
    budget: Mutex<Budget>,
}

impl Llm {
    /// A processor for one `[processors.NAME]` table.
    pub(super) fn new(settings: LlmSettings) -> Self {
        let base = settings.base_url.trim_end_matches('/');
        Self {
            url: format!("{base}/chat/completions"),
            http: Http::new(base, settings.ca_file.clone()),
            budget: Mutex::new(Budget::new(settings.tokens_per_minute)),
            settings,
        }
    }

    async fn call(&self, context: &Context) -> Result<String, RunError> {
        self.check_budget()?;
        let upstream = context.upstream().await?;
        let question = request::body(&self.settings, &upstream, context.content()).to_string();
        let asked = question.len();
        let response = self.ask(question).await?;

        let mut answer = Answer::default();
        let heard = tokio::select! {
            biased;
            () = context.stopped() => Err(stopped()),
            heard = listen(response, context, &mut answer) => heard,
        };
        let estimate = (asked + answer.text.len()).div_ceil(BYTES_PER_TOKEN);
        let used = answer.usage.total().unwrap_or(estimate as u64);
        self.budget().spend(Timestamp::now(), used);
        heard?;
        self.note(context, &answer).await;
        Ok(answer.text)
    }

    fn check_budget(&self) -> Result<(), RunError> {
        let Some(until) = self.budget().frees_at(Timestamp::now()) else {
            return Ok(());
        };
        let message = "has to wait: the tokens of this minute are used up";
        Err(RunError::with(message, Next::Hold(until)))
    }

    /// Sends the question; the answer, once it has begun well.
    async fn ask(&self, question: String) -> Result<Response, RunError> {
        let mut secrets = Secrets::default();
        let mut request = self.http.client().await?.post(&self.url);
        if let Some(key) = &self.settings.api_key {
            let key = reveal(key, "the API key").await?;
            secrets.add(&key);
            request = request.header(AUTHORIZATION, bearer(&key)?);
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .body(question);
        let response = request.send().await.map_err(of_transport)?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(of_answer(response, &secrets).await),
        }
    }

    async fn note(&self, context: &Context, answer: &Answer) {
        let usage = &answer.usage;
        if usage.total().is_none() {
            let line = "The model's server did not say how many tokens it took";
            context.log(line.to_owned()).await;
        }
        let note = json!({
            "model": answer.model.as_ref().unwrap_or(&self.settings.model),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total(),
            "finish_reason": answer.finish_reason,
            "attempt": context.attempt(),
        });
        context.note("llm", &note).await;
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processor for Llm {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        let run = async move {
            tokio::select! {
                // Polled first, so that a stop in the middle of an answer is still counted.
                biased;
                result = self.call(context) => result,
                () = context.stopped() => Err(stopped()),
            }
        };
        run.boxed()
    }
}

fn stopped() -> RunError {
    RunError::new("stopped before the answer was whole")
}

fn bearer(key: &str) -> Result<HeaderValue, RunError> {
    let value = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut value = value.map_err(|_| {
        let message = "the API key has characters in it that a header cannot hold";
        RunError::with(message, Next::GiveUp)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads the answer to its end and tells it as it grows.
async fn listen(
    mut response: Response,
    context: &Context,
    answer: &mut Answer,
) -> Result<(), RunError> {
    let mut events = match is_stream(&response) {
        true => Events::default(),
        false => Events::of_one(),
    };
    let mut growth = Growth::new(context);
    let heard = loop {
        let chunk = growth.beside(response.chunk()).await;
        let ended = match chunk {
            Ok(Some(chunk)) => take(&chunk, &mut events, answer, &mut growth),
            Ok(None) => take_rest(&mut events, answer, &mut growth).map(|()| true),
            // Nothing is missing from an answer that has said that it is whole.
            Err(_) if answer.is_whole() => Ok(true),
            Err(error) => Err(of_transport(error)),
        };
        growth.tell_if_due().await;
        match ended {
            Ok(false) => {}
            Ok(true) => break answer.check_whole(),
            Err(error) => break Err(error),
        }
    };
    growth.tell().await;
    heard
}

/// A server that knows no streams answers with one JSON document.
fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// Takes in bytes of the answer; `true` if nothing that follows matters.
fn take(
    chunk: &[u8],
    events: &mut Events,
    answer: &mut Answer,
    growth: &mut Growth<'_>,
) -> Result<bool, RunError> {
    for data in events.push(chunk).map_err(RunError::new)? {
        growth.add(answer.take(&data).map_err(RunError::new)?);
    }
    Ok(answer.has_ended())
}

fn take_rest(
    events: &mut Events,
    answer: &mut Answer,
    growth: &mut Growth<'_>,
) -> Result<(), RunError> {
    if let Some(data) = events.rest() {
        growth.add(answer.take(&data).map_err(RunError::new)?);
    }
    Ok(())
}

/// The message of an error object, in whatever shape the server has it.
fn error_message(error: &Value) -> String {
    let message = error.get("message").unwrap_or(error);
    match message.as_str() {
        Some(text) => text.to_owned(),
        None => message.to_string(),
    }
}
