//! An OpenTelemetry collector, played by the test: OTLP over HTTP, as protobuf.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::wait::eventually;

/// Takes spans until it is dropped.
pub struct Collector {
    url: String,
    taken: Arc<Mutex<Taken>>,
    server: AbortHandle,
}

/// All that was sent.
#[derive(Default)]
pub struct Taken {
    pub spans: Vec<Span>,
    pub headers: Vec<HeaderMap>,
    pub services: Vec<String>,
    pub bodies: Vec<Bytes>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let taken = Arc::<Mutex<Taken>>::default();
        let app = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&taken));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            taken,
            server: serving.abort_handle(),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks at what was sent so far.
    pub fn look<T>(&self, at: impl FnOnce(&Taken) -> T) -> T {
        at(&self.taken.lock().expect("no test panics with it"))
    }

    /// All spans of this name so far, in the order in which they began.
    pub fn named(&self, name: &str) -> Vec<Span> {
        let mut spans = self.look(|taken| taken.spans.clone());
        spans.retain(|span| span.name == name);
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// Waits for a span of this name.
    pub async fn until(&self, name: &str) -> Span {
        eventually("a span is sent", || async { self.named(name).pop() }).await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(taken): State<Arc<Mutex<Taken>>>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("protobuf");
    let mut taken = taken.lock().expect("no test panics with it");
    taken.headers.push(headers);
    taken.bodies.push(body);
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("a resource");
        let names = resource.attributes.into_iter();
        let name = names.filter(|attribute| attribute.key == "service.name");
        let name = name.filter_map(|attribute| text(attribute.value?.value?));
        taken.services.extend(name);
        let scopes = of_resource.scope_spans.into_iter();
        taken.spans.extend(scopes.flat_map(|scope| scope.spans));
    }
}

/// An attribute of a span, as text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|found| found.key == name)?;
    text(found.value.clone()?.value?)
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}
