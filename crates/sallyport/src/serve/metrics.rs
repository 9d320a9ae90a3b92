//! Numbers that are looked up when they are asked for: the recorder's lag, open recordings, whether the files are in force.

use std::fmt;
use std::sync::Arc;

use gate::Gate;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use store::recordings::FileRecordings;

use super::state::State;

/// Adds them to the gate's metrics.
pub(super) fn register(gate: &Gate, recordings: &Arc<FileRecordings>, state: &Arc<State>) {
    let numbers = Numbers { recordings: Arc::clone(recordings), state: Arc::clone(state) };
    gate.metrics().register(|registry| registry.register_collector(Box::new(numbers)));
}

struct Numbers {
    recordings: Arc<FileRecordings>,
    state: Arc<State>,
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbers")
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.recordings.stats();
        let gauges = [
            ("recorder_lag_bytes", "Bytes that are recorded and not in a recording's file yet", stats.lag),
            ("recordings_open", "Recordings that are open", stats.open),
            (
                "files_in_force",
                "Whether policy and targets on disk are in force; 0 after a refused edit",
                u64::from(self.state.is_current()),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}
