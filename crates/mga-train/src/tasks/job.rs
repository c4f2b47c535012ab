//! The interface of a task's model, from the first look at it to the last picture.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use mga_data::sampler::Sampler;
use mga_models::weights::LoadReport;
use serde_json::{Map, Value};

use super::{Extracted, Previous};
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::run_folder::RunFolder;
use crate::runners::learner::Learner;
use crate::weights_source::WeightsFile;

/// A model of an experiment, on its device, with its loss, its evaluation, and what is said and shown of it.
pub trait Job: Learner {
    /// Puts a file's weights into the model, under torchvision's, the publishers', the authors' or our names.
    ///
    /// # Errors
    /// A file of another model, or damaged.
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport>;

    /// Takes up what the stage before left beside its weights; gives what people should know of it, a line each. By default
    /// nothing is taken.
    ///
    /// It is asked whenever the stage begins, goes on or is evaluated, whatever weights it starts from. The model has no
    /// weights yet but those drawn from the seed, so that what is taken depends on `previous` alone; the weights, and in a
    /// stage that goes on the state of its checkpoint, are put over it.
    ///
    /// # Errors
    /// Results of something else.
    fn take_up(&self, _previous: &Previous) -> anyhow::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Puts the weights that the stage before left into the model, as the stage begins, unless it names others; gives what
    /// people should know of it, a line each. By default they are those of its checkpoint, as far as their names fit.
    ///
    /// # Errors
    /// A checkpoint of another model, or damaged.
    fn take_weights(&self, previous: &Previous) -> anyhow::Result<Vec<String>> {
        let report = self.load_weights(&previous.checkpoint()?)?;
        Ok(vec![format!("stage `{}`: {report}", previous.stage)])
    }

    /// Computes the tensors of a stage that extracts ([`StageWork::Extract`](mga_experiment::StageWork)). They are written to
    /// `features.safetensors` in the stage's folder, whole or not at all.
    ///
    /// # Errors
    /// A task without such a stage; images that cannot be read; a signal.
    fn extract(&self, _interrupt: &Interrupt) -> anyhow::Result<Extracted> {
        anyhow::bail!("this task extracts no tensors")
    }

    /// Takes up the tensors that [`Self::extract`] gave in this stage, before it is evaluated; they may come from the file.
    ///
    /// # Errors
    /// Tensors of something else.
    fn take_extracted(&self, _tensors: &HashMap<String, Tensor>) -> anyhow::Result<()> {
        Ok(())
    }

    /// Transforms of training images that come after those of the experiment, as `data.train.transforms` has them.
    fn train_transforms(&self) -> Vec<Value> {
        Vec::new()
    }

    /// The batches of training images, where the task draws them itself. By default `[sampler]` says them, else every image
    /// comes once an epoch.
    ///
    /// # Errors
    /// Settings that do not fit the images, at the place where they were written.
    fn sampler(&self) -> anyhow::Result<Option<Arc<dyn Sampler>>> {
        Ok(None)
    }

    /// What people should know of starting from these weights, a line each.
    fn weights_notes(&self, _weights: &WeightsFile) -> Vec<String> {
        Vec::new()
    }

    /// Refuses what training would come to only in its middle or at its end. The model is left as it is. By default nothing
    /// is refused.
    ///
    /// # Errors
    /// Everything that is wrong, at the settings that it is about.
    fn rehearse(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// What `mga check` says of the data and the model, whole lines; `looked` is what was found in the files.
    ///
    /// # Errors
    /// An image that cannot be read.
    fn describe(&self, looked: &Looked) -> anyhow::Result<String>;

    /// Writes what a run that begins has to show before its first step; gives what there is to say. Of a run that goes on
    /// nothing is done again.
    ///
    /// # Errors
    /// Images that cannot be read; a folder that cannot be written to; a signal.
    fn begin(&self, _folder: &RunFolder, _interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Writes pictures of some of `indices`, as the reported checkpoint sees them. By default there are none.
    ///
    /// # Errors
    /// Images that cannot be read; a folder that cannot be written to.
    fn pictures(&self, _indices: &[usize], _folder: &RunFolder) -> anyhow::Result<()> {
        Ok(())
    }

    /// What else is known at the end of a run, with the reported checkpoint in the model. By default nothing.
    ///
    /// # Errors
    /// Images that cannot be read; a signal.
    fn close(&self, _folder: &RunFolder, _interrupt: &Interrupt) -> anyhow::Result<Closing> {
        Ok(Closing::default())
    }
}

/// The results that a task adds at the end of a run.
#[derive(Debug, Default)]
pub struct Closing {
    /// Warnings, a sentence each.
    pub warnings: Vec<String>,
    /// Keys of its own in `summary.json`.
    pub summary: Map<String, Value>,
    /// Lines for people behind the metrics, whole.
    pub lines: String,
    /// The last lines for people: where to look, what to do next.
    pub next: String,
}
