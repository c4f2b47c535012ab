//! The identities of planned runs: their data opened and their weights found, each once for all cells that name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mga_data::check::{DataReport, undecoded};
use mga_data::dataset::Dataset;
use mga_experiment::{Components, Experiment, ExperimentError, Loaded, NetworkKind, PREVIOUS};
use mga_train::TaskComponents;
use mga_train::assemble;
use mga_train::file_hashes::FileHashes;
use mga_train::fingerprint::{Fingerprint, file_contents};
use mga_train::identity::{Identity, weights_hash};
use mga_train::interrupt::{Interrupt, Interrupted};
use mga_train::progress::Silent;
use mga_train::tasks::{Purpose, TaskData};
use mga_train::torn_groups::TornGroups;
use mga_train::weights_source::WeightsFile;
use serde_json::{Value, json};

/// All that decides which data an experiment is run on.
fn memo(experiment: &Experiment, components: &Components) -> String {
    let (model, reference) = (&experiment.model, &experiment.eval.reference_masks);
    // The stage, and the tables of the task's own, can have a say in which images train and test.
    let own = components.task(&experiment.task).map(|task| task.own_tables()).unwrap_or_default();
    let own: Vec<_> = own.iter().map(|own| experiment.tables.get(own.table)).collect();
    let stage = (experiment.stage(), own);
    json!([experiment.task, experiment.data, model.mask_guidance, model.input, reference, stage]).to_string()
}

/// A segmenter's name, and the data whose masks it makes.
type MaskMaker = (&'static str, Arc<dyn Dataset>);

/// Gives experiments their identities.
pub(super) struct Identities<'a> {
    components: &'a Components,
    /// [`mga_experiment::experiment_schema`] of the components.
    schema: Value,
    hashes: FileHashes,
    fingerprints: BTreeMap<String, Fingerprint>,
    /// What is wrong with the groups of the data, by the same memo.
    torn: BTreeMap<String, ExperimentError>,
    /// What is known of the data without decoding them, by the same memo.
    reports: BTreeMap<String, DataReport>,
    weights: BTreeMap<(String, String), (Option<WeightsFile>, String)>,
    /// Open data whose masks a segmenter makes, where they are to be made; by their settings without the splits.
    masks: Option<BTreeMap<String, MaskMaker>>,
}

impl<'a> Identities<'a> {
    /// Nothing is known yet; `schema` is that of the components' experiments.
    pub(super) fn new(components: &'a Components, schema: Value) -> Self {
        Self {
            components,
            schema,
            hashes: FileHashes::of_user(),
            fingerprints: BTreeMap::new(),
            torn: BTreeMap::new(),
            reports: BTreeMap::new(),
            weights: BTreeMap::new(),
            masks: None,
        }
    }

    /// Settles the weights of an experiment, of all its stages, and gives the identity of its run: that of the last stage,
    /// which contains those before it. Gives the identities of those, too.
    pub(super) fn of(&mut self, loaded: &mut Loaded) -> anyhow::Result<(Identity, Vec<String>)> {
        let mut earlier = loaded.take_earlier();
        let identity = self.of_stages(&mut earlier, loaded);
        loaded.follow(earlier);
        identity
    }

    fn of_stages(&mut self, earlier: &mut [Loaded], last: &mut Loaded) -> anyhow::Result<(Identity, Vec<String>)> {
        let (mut before, mut ids) = (None::<(String, Experiment)>, Vec::new());
        for stage in earlier {
            let identity = self.of_stage(stage, before.as_ref())?;
            ids.push(identity.id.clone());
            before = Some((identity.id, stage.experiment.clone()));
        }
        Ok((self.of_stage(last, before.as_ref())?, ids))
    }

    /// The identity of one stage; `before` is the identity and the experiment of the one before.
    fn of_stage(&mut self, loaded: &mut Loaded, before: Option<&(String, Experiment)>) -> anyhow::Result<Identity> {
        if let Some((_, before)) = before {
            assemble::normalise_as_previous(loaded, before);
        }
        let weights = self.weights(loaded)?;
        let experiment = &loaded.experiment;
        let memo = memo(experiment, self.components);
        if !self.fingerprints.contains_key(&memo) {
            // Masks' segmenters are opened to ask who they are; the machine that plans need not have the GPU.
            let device = std::mem::replace(&mut loaded.experiment.device, "cpu".to_owned());
            let fingerprint = self.fingerprint(loaded, &memo);
            loaded.experiment.device = device;
            self.fingerprints.insert(memo.clone(), fingerprint?);
        }
        let fingerprint = self.fingerprints.get(&memo).cloned();
        let fingerprint = fingerprint.ok_or_else(|| anyhow::anyhow!("no fingerprint of the data"))?;
        let before = before.map(|(id, _)| id.as_str());
        Identity::new(&loaded.experiment, &self.schema, &fingerprint, &weights, before)
    }

