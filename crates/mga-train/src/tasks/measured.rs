//! The registered metrics of an evaluation.

use std::sync::Arc;

use mga_core::metrics::{Better, Compute, Mapped, Metric, Metrics, Scored, Unit};
use mga_registry::Registry;
use serde_json::{Map, Value, json};

/// Metrics by their names, with what an evaluation gives.
#[derive(Debug, Clone)]
pub struct Measured(Vec<(String, Arc<Metric>, Option<f64>)>);

impl Measured {
    /// Computes every registered metric of class scores.
    #[must_use]
    pub fn of_scores(kinds: &Registry, scored: &Scored<'_>) -> Self {
        Self::of(kinds, |metric| match metric.compute {
            Compute::Scores(compute) => Some(compute(scored)),
            _ => None,
        })
    }

    /// Computes every registered metric of label maps.
    #[must_use]
    pub fn of_label_maps(kinds: &Registry, mapped: &Mapped<'_>) -> Self {
        Self::of(kinds, |metric| match metric.compute {
            Compute::LabelMaps(compute) => Some(compute(mapped)),
            _ => None,
        })
    }

    /// The metrics that `compute` gives something for; what is not finite is no value.
    fn of(kinds: &Registry, compute: impl Fn(&Metric) -> Option<Option<f64>>) -> Self {
        let metrics = kinds.all::<Metrics>().iter();
        let measured = metrics.filter_map(|entry| {
            let value = compute(&entry.item)?.filter(|value| value.is_finite());
            Some((entry.name.clone(), Arc::clone(&entry.item), value))
        });
        Self(measured.collect())
    }

    /// Writes each value under its metric's name.
    pub fn write(&self, line: &mut Value) {
        self.0.iter().for_each(|(name, _, value)| line[name] = json!(value));
    }

    /// Returns a metric as a score, of which higher is better.
    #[must_use]
    pub fn score(&self, name: &str) -> Option<f64> {
        let (_, metric, value) = self.0.iter().find(|(known, ..)| known == name)?;
        value.map(|value| metric.score(value))
    }

    /// Returns the values of the metrics that have no line in `shown`, for people, a line each.
    #[must_use]
    pub fn lines(&self, shown: &[&str]) -> String {
        let others = self.0.iter().filter(|(name, ..)| !shown.contains(&name.as_str()));
        let value = |metric: &Metric, value: Option<f64>| match (value, metric.unit) {
            (None, _) => "-".to_owned(),
            (Some(value), Unit::Percent) => format!("{:.1} %", 100.0 * value),
            (Some(value), Unit::Number) => format!("{value:.4}"),
        };
        let line = |(name, metric, found): &(String, Arc<Metric>, Option<f64>)| {
            format!("  {:17}  {}\n", name.replace('_', " "), value(metric, *found))
        };
        others.map(line).collect()
    }
}

/// Returns what a report has to know of metrics, by their names: unit and direction.
#[must_use]
pub fn described<'a>(metrics: impl Iterator<Item = &'a mga_registry::Entry<Metrics>>) -> Map<String, Value> {
    let words = |metric: &Metric| {
        let unit = if metric.unit == Unit::Percent { "percent" } else { "number" };
        let better = if metric.better == Better::Higher { "higher" } else { "lower" };
        json!({ "unit": unit, "better": better })
    };
    metrics.map(|entry| (entry.name.clone(), words(&entry.item))).collect()
}
