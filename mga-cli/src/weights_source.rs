//! What `model.weights` names: a file that is there, and how its images were normalised.
//!
//! `none`; `imagenet`, the backbone's default among the published; a published name or any repository of the hub,
//! `owner/name[@revision]`; `file:PATH`.

use std::path::{Path, PathBuf};

use mga_hub::{Error, Hub, Repo};
use mga_models::Registry;

use crate::experiment::nearest;

/// The file that [`PublishedWeights::file`](mga_models::weights::PublishedWeights) mostly is.
const USUAL: &str = "model.safetensors";

/// How the images of some weights were normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Channel means, in 0..=1.
    pub mean: [f64; 3],
    /// Channel deviations.
    pub std: [f64; 3],
    /// Who says so, for people.
    pub from: String,
    /// Size and interpolation of those images, for people; empty where unknown.
    pub trained_at: String,
}

/// Weights that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsFile {
    /// The file, checked where it is of the hub.
    pub path: PathBuf,
    /// What it is, for people: name and commit, or the path.
    pub label: String,
    /// What to write in place of a branch or `imagenet`, so that the same weights are found again.
    pub pinned: String,
    /// How its images were normalised; `None`: nothing says so.
    pub preprocessing: Option<Preprocessing>,
    /// How many classes it tells apart, where that is known.
    pub classes: Option<usize>,
    /// Their names, in order; none where nothing says so.
    pub class_names: Vec<String>,
}

/// Whether `text` is how published weights are named: `imagenet`, or a repository of the hub, `owner/name[@revision]`.
pub fn is_name(text: &str) -> bool {
    let id = text.split('@').next().unwrap_or(text);
    let parts: Vec<&str> = id.split('/').collect();
    let file = [".safetensors", ".pth", ".pt", ".bin"].iter().any(|end| id.ends_with(end));
    let repo = parts.len() == 2 && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.')) && !file;
    text == "imagenet" || repo && !text.starts_with("file:")
}

/// What a command line's `--weights` means as a setting: a path where there is one, a name of the hub where it is written
/// as one, else a path that is missed.
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
pub fn find(text: &str, component: &str, registry: &Registry, hub: &Hub) -> anyhow::Result<Option<WeightsFile>> {
    if text == "none" {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("file:") {
        return of_file(Path::new(path)).map(Some);
    }
    let name = match text {
        "imagenet" => default_name(component, registry)?,
        name => name,
    };
    let named = Repo::model(name)?;
    match registry.published(&named.id()) {
        Some(published) => {
            anyhow::ensure!(
                registry.starts(published, component),
                "`{}` holds weights of {}, not of {component}",
                published.name,
                published.component
            );
            let revision = if name.contains('@') { named.revision.as_str() } else { published.revision };
            let repo = Repo::model(&format!("{}@{revision}", published.repo))?;
            let fetched = hub.file(&repo, published.file)?;
            let own = published.component == component;
            let class_names = if own && registry.segmenter(component).is_some() {
                names_of(&repo.at(&fetched.commit), hub)?
            } else {
                Vec::new()
            };
            Ok(Some(WeightsFile {
                path: fetched.path,
                label: format!("{} at {}", published.name, short(&fetched.commit)),
                pinned: format!("{}@{}", published.name, fetched.commit),
                preprocessing: Some(Preprocessing {
                    mean: published.mean,
                    std: published.std,
                    from: published.name.to_owned(),
                    trained_at: format!("{} px, {}", published.size, published.interpolation),
                }),
                classes: own.then_some(published.classes),
                class_names,
            }))
        }
        None => of_repo(&named, hub).map(Some).map_err(|error| with_hint(error, &named, component, registry)),
    }
}

/// What `imagenet` means for a component.
///
/// # Errors
/// Nobody published any.
pub fn default_name(component: &str, registry: &Registry) -> anyhow::Result<&'static str> {
    let published = registry.default_weights(component).map(|weights| weights.name);
    published.ok_or_else(|| {
        if registry.segmenter(component).is_none() {
            return anyhow::anyhow!("no published weights of {component} are known; `mga weights list` shows all");
        }
        let known: Vec<&str> = registry
            .segmenters()
            .iter()
            .filter(|entry| registry.default_weights(entry.name).is_some())
            .map(|entry| entry.name)
            .collect();
        anyhow::anyhow!(
            "no published weights of {component} are known by name; there are some for {}. Checkpoints of torchvision, NVIDIA \
             and others are read by `mga weights convert`, and then named as file:PATH",
            known.join(", ")
        )
    })
}

