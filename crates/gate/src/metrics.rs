//! What is counted, for Prometheus. Labels are closed sets or names from configuration, never data.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Label pairs.
pub type Labels = Vec<(&'static str, String)>;

/// All metrics of the gate. Other crates add theirs with [`Metrics::register`].
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Decisions by protocol, outcome, effect and rule.
    pub decisions: Family<Labels, Counter>,
    /// Sessions open now, by protocol.
    pub sessions: Family<Labels, Gauge>,
    /// Sessions opened, by protocol.
    pub opened: Family<Labels, Counter>,
    /// Refusals before a session existed, by code.
    pub refused: Family<Labels, Counter>,
    /// Logins that came to nothing, by protocol.
    pub login_failures: Family<Labels, Counter>,
    /// Seconds that held commands waited, by how it ended.
    pub approval_wait: Family<Labels, Histogram, fn() -> Histogram>,
    /// Values masked.
    pub masked: Counter<u64, AtomicU64>,
    /// Times that a session waited for the recorder.
    pub recorder_waits: Counter<u64, AtomicU64>,
    /// Policy reloads by result.
    pub reloads: Family<Labels, Counter>,
    /// Commands whose verdict was known, by the result of looking.
    pub verdict_cache: Lookups,
    /// Texts whose analysis was known, by the result of looking. The protocols count.
    pub analysis_cache: Lookups,
}

/// How often something was found in a cache, and how often not.
pub struct Lookups {
    family: Family<Labels, Counter>,
    hit: Counter,
    miss: Counter,
}

impl Default for Lookups {
    fn default() -> Self {
        let family = Family::<Labels, Counter>::default();
        // Both are there from the start, and counting looks nothing up.
        let [hit, miss] =
            ["hit", "miss"].map(|result| family.get_or_create(&vec![("result", result.to_owned())]).clone());
        Self { family, hit, miss }
    }
}

impl Lookups {
    /// Counts one.
    pub fn count(&self, found: bool) {
        if found {
            self.hit.inc()
        } else {
            self.miss.inc()
        };
    }
}

fn wait_buckets() -> Histogram {
    Histogram::new([1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("sallyport")),
            decisions: Family::default(),
            sessions: Family::default(),
            opened: Family::default(),
            refused: Family::default(),
            login_failures: Family::default(),
            approval_wait: Family::new_with_constructor(wait_buckets as fn() -> Histogram),
            masked: Counter::default(),
            recorder_waits: Counter::default(),
            reloads: Family::default(),
            verdict_cache: Lookups::default(),
            analysis_cache: Lookups::default(),
        };
        metrics.register(|r| {
            r.register("decisions", "Commands judged", metrics.decisions.clone());
            r.register("sessions", "Sessions open now", metrics.sessions.clone());
            r.register("sessions_opened", "Sessions opened", metrics.opened.clone());
            r.register("refused", "Refusals before a session existed", metrics.refused.clone());
            r.register("login_failures", "Logins that came to nothing", metrics.login_failures.clone());
            r.register("approval_wait_seconds", "How long held commands waited", metrics.approval_wait.clone());
            r.register("masked_values", "Values masked", metrics.masked.clone());
            r.register(
                "recorder_waits",
                "Times that a session waited for the recorder",
                metrics.recorder_waits.clone(),
            );
            r.register(
                "verdict_cache",
                "Commands by whether their verdict was known",
                metrics.verdict_cache.family.clone(),
            );
            r.register(
                "analysis_cache",
                "Texts of clients by whether their analysis was known",
                metrics.analysis_cache.family.clone(),
            );
            r.register("reloads", "Reloads of policy and targets", metrics.reloads.clone());
        });
        metrics
    }
}

impl Metrics {
    /// Adds metrics of another crate.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail; a half text would be visible as such.
        let _complete = encode(&mut text, &registry).is_ok();
        text
    }
}
