//! The interface of a task, and of its open data.

use std::sync::Arc;

use candle_core::Device;
use mga_data::dataset::Dataset;
use mga_data::{MaskSource, Source, Splits};
use mga_experiment::{Components, ExperimentError, Loaded, TaskRules};

use super::Job;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, Fingerprint};
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::progress::Listener;
use crate::torn_groups::TornGroups;

/// Something that a model can learn from images: the plugin behind `task = "…"`.
pub trait Task: TaskRules {
    /// Opens the data of an experiment, in the way that `purpose` needs them. Nothing is decoded yet.
    ///
    /// # Errors
    /// Settings that do not fit the data, at the place where they were written.
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>>;

    /// What the confusion matrix of its runs counts, in the plural.
    fn counted(&self) -> &'static str {
        "test images"
    }
}

/// The purpose that data are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To train on them, or to look at what training would see.
    Train(TornGroups),
    /// To evaluate a trained model: neither training images nor masks need be there.
    Evaluate,
}

/// The data of an experiment, open: which images train, select and test, and what is known of each.
pub trait TaskData {
    /// The images, whatever is learnt from them.
    fn dataset(&self) -> &Arc<dyn Dataset>;

    /// The names of the classes that the model tells apart.
    fn classes(&self) -> &[String];

    /// What those are classes of, in the plural: "classes", "classes of pixels".
    fn classes_of(&self) -> &'static str {
        "classes"
    }

    /// Which images train, select and test.
    fn splits(&self) -> &Splits;

    /// The masks beside the images, whose oddities the training loop notes.
    fn masks(&self) -> &Arc<MaskSource>;

    /// Images as training sees them, or as evaluation does.
    fn source(&self, trains: bool) -> Arc<dyn Source>;

    /// What was left out or decided while opening, a line each, for people.
    fn notes(&self) -> Vec<String>;

    /// Why no run is to be begun on these data: groups on both sides of the split that the experiment does not allow.
    fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError>;

    /// Refuses data that lack what training needs, before anything is decoded.
    ///
    /// # Errors
    /// What is lacking.
    fn check_complete(&self, _loaded: &Loaded) -> anyhow::Result<()> {
        Ok(())
    }

    /// Looks at the files of up to `most` images, and says what they hold.
    ///
    /// # Errors
    /// Files that cannot be used, or would be read otherwise than meant.
    fn look(&self, loaded: &Loaded, most: usize) -> anyhow::Result<Looked>;

    /// Hashes the data, and says what each image is made of.
    ///
    /// # Errors
    /// An image, mask or annotation that cannot be read.
    fn fingerprint(&self, hashes: &FileHashes, voice: &dyn Listener) -> anyhow::Result<(Fingerprint, Contents)>;

    /// Decodes everything that a run will read and that is not known to be whole.
    ///
    /// # Errors
    /// What cannot be decoded, unless the experiment skips it; a signal.
    fn verify(
        &self,
        _loaded: &Loaded,
        _contents: &Contents,
        _voice: &dyn Listener,
        _interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        Ok(())
    }

    /// Files of its own in a run's folder, which are written as the run begins: name and content.
    ///
    /// # Errors
    /// An image that cannot be read.
    fn files(&self) -> anyhow::Result<Vec<(&'static str, serde_json::Value)>> {
        Ok(Vec::new())
    }

    /// The segmenter that makes the masks, and the data set that keeps them, where one does: the masks can be made ahead.
    fn mask_maker(&self, _components: &Components) -> Option<(&'static str, Arc<dyn Dataset>)> {
        None
    }

    /// What was odd about the reference masks so far, a sentence each.
    fn reference_warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Builds the model, drawn from the experiment's seed, with its loss and evaluation. `trains` is whether it will be
    /// trained: an evaluation needs no training images to be counted.
    ///
    /// # Errors
    /// Settings that the model refuses, at the place where they were written.
    fn build<'a>(
        &'a self,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Box<dyn Job + 'a>>;
}
