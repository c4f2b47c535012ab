//! The runs of a sweep that belong to its baseline.

use mga_experiment::{Document, ExperimentError, KeyPath, Loaded};
use serde_json::{Map, Value};

use super::expand::Point;
use super::file::{Baseline, SweepFile};
use super::settings::{lookup, same, settings};

/// Which points are of the baseline's arm.
pub(super) fn chosen(
    file: &SweepFile,
    document: &Document,
    points: &[Point],
    loaded: &[Loaded],
) -> anyhow::Result<Vec<bool>> {
    let at = KeyPath::dotted("baseline");
    let chosen: Vec<bool> = match &file.baseline {
        None => return Ok(vec![false; points.len()]),
        Some(Baseline::Variant(name)) => points.iter().map(|point| point.variant.as_deref() == Some(name)).collect(),
        Some(Baseline::Settings(table)) => {
            let mut problems = Vec::new();
            let wanted = settings(table, &at, document, |_| false, &mut problems);
            if !problems.is_empty() {
                return Err(ExperimentError { problems }.into());
            }
            let has = |found: &Loaded| -> anyhow::Result<bool> {
                let experiment = serde_json::to_value(&found.experiment)?;
                Ok(wanted
                    .iter()
                    .all(|setting| lookup(&experiment, &setting.key).is_some_and(|value| same(value, &setting.value))))
            };
            loaded.iter().map(has).collect::<anyhow::Result<_>>()?
        }
    };
    let mut arms: Vec<(Option<&str>, Map<String, Value>)> = Vec::new();
    for (point, _) in points.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
        let arm = (point.variant.as_deref(), point.settings());
        if !arms.contains(&arm) {
            arms.push(arm);
        }
    }
    // A search draws its arms: whether one of them is the baseline is chance.
    let drawn = !file.ranges.is_empty();
    let message = match arms.as_slice() {
        [_] => return Ok(chosen),
        _ if drawn => return Ok(chosen),
        [] => "no arm of the sweep has these settings".to_owned(),
        many => {
            let told: Vec<String> = many.iter().take(4).map(|(variant, settings)| told(*variant, settings)).collect();
            let more = if many.len() > 4 { ", ..." } else { "" };
            format!("{} arms have these settings: {}{more}; name what one alone has", many.len(), told.join(", "))
        }
    };
    Err(ExperimentError::from(document.error(&at, message)).into())
}

fn told(variant: Option<&str>, settings: &Map<String, Value>) -> String {
    match variant {
        Some(name) if settings.is_empty() => name.to_owned(),
        Some(name) => format!("{name} {}", Value::Object(settings.clone())),
        None => Value::Object(settings.clone()).to_string(),
    }
}
