//! Traces for OpenTelemetry: a request, the commit it waited for, the task's attempts, and their requests to
//! other services.
//!
//! Without `otlp_endpoint` there is no tracer, and no span is made anywhere. With it, spans are made by the
//! OpenTelemetry SDK, which sends them from its own thread and drops spans when its buffer is full: a
//! slow or unreachable collector delays no task. No span has a task's content, an error's text or an
//! address with a query in it.
//!
//! A task keeps the context of the commit that accepted it ([`TraceContext`]), so its attempts belong to the
//! submitter's trace whenever they run, after a restart too.

mod export;
mod span;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub(crate) use span::Span;

use self::export::Client;
use crate::config::Settings;
use crate::models::{ClaimedTask, TraceContext};

/// Time for one delivery to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the last spans at a stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Makes spans, if tracing is on; clone it freely.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<Arc<Pipeline>>);

struct Pipeline {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts the pipeline that the settings describe. Must be called within a runtime, which sends the spans.
    ///
    /// # Errors
    /// A sentence, if the exporter cannot be built from the settings.
    pub(crate) fn start(settings: &Settings) -> Result<Self, String> {
        let Some(endpoint) = &settings.otlp_endpoint else {
            return Ok(Self::default());
        };
        let headers = settings.otlp_headers.as_ref();
        let headers = headers.map(|headers| pairs(headers.reveal()));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(endpoint)?)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .with_headers(headers.unwrap_or_default())
            .build()
            .map_err(|error| error.to_string())?;
        let resource = Resource::builder()
            .with_service_name(settings.otlp_service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("venom-core");
        Ok(Self(Some(Arc::new(Pipeline { provider, tracer }))))
    }

    /// Returns whether spans are made.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Starts the span of a request, below the trace that its headers name.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &HeaderMap) -> Option<Span> {
        let attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("url.path", path.to_owned()),
        ];
        let parent = parent_in(&HeaderExtractor(headers));
        self.span(method.to_owned(), SpanKind::Server, &parent, attributes)
    }

    /// Starts the span of an attempt, below the context that accepted the task.
    pub(crate) fn attempt(
        &self,
        task: &ClaimedTask,
        accepted_in: Option<&TraceContext>,
    ) -> Option<Span> {
        let attributes = vec![
            KeyValue::new("venom.task.id", task.attempt.task_id.to_string()),
            KeyValue::new("venom.task.attempt", task.attempt.number),
            KeyValue::new("venom.processor", task.processor.clone()),
        ];
        let parent = accepted_in
            .map(|trace| parent_in(trace))
            .unwrap_or_default();
        self.span(
            "attempt".to_owned(),
            SpanKind::Consumer,
            &parent,
            attributes,
        )
    }

    fn span(
        &self,
        name: String,
        kind: SpanKind,
        parent: &Context,
        attributes: Vec<KeyValue>,
    ) -> Option<Span> {
        let tracer = self.0.as_ref()?.tracer.clone();
        Some(Span::start(tracer, name, kind, parent, attributes))
    }

    /// Sends the remaining spans, for at most [`FAREWELL`].
    pub(crate) async fn stop(self) {
        let Some(pipeline) = self.0 else {
            return;
        };
        // Blocks until the SDK's thread ends.
        let ending =
            tokio::task::spawn_blocking(move || pipeline.provider.shutdown_with_timeout(FAREWELL));
        match tokio::time::timeout(FAREWELL, ending).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last traces were not sent"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last traces were not sent in time"),
        }
    }
}

/// Parses `a=b,c=d`, which the settings have checked.
fn pairs(text: &str) -> HashMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let trimmed = |(name, value): (&str, &str)| (name.trim().to_owned(), value.trim().to_owned());
    pairs.map(trimmed).collect()
}

/// Returns the parent context that a carrier names; an empty one if it cannot be read.
fn parent_in(carrier: &dyn Extractor) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), carrier)
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(&self.traceparent),
            "tracestate" => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
