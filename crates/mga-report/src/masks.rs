//! The masks that an arm learns from, and what guidance made of the attention.

use mga_core::statistics;
use mga_train::tasks::classification::guidance::Guidance;

use super::model::{ArmGuidance, ArmMasks};
use crate::results::Record;

/// Of an arm's runs, as indices into `records`, of which some count; `None` where no run has looked at its masks.
pub(super) fn arm_masks(records: &[Record], runs: &[usize], counted: impl Fn(usize) -> bool) -> Option<ArmMasks> {
    let surveyed = |run: &&usize| records[**run].masks.is_some();
    let first = runs.iter().filter(|&&run| counted(run)).find(surveyed).or_else(|| runs.iter().find(surveyed));
    let (&run, survey) = first.and_then(|run| Some((run, records[*run].masks.as_ref()?)))?;
    let ends: Vec<Guidance> =
        runs.iter().filter(|&&run| counted(run)).filter_map(|&run| records[run].guidance()).collect();
    Some(ArmMasks {
        run,
        source: survey.source.clone(),
        train_images: survey.train_images,
        coverage: survey.coverage,
        odd: survey.odd.clone(),
        guidance: guidance(&ends),
    })
}

fn guidance(ends: &[Guidance]) -> Option<ArmGuidance> {
    let known: Vec<(f64, f64, bool)> =
        ends.iter().filter_map(|ends| Some((ends.start.mask_mse?, ends.end.mask_mse?, ends.hardly_moved()?))).collect();
    let mean = |of: fn(&(f64, f64, bool)) -> f64| statistics::mean(&known.iter().map(of).collect::<Vec<_>>());
    Some(ArmGuidance {
        runs: known.len(),
        start: mean(|ends| ends.0)?,
        end: mean(|ends| ends.1)?,
        hardly_moved: known.iter().filter(|ends| ends.2).count(),
    })
}
