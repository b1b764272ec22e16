//! A request to another service as a span of the attempt's trace, which it is told of.

use axum::http::{HeaderMap, HeaderValue};
use reqwest::{Error, Response, Url};

use crate::models::TraceContext;
use crate::processors::Context;
use crate::traces::Span;

/// The span of a call, if there is one. It ends when this is dropped.
pub(in crate::processors) struct Call(Option<Span>);

impl Call {
    /// A POST to `url` begins.
    pub fn post(context: &Context, url: &str) -> Self {
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
        Self(span)
    }

    /// What the other service is told.
    pub fn headers(&self) -> HeaderMap {
        let carried = self.0.as_ref().map(Span::carried);
        carried.map(|carried| headers(&carried)).unwrap_or_default()
    }

    /// This is what has come of it so far.
    pub fn answered(&self, answer: &Result<Response, Error>) {
        let Some(span) = &self.0 else {
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
