//! Medians, the table, JSON.

use serde_json::json;

use sallyport_tests::corpus::report::aligned;

/// One way through one scenario.
pub(crate) struct Figure {
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// `direct`, `pgbouncer` or `gateway`.
    pub(crate) way: &'static str,
    /// What `value` counts: `tps`, `MB/s`, `KiB/session`.
    pub(crate) unit: &'static str,
    /// Median over the rounds.
    pub(crate) value: f64,
    /// Median of the ratios to the direct way, round by round.
    pub(crate) ratio: Option<f64>,
    /// The proxy's own CPU time per transaction or per MB, in microseconds; median.
    pub(crate) cpu: Option<f64>,
    /// The proxy's peak of resident memory so far, in MiB.
    pub(crate) peak: Option<f64>,
}

/// The middle value; of an even number, the mean of the two in the middle. Zero of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 || half == 0 {
        return upper;
    }
    (upper + sorted.get(half - 1).copied().unwrap_or(upper)) / 2.0
}

/// One JSON object per figure.
pub(crate) fn json(figures: &[Figure]) {
    for one in figures {
        let line = json!({
            "scenario": one.scenario, "way": one.way, "unit": one.unit, "value": one.value, "ratio_to_direct": one.ratio,
            "cpu_us_per_unit": one.cpu, "peak_rss_mib": one.peak,
        });
        println!("{line}");
    }
}

/// The table: one row per scenario and way.
pub(crate) fn table(figures: &[Figure]) {
    let head = ["scenario", "way", "value", "unit", "to direct", "own CPU µs", "peak MiB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let or_dash = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    for one in figures {
        rows.push(vec![
            one.scenario.clone(),
            one.way.to_owned(),
            format!("{:.1}", one.value),
            one.unit.to_owned(),
            or_dash(one.ratio, 3),
            or_dash(one.cpu, 2),
            or_dash(one.peak, 1),
        ]);
    }
    aligned(&rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(median(&[]), 0.0);
    }
}