/// The class names that a repository's `config.json` gives, if it has one.
fn names_of(repo: &Repo, hub: &Hub) -> anyhow::Result<Vec<String>> {
    match hub.file(repo, "config.json") {
        Ok(config) => Ok(read_class_names(&config.path)),
        Err(Error::NoSuchFile { .. } | Error::NotCached { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Class names as transformers (`id2label`) and timm (`label_names`) write them into `config.json`.
fn read_class_names(path: &Path) -> Vec<String> {
    let read = || -> Option<Vec<String>> {
        let config: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        match (config.get("id2label"), config.get("label_names")) {
            (Some(labels), _) => {
                let labels = labels.as_object()?;
                (0..labels.len()).map(|class| labels.get(&class.to_string()).and_then(text)).collect()
            }
            (None, names) => names?.as_array()?.iter().map(text).collect(),
        }
    };
    read().unwrap_or_default()
}

/// A local file. A `config.json` beside it, as exported and downloaded folders have, says how its images were normalised.
///
/// # Errors
/// There is no such file.
pub fn of_file(path: &Path) -> anyhow::Result<WeightsFile> {
    anyhow::ensure!(path.is_file(), "{}: there is no such weight file", path.display());
    let config = path.with_file_name("config.json");
    let class_names = read_class_names(&config);
    Ok(WeightsFile {
        path: path.to_path_buf(),
        label: path.display().to_string(),
        pinned: format!("file:{}", path.display()),
        preprocessing: config.is_file().then(|| read_config(&config, &config.display().to_string())).flatten(),
        classes: (!class_names.is_empty()).then_some(class_names.len()),
        class_names,
    })
}

/// Any repository: its `model.safetensors`, else its only safetensors file.
fn of_repo(repo: &Repo, hub: &Hub) -> anyhow::Result<WeightsFile> {
    // A commit never changes, so what the cache has of it is all that is asked.
    let cached = repo.is_pinned().then(|| hub.cache().files(repo)).flatten().map(|(files, _)| files);
    let files = match cached.filter(|files| choose(files).is_ok()) {
        Some(files) => files,
        None => hub.files(repo)?.into_iter().map(|file| file.path).collect(),
    };
    let file = choose(&files).map_err(|present| Error::NoSuchFile {
        repo: repo.to_string(),
        file: "weights in one safetensors file".to_owned(),
        present,
    })?;
    let fetched = hub.file(repo, &file)?;
    let at = repo.at(&fetched.commit);
    let config = files.iter().any(|file| file == "config.json").then(|| hub.file(&at, "config.json")).transpose()?;
    let class_names = config.as_ref().map(|config| read_class_names(&config.path)).unwrap_or_default();
    Ok(WeightsFile {
        path: fetched.path,
        label: format!("{} at {}, {file}", repo.id(), short(&fetched.commit)),
        pinned: at.to_string(),
        preprocessing: config.and_then(|config| read_config(&config.path, &format!("config.json of {}", repo.id()))),
        classes: (!class_names.is_empty()).then_some(class_names.len()),
        class_names,
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

/// timm's `config.json`: `pretrained_cfg.mean`, `.std`, `.input_size`, `.interpolation`.
fn read_config(path: &Path, from: &str) -> Option<Preprocessing> {
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let config = config.get("pretrained_cfg").unwrap_or(&config);
    let three = |key: &str| serde_json::from_value::<[f64; 3]>(config.get(key)?.clone()).ok();
    let std = three("std").filter(|std| std.iter().all(|value| *value > 0.0))?;
    let size = config.get("input_size").and_then(|size| size.get(2)).and_then(serde_json::Value::as_u64);
    let interpolation = config.get("interpolation").and_then(serde_json::Value::as_str);
    let trained_at = [size.map(|size| format!("{size} px")), interpolation.map(str::to_owned)];
    Some(Preprocessing {
        mean: three("mean")?,
        std,
        from: from.to_owned(),
        trained_at: trained_at.into_iter().flatten().collect::<Vec<_>>().join(", "),
    })
}

/// A misspelt published name is most likely what leads to a repository that is not there.
fn with_hint(error: anyhow::Error, repo: &Repo, component: &str, registry: &Registry) -> anyhow::Error {
    if !matches!(error.downcast_ref::<Error>(), Some(Error::NoSuchRepo { .. })) {
        return error;
    }
    let names =
        registry.weights().iter().filter(|weights| registry.starts(weights, component)).map(|weights| weights.name);
    match nearest(&repo.id(), names) {
        Some(meant) => anyhow::anyhow!("{error}; did you mean `{meant}`?"),
        None => error,
    }
}

/// A commit as people write it.
pub fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
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
        find(text, component, &Registry::builtin(), &hub).unwrap_err().to_string()
    }

    #[test]
    fn names_lead_to_files_or_to_what_is_wrong() {
        let (_folder, hub) = offline();
        assert_eq!(find("none", "resnet18", &Registry::builtin(), &hub).unwrap(), None);
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
        assert_eq!(as_setting(Path::new("src/commands")), "file:src/commands");
    }

    #[test]
    fn class_names_are_those_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let names = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_class_names(&path)
        };
        assert_eq!(names(r#"{"id2label": {"1": "b", "10": "k", "0": "a"}}"#), [""; 0], "there is no third");
        assert_eq!(names(r#"{"id2label": {"1": "building", "0": "wall"}}"#), ["wall", "building"]);
        assert_eq!(names(r#"{"label_names": ["ash", "oak"]}"#), ["ash", "oak"]);
        assert_eq!(names("{"), [""; 0]);
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
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let found = of_file(&file).unwrap().preprocessing.unwrap();
        assert_eq!((found.mean, found.std, found.trained_at.as_str()), ([0.5; 3], [0.25; 3], "299 px, bicubic"));
        std::fs::write(folder.path().join("config.json"), r#"{"mean": [0, 0, 0], "std": [0, 0, 0]}"#).unwrap();
        assert_eq!(of_file(&file).unwrap().preprocessing, None);
    }
}
