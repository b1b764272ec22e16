//! `webhook`: posts the task to another service; the response body is the result.
//!
//! What that service can rely on:
//! - The body is JSON: `{"type": "task.run", "timestamp": …, "data": {"task": …, "attempt": n,
//!   "upstream": [{"id", "status", "result"}]}}`. The task is the one of the API, without its `logs`.
//! - The headers are those of [Standard Webhooks](https://www.standardwebhooks.com): `webhook-id` is
//!   the task's id, the same for every attempt, so that a repeat can be known as one;
//!   `webhook-timestamp` is the Unix time of the request; with a secret, `webhook-signature` signs
//!   both and the body. `venom-attempt` is the attempt's number. `headers` of the settings come along,
//!   but do not replace these.
//! - While traces are on, `traceparent` and `tracestate` name the trace that the task belongs to.
//! - A task may be posted more than once: after a timeout or a crash nobody knows whether the other
//!   side has done its work. A request whose connection had served another one and ended before the answer
//!   began is sent once more within the same attempt: servers close idle connections at any moment.
//!
//! What an answer means:
//! - 2xx completes the task with the body, to `response_limit_bytes`. Requests ask for a body without
//!   compression. One in gzip or deflate is undone; in any other encoding it fails the task for good.
//! - 429 and 503 with `Retry-After` hold the whole processor until then, for a day at most, and cost
//!   no attempt. Such answers that follow each other hold it for longer each time, up to a minute where
//!   the server asks for less. Without `Retry-After` they are errors like other 5xx, 408, 425, timeouts
//!   and connections that are refused, break off or cannot be trusted: the task is tried again if it has
//!   attempts left. `Retry-After` of these is the earliest time of the next attempt.
//! - `Retry-After` is a number of seconds or a date; `retry-after-ms` and `x-ms-retry-after-ms` are read
//!   before it.
//! - Everything else, redirects included, fails the task for good.
//!
//! An attempt that has to end drops its connection.

mod message;
mod signature;

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::{RequestBuilder, Response};

use self::message::WebhookMessage;
use self::signature::WebhookKey;
use super::http::{Http, compressed};
use crate::config::{EXPECTED_KEY, WebhookSettings};
use crate::processors::context::Context;
use crate::processors::http::encoding::compressed_as;
use crate::processors::http::failure::of_transport;
use crate::processors::http::secrets::{Secrets, reveal};
use crate::processors::http::traced::TracedCall;
use crate::processors::processor::Processor;
use crate::processors::run_error::{Next, RunError};
use crate::processors::text;

/// The bytes read beyond the limit, so that a character that straddles it is recognised.
const SLACK_BYTES: usize = 4;

/// Posts each task to one address.
pub(crate) struct WebhookProcessor {
    settings: WebhookSettings,
    http: Http,
}

impl WebhookProcessor {
    /// Creates a processor for one `[processors.NAME]` table.
    pub(crate) fn new(settings: WebhookSettings) -> Self {
        let http = Http::new(&settings.url, settings.ca_file.clone());
        Self { settings, http }
    }

    async fn call(&self, context: &Context) -> Result<String, RunError> {
        let (key, secrets) = self.secrets().await?;
        let message = WebhookMessage::of(context).await?;
        let request = self.request(message, key.as_ref()).await?;
        let call = TracedCall::post(context, &self.settings.url);
        let request = request.headers(call.headers());
        let response = self.http.send(request).await;
        call.answered(&response);
        let response = response.map_err(of_transport)?;
        let response = self.http.success(response, &secrets).await?;
        self.result(response).await
    }

    /// Returns the signing key, and the texts that no message may show.
    async fn secrets(&self) -> Result<(Option<WebhookKey>, Secrets), RunError> {
        let mut secrets = Secrets::default();
        secrets.add_address(&self.settings.url);
        for value in self.settings.headers.values() {
            secrets.add_header(value);
        }
        let Some(secret) = &self.settings.secret else {
            return Ok((None, secrets));
        };
        let secret = reveal(secret, "the webhook's secret").await?;
        secrets.add(&secret);
        let key = WebhookKey::read(&secret).map_err(|wrong| {
            let message = format!("the webhook's secret is {wrong}; expected {EXPECTED_KEY}");
            RunError::with(message, Next::GiveUp)
        })?;
        Ok((Some(key), secrets))
    }

    async fn request(
        &self,
        message: WebhookMessage,
        key: Option<&WebhookKey>,
    ) -> Result<RequestBuilder, RunError> {
        let mut request = self.http.client().await?.post(&self.settings.url);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        Ok(request.headers(message.headers(key)).body(message.body))
    }

    async fn result(&self, mut response: Response) -> Result<String, RunError> {
        let limit = self.settings.response_limit_bytes;
        let mut body = Vec::new();
        while body.len() < limit + SLACK_BYTES
            && let Some(chunk) = response.chunk().await.map_err(of_transport)?
        {
            let room = limit + SLACK_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        match compressed_as(&body) {
            None => Ok(text::result(&body, limit)),
            Some(format) => Err(compressed(format)),
        }
    }
}

impl Processor for WebhookProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        let run = async move {
            tokio::select! {
                biased;
                () = context.stopped() => Err(RunError::new("stopped before the response arrived")),
                result = self.call(context) => result,
            }
        };
        run.boxed()
    }
}
