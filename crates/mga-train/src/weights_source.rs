//! The weights that `model.weights` names: a file that is there, and how its images were normalised.
//!
//! `none`; `imagenet`, the backbone's default among the published; a published name or any repository of the hub,
//! `owner/name[@revision]`; `file:PATH`.

use std::path::Path;

use mga_experiment::{default_name, nearest};
use mga_hub::{Error, Hub, Repo};
use mga_models::Networks;

use crate::preprocessing::Preprocessing;
use crate::weights_config::{CONFIG, WeightsConfig};
pub use crate::weights_file::WeightsFile;
use crate::weights_file::of_plain_file;
use crate::weights_folder;

/// The file that [`PublishedWeights::file`](mga_models::weights::PublishedWeights) mostly is.
const USUAL: &str = "model.safetensors";

/// Returns whether `text` is how published weights are named: `imagenet`, or a repository of the hub,
/// `owner/name[@revision]`.
pub fn is_name(text: &str) -> bool {
    let id = text.split('@').next().unwrap_or(text);
    let parts: Vec<&str> = id.split('/').collect();
    let file = [".safetensors", ".pth", ".pt", ".bin"].iter().any(|end| id.ends_with(end));
    let repo = parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.')) && !file;
    text == "imagenet" || repo && !text.starts_with("file:")
}

/// Converts the value of `--weights` to a setting: a path if it exists, a name of the hub if it is written as one, or
/// else a missing path.
pub fn as_setting(given: &Path) -> String {
    match given.to_str() {
        Some(name) if is_name(name) && !given.exists() => name.to_owned(),
        _ => format!("file:{}", given.display()),
    }
}

