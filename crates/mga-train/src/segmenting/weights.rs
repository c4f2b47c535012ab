//! The weights of a segmentation network: a safetensors file, a run of ours, which knows what it was trained on, or
//! published ones by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_experiment::{Components, Experiment, NetworkKind, Overrides, SelectOn, load};
use serde::{Deserialize, Serialize};

use crate::TaskComponents;
use crate::file_hashes;
use crate::run_folder::RunFolder;
use crate::weights_source::{self, WeightsFile};

/// A line of a segmentation run's `images.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedImage {
    /// The image in its data set.
    pub id: String,
    /// Hash of its content.
    pub hash: String,
}

/// Weights that were found.
#[derive(Debug)]
pub(super) struct Found {
    /// The file.
    pub(super) file: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub(super) sha256: String,
    /// The run it lies in, with its experiment.
    pub(super) run: Option<(PathBuf, Experiment)>,
    /// What is known of other weights than a run's: classes and preprocessing.
    pub(super) about: Option<WeightsFile>,
}

impl Found {
    /// What they are, for people.
    pub(super) fn label(&self) -> String {
        self.about.as_ref().map_or_else(|| self.file.display().to_string(), |about| about.label.clone())
    }
}

/// Finds the weights that `named` means for the network called `segmenter`: a file, a run with task = "segmentation", or
/// published weights by name, which are downloaded if need be.
///
/// # Errors
/// No such file; a folder that is no such run, or has no checkpoint yet; what [`weights_source::find`] says of a name.
pub(super) fn find(named: &str, segmenter: &str, components: &Components) -> anyhow::Result<Found> {
    let path = Path::new(named.strip_prefix("file:").unwrap_or(named));
    if path.is_file() {
        let about = weights_source::of_file(path)?;
        return Ok(Found { file: path.to_path_buf(), sha256: sha256(path)?, run: None, about: Some(about) });
    }
    let shown = path.display();
    if !path.is_dir() && weights_source::is_name(named) {
        let found = weights_source::find(named, segmenter, components.networks(), &components.hub);
        let found = found
            .with_context(|| format!("{named}: there is no such file or folder, so it was looked for on the hub"))?;
        let about = found.with_context(|| format!("`{named}` names no weights"))?;
        return Ok(Found { sha256: sha256(&about.path)?, file: about.path.clone(), run: None, about: Some(about) });
    }
    anyhow::ensure!(
        path.is_dir(),
        "{shown}: no such weight file or run folder; weights are named as file:PATH, or owner/name of the hub"
    );
    let experiment = run_experiment(path, components)?;
    anyhow::ensure!(
        components.task_of(&experiment)?.network() == NetworkKind::Segmenter,
        "{shown}: this run trained a classifier; expected one with task = \"segmentation\""
    );
    let folder = RunFolder::at(path);
    let best = (experiment.eval.select_on != SelectOn::Last).then(|| folder.best());
    let file = best.into_iter().chain([folder.last()]).find(|file| file.is_file());
    let file = file.with_context(|| format!("{shown}: this run has no checkpoint yet"))?;
    Ok(Found { sha256: sha256(&file)?, file, run: Some((path.to_path_buf(), experiment)), about: None })
}

/// The experiment of a run. What it was trained from is not needed, and may be gone.
fn run_experiment(run: &Path, components: &Components) -> anyhow::Result<Experiment> {
    let file = RunFolder::at(run).experiment();
    anyhow::ensure!(file.is_file(), "{}: no run folder: there is no experiment.toml", run.display());
    let load = |set: &[&str]| {
        let set = set.iter().map(|set| (*set).to_owned()).collect();
        load(&file, &Overrides { set, ..Overrides::default() }, components)
    };
    match load(&["model.weights=none"]) {
        Ok(loaded) => Ok(loaded.experiment),
        Err(error) => match load(&["model.weights=none", "data.root=."]) {
            Ok(loaded) => Ok(loaded.experiment),
            Err(_) => Err(error.into()),
        },
    }
}

/// Returns the images a segmentation run was trained and selected on: hash to name. Empty where the run did not write
/// them down.
///
/// # Errors
/// A file that cannot be read.
pub fn written_images(run: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let path = run.join("images.json");
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let unreadable = || format!("{}: cannot be read", path.display());
    let text = std::fs::read_to_string(&path).with_context(unreadable)?;
    let images: Vec<TrainedImage> = serde_json::from_str(&text).with_context(unreadable)?;
    Ok(images.into_iter().map(|image| (image.hash, image.id)).collect())
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    file_hashes::sha256(path).with_context(|| format!("{}: cannot be read", path.display()))
}
