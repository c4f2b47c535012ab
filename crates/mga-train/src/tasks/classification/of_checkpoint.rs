//! The classifier of a run, to predict with, to look into or to hand on.

use std::path::Path;

use candle_core::Device;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Components, Evaluation, Loaded};
use mga_models::MgaModel;

use super::chosen::method_of;
use super::objective::objective_of;
use crate::assemble;
use crate::checkpoint::{self, Restored};
use crate::methods::{MethodAtWork, MethodOpening};
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{ExtraStore, JobState, Learner, Outcome};
use crate::runners::loss_parts::LossPart;

/// Returns the classifier of a run's checkpoint with the weights that its method evaluates, such as an average of those that
/// train; and what is known of the checkpoint. `classes` are their names, in order.
///
/// # Errors
/// A run of another task; a file that is no checkpoint of this experiment.
pub fn of_checkpoint(
    loaded: &Loaded,
    components: &Components,
    classes: &[String],
    device: &Device,
    path: &Path,
) -> anyhow::Result<(MgaModel, Restored)> {
    let model = assemble::fresh_model(loaded, components, classes.len(), device)?;
    let task = &loaded.experiment.task;
    anyhow::ensure!(
        task == "classification",
        "{}: is of task = \"{task}\", and this takes classifiers; `mga eval` evaluates it",
        path.display()
    );
    let output = loaded.experiment.eval.output.as_str();
    anyhow::ensure!(
        output == Evaluation::LOGITS,
        "{}: the run is evaluated by the scores `{output}` of its method, which its classifier alone does not give; `mga \
         eval` evaluates it",
        path.display()
    );
    let (method, settings) = method_of(loaded, components)?;
    let objective = objective_of(loaded, None)?;
    let method = method.begin(&MethodOpening { loaded, settings, model: &model, classes, objective })?;
    let saved = Saved { model, method };
    let restored = checkpoint::load_job(path, &saved, None)?;
    let Saved { model, method } = saved;
    method.evaluation_begins(&model)?;
    Ok((model, restored))
}

/// What a checkpoint is loaded into.
struct Saved {
    model: MgaModel,
    method: Box<dyn MethodAtWork>,
}

impl Learner for Saved {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    fn extra_stores(&self) -> Vec<ExtraStore<'_>> {
        self.method.stores()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        self.method.loss(&self.model, tape, batch)
    }

    fn load_state(&self, state: JobState) -> anyhow::Result<()> {
        self.method.load_state(state)
    }

    fn evaluate(&self, _: &Loader, _: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        anyhow::bail!("a checkpoint that is only loaded is not evaluated")
    }
}