/// Finds the weights called `text` for the backbone or segmenter `component`, downloading them if need be. `None` for
/// `none`.
///
/// # Errors
/// Weights of another component, no such repository, revision or file, no network, a file that is not there.
pub fn find(text: &str, component: &str, networks: Networks<'_>, hub: &Hub) -> anyhow::Result<Option<WeightsFile>> {
    if text == "none" {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("file:") {
        return of_file(Path::new(path)).map(Some);
    }
    let name = match text {
        "imagenet" => default_name(component, networks)?,
        name => name,
    };
    let named = Repo::model(name)?;
    match networks.published(&named.id()) {
        Some(published) => {
            anyhow::ensure!(
                networks.starts(published, component),
                "`{}` holds weights of {}, not of {component}",
                published.name,
                published.component
            );
            let revision = if name.contains('@') { named.revision.as_str() } else { published.revision };
            let repo = Repo::model(&format!("{}@{revision}", published.repo))?;
            let (config, at) = config_of(&repo, hub)?;
            check_architecture(&config, &repo, component, networks)?;
            let fetched = hub.file(&at, published.file)?;
            let own = published.component == component;
            Ok(Some(WeightsFile {
                path: fetched.path,
                label: format!("{} at {}", published.name, short(&fetched.commit)),
                pinned: format!("{}@{}", published.name, fetched.commit),
                preprocessing: config.preprocessing.or_else(|| Some(Preprocessing::of_published(published))),
                architecture: config.architecture,
                classes: own.then_some(published.classes),
                class_names: if own { config.class_names } else { Vec::new() },
            }))
        }
        None => {
            let found = of_repo(&named, component, networks, hub);
            found.map(Some).map_err(|error| with_hint(error, &named, component, networks))
        }
    }
}

/// Returns the description of a repository's weights, which is read before they are downloaded, and the repository at
/// that commit; `None` without a description.
///
/// # Errors
/// A `config.json` that cannot be read; no such repository; no network, where the weights would have to come over it.
pub fn config_of(repo: &Repo, hub: &Hub) -> anyhow::Result<(WeightsConfig, Repo)> {
    let nothing = || (WeightsConfig::default(), repo.clone());
    let cached = hub.cache().files(repo).map(|(files, _)| files).unwrap_or_default();
    let has_weights = cached.iter().any(|file| file.ends_with(".safetensors"));
    // A commit never changes: what the cache has of it is all that is asked.
    if repo.is_pinned() && has_weights && !cached.iter().any(|file| file == CONFIG) {
        return Ok(nothing());
    }
    match hub.file(repo, CONFIG) {
        Ok(found) => {
            let config = WeightsConfig::read(&found.path, &format!("{CONFIG} of {}", repo.id()))?;
            Ok((config, repo.at(&found.commit)))
        }
        Err(Error::NoSuchFile { .. } | Error::NotCached { .. }) => Ok(nothing()),
        Err(Error::Unreachable { .. }) if has_weights => Ok(nothing()),
        Err(error) => Err(error.into()),
    }
}

/// Refuses weights whose own description names another network than `component`, before they are downloaded. An empty
/// `component` takes any.
fn check_architecture(
    config: &WeightsConfig,
    repo: &Repo,
    component: &str,
    networks: Networks<'_>,
) -> anyhow::Result<()> {
    let Some(architecture) = config.architecture.as_deref().filter(|_| !component.is_empty()) else { return Ok(()) };
    let Some(own) = networks.architecture(architecture) else {
        return Err(not_among(architecture, &repo.id(), networks));
    };
    let starts = own == component || networks.trunk(component).is_some_and(|trunk| trunk.backbone == own);
    anyhow::ensure!(starts, "`{}` holds weights of {own}, as its {CONFIG} says, not of {component}", repo.id());
    Ok(())
}

/// Creates the error for weights of a network that is not registered.
pub fn not_among(architecture: &str, id: &str, networks: Networks<'_>) -> anyhow::Error {
    let names: Vec<&str> = networks.backbone_names().collect();
    anyhow::anyhow!(
        "`{id}` holds weights of {architecture}, as its {CONFIG} says, and {architecture} is not among the backbones: {}",
        names.join(", ")
    )
}

/// Any repository: its `model.safetensors`, else its only safetensors file.
fn of_repo(repo: &Repo, component: &str, networks: Networks<'_>, hub: &Hub) -> anyhow::Result<WeightsFile> {
    // A commit never changes, so what the cache has of it is all that is asked.
    let cached = repo.is_pinned().then(|| hub.cache().files(repo)).flatten().map(|(files, _)| files);
    let files = match cached.filter(|files| choose(files).is_ok()) {
        Some(files) => files,
        None => hub.files(repo)?,
    };
    let (config, at) = if files.iter().any(|file| file == CONFIG) {
        config_of(repo, hub)?
    } else {
        (WeightsConfig::default(), repo.clone())
    };
    check_architecture(&config, repo, component, networks)?;
    let file = choose(&files).map_err(|present| Error::NoSuchFile {
        repo: repo.to_string(),
        file: "weights in one safetensors file".to_owned(),
        present,
    })?;
    let fetched = hub.file(&at, &file)?;
    let at = repo.at(&fetched.commit);
    Ok(WeightsFile {
        path: fetched.path,
        label: format!("{} at {}, {file}", repo.id(), short(&fetched.commit)),
        pinned: at.to_string(),
        preprocessing: config.preprocessing,
        architecture: config.architecture,
        classes: (!config.class_names.is_empty()).then_some(config.class_names.len()),
        class_names: config.class_names,
    })
}

/// The weight file among a repository's; else those that might have been meant.
fn choose(files: &[String]) -> Result<String, Vec<String>> {
    if files.iter().any(|file| file == USUAL) {
        return Ok(USUAL.to_owned());
    }
    let weights: Vec<String> = files.iter().filter(|file| file.ends_with(".safetensors")).cloned().collect();
    match weights.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(files.iter().filter(|file| is_pytorch(file)).cloned().collect()),
        _ => Err(weights),
    }
}

fn is_pytorch(file: &str) -> bool {
    [".bin", ".pth", ".pt"].iter().any(|end| file.ends_with(end))
}

/// A misspelt published name is most likely what leads to a repository that is not there.
fn with_hint(error: anyhow::Error, repo: &Repo, component: &str, networks: Networks<'_>) -> anyhow::Error {
    if !matches!(error.downcast_ref::<Error>(), Some(Error::NoSuchRepo { .. })) {
        return error;
    }
    let names = networks.weights().filter(|weights| networks.starts(weights, component)).map(|weights| weights.name);
    match nearest(&repo.id(), names) {
        Some(meant) => anyhow::anyhow!("{error}; did you mean `{meant}`?"),
        None => error,
    }
}

