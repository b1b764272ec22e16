//! [`Span`]: one trace span and its children.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

use crate::models::{Outcome, Reschedule, TraceContext};

/// A started span. It ends at [`Span::end`], or when its last clone is dropped.
#[derive(Clone)]
pub(crate) struct Span {
    tracer: SdkTracer,
    context: Context,
}

impl Span {
    pub(crate) fn start(
        tracer: SdkTracer,
        name: String,
        kind: SpanKind,
        parent: &Context,
        attributes: Vec<KeyValue>,
    ) -> Self {
        let builder = tracer.span_builder(name).with_kind(kind);
        let builder = builder.with_attributes(attributes);
        let span = builder.start_with_context(&tracer, parent);
        Self {
            context: Context::new().with_span(span),
            tracer,
        }
    }

    fn below(&self, name: &str, kind: SpanKind, attributes: Vec<KeyValue>) -> Self {
        let tracer = self.tracer.clone();
        Self::start(tracer, name.to_owned(), kind, &self.context, attributes)
    }

    /// Starts the span of the commit that a request waits for.
    pub(crate) fn commit(&self, tasks: usize) -> Self {
        let tasks = KeyValue::new("venom.tasks", tasks as i64);
        self.below("commit", SpanKind::Producer, vec![tasks])
    }

    /// Starts the span of a request to another service. It records host and port, never the whole address.
    pub(crate) fn call(
        &self,
        method: &'static str,
        host: Option<String>,
        port: Option<u16>,
    ) -> Self {
        let method_is = KeyValue::new("http.request.method", method);
        let host = host.map(|host| KeyValue::new("server.address", host));
        let port = port.map(|port| KeyValue::new("server.port", i64::from(port)));
        let attributes = [Some(method_is), host, port].into_iter().flatten();
        self.below(method, SpanKind::Client, attributes.collect())
    }

    /// Returns the trace context to send, so that others put their spans below this one.
    pub(crate) fn carried(&self) -> TraceContext {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&self.context, &mut carrier);
        TraceContext {
            traceparent: carrier.remove("traceparent").unwrap_or_default(),
            tracestate: carrier
                .remove("tracestate")
                .filter(|state| !state.is_empty()),
        }
    }

    /// Adds an attribute.
    pub(crate) fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.context
            .span()
            .set_attribute(KeyValue::new(name, value));
    }

    /// Renames the span.
    pub(crate) fn rename(&self, name: String) {
        self.context.span().update_name(name);
    }

    /// Marks the span as failed with this type of error.
    pub(crate) fn fail(&self, error_type: impl Into<Value>) {
        self.set("error.type", error_type);
        self.context.span().set_status(Status::error(""));
    }

    /// Ends the span.
    pub(crate) fn end(&self) {
        self.context.span().end();
    }

    /// Records the outcome of the attempt, and ends the span.
    pub(crate) fn end_attempt(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Completed { .. } => self.set("venom.outcome", "completed"),
            Outcome::Failed { failure, .. } => {
                self.set("venom.outcome", "failed");
                self.fail(failure.to_string());
            }
            Outcome::Reschedule(Reschedule { error: None, .. }) => {
                self.set("venom.outcome", "given back");
            }
            Outcome::Reschedule(Reschedule { error: Some(_), .. }) => {
                self.set("venom.outcome", "to be retried");
                self.fail("error");
            }
        }
        self.end();
    }
}
