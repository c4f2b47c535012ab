//! The interface of a task's model, from the first look at it to the last picture.

use std::path::Path;

use mga_models::weights::LoadReport;
use serde_json::{Map, Value};

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

    /// Transforms of training images that come after those of the experiment, as `data.train.transforms` has them.
    fn train_transforms(&self) -> Vec<Value> {
        Vec::new()
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
