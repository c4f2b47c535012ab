//! The interface of a method.

use std::sync::Arc;

use mga_core::loss::ClassObjective;
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_experiment::{Evaluation, Experiment, Loaded};
use mga_models::MgaModel;
use mga_registry::Kind;

use crate::network_input::network_input;
use crate::runners::learner::{ExtraStore, JobState};
use crate::runners::loss_parts::LossPart;
use crate::runners::step::StepContext;

/// The kind of component that `[method] name` names.
#[derive(Debug)]
pub struct Methods;

impl Kind for Methods {
    type Item = dyn Method;
    const TITLE: &'static str = "methods";
    const KEY: &'static str = "method.name";
}

/// A way to train a classifier: its loss and its step, with heads, transforms and state of its own.
pub trait Method: Send + Sync {
    /// Sets what the method does otherwise than the schema's defaults say. `is_written` tells whether anybody wrote a
    /// setting.
    fn defaults(&self, _experiment: &mut Experiment, _is_written: &dyn Fn(&str) -> bool) {}

    /// What is wrong with an experiment of this method before its data are open: the key, and a sentence.
    fn problems(&self, _experiment: &Experiment) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Transforms of its own, as `data.train.transforms` has them; they come after those of the experiment.
    ///
    /// `settings` is the table `[method]`; null where the experiment has none.
    fn transforms(&self, _settings: &serde_json::Value) -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// The names of the scores that it predicts, of which `eval.output` names the one that is evaluated; see
    /// [`MethodAtWork::predict`]. `settings` is the table `[method]`; null where the experiment has none.
    fn outputs(&self, _settings: &serde_json::Value) -> Vec<&'static str> {
        vec![Evaluation::LOGITS]
    }

    /// Goes to work on a classifier.
    ///
    /// # Errors
    /// Settings that do not fit the classifier.
    fn begin(&self, opening: &MethodOpening<'_>) -> anyhow::Result<Box<dyn MethodAtWork>>;
}

/// The information that a method is opened with.
pub struct MethodOpening<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// The table `[method]`; null where the experiment has none.
    pub settings: &'a serde_json::Value,
    /// The classifier, on its device.
    pub model: &'a MgaModel,
    /// The classes.
    pub classes: &'a [String],
    /// The loss of class scores that `[objective]` names, with label smoothing and class weights. A method that does not use
    /// it refuses another than the cross entropy in [`Method::problems`].
    pub objective: Arc<ClassObjective>,
}

/// The predictions of a method for a batch.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Class scores `[N, classes]` by their names, those of [`Method::outputs`].
    pub scores: Vec<(&'static str, Value)>,
    /// The attention, `[N, 1, h, w]`, where there is one.
    pub attention: Option<Value>,
}

/// A method at work on a classifier. What changes while it works lies behind a lock or cell of its own.
pub trait MethodAtWork {
    /// Computes the loss of one micro-batch on the tape, and its parts.
    ///
    /// # Errors
    /// An image without a label; what the model refuses.
    fn loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)>;

    /// Predicts the images of a batch, on a tape for evaluation. By default the classifier's scores are all there is.
    ///
    /// # Errors
    /// What the model refuses.
    fn predict(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<Predicted> {
        let images = tape.constant(&network_input(model, batch)?)?;
        let prediction = model.forward(tape, images)?;
        Ok(Predicted { scores: vec![(Evaluation::LOGITS, prediction.logits)], attention: prediction.attention })
    }

    /// Works on one micro-batch. By default the loss is computed and followed back; where the optimiser step ends, the
    /// hooks are called about the update.
    ///
    /// # Errors
    /// As of [`Self::loss`]; a loss or gradient that is not finite.
    fn step(&self, model: &MgaModel, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        let mut tape = context.tape();
        let (loss, parts) = self.loss(model, &mut tape, batch)?;
        context.backward(tape, &loss, parts)?;
        if context.ends() {
            self.after_backward(model, context)?;
            context.update()?;
            self.after_update(model)?;
        }
        Ok(())
    }

    /// Is called with the gradients of the optimiser step, before they are clipped.
    ///
    /// # Errors
    /// What it says.
    fn after_backward(&self, _model: &MgaModel, _context: &mut StepContext<'_>) -> anyhow::Result<()> {
        Ok(())
    }

    /// Is called after parameters were updated.
    ///
    /// # Errors
    /// What it says.
    fn after_update(&self, _model: &MgaModel) -> anyhow::Result<()> {
        Ok(())
    }

    /// Is told that an epoch begins, counted from 0: weights may depend on it.
    fn epoch_begins(&self, _epoch: usize) {}

    /// Is called before an evaluation, and before pictures are made: to put an average of the weights in their place, say.
    ///
    /// # Errors
    /// What it says.
    fn evaluation_begins(&self, _model: &MgaModel) -> anyhow::Result<()> {
        Ok(())
    }

    /// Is called after it, whatever came of it.
    ///
    /// # Errors
    /// What it says.
    fn evaluation_ends(&self, _model: &MgaModel) -> anyhow::Result<()> {
        Ok(())
    }

    /// Parameters of its own, with their optimisers.
    fn stores(&self) -> Vec<ExtraStore<'_>> {
        Vec::new()
    }

    /// What the next step depends on beside parameters and optimisers, for a checkpoint.
    ///
    /// # Errors
    /// Tensors that cannot be copied.
    fn state(&self) -> anyhow::Result<JobState> {
        Ok(JobState::default())
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// State of another method.
    fn load_state(&self, _state: JobState) -> anyhow::Result<()> {
        Ok(())
    }
}
