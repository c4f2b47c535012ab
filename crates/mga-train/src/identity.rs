//! The identity of a run, which covers exactly what its numbers depend on: `identity.json`.

use std::path::Path;

use anyhow::Context;
use mga_data::registry::{Datasets, PATH_MARK};
use mga_experiment::{
    Data, Experiment, Loaded, PREVIOUS, SelectOn, StageWork, marked_settings, without_later_settings,
};
use mga_registry::Registry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::checkpoint;
use crate::file_hashes::{FileHashes, hex};
use crate::fingerprint::Fingerprint;
use crate::progress::Listener;
use crate::run_folder::RunFolder;
use crate::weights_source::WeightsFile;

/// The name of the file in a run's folder.
pub const FILE: &str = "identity.json";

/// Settings, and tables of them, that no number of a run depends on.
const NEUTRAL: [&str; 21] = [
    "name",
    "description",
    "device",
    "threads",
    "trackers",
    "data.root",
    "data.workers",
    "data.prefetch",
    "data.cache",
    "data.cache_limit",
    "data.verify",
    "data.groups_may_leak",
    "data.masks.folder",
    "data.masks.mask_name",
    "data.masks.mask_layout",
    "data.masks.segmenter.cache",
    "data.annotations.root",
    "eval.reference_masks.folder",
    "eval.reference_masks.segmenter.cache",
    "eval.reference_masks.mask_name",
    "eval.reference_masks.mask_layout",
];

/// Settings that name weights; unless they are `none`, the weights' hash tells which.
const WEIGHTS: [&str; 3] = ["data.masks.segmenter.weights", "eval.reference_masks.segmenter.weights", "model.weights"];

/// Returns the settings in `[data]` that say where files lie; what lies there is in the fingerprint.
pub(crate) fn paths<'a>(data: &Data, kinds: &'a Registry) -> Vec<&'a str> {
    let entry = kinds.get::<Datasets>(&data.dataset);
    let own = entry.into_iter().flat_map(|entry| entry.marked(PATH_MARK)).map(|(key, _)| key);
    ["root"].into_iter().chain(own).collect()
}

/// The parts of a run's identity. Two runs of equal `id` give the same numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The first 16 hexadecimal digits of SHA-256 over `experiment`, `data`, `weights`, `numerics` and `classes`, and
    /// `reference` and `previous` where there are such.
    pub id: String,
    /// Hash of the resolved experiment without name, description, paths, device, threads, workers, trackers, and without
    /// settings that were added later and have the value older releases behaved as.
    pub experiment: String,
    /// Hash over every image's content, label and split, and the masks.
    pub data: String,
    /// The part of `data` that splits and masks have no say in.
    #[serde(default)]
    pub images: String,
    /// The part of `data` that is tested on: predictions of runs that agree in it can be paired.
    #[serde(default)]
    pub test: String,
    /// The part of `data` that is the masks; `"none"` where none are used.
    #[serde(default)]
    pub masks: String,
    /// Hash over what a trained model depends on: names and labels of all images, contents of those that train and select.
    /// Empty: version 0.1.0 began the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trained: String,
    /// Hash over the masks that attention is measured against besides, which no other number depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Hash of the content of the weights that training starts from; `"none"`; or `"previous"`, those of the stage before.
    pub weights: String,
    /// The [`id`](Self::id) of the stage before, in a run of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// [`mga_core::NUMERICS`].
    pub numerics: u32,
    /// Number of classes.
    pub classes: usize,
    /// The earlier identities of a run whose test images or masks were replaced before it was evaluated again, the last
    /// first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
}

/// The parts of an identity that change when test images are replaced after training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The run's identity until then.
    pub id: String,
    /// The former `data`.
    pub data: String,
    /// The former `test`.
    pub test: String,
}

/// The data that a resumed run continues with.
#[derive(Debug)]
pub enum Resumed {
    /// What it began with, as far as is known.
    AsBegun,
    /// All that it trained on, and other images or masks to test on: its training is done, and it is evaluated again.
    Evaluated(Box<Identity>),
}

impl Resumed {
    /// Says that a run is evaluated on other test images than it began with, and writes it down in its folder, where its
    /// numbers are those of neither from now on, until it is evaluated.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &RunFolder, voice: &dyn Listener) -> anyhow::Result<()> {
        let Self::Evaluated(now) = self else { return Ok(()) };
        voice.say(
            "note: images or masks that it tests on were replaced since the run began. What was trained read none of them: it \
             is evaluated again, and identity.json and summary.json say so",
        );
        // What a stage extracted may be of those images too; it is computed again.
        for file in [folder.summary(), folder.features()].into_iter().filter(|file| file.is_file()) {
            std::fs::remove_file(&file).with_context(|| format!("{}: cannot be removed", file.display()))?;
        }
        folder.write_json(FILE, now)
    }
}

