//! Logs, traces, metrics. Logs are JSON lines with the trace id; traces go out by OTLP when an
//! endpoint is configured; metrics are scraped from the admin port.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The header and metadata key of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// Keeps the exporter alive; flush it last.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("cannot build the OTLP exporter")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    #[error("a log subscriber is already installed")]
    Subscriber(#[source] tracing_subscriber::util::TryInitError),
}

impl Telemetry {
    /// Installs logging and tracing for the whole process; call it once, inside the runtime. Without an
    /// endpoint spans still get ids, so that logs and headers carry them.
    pub fn install(otlp_endpoint: Option<&str>, filter: &str) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name("sitepass").build();
        let mut provider = SdkTracerProvider::builder().with_resource(resource);
        if let Some(endpoint) = otlp_endpoint {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .build()
                .map_err(TelemetryError::Exporter)?;
            provider = provider.with_batch_exporter(exporter);
        }
        let provider = provider.build();
        let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("sitepass"));
        let logs = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr);
        tracing_subscriber::registry()
            .with(EnvFilter::new(filter))
            .with(traces)
            .with(logs)
            .try_init()
            .map_err(TelemetryError::Subscriber)?;
        Ok(Self { provider })
    }

    /// Sends what is left. Blocking: call it from a blocking thread.
    pub fn flush(&self) {
        if let Err(err) = self.provider.shutdown() {
            tracing::warn!(error = %err, "telemetry was not flushed");
        }
    }
}

/// The current span's trace context as a `traceparent` value; `None` outside a sampled trace.
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
    })
}

/// The current trace id, for people who report a problem.
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Makes `span` a child of the sender's span. A missing or malformed value starts a new trace.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    // Fails only where no OpenTelemetry layer is installed (tests): then there is no trace to join.
    span.set_parent(context).ok();
}
