//! A request to another service as a span of the attempt's trace; its headers carry the trace.

use axum::http::{HeaderMap, HeaderValue};
use reqwest::{Error, Response, Url};

use crate::models::TraceContext;
use crate::processors::context::Context;
use crate::traces::Span;

/// The span of a call, if traces are on, which ends when this is dropped; and the trace in any case.
pub(crate) struct TracedCall {
    span: Option<Span>,
    carried: Option<TraceContext>,
}

impl TracedCall {
    /// Begins the span of a POST to `url`.
    pub(crate) fn post(context: &Context, url: &str) -> Self {
        let span = context.span().map(|span| {
            let url = Url::parse(url).ok();
            let host = url
                .as_ref()
                .and_then(|url| url.host_str().map(str::to_owned));
            span.call(
                "POST",
                host,
                url.and_then(|url| url.port_or_known_default()),
            )
        });
        let carried = span.as_ref().map(Span::carried);
        Self {
            carried: carried.or_else(|| context.trace()),
            span,
        }
    }

    /// Returns the trace headers of the request.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.carried.as_ref().map(headers).unwrap_or_default()
    }

    /// Records the response in the span.
    pub(crate) fn answered(&self, answer: &Result<Response, Error>) {
        let Some(span) = &self.span else {
            return;
        };
        match answer {
            Ok(response) => {
                let status = response.status();
                span.set("http.response.status_code", i64::from(status.as_u16()));
                if status.is_client_error() || status.is_server_error() {
                    span.fail(status.as_u16().to_string());
                }
            }
            Err(error) if error.is_timeout() => span.fail("timeout"),
            Err(error) if error.is_connect() => span.fail("connect"),
            Err(_) => span.fail("_OTHER"),
        }
    }
}

fn headers(carried: &TraceContext) -> HeaderMap {
    let both = [
        ("traceparent", Some(&carried.traceparent)),
        ("tracestate", carried.tracestate.as_ref()),
    ];
    let given = both.into_iter().filter_map(|(name, text)| {
        let value = HeaderValue::from_str(text?).ok()?;
        Some((axum::http::HeaderName::from_static(name), value))
    });
    given.collect()
}