impl Identity {
    /// Returns the identity of a run of `experiment`, whose weights are settled, on data of that fingerprint. `schema`
    /// is [`mga_experiment::experiment_schema`] of the components, and `previous` the identity of the stage before, if
    /// there is one.
    ///
    /// # Errors
    /// An experiment that cannot be written as JSON: none that was loaded.
    pub fn new(
        experiment: &Experiment,
        schema: &Value,
        data: &Fingerprint,
        weights: &str,
        previous: Option<&str>,
    ) -> anyhow::Result<Self> {
        let experiment = experiment_hash(experiment, schema)?;
        let mut parts = vec![json!(experiment), json!(data.data), json!(weights)];
        parts.extend([json!(mga_core::NUMERICS), json!(data.classes)]);
        parts.extend(data.reference.iter().map(|reference| json!(reference)));
        // A stage is named in its experiment, so that none is mistaken for reference masks.
        parts.extend(previous.map(|previous| json!({ "previous": previous })));
        let parts = Value::Array(parts);
        let id = hex(&Sha256::digest(parts.to_string().as_bytes())[..8]);
        Ok(Self {
            id,
            experiment,
            data: data.data.clone(),
            images: data.images.clone(),
            test: data.test.clone(),
            masks: data.masks.clone(),
            trained: data.trained.clone(),
            reference: data.reference.clone(),
            weights: weights.to_owned(),
            previous: previous.map(str::to_owned),
            numerics: mga_core::NUMERICS,
            classes: data.classes,
            replaced: Vec::new(),
        })
    }

    /// Reads the identity of the run in `folder`; `None`: it has none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of_run(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let unreadable = || format!("{}: cannot be read as the identity of a run", path.display());
        let text = std::fs::read_to_string(&path).with_context(unreadable)?;
        serde_json::from_str(&text).map(Some).with_context(unreadable)
    }

    /// Refuses to go on with the run of `loaded` in `folder` on other data than it began with, from other weights where
    /// it has no checkpoint yet, or with other numerics. The data's fingerprint now is `data`. A run whose training is done
    /// may have other test images, or masks of them: one that could not be read may have been repaired.
    ///
    /// # Errors
    /// Other images, labels, splits, masks, weights or numerics; an identity or weights that cannot be read.
    pub fn check_resumed(
        folder: &RunFolder,
        loaded: &Loaded,
        schema: &Value,
        data: &Fingerprint,
        weights: Option<&WeightsFile>,
        hashes: &FileHashes,
        previous: Option<&str>,
    ) -> anyhow::Result<Resumed> {
        let experiment = &loaded.experiment;
        let Some(begun) = Self::of_run(folder.path())? else { return Ok(Resumed::AsBegun) };
        let folder_name = folder.path().display();
        anyhow::ensure!(
            begun.numerics == mga_core::NUMERICS,
            "{folder_name}: begun with another version of mga, whose numbers differ (numerics {}; here {}): go on with that \
             one, or train anew with another --out",
            begun.numerics,
            mga_core::NUMERICS
        );
        // What the program that began it did not write is not known to differ.
        let known = |begun: &str, now: &str| if begun.is_empty() { String::new() } else { now.to_owned() };
        let now = Self {
            data: data.data.clone(),
            images: known(&begun.images, &data.images),
            masks: known(&begun.masks, &data.masks),
            trained: known(&begun.trained, &data.trained),
            reference: data.reference.clone(),
            weights: if folder.last().is_file() {
                begun.weights.clone()
            } else {
                weights_hash(experiment, weights, hashes)?
            },
            previous: previous.map(str::to_owned),
            classes: data.classes,
            ..begun.clone()
        };
        if now == begun {
            return Ok(Resumed::AsBegun);
        }
        let trained_on_same = !begun.trained.is_empty()
            && now.trained == begun.trained
            && now.weights == begun.weights
            && now.previous == begun.previous;
        let selected_apart = loaded.work != StageWork::Fit || experiment.eval.select_on != SelectOn::Test;
        if trained_on_same && selected_apart && now.classes == begun.classes && is_trained(folder, loaded)? {
            let mut now = Self::new(experiment, schema, data, &begun.weights, previous)?;
            let Self { id, data, test, mut replaced, .. } = begun;
            replaced.insert(0, Replaced { id, data, test });
            now.replaced = replaced;
            return Ok(Resumed::Evaluated(Box::new(now)));
        }
        anyhow::bail!(
            "{folder_name}: not what the run began with: other {}; put that back, or train anew with another --out",
            begun.differences(&now).join(", ")
        )
    }

    /// Returns whether test images of the run in `folder` were replaced after it was trained.
    ///
    /// # Errors
    /// An identity that cannot be read.
    pub fn was_evaluated_again(folder: &RunFolder) -> anyhow::Result<bool> {
        Ok(Self::of_run(folder.path())?.is_some_and(|identity| !identity.replaced.is_empty()))
    }

    /// Returns the parts in which the two differ, for people.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        [
            (self.experiment != other.experiment, "settings"),
            (self.images != other.images, "images or labels"),
            (self.masks != other.masks, "masks"),
            (self.reference != other.reference, "reference masks"),
            (self.data != other.data && (&self.images, &self.masks) == (&other.images, &other.masks), "splits"),
            (self.weights != other.weights, "weights"),
            (self.previous != other.previous, "stages before it"),
            (self.numerics != other.numerics, "numerics"),
            (self.classes != other.classes, "number of classes"),
        ]
        .into_iter()
        .filter_map(|(differ, what)| differ.then_some(what))
        .collect()
    }
}

