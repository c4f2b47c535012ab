//! method "plain": cross entropy alone.

use mga_experiment::Experiment;

use super::guided_loss::GuidedLoss;
use super::{Method, MethodAtWork, MethodOpening};

/// The name in `[method]`; it is meant where `model.mask_guidance` is false and there is no such table.
pub const NAME: &str = "plain";

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Method for Plain {
    /// Nothing is guided unless somebody says so.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool) {
        if !is_written("model.mask_guidance") {
            experiment.model.mask_guidance = false;
        }
    }

    fn problems(&self, experiment: &Experiment) -> Vec<(&'static str, String)> {
        let message =
            "trains the attention towards masks, which method \"plain\" does not; leave it out, or take \"mga\"";
        let wrong = experiment.model.mask_guidance;
        wrong.then(|| ("model.mask_guidance", message.to_owned())).into_iter().collect()
    }

    fn begin(&self, opening: &MethodOpening<'_>) -> anyhow::Result<Box<dyn MethodAtWork>> {
        Ok(Box::new(GuidedLoss::of(opening, false)))
    }
}
