//! Hears an answer to its end, and tells it as it grows.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Fault};
use super::events::Events;
use super::growth::Growth;
use crate::processors::http::{Secrets, of_transport};
use crate::processors::{Context, RunError};

/// So long after the end of its text an answer may still say what it took.
const PATIENCE_FOR_USAGE: Duration = Duration::from_secs(5);

/// An answer on its way.
pub(super) struct Hearing<'a> {
    events: Events,
    answer: &'a mut Answer,
    growth: Growth<'a>,
    secrets: &'a Secrets,
    is_stream: bool,
    /// When it is over, whatever else might come: set once nothing is missing.
    ends_at: Option<Instant>,
}

impl<'a> Hearing<'a> {
    /// Gathers what comes in `answer`; no error shows the secrets.
    pub fn new(context: &'a Context, answer: &'a mut Answer, secrets: &'a Secrets) -> Self {
        Self {
            events: Events::default(),
            answer,
            growth: Growth::new(context),
            secrets,
            is_stream: true,
            ends_at: None,
        }
    }

    /// Hears the answer to its end.
    ///
    /// # Errors
    /// When it breaks off, cannot be read, or says that the server has failed.
    pub async fn hear(mut self, mut response: Response) -> Result<(), RunError> {
        self.is_stream = is_stream(&response);
        if !self.is_stream {
            self.events = Events::of_one();
        }
        let heard = loop {
            match self.hear_more(&mut response).await {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.growth.tell().await;
        heard
    }

    /// Hears what comes next; `true` if that was the end.
    async fn hear_more(&mut self, response: &mut Response) -> Result<bool, RunError> {
        let chunk = self.growth.beside(in_time(self.ends_at, response.chunk()));
        let has_ended = match chunk.await {
            Some(Ok(Some(chunk))) => self.take(&chunk),
            Some(Ok(None)) => self.take_rest().map(|()| true),
            // Nothing is missing from an answer that has said that it is whole.
            None | Some(Err(_)) if self.answer.is_whole() => Ok(true),
            None => Err(broken_off()),
            Some(Err(error)) => Err(of_transport(error)),
        };
        self.growth.tell_if_due().await;
        if self.answer.is_whole() {
            self.ends_at
                .get_or_insert_with(|| Instant::now() + PATIENCE_FOR_USAGE);
        }
        has_ended
    }

    /// Takes in bytes of the answer; `true` if nothing that follows matters.
    fn take(&mut self, chunk: &[u8]) -> Result<bool, RunError> {
        for data in self.events.push(chunk).map_err(RunError::new)? {
            let grown = self.answer.take(&data);
            self.growth.add(grown.map_err(|fault| self.error(fault))?);
        }
        Ok(self.answer.has_ended())
    }

    /// Takes in what the connection ended with, which may be the half of an event.
    fn take_rest(&mut self) -> Result<(), RunError> {
        let data = self.events.rest().unwrap_or_default();
        match self.answer.take(&data) {
            Ok(grown) => self.growth.add(grown),
            Err(Fault::Unreadable(_)) if self.answer.is_whole() || self.is_stream => {}
            Err(fault) => return Err(self.error(fault)),
        }
        match self.answer.is_whole() {
            true => Ok(()),
            false => Err(broken_off()),
        }
    }

    fn error(&self, fault: Fault) -> RunError {
        let shown = |words: String| self.secrets.words(&words).unwrap_or_default();
        let fault = match fault {
            Fault::Unreadable(words) => Fault::Unreadable(shown(words)),
            Fault::Failed(words) => Fault::Failed(shown(words)),
        };
        RunError::new(fault.to_string())
    }
}

fn broken_off() -> RunError {
    RunError::new("the answer broke off before it was whole")
}

/// A server that knows no streams answers with one JSON document.
fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// What `work` comes to; `None` if it does not by then.
async fn in_time<T>(end: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match end {
        None => Some(work.await),
        Some(end) => timeout_at(end, work).await.ok(),
    }
}
