//! The data of a classifier, as every task's are asked for.

use std::sync::Arc;

use candle_core::Device;
use mga_data::dataset::Dataset;
use mga_data::{MaskSource, Source, Splits};
use mga_experiment::{Components, ExperimentError, Loaded};

use super::fingerprint;
use super::job::Classifier;
use super::verification::verify;
use crate::data_set::OpenData;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, Fingerprint};
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::mask_files;
use crate::mask_sources::segmenter_of;
use crate::progress::Listener;
use crate::remembered::Remembered;
use crate::tasks::{Job, TaskData};
use crate::verification;

impl TaskData for OpenData {
    fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn splits(&self) -> &Splits {
        &self.splits
    }

    fn masks(&self) -> &Arc<MaskSource> {
        &self.masks
    }

    fn source(&self, trains: bool) -> Arc<dyn Source> {
        if trains { self.train_source() } else { self.eval_source() }
    }

    fn notes(&self) -> Vec<String> {
        self.notes()
    }

    fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError> {
        self.torn_groups(loaded)
    }

    fn check_complete(&self, loaded: &Loaded) -> anyhow::Result<()> {
        mask_files::all_there(loaded, self)
    }

    fn look(&self, loaded: &Loaded, most: usize) -> anyhow::Result<Looked> {
        mask_files::look(loaded, self, most)
    }

    fn fingerprint(&self, hashes: &FileHashes, _: &dyn Listener) -> anyhow::Result<(Fingerprint, Contents)> {
        fingerprint::with_contents(self, hashes)
    }

    fn verify(
        &self,
        loaded: &Loaded,
        contents: &Contents,
        voice: &dyn Listener,
        interrupt: &Interrupt,
    ) -> anyhow::Result<()> {
        let Loaded { experiment, kinds, .. } = loaded;
        let whole = Remembered::of_user("whole-images", &verification::decoding_settings(experiment, kinds));
        verify(experiment, self, contents, &whole, voice, interrupt)
    }

    fn mask_maker(&self, components: &Components) -> Option<(&'static str, Arc<dyn Dataset>)> {
        Some((segmenter_of(self, components)?, Arc::clone(self.masks.dataset())))
    }

    fn reference_warnings(&self) -> Vec<String> {
        self.reference.iter().flat_map(|reference| reference.warnings()).collect()
    }

    fn build<'a>(
        &'a self,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Box<dyn Job + 'a>> {
        Ok(Box::new(Classifier::new(loaded, components, self, device, trains)?))
    }
}
