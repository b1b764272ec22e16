//! `llm`: asks a language model, through any API like OpenAI's, and publishes the answer as it grows.
//!
//! - The request is a streamed chat completion: the `system` text, if set, and one message of the user with the results
//!   of the task's dependencies and its content.
//! - The growing answer is published at most ten times a second; the complete answer, at most 16 MiB, is the result. Of
//!   several choices it is the first. A failed attempt's text stays published; the next attempt begins the answer anew.
//! - Only a complete answer is a result: one without a `finish_reason` or `[DONE]` has ended early, and the task is
//!   retried if it has attempts left. A message in one piece is complete. After a `finish_reason`, further text and the
//!   token usage may take five seconds each.
//! - A server can report a failure in the body of a 200 response: `failure` knows the shapes. A response without text,
//!   `finish_reason` and usage is a failure too. A rejected request fails for good; every other failure is retried. The
//!   error shows the text received.
//! - The first byte of the body decides whether it is JSON or a stream; `Content-Type` is not read.
//! - A refusal is a result. The task's log names truncation and the parts that are not text (reasoning, tool calls).
//! - Responses with another status than 2xx, and broken connections, mean the same as for a `webhook`.
//! - `context_history.llm` records the use: `model`, `prompt_tokens`, `completion_tokens`, `total_tokens`,
//!   `finish_reason`, `attempt`. A server that does not count leaves null, and the task's log says so.
//! - `tokens_per_minute` limits this processor: while that many were used within the last minute, it starts nothing. The
//!   use of a request is known at its end, so concurrent requests can exceed the limit together; the following minutes
//!   compensate. An answer without usage, or one that ended early, counts a token for four bytes.
//!
//! `request` builds the body, `stream_reader` reads the response, `events`, `truncate`, `failure` and `answer` parse
//! it, `stream_output` publishes the growing answer, `answer_notes` logs what the result leaves out, `budget` counts
//! tokens.

mod answer;
pub(super) mod answer_notes;
mod budget;
mod events;
mod failure;
mod request;
pub(super) mod stream_output;
pub(super) mod stream_reader;
pub(super) mod truncate;
pub(super) mod unread;
pub(super) mod usage;

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, Url};
use serde_json::json;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

use self::answer::ModelAnswer;
use self::budget::TokenBudget;
use super::http::Http;
use crate::config::LlmSettings;
use crate::models::Timestamp;
use crate::processors::context::Context;
use crate::processors::http::failure::of_transport;
use crate::processors::http::secrets::{Secrets, reveal};
use crate::processors::http::traced::TracedCall;
use crate::processors::llm::stream_reader::StreamReader;
use crate::processors::processor::Processor;
use crate::processors::run_error::{Next, RunError};

/// The number of bytes of text per token, as a rule of thumb.
const BYTES_PER_TOKEN: usize = 4;

/// Answers each task with one model.
pub(crate) struct LlmProcessor {
    settings: LlmSettings,
    url: String,
    http: Http,
    budget: Mutex<TokenBudget>,
}

impl LlmProcessor {
    /// Creates a processor for one `[processors.NAME]` table.
    pub(crate) fn new(settings: LlmSettings) -> Self {
        Self {
            url: address(&settings.base_url),
            http: Http::new(&settings.base_url, settings.ca_file.clone()),
            budget: Mutex::new(TokenBudget::new(settings.tokens_per_minute)),
            settings,
        }
    }

    async fn call(&self, context: &Context) -> Result<String, RunError> {
        self.check_budget()?;
        let upstream = context.upstream().await?;
        let question = request::body(&self.settings, &upstream, context.content()).to_string();
        let asked = question.len();
        let call = TracedCall::post(context, &self.url);
        let (response, secrets) = self.ask(question, &call).await?;

        let mut answer = ModelAnswer::default();
        let heard = tokio::select! {
            biased;
            () = context.stopped() => Err(stopped()),
            heard = StreamReader::new(context, &mut answer, &secrets).read(response) => heard,
        };
        let estimate = (asked + answer.text.len()).div_ceil(BYTES_PER_TOKEN);
        let used = answer.usage.total().unwrap_or(estimate as u64);
        self.budget().spend(Instant::now(), used);
        heard?;
        self.note(context, &answer).await;
        Ok(answer.text)
    }

    fn check_budget(&self) -> Result<(), RunError> {
        let Some(pause) = self.budget().frees_in(Instant::now()) else {
            return Ok(());
        };
        let message = "deferred: the token budget of this minute is used up";
        let until = Timestamp::now().after(pause);
        Err(RunError::with(message, Next::Hold(until)))
    }

    /// Sends the request; returns the response once it has begun well, and the texts that no message may show.
    async fn ask(
        &self,
        question: String,
        call: &TracedCall,
    ) -> Result<(Response, Secrets), RunError> {
        let mut secrets = Secrets::default();
        secrets.add_address(&self.settings.base_url);
        let mut request = self.http.client().await?.post(&self.url);
        if let Some(key) = &self.settings.api_key {
            let key = reveal(key, "the API key").await?;
            secrets.add(&key);
            request = request.header(AUTHORIZATION, bearer(&key)?);
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .headers(call.headers())
            .body(question);
        let response = self.http.send(request).await;
        call.answered(&response);
        let response = response.map_err(of_transport)?;
        let response = self.http.success(response, &secrets).await?;
        Ok((response, secrets))
    }

    async fn note(&self, context: &Context, answer: &ModelAnswer) {
        let usage = &answer.usage;
        if usage.total().is_none() {
            let line = "The model's server reported no token usage";
            context.log(line.to_owned()).await;
        }
        for line in answer_notes::of(answer) {
            context.log(line).await;
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

    fn budget(&self) -> MutexGuard<'_, TokenBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processor for LlmProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        let run = async move {
            tokio::select! {
                // Polled first, so that a stopped answer is still counted.
                biased;
                result = self.call(context) => result,
                () = context.stopped() => Err(stopped()),
            }
        };
        run.boxed()
    }
}

/// Returns the address of the API call: below the path of `base_url`, whose query stays.
fn address(base_url: &str) -> String {
    let Ok(mut url) = Url::parse(base_url) else {
        // The settings accept only valid addresses; if an invalid one comes, the request names the fault.
        return base_url.to_owned();
    };
    let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.into()
}

fn stopped() -> RunError {
    RunError::new("stopped before the response was complete")
}

fn bearer(key: &str) -> Result<HeaderValue, RunError> {
    let value = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut value = value.map_err(|_| {
        let message = "the API key contains characters that a header cannot hold";
        RunError::with(message, Next::GiveUp)
    })?;
    value.set_sensitive(true);
    Ok(value)
}