    /// The fingerprint of an experiment's data.
    fn fingerprint(&mut self, loaded: &Loaded, memo: &str) -> anyhow::Result<Fingerprint> {
        let task = self.components.task_of(&loaded.experiment)?;
        let data = task.open(loaded, self.components, Purpose::Train(TornGroups::Noted))?;
        self.torn.extend(data.torn_groups(loaded).map(|error| (memo.to_owned(), error)));
        let (fingerprint, _) = data.fingerprint(&self.hashes, &Silent)?;
        if task.network() == NetworkKind::Backbone {
            self.reports.insert(memo.to_owned(), self.report(loaded, data.as_ref())?);
        }
        self.keep(&loaded.experiment, data.as_ref())?;
        Ok(fingerprint)
    }

    /// What `mga data check` would find, as far as files and tables tell it. Their hashes are known from the fingerprint.
    fn report(&self, loaded: &Loaded, data: &dyn TaskData) -> anyhow::Result<DataReport> {
        let (dataset, splits) = (data.dataset().as_ref(), data.splits());
        let contents = file_contents(dataset, &self.hashes)?;
        let mut report = undecoded(dataset.records(), dataset.classes(), splits, &contents);
        if loaded.experiment.data.groups_may_leak {
            report.shared_groups.clear();
        }
        // Classes that are tested and not trained are what a task of new classes is about.
        if splits.classes(dataset.records()).are_apart() {
            report.classes.clear();
        }
        Ok(report)
    }

    /// What is known of the data that were opened, each once.
    pub(super) fn reports(&self) -> impl Iterator<Item = &DataReport> {
        self.reports.values()
    }

    /// Why a run of the experiment, whose identity was given, is not to be begun: groups of its data are on both sides of
    /// the split.
    pub(super) fn torn_groups(&self, experiment: &Experiment) -> Option<&ExperimentError> {
        self.torn.get(&memo(experiment, self.components))
    }

    /// From now on, data whose masks a segmenter makes stay open for [`Identities::make_masks`].
    pub(super) fn keep_data(&mut self) {
        self.masks = Some(BTreeMap::new());
    }

    fn keep(&mut self, experiment: &Experiment, data: &dyn TaskData) -> anyhow::Result<()> {
        let maker = data.mask_maker(self.components);
        let Some((kept, maker)) = self.masks.as_mut().zip(maker) else { return Ok(()) };
        let mut settings = serde_json::to_value(&experiment.data)?;
        if let Some(settings) = settings.as_object_mut() {
            // The masks are of all images, however those are split.
            settings.retain(|key, _| key != "validation" && key != "split");
        }
        kept.entry(settings.to_string()).or_insert(maker);
        Ok(())
    }

    /// Makes the masks that segmenters make of the data that stayed open, into the cache of masks, each once. Gives a line
    /// for each data set; images that cannot be read or masked are for the runs to speak of, as the experiment says.
    ///
    /// # Errors
    /// A signal.
    pub(super) fn make_masks(&mut self, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        let mut told = Vec::new();
        for (segmenter, dataset) in self.masks.take().unwrap_or_default().into_values() {
            let (mut failed, mut first) = (0, String::new());
            // One after the other: a network shares the cores by itself, and many at once would need the memory of many.
            for index in 0..dataset.len() {
                if interrupt.is_raised() {
                    return Err(
                        Interrupted("interrupted while masks were made; nothing was submitted".to_owned()).into()
                    );
                }
                if let Err(error) = dataset.mask(index, segmenter) {
                    failed += 1;
                    first = if first.is_empty() { format!(": {error}") } else { first };
                }
            }
            let mut line = format!("masks of {} images by {segmenter} are in the cache", dataset.len() - failed);
            if failed > 0 {
                line += &format!("; {failed} could not be made{first}");
            }
            told.push(line);
        }
        Ok(told)
    }

    /// Finds the weights once for all cells that name them, and settles what follows from them in this one.
    fn weights(&mut self, loaded: &mut Loaded) -> anyhow::Result<String> {
        let model = &loaded.experiment.model;
        if model.weights == PREVIOUS {
            return weights_hash(&loaded.experiment, None, &self.hashes);
        }
        let named = (model.weights.clone(), model.backbone.clone());
        if let Some((found, hash)) = self.weights.get(&named) {
            if let Some(found) = found {
                loaded.experiment.model.weights.clone_from(&found.pinned);
                assemble::normalise_as(loaded, found);
            }
            return Ok(hash.clone());
        }
        let found = assemble::settle_weights(loaded, self.components)?;
        let hash = weights_hash(&loaded.experiment, found.as_ref(), &self.hashes)?;
        self.weights.insert(named, (found, hash.clone()));
        Ok(hash)
    }
}
