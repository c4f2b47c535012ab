//! method "mga": cross entropy, and the mean squared error between attention and mask (Wang, Yu, Gao, ICIP 2021).

use mga_experiment::Experiment;

use super::guided_loss::GuidedLoss;
use super::{Method, MethodAtWork, MethodOpening};

/// The name in `[method]`; it is meant where `model.mask_guidance` is true and there is no such table.
pub const NAME: &str = "mga";

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Mga;

impl Method for Mga {
    fn problems(&self, experiment: &Experiment) -> Vec<(&'static str, String)> {
        let message = "false, but method \"mga\" trains the attention towards masks; leave it out, or take \"plain\"";
        let wrong = !experiment.model.mask_guidance;
        wrong.then(|| ("model.mask_guidance", message.to_owned())).into_iter().collect()
    }

    fn begin(&self, opening: &MethodOpening<'_>) -> anyhow::Result<Box<dyn MethodAtWork>> {
        Ok(Box::new(GuidedLoss::of(opening, true)))
    }
}
