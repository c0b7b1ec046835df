//! Log lines as controller-runtime prints them: time, level, logger and message between tabs, then the fields as JSON.

use std::{fmt, io::Write, sync::OnceLock};

use multicluster::k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::cli::{Cli, LogFormat, Target};

/// What is logged unless `RUST_LOG` says otherwise.
///
/// kube's client says of every single request that it failed: what that means for the work is said elsewhere.
const FILTER: &str = "info,kube=error,kube_client=error,kube_client::client::builder=off,\
                      kube_runtime=error,tower=error";

/// Writes every event to stdout.
struct Lines {
    format: LogFormat,
    /// In JSON, every line says whose it is.
    peer: OnceLock<String>,
}

/// The fields of a span or an event, in their order.
#[derive(Default)]
struct Fields {
    message: String,
    values: Vec<(&'static str, Value)>,
}

/// Installs the logger.
pub(crate) fn init(cli: &Cli) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let lines = Lines {
        format: cli.log_format,
        peer: OnceLock::new(),
    };
    let replica = || {
        std::env::var("POD_NAME")
            .ok()
            .filter(|_| cli.target() != Target::Sandbox)
    };
    if let Some(peer) = cli.peer.clone().or_else(replica) {
        let _ = lines.peer.set(peer);
    }
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}

// === impl Lines ===

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut all = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                all.values.extend(fields.values.iter().cloned());
            }
        }
        event.record(&mut all);
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let time = format!("{:.6}", Timestamp::now());
        let line = match self.format {
            LogFormat::Text => {
                let fields = all.as_text();
                let separator = if fields.is_empty() { "" } else { "\t" };
                format!(
                    "{time}\t{level}\t{target}\t{}{separator}{fields}\n",
                    all.message
                )
            }
            LogFormat::Json => {
                let mut object = Map::new();
                for (key, value) in [
                    ("time", time),
                    ("level", level.to_string()),
                    ("target", target.to_owned()),
                    ("message", all.message.clone()),
                ] {
                    object.insert(key.into(), value.into());
                }
                if let Some(peer) = self.peer.get() {
                    object.insert("peer".into(), peer.clone().into());
                }
                object.extend(
                    all.values
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value)),
                );
                format!("{}\n", Value::Object(object))
            }
        };
        // A closed stdout must not stop the work.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

// === impl Fields ===

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => {
                self.values.retain(|(known, _)| *known != name);
                self.values.push((name, value));
            }
        }
    }

    fn as_text(&self) -> String {
        if self.values.is_empty() {
            return String::new();
        }
        let pairs = self
            .values
            .iter()
            .map(|(key, value)| format!("{}: {value}", Value::from(*key)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}
