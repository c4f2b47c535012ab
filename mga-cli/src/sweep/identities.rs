//! Who planned runs are: their data opened and their weights found, each once for all cells that name them.

use std::collections::BTreeMap;

use serde_json::json;

use crate::assemble;
use crate::components::Components;
use crate::data_set;
use crate::experiment::{Loaded, Task};
use crate::file_hashes::FileHashes;
use crate::fingerprint::{self, Fingerprint};
use crate::identity::{Identity, weights_hash};
use crate::weights_source::WeightsFile;

/// Gives experiments their identities.
pub(super) struct Identities<'a> {
    components: &'a Components,
    hashes: FileHashes,
    fingerprints: BTreeMap<String, Fingerprint>,
    weights: BTreeMap<(String, String), (Option<WeightsFile>, String)>,
    /// Make masks that a segmenter makes while the data are open.
    pub(super) make_masks: bool,
}

impl<'a> Identities<'a> {
    /// Nothing is known yet.
    pub(super) fn new(components: &'a Components) -> Self {
        Self {
            components,
            hashes: FileHashes::of_user(),
            fingerprints: BTreeMap::new(),
            weights: BTreeMap::new(),
            make_masks: false,
        }
    }

    /// Settles the weights of an experiment, and gives its identity.
    pub(super) fn of(&mut self, loaded: &mut Loaded) -> anyhow::Result<Identity> {
        let weights = self.weights(loaded)?;
        let experiment = &loaded.experiment;
        let memo = json!([experiment.task, experiment.data, experiment.model.mask_guidance, experiment.model.input])
            .to_string();
        if !self.fingerprints.contains_key(&memo) {
            // Masks' segmenters are opened to ask who they are; the machine that plans need not have the GPU.
            let device = std::mem::replace(&mut loaded.experiment.device, "cpu".to_owned());
            let fingerprint = match loaded.experiment.task {
                Task::Classification => data_set::open(loaded, self.components).and_then(|data| {
                    if self.make_masks
                        && let Some(images) = data_set::make_masks(&data, self.components)?
                    {
                        eprintln!("masks of {images} images are in the cache");
                    }
                    fingerprint::of_data(&data, &self.hashes)
                }),
                Task::Segmentation => data_set::open_annotated(loaded, self.components, true)
                    .and_then(|data| fingerprint::of_annotated(&data, &self.hashes)),
            };
            loaded.experiment.device = device;
            self.fingerprints.insert(memo.clone(), fingerprint?);
        }
        let fingerprint = self.fingerprints.get(&memo).cloned();
        let fingerprint = fingerprint.ok_or_else(|| anyhow::anyhow!("no fingerprint of the data"))?;
        Identity::new(&loaded.experiment, &fingerprint, &weights)
    }

    /// Finds the weights once for all cells that name them, and settles what follows from them in this one.
    fn weights(&mut self, loaded: &mut Loaded) -> anyhow::Result<String> {
        let model = &loaded.experiment.model;
        let named = (model.weights.clone(), model.backbone.clone());
        if let Some((found, hash)) = self.weights.get(&named) {
            if let Some(found) = found {
                loaded.experiment.model.weights.clone_from(&found.pinned);
                assemble::normalise_as(loaded, found);
            }
            return Ok(hash.clone());
        }
        let found = assemble::settle_weights(loaded, self.components)?;
        let hash = weights_hash(found.as_ref(), &self.hashes)?;
        self.weights.insert(named, (found, hash.clone()));
        Ok(hash)
    }
}