/// Whether all epochs of a run are done, or there are none to do.
fn is_trained(folder: &RunFolder, loaded: &Loaded) -> anyhow::Result<bool> {
    if !folder.last().is_file() {
        return Ok(false);
    }
    if loaded.work != StageWork::Fit {
        return Ok(true);
    }
    let progress = checkpoint::progress(&folder.last())?;
    Ok(progress.stopped_early || progress.epoch >= loaded.experiment.schedule.epochs)
}

/// Returns the hash of the weights that a run of `experiment` starts from.
///
/// # Errors
/// A file that cannot be read.
pub fn weights_hash(
    experiment: &Experiment,
    weights: Option<&WeightsFile>,
    hashes: &FileHashes,
) -> anyhow::Result<String> {
    match weights {
        // Told by the identity of the stage that leaves them, which is known before they are.
        _ if experiment.model.weights == PREVIOUS => Ok(PREVIOUS.to_owned()),
        None => Ok("none".to_owned()),
        Some(weights) => Ok(hashes.of(std::slice::from_ref(&weights.path))?.concat()),
    }
}

/// Returns whether a run has the same numbers and identity whatever the setting `key` is (`data.workers`): no number
/// depends on it, or a hash of data or weights tells what it means. So is what stands in such a table.
#[must_use]
pub fn is_neutral(key: &str) -> bool {
    let within = |table: &str| key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    NEUTRAL.into_iter().chain(WEIGHTS).any(within)
}

/// Computes the hash of an experiment without the settings that do not change its numbers or that the hashes of data
/// and weights cover. A setting that was added later is included only if it differs from what older releases did;
/// `schema`, which is [`mga_experiment::experiment_schema`] of the components, says which settings those are.
///
/// # Errors
/// An experiment that cannot be written as JSON: none that was loaded.
pub fn experiment_hash(experiment: &Experiment, schema: &Value) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(experiment)?;
    without_later_settings(schema, &mut value);
    Ok(hash(value, schema))
}

/// Returns the hash by which a checkpoint of `experiment` in `folder` is known: [`experiment_hash`], but where the run
/// began when later settings stood in hashes whatever their value.
///
/// # Errors
/// As [`experiment_hash`]; a checkpoint that cannot be read.
pub fn begun_as(folder: &RunFolder, experiment: &Experiment, schema: &Value) -> anyhow::Result<String> {
    if folder.last().is_file() {
        let whole = hash(serde_json::to_value(experiment)?, schema);
        if checkpoint::progress(&folder.last())?.experiment == whole {
            return Ok(whole);
        }
    }
    experiment_hash(experiment, schema)
}

fn hash(mut value: Value, schema: &Value) -> String {
    // What lies there is in the fingerprint.
    let paths = marked_settings(schema, &value, PATH_MARK);
    NEUTRAL.into_iter().chain(paths.iter().map(String::as_str)).for_each(|key| remove(&mut value, key));
    for key in WEIGHTS {
        let name = key.split('.').try_fold(&value, |value, key| value.get(key)).and_then(Value::as_str);
        if name.is_some_and(|name| name != "none") {
            remove(&mut value, key);
        }
    }
    let digest = Sha256::digest(sorted(value).to_string().as_bytes());
    hex(&digest[..16])
}

fn remove(value: &mut Value, key: &str) {
    let (tables, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut table = value;
    for key in tables.split('.').filter(|key| !key.is_empty()) {
        match table.get_mut(key) {
            Some(inner) => table = inner,
            None => return,
        }
    }
    if let Some(table) = table.as_object_mut() {
        table.shift_remove(last);
    }
}

/// The same with keys in alphabetical order, so that the order of settings in the program has no say.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(table) => {
            let mut entries: Vec<_> = table.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(sorted).collect()),
        other => other,
    }
}
