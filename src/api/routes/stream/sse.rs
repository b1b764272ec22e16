//! Server-sent events as the original sends them: no blank after a field's colon, because programs that read
//! its stream line by line compare with `event:task_update`. To `EventSource` both are the same.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// nginx hands on each event as it comes, instead of a buffer when it is full.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// One event, of fields that have no line breaks in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event(String);

impl Event {
    pub(crate) fn event(self, name: impl AsRef<str>) -> Self {
        self.field("event", name.as_ref())
    }

    pub(crate) fn id(self, id: impl AsRef<str>) -> Self {
        self.field("id", id.as_ref())
    }

    pub(crate) fn data(self, data: impl AsRef<str>) -> Self {
        self.field("data", data.as_ref())
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        debug_assert!(!value.contains(['\r', '\n']), "{name} has a line break");
        self.0.reserve(name.len() + value.len() + 2);
        self.0.push_str(name);
        self.0.push(':');
        self.0.push_str(value);
        self.0.push('\n');
        self
    }

    fn finish(mut self) -> Bytes {
        self.0.push('\n');
        self.0.into()
    }
}

/// An answer that is a stream of events.
pub(crate) struct Sse<S>(S);

impl<S> Sse<S>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    pub(crate) fn new(events: S) -> Self {
        Self(events)
    }
}

impl<S> IntoResponse for Sse<S>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    fn into_response(self) -> Response {
        let events = self.0.map(|event| event.map(Event::finish));
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/event-stream"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            UNBUFFERED,
        ];
        (headers, Body::from_stream(events)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_blank_follows_a_colon() {
        let event = Event::default().event("task_update").id("7").data("{}");
        assert_eq!(event.finish(), "event:task_update\nid:7\ndata:{}\n\n");
    }
}
