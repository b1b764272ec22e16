//! Reads a streamed answer to its end and returns its failure, if any.

use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::processors::context::Context;
use crate::processors::http::failure::of_transport;
use crate::processors::http::secrets::Secrets;
use crate::processors::llm::answer::{AnswerFault, ModelAnswer};
use crate::processors::llm::events::{AnswerEvent, Events};
use crate::processors::llm::stream_output::Growth;
use crate::processors::run_error::{Next, RunError};

/// How long after its `finish_reason`, or after later text, an answer may still report its token usage.
const PATIENCE_FOR_USAGE: Duration = Duration::from_secs(5);

/// An answer in transit.
pub(crate) struct StreamReader<'a> {
    events: Events,
    answer: &'a mut ModelAnswer,
    growth: Growth<'a>,
    secrets: &'a Secrets,
    /// When the answer counts as ended: set once it is complete, and again with each text.
    ends_at: Option<Instant>,
}

impl<'a> StreamReader<'a> {
    /// Creates a reader that collects the response in `answer`; no error shows the secrets.
    pub(crate) fn new(
        context: &'a Context,
        answer: &'a mut ModelAnswer,
        secrets: &'a Secrets,
    ) -> Self {
        Self {
            events: Events::default(),
            answer,
            growth: Growth::new(context),
            secrets,
            ends_at: None,
        }
    }

    /// Reads the answer to its end.
    ///
    /// # Errors
    /// If it ends early, is invalid, reports a failure of the server, or is no answer at all.
    pub(crate) async fn read(mut self, mut response: Response) -> Result<(), RunError> {
        let heard = loop {
            match self.read_more(&mut response).await {
                Ok(false) => {}
                Ok(true) => break self.check_content(),
                Err(error) => break Err(self.with_what_came(error)),
            }
        };
        self.growth.publish().await;
        heard
    }

    /// Reads the next chunk; returns true at the end.
    async fn read_more(&mut self, response: &mut Response) -> Result<bool, RunError> {
        let length = self.answer.text.len();
        let chunk = self.growth.beside(in_time(self.ends_at, response.chunk()));
        let has_ended = match chunk.await {
            Some(Ok(Some(chunk))) => self.take(&chunk),
            Some(Ok(None)) => self.take_rest().map(|()| true),
            // An answer that has reported its end is complete.
            None | Some(Err(_)) if self.answer.is_whole() => Ok(true),
            None => Err(broken_off()),
            Some(Err(error)) => Err(of_transport(error)),
        };
        self.growth.publish_if_due().await;
        let has_grown = self.answer.text.len() > length;
        if self.answer.is_whole() && (self.ends_at.is_none() || has_grown) {
            self.ends_at = Some(Instant::now() + PATIENCE_FOR_USAGE);
        }
        has_ended
    }

    /// Adds bytes of the response; returns true if no later bytes matter.
    fn take(&mut self, chunk: &[u8]) -> Result<bool, RunError> {
        for event in self.events.push(chunk).map_err(RunError::new)? {
            let grown = self.answer.take(&event);
            let grown = grown.map_err(|fault| self.error(fault, &event))?;
            self.growth.add(grown);
        }
        Ok(self.answer.has_ended())
    }

    /// Adds the unfinished event at the end of the connection.
    fn take_rest(&mut self) -> Result<(), RunError> {
        let event = self.events.rest().unwrap_or_default();
        match self.answer.take(&event) {
            Ok(grown) => self.growth.add(grown),
            Err(AnswerFault::Unreadable(_))
                if self.answer.is_whole() || self.events.is_stream() => {}
            Err(fault) => return Err(self.error(fault, &event)),
        }
        if let Err(fault) = self.answer.end() {
            return Err(self.error(fault, &event));
        }
        match self.answer.is_whole() || self.answer.is_nothing() {
            true => Ok(()),
            false => Err(broken_off()),
        }
    }

