//! The weight file that an experiment names, and the published weights that `imagenet` means.

use std::path::{Path, PathBuf};

use mga_models::Networks;

/// The resolved experiment in a run's folder.
pub const EXPERIMENT: &str = "experiment.toml";
/// The weights of the selected epoch in a run's folder.
pub const BEST: &str = "checkpoints/best.safetensors";
/// The state after the last step that was saved in a run's folder.
pub const LAST: &str = "checkpoints/last.safetensors";
/// The weights in a folder that `mga weights export` wrote.
pub const MODEL: &str = "model.safetensors";

/// The value of `model.weights` in a stage that starts from the selected checkpoint of the previous stage.
pub const PREVIOUS: &str = "previous";

/// Returns the weight file that a path means: the file itself, a run's best checkpoint, else its last, or an exported
/// folder's model.
///
/// # Errors
/// There is nothing of that name; a folder that is neither; a run without a checkpoint.
pub fn weight_file(path: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    anyhow::ensure!(path.is_dir(), "{shown}: there is no such weight file or folder");
    if let Some(found) = [BEST, LAST, MODEL].iter().map(|file| path.join(file)).find(|file| file.is_file()) {
        return Ok(found);
    }
    anyhow::ensure!(!path.join(EXPERIMENT).is_file(), "{shown}: this run has no checkpoint yet");
    anyhow::bail!(
        "{shown}: neither the folder of a run (no checkpoints/last.safetensors in it) nor one that `mga weights export` wrote \
         (no {MODEL})"
    )
}

/// Returns the weights that `imagenet` means for a component.
///
/// # Errors
/// Nobody published any.
pub fn default_name(component: &str, networks: Networks<'_>) -> anyhow::Result<&'static str> {
    let published = networks.default_weights(component).map(|weights| weights.name);
    published.ok_or_else(|| {
        if networks.network(component).is_none() {
            return anyhow::anyhow!("no published weights of {component} are known; `mga weights list` shows all");
        }
        let names = networks.networks().map(|(entry, _)| entry.name.as_str());
        let known: Vec<&str> = names.filter(|name| networks.default_weights(name).is_some()).collect();
        anyhow::anyhow!(
            "no published weights of {component} are known by name; there are some for {}. Checkpoints of torchvision, NVIDIA \
             and others are read by `mga weights convert`, and then named as file:PATH",
            known.join(", ")
        )
    })
}
