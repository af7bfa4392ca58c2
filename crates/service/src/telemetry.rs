//! Logs, traces, metrics. Logs are JSON lines with the trace id; traces go out by OTLP when an
//! endpoint is configured; metrics are scraped from the admin port.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::dispatcher::{Dispatch, SetGlobalDefaultError, WeakDispatch};
use tracing::{Event, Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetrySpanExt, get_otel_context};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

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
    Subscriber(#[source] SetGlobalDefaultError),
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
        let dispatch = dispatch(&provider, filter, std::io::stderr);
        tracing::dispatcher::set_global_default(dispatch).map_err(TelemetryError::Subscriber)?;
        // A panic is a line like any other. Its message may hold what was being worked on; where it happened does not.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(panic.location = place, "panicked");
        }));
        Ok(Self { provider })
    }

    /// Sends what is left. Blocking: call it from a blocking thread.
    pub fn flush(&self) {
        if let Err(err) = self.provider.shutdown() {
            tracing::warn!(error = %err, "telemetry was not flushed");
        }
    }
}

/// Spans to `provider`, log lines to `writer`.
fn dispatch<W>(provider: &SdkTracerProvider, filter: &str, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let itself = Arc::new(OnceLock::new());
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("sitepass"));
    let line = Line { json: fmt::format().json().flatten_event(true), itself: Arc::clone(&itself) };
    let logs = fmt::layer().fmt_fields(JsonFields::new()).event_format(line).with_writer(writer);
    let dispatch = Dispatch::new(
        tracing_subscriber::registry().with(EnvFilter::new(filter)).with(traces).with(logs),
    );
    // Empty until here: nobody else knows the cell.
    itself.set(dispatch.downgrade()).ok();
    dispatch
}

/// One log line: the event as JSON, the trace it belongs to first, so that a line leads to its trace.
struct Line {
    json: Format<Json>,
    itself: Arc<OnceLock<WeakDispatch>>,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        let trace = context.lookup_current().and_then(|span| {
            let dispatch = self.itself.get()?.upgrade()?;
            let context = get_otel_context(&span.id(), &dispatch)?;
            Some(context.span().span_context().trace_id().to_string())
        });
        match (trace, line.strip_prefix('{')) {
            (Some(trace), Some(rest)) => write!(writer, "{{\"trace_id\":\"{trace}\",{rest}"),
            _ => writer.write_str(&line),
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
    let Some(traceparent) = traceparent.filter(|_| !span.is_disabled()) else { return };
    // Fails only where no OpenTelemetry layer is installed (tests): then there is no trace to join.
    span.set_parent(context_of(traceparent)).ok();
}

/// Notes on `span` that it works for the sender's span too. A missing or malformed value changes nothing.
pub fn link(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent.filter(|_| !span.is_disabled()) else { return };
    span.add_link(context_of(traceparent).span().span_context().clone());
}

fn context_of(traceparent: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract(&carrier)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::{current_trace_id, dispatch};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_is_json_and_names_its_trace() {
        let lines = Lines::default();
        let writer = lines.clone();
        let dispatch =
            dispatch(&SdkTracerProvider::builder().build(), "info", move || writer.clone());
        let trace = tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!("outside");
            let span = tracing::info_span!("work");
            let _entered = span.enter();
            tracing::info!(answer = 42, "inside");
            current_trace_id().unwrap()
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (lines[0]["message"].as_str(), lines[0].get("trace_id")),
            (Some("outside"), None)
        );
        assert_eq!(
            (lines[1]["trace_id"].as_str(), lines[1]["answer"].as_i64()),
            (Some(trace.as_str()), Some(42))
        );
    }
}