    /// Rejects a response without anything of a model's: an error in an unknown shape, a page of HTML, `[DONE]`
    /// alone.
    fn check_content(&self) -> Result<(), RunError> {
        if !self.answer.is_nothing() {
            return Ok(());
        }
        let message = match self.secrets.words(&self.events.beginning()) {
            Some(words) => {
                format!("the response has no text, no finish_reason and no usage: {words}")
            }
            None => "the response is empty".to_owned(),
        };
        Err(RunError::new(message))
    }

    fn error(&self, fault: AnswerFault, event: &AnswerEvent) -> RunError {
        let shown = |words: &str| self.secrets.words(words).unwrap_or_default();
        match fault {
            AnswerFault::Unreadable(because) => RunError::new(format!(
                "the response contains an invalid event ({}): {}",
                shown(&because),
                shown(&event.data)
            )),
            AnswerFault::Failed(failure) => {
                let next = match failure.is_final {
                    true => Next::GiveUp,
                    false => Next::Retry,
                };
                let words = match shown(&failure.words) {
                    words if words.is_empty() => "it gave no reason".to_owned(),
                    words => words,
                };
                RunError::with(format!("the model's server failed: {words}"), next)
            }
        }
    }

    /// Adds the beginning of the answer to its error.
    fn with_what_came(&self, error: RunError) -> RunError {
        match self.secrets.words(&self.answer.text) {
            None => error,
            Some(words) => {
                let message = format!("{}; received so far: {words}", error.message);
                RunError { message, ..error }
            }
        }
    }
}

fn broken_off() -> RunError {
    RunError::new("the response ended before it was complete")
}

/// Returns the output of `work`; `None` if it takes longer.
async fn in_time<T>(end: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match end {
        None => Some(work.await),
        Some(end) => timeout_at(end, work).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::models::{Attempt, ClaimedTask, TaskId, Terms, Timestamp};
    use crate::processors::context::Sent;

    fn context() -> Context {
        let task = ClaimedTask {
            attempt: Attempt {
                seq: 0,
                task_id: TaskId::nil(),
                number: 1,
            },
            content: String::new(),
            processor: "model".to_owned(),
            concurrency_key: None,
            terms: Terms {
                max_attempts: 1,
                uncounted: 0,
                timeout: None,
                has_upstream: false,
                lease: None,
            },
        };
        let sent = Sent {
            at: Timestamp::now(),
            upstream: Vec::new(),
            trace: None,
        };
        Context::of_sent(task, CancellationToken::new(), sent)
    }

    fn delta(text: &str, reason: &str) -> String {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{reason}}}]}}\n\n"
        )
    }

    /// Returns the answer for chunks that arrive after these seconds each.
    async fn read_all(chunks: Vec<(u64, String)>) -> Result<String, RunError> {
        let chunks = stream::unfold(chunks.into_iter(), |mut chunks| async move {
            let (seconds, chunk) = chunks.next()?;
            sleep(Duration::from_secs(seconds)).await;
            Some((Ok::<_, Infallible>(chunk), chunks))
        });
        let body = reqwest::Body::wrap_stream(chunks);
        let response = Response::from(axum::http::Response::new(body));
        let (context, secrets) = (context(), Secrets::default());
        let mut answer = ModelAnswer::default();
        let reader = StreamReader::new(&context, &mut answer, &secrets);
        reader.read(response).await.map(|()| answer.text)
    }

    #[tokio::test(start_paused = true)]
    async fn text_after_the_first_finish_reason_belongs_to_the_answer() {
        let chunks = vec![
            (0, delta("one", "\"stop\"")),
            (4, delta(", two", "null")),
            (4, delta(", three", "null")),
            (4, "data: {\"choices\":[]}\n\n".to_owned()),
            // No text came with the last one, so this is too late.
            (4, delta(", four", "null")),
        ];
        assert_eq!(read_all(chunks).await.unwrap(), "one, two, three");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_goes_on_is_waited_for_until_it_says_that_it_ends() {
        let chunks = vec![
            (0, delta("one", "\"null\"")),
            (60, delta(", two", "null")),
            (60, "data: [DONE]\n\n".to_owned()),
        ];
        assert_eq!(read_all(chunks).await.unwrap(), "one, two");
    }
}
