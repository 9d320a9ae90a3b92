//! Logs and traces: structured, with ids, never with data.

use anyhow::{Context, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use std::io::IsTerminal;
use std::time::Duration;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::document::{Log, LogFormat, Otlp};

/// Time for one batch of spans to be taken by the collector.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);

/// What must be ended in order when the gateway stops.
pub(super) struct Logging {
    traces: Option<SdkTracerProvider>,
}

impl Logging {
    /// Starts logging, and traces when configured. Must run inside the control runtime, which sends the spans.
    ///
    /// # Errors
    /// When the collector's address cannot be used.
    pub(super) fn start(log: &Log, otlp: Option<&Otlp>) -> Result<Self> {
        let traces = otlp.map(provider).transpose()?;
        let filter = EnvFilter::try_new(&log.level).with_context(|| format!("log.level: {}", log.level))?;
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match log.format {
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
            LogFormat::Text => lines.with_ansi(color).with_target(false).boxed(),
        };
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("sallyport"))
                .with_location(false)
                .with_threads(false)
                // Spans of our own crates: sessions and commands. Events stay in the log.
                .with_filter(filter_fn(|meta| meta.is_span() && meta.target().starts_with("sallyport")))
        });
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(spans)
            .try_init()
            .context("start logging")?;
        Ok(Self { traces })
    }

    /// Sends what is left.
    pub(super) fn stop(self) {
        if let Some(provider) = self.traces
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn provider(otlp: &Otlp) -> Result<SdkTracerProvider> {
    let http = reqwest::Client::builder()
        .timeout(EXPORT_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("otlp: make an HTTP client")?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(http)
        .with_endpoint(format!("{}/v1/traces", otlp.endpoint.trim_end_matches('/')))
        .build()
        .with_context(|| format!("otlp.endpoint: {} cannot be used", otlp.endpoint))?;
    let batches = BatchSpanProcessor::builder(exporter, opentelemetry_sdk::runtime::Tokio).build();
    let resource = Resource::builder()
        .with_service_name("sallyport")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_span_processor(batches).with_resource(resource).build())
}
