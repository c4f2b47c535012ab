//! The interface of a task's model, from the first look at it to the last picture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use candle_core::{Device, Tensor};
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

    /// Takes up what the stage before left. By default the weights of its checkpoint are loaded, as far as their names fit;
    /// gives what people should know of it, a line each.
    ///
    /// # Errors
    /// A checkpoint of another model, or damaged.
    fn take_up(&self, previous: &Previous) -> anyhow::Result<Vec<String>> {
        let report = self.load_weights(&previous.checkpoint()?)?;
        Ok(vec![format!("stage `{}`: {report}", previous.stage)])
    }

    /// Computes the tensors of a stage that extracts ([`StageWork::Extract`](mga_experiment::StageWork)), by name. They are
    /// written to `features.safetensors` in the stage's folder, whole or not at all.
    ///
    /// # Errors
    /// A task without such a stage; images that cannot be read; a signal.
    fn extract(&self, _interrupt: &Interrupt) -> anyhow::Result<Vec<(String, Tensor)>> {
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

/// The results of a stage for the next one.
#[derive(Debug, Clone)]
pub struct Previous {
    /// The stage's name.
    pub stage: String,
    /// Its folder.
    pub folder: RunFolder,
    /// Its identity.
    pub id: String,
}

impl Previous {
    /// Returns the checkpoint of the selected epoch, else the last.
    ///
    /// # Errors
    /// There is none.
    pub fn checkpoint(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().display();
        self.folder.reported().with_context(|| format!("{folder}: stage `{}` left no checkpoint", self.stage))
    }

    /// Returns the tensors that it extracted, by name; none of a stage that does not extract.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn tensors(&self) -> anyhow::Result<HashMap<String, Tensor>> {
        extracted(&self.folder).map(Option::unwrap_or_default)
    }
}

/// The tensors that were extracted into a folder; `None`: there are none.
pub(crate) fn extracted(folder: &RunFolder) -> anyhow::Result<Option<HashMap<String, Tensor>>> {
    let file = folder.features();
    if !file.is_file() {
        return Ok(None);
    }
    let unreadable = || format!("{}: cannot be read; remove it, and it is made again", file.display());
    let bytes = std::fs::read(&file).with_context(unreadable)?;
    mga_models::weights::check_content(&bytes, &file)?;
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(unreadable).map(Some)
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