/// Returns a commit as people write it.
pub fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// Returns a local file, or the folder of a run or an export. A `config.json` beside the file, as exported and
/// downloaded folders have, or the run's experiment says what its images went through.
///
/// # Errors
/// There is no such file; a folder without weights; a `config.json` that cannot be read.
pub fn of_file(path: &Path) -> anyhow::Result<WeightsFile> {
    if path.is_dir() { weights_folder::of_folder(path) } else { of_plain_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offline() -> (tempfile::TempDir, Hub) {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().to_string_lossy().into_owned();
        let settings = mga_hub::Settings::from_variables(|name| (name == "HF_HUB_CACHE").then(|| cache.clone()));
        (folder, Hub::new(settings, std::sync::Arc::new(mga_hub::Silent)).offline())
    }

    fn refused(text: &str, component: &str) -> String {
        let (_folder, hub) = offline();
        find(text, component, Networks::of(&mga_models::builtin()), &hub).unwrap_err().to_string()
    }

    #[test]
    fn names_lead_to_files_or_to_what_is_wrong() {
        let (_folder, hub) = offline();
        assert_eq!(find("none", "resnet18", Networks::of(&mga_models::builtin()), &hub).unwrap(), None);
        assert!(refused("imagenet", "resnet18").contains("model.safetensors of `timm/resnet18.tv_in1k@main`"));
        assert!(refused("imagenet", "conv4").contains("no published weights of conv4"));
        assert!(refused("imagenet", "fcn_resnet50").contains("model.safetensors of `timm/resnet50.tv_in1k@main`"));
        assert!(refused("imagenet", "hmsa").contains("there are some for fcn_resnet50"));
        assert!(refused("timm/resnet50.tv_in1k", "segformer_b0").contains("of resnet50, not of segformer_b0"));
        assert!(refused("timm/densenet161.tv_in1k", "resnet18").contains("weights of densenet161, not of resnet18"));
        assert!(refused("timm/x@../y", "resnet18").contains("revision"));
        assert!(refused("file:/no/such", "resnet18").contains("no such weight file"));
    }

    #[test]
    fn names_of_the_hub_are_told_from_files() {
        assert!(is_name("timm/resnet18.tv_in1k") && is_name("owner/name@refs/pr/2") && is_name("imagenet"));
        let paths = ["model", "runs/x.safetensors", "./runs", "../a/b", "/a/b", "a/b/c", "a/", "file:a/b", "none"];
        assert!(!paths.iter().any(|text| is_name(text)));
        assert_eq!(as_setting(Path::new("owner/name@v1")), "owner/name@v1");
        assert_eq!(as_setting(Path::new("no/such/file")), "file:no/such/file");
        assert_eq!(as_setting(Path::new("src/tasks")), "file:src/tasks");
    }

    #[test]
    fn of_several_files_the_usual_one_is_taken_or_none() {
        let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(choose(&files(&["a.safetensors", USUAL])), Ok(USUAL.to_owned()));
        assert_eq!(choose(&files(&["README.md", "a.safetensors"])), Ok("a.safetensors".to_owned()));
        let shards = files(&["a-1.safetensors", "a-2.safetensors"]);
        assert_eq!(choose(&shards), Err(shards.clone()));
        assert_eq!(choose(&files(&["README.md", "pytorch_model.bin"])), Err(files(&["pytorch_model.bin"])));
    }

    #[test]
    fn a_config_beside_the_file_says_how_images_were_normalised() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        std::fs::write(&file, "").unwrap();
        assert_eq!(of_file(&file).unwrap().preprocessing, None);
        let config = r#"{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
                        "input_size": [3, 299, 299], "interpolation": "bicubic"}}"#;
        std::fs::write(folder.path().join(CONFIG), config).unwrap();
        let found = of_file(&file).unwrap().preprocessing.unwrap();
        assert_eq!((found.mean, found.std, found.trained_at.as_str()), ([0.5; 3], [0.25; 3], "299 px, bicubic"));
        std::fs::write(folder.path().join(CONFIG), &config[..40]).unwrap();
        let message = of_file(&file).unwrap_err().to_string();
        assert!(message.contains("config.json: cannot be read") && message.contains("remove it"), "{message}");
    }

    #[test]
    fn weights_of_other_networks_are_told_by_their_names() {
        let registry = mga_models::builtin();
        let networks = Networks::of(&registry);
        let repo = Repo::model("me/net").unwrap();
        let check = |architecture: &str, component: &str| {
            let config = WeightsConfig { architecture: Some(architecture.to_owned()), ..WeightsConfig::default() };
            check_architecture(&config, &repo, component, networks).map_err(|error| error.to_string())
        };
        assert_eq!(check("resnet50", "resnet50"), Ok(()));
        assert_eq!(check("resnet50", "fcn_resnet50"), Ok(()), "its trunk");
        assert_eq!(check("convnext_tiny", ""), Ok(()), "whatever it is for");
        let message = check("convnext_tiny", "resnet50").unwrap_err();
        assert!(message.contains("convnext_tiny is not among the backbones: resnet18, "), "{message}");
        assert!(check("densenet161", "resnet50").unwrap_err().contains("of densenet161, as its config.json says"));
    }
}
