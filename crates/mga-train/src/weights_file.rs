//! A weight file that was found, with what is known of it.

use std::path::{Path, PathBuf};

use crate::preprocessing::Preprocessing;
use crate::weights_config::{CONFIG, WeightsConfig};

/// Weights that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsFile {
    /// The file, checked where it is of the hub.
    pub path: PathBuf,
    /// The name for people: name and commit, or the path.
    pub label: String,
    /// The name that replaces a branch or `imagenet`, so that the same weights are found again.
    pub pinned: String,
    /// The preprocessing of its images; `None` if it is unknown.
    pub preprocessing: Option<Preprocessing>,
    /// The name of its network in timm, if it is known.
    pub architecture: Option<String>,
    /// The number of its classes, if it is known.
    pub classes: Option<usize>,
    /// Their names, in order; none where nothing says so.
    pub class_names: Vec<String>,
}

/// A weight file, with what a `config.json` beside it says.
///
/// # Errors
/// There is no such file; a description that cannot be read.
pub(crate) fn of_plain_file(path: &Path) -> anyhow::Result<WeightsFile> {
    anyhow::ensure!(path.is_file(), "{}: there is no such weight file", path.display());
    let beside = path.with_file_name(CONFIG);
    let config = if beside.is_file() {
        WeightsConfig::read(&beside, &beside.display().to_string())?
    } else {
        WeightsConfig::default()
    };
    Ok(WeightsFile {
        path: path.to_path_buf(),
        label: path.display().to_string(),
        pinned: format!("file:{}", path.display()),
        preprocessing: config.preprocessing,
        architecture: config.architecture,
        classes: (!config.class_names.is_empty()).then_some(config.class_names.len()),
        class_names: config.class_names,
    })
}
