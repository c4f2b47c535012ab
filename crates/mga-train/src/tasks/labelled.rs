//! Labelled images with a job of another task: what a task needs that trains on the data of a classifier.

use std::sync::Arc;

use candle_core::Device;
use mga_data::dataset::Dataset;
use mga_data::{MaskSource, Source, Splits};
use mga_experiment::{Components, ExperimentError, Loaded};

use super::{Job, Purpose, TaskData};
use crate::data_set::{self, OpenData};
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, Fingerprint};
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::progress::Listener;

/// Builds the job of a task on labelled images, on a device. The last argument is whether it will be trained.
pub type BuildJob = for<'a> fn(
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    device: &Device,
    trains: bool,
) -> anyhow::Result<Box<dyn Job + 'a>>;

/// The data of a task that reads images with labels, and masks where there are any, as task "classification" does, and
/// trains something else on them.
pub struct Labelled {
    data: OpenData,
    build: BuildJob,
}

impl Labelled {
    /// Opens the data of an experiment for a task whose job is built by `build`.
    ///
    /// # Errors
    /// Settings that do not fit the data, at the place where they were written.
    pub fn open(
        loaded: &Loaded,
        components: &Components,
        purpose: Purpose,
        build: BuildJob,
    ) -> anyhow::Result<Box<dyn TaskData>> {
        let data = match purpose {
            Purpose::Train(torn) => data_set::open(loaded, components, torn)?,
            Purpose::Evaluate => data_set::open_to_evaluate(loaded, components)?,
        };
        Ok(Self::of(data, build))
    }

    /// Returns data that are open, for a task whose job is built by `build`.
    #[must_use]
    pub fn of(data: OpenData, build: BuildJob) -> Box<dyn TaskData> {
        Box::new(Self { data, build })
    }
}

impl TaskData for Labelled {
    fn dataset(&self) -> &Arc<dyn Dataset> {
        TaskData::dataset(&self.data)
    }

    fn classes(&self) -> &[String] {
        TaskData::classes(&self.data)
    }

    fn splits(&self) -> &Splits {
        TaskData::splits(&self.data)
    }

    fn masks(&self) -> &Arc<MaskSource> {
        TaskData::masks(&self.data)
    }

    fn source(&self, trains: bool) -> Arc<dyn Source> {
        self.data.source(trains)
    }

    fn notes(&self) -> Vec<String> {
        TaskData::notes(&self.data)
    }

    fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError> {
        TaskData::torn_groups(&self.data, loaded)
    }

    fn check_complete(&self, loaded: &Loaded) -> anyhow::Result<()> {
        self.data.check_complete(loaded)
    }

    fn look(&self, loaded: &Loaded, most: usize) -> anyhow::Result<Looked> {
        self.data.look(loaded, most)
    }

    fn fingerprint(&self, hashes: &FileHashes, voice: &dyn Listener) -> anyhow::Result<(Fingerprint, Contents)> {
        self.data.fingerprint(hashes, voice)
    }

    fn verify(
        &self,
        loaded: &Loaded,
        contents: &Contents,
        voice: &dyn Listener,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        self.data.verify(loaded, contents, voice, interrupt)
    }

    fn mask_maker(&self, components: &Components) -> Option<(&'static str, Arc<dyn Dataset>)> {
        self.data.mask_maker(components)
    }

    fn reference_warnings(&self) -> Vec<String> {
        self.data.reference_warnings()
    }

    fn build<'a>(
        &'a self,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Box<dyn Job + 'a>> {
        (self.build)(&self.data, loaded, components, device, trains)
    }
}
