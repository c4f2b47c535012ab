//! Models that need no experiment file: weight files that say themselves what they are for (`mga weights export`), and
//! plain classifiers as they are published.

use std::path::{Path, PathBuf};

use anyhow::Context;
use candle_core::DType;
use mga_core::parameter::ParameterStore;
use mga_core::wording::counted;
use mga_data::scratch::Scratch;
use mga_experiment::{Components, Defaults, Loaded, MODEL, Overrides, load, nearest, resolved_header};
use mga_hub::Repo;
use mga_models::weights::{Header, ModelDescription, ours};
use mga_models::{MgaModel, Networks, weights};
use mga_registry::{Choice, OwnSettings};
use serde_json::{Value, json};

use crate::assemble;
use crate::preprocessing::Preprocessing;
use crate::weights_source::{self, WeightsFile};

/// A model that is described without an experiment file.
#[derive(Debug)]
pub struct DescribedModel {
    /// An experiment that has its network and preprocessing, and no data.
    pub loaded: Loaded,
    /// Class names.
    pub classes: Vec<String>,
    /// The weights.
    pub file: PathBuf,
}

impl DescribedModel {
    /// Reads the description of an exported folder or file; `None` if nothing there describes itself.
    ///
    /// # Errors
    /// A description that cannot be read, or of a backbone that is not registered.
    pub fn of_export(path: &Path, set: &[String], components: &Components) -> anyhow::Result<Option<Self>> {
        let file = if path.is_dir() { path.join(MODEL) } else { path.to_path_buf() };
        if !file.is_file() {
            return Ok(None);
        }
        let Some(description) = ModelDescription::read(&file)? else { return Ok(None) };
        let ModelDescription { backbone, attention, settings, classes, preprocessing, .. } = description;
        let mut data = json!({
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "eval": { "transforms": preprocessing.transforms },
        });
        for (key, value) in [
            ("background", preprocessing.background),
            ("background_seed", preprocessing.background_seed.map(Value::from)),
            ("resize_rounding", preprocessing.resize_rounding),
            ("white_point", preprocessing.white_point.map(Value::from)),
        ] {
            if let Some(value) = value {
                data[key] = value;
            }
        }
        let mut model = json!({
            "backbone": backbone,
            "mask_guidance": attention.map,
        });
        // Where the attention has weights of its own, the description says these, and the model's would count for nothing.
        if !settings.attention.contains_key("weights") {
            model["residual_weights"] = json!(attention.residual_weights);
        }
        model["attention"] = json!(Choice { name: attention.kind, settings: settings.attention });
        for (key, value) in settings.backbone {
            model[key] = value;
        }
        if let Some(head) = settings.head {
            model["head"] = json!(head);
        }
        let said = || format!("{}: its description of the model", file.display());
        let loaded = experiment(data, model, set, components).with_context(said)?;
        Ok(Some(Self { loaded, classes, file }))
    }

    /// Describes a plain classifier with weights for `backbone`. Images are prepared as the weights' description says,
    /// or else as for the default weights of the backbone, which is reported.
    ///
    /// # Errors
    /// No such backbone; weights that have no classifier of its, or another number of classes than of names.
    pub fn of_classifier(
        weights: &WeightsFile,
        backbone: &str,
        set: &[String],
        components: &Components,
    ) -> anyhow::Result<Self> {
        let networks = components.networks();
        networks.backbone(backbone).with_context(|| {
            let near = nearest(backbone, networks.backbone_names());
            let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            format!("no backbone `{backbone}`; {near}`mga list` shows them")
        })?;
        if let Some(other) = weights.architecture.as_deref()
            && networks.architecture(other) != Some(backbone)
        {
            log::info!("note: config.json says that {} is of {other}; it is taken for {backbone}", weights.label);
        }
        let rows = classifier_rows(&weights.path, backbone, networks, &networks.renames(backbone))?;
        let default = networks.default_weights(backbone).map(Preprocessing::of_published);
        let data = match (&weights.preprocessing, default) {
            (Some(own), default) => shown_as(own, default.as_ref()),
            (None, Some(default)) => {
                log::info!(
                    "note: nothing says what images {} was trained on; they are prepared as for {}",
                    weights.label,
                    default.from
                );
                shown_as(&default, None)
            }
            (None, None) => {
                log::info!(
                    "note: nothing says what images {} was trained on; they keep their size, and mean and deviation \
                     are ImageNet's",
                    weights.label
                );
                json!({})
            }
        };
        let classes = match weights.class_names.as_slice() {
            [] => class_names(rows),
            names => {
                anyhow::ensure!(
                    names.len() == rows,
                    "{}: config.json names {}, and the classifier has {rows}",
                    weights.label,
                    counted(names.len(), "class", "classes")
                );
                names.to_vec()
            }
        };
        let model = json!({ "backbone": backbone, "attention": "none", "mask_guidance": false });
        let loaded = experiment(data, model, set, components)?;
        Ok(Self { loaded, classes, file: weights.path.clone() })
    }

    /// Describes a repository of the hub, `owner/name[@revision]`, downloading it if needed. It is an exported model,
    /// or a plain classifier whose backbone is known or given by `backbone`.
    ///
    /// # Errors
    /// No such repository or no network; weights that say of no network.
    pub fn of_name(
        name: &str,
        backbone: Option<&str>,
        set: &[String],
        components: &Components,
    ) -> anyhow::Result<Self> {
        let networks = components.networks();
        anyhow::ensure!(
            name != "imagenet" || backbone.is_some(),
            "`imagenet` names the default weights of a backbone; say of which with --backbone"
        );
        let published = networks.published(name.split('@').next().unwrap_or(name));
        let known = match (backbone, published) {
            (Some(backbone), _) => Some(backbone),
            (None, Some(published)) => Some(published.component),
            (None, None) => said_backbone(name, components)?,
        };
        let found = weights_source::find(name, known.unwrap_or_default(), networks, &components.hub)?;
        let found = found.with_context(|| format!("`{name}` names no weights"))?;
        log::info!("{}", found.label);
        if let Some(described) = Self::of_export(&found.path, set, components)? {
            return Ok(described);
        }
        let backbone = known.with_context(|| {
            format!("{}: does not say what network it is for; name its backbone with --backbone", found.label)
        })?;
        Self::of_classifier(&found, backbone, set, components)
    }

    /// Builds the network and loads the weights; says what was loaded.
    ///
    /// # Errors
    /// Weights that do not fit the description.
    pub fn model(&self, components: &Components) -> anyhow::Result<MgaModel> {
        let experiment = &self.loaded.experiment;
        let store = ParameterStore::new(0, DType::F32, &assemble::device(&self.loaded)?);
        let model = MgaModel::new(&components.kinds, assemble::model_settings(experiment, self.classes.len()), store)
            .with_context(|| format!("{}: its description of the model", self.file.display()))?;
        let renames = components.networks().renames(&experiment.model.backbone);
        let report = weights::load_file(model.store(), &self.file, &renames, experiment.model.strict)?;
        anyhow::ensure!(report.reinitialised.is_empty(), "{}: {report}", self.file.display());
        log::info!("{}: {report}", self.file.display());
        Ok(model)
    }
}

/// The backbone that a repository's `config.json` says its weights are of, before they are downloaded; `None`: it does
/// not say.
///
/// # Errors
/// One that nobody registered; a description that cannot be read.
fn said_backbone<'a>(name: &str, components: &'a Components) -> anyhow::Result<Option<&'a str>> {
    let networks = components.networks();
    let repo = Repo::model(name)?;
    let (config, _) = weights_source::config_of(&repo, &components.hub)?;
    let Some(architecture) = config.architecture else { return Ok(None) };
    let known = networks.architecture(&architecture).filter(|name| networks.backbone(name).is_some());
    known.map(Some).ok_or_else(|| weights_source::not_among(&architecture, &repo.id(), networks))
}

/// What is done to images, as a table `[data]`; the size is that of `default` where they themselves do not say.
fn shown_as(own: &Preprocessing, default: Option<&Preprocessing>) -> Value {
    if !own.caveat.is_empty() {
        log::info!("note: {}: mga does not know {} (data.eval.transforms says otherwise)", own.from, own.caveat);
    }
    let mut data = json!({ "mean": own.mean, "std": own.std, "resize_rounding": own.rounding });
    match (&own.transforms, default) {
        (Some(transforms), _) => data["eval"] = json!({ "transforms": transforms }),
        (None, Some(default)) => {
            log::info!(
                "note: {} does not say the size of its images; they are resized as for {}",
                own.from,
                default.from
            );
            data["eval"] = json!({ "transforms": default.transforms });
        }
        (None, None) => log::info!("note: {} does not say the size of its images; they keep theirs", own.from),
    }
    data
}

/// An experiment of these tables, checked as if it were a file; `set` and the environment are stronger.
fn experiment(mut data: Value, model: Value, set: &[String], components: &Components) -> anyhow::Result<Loaded> {
    // A data set has to be named, and is never opened.
    data["dataset"] = json!("image-folder");
    data["root"] = json!(".");
    let text = toml::to_string(&json!({ "data": data, "model": model, "eval": { "select_on": "last" } }))?;
    let folder = Scratch::new()?;
    let file = folder.path().join("description.toml");
    // What was decided where the model was trained, or published, is no setting that somebody made here.
    std::fs::write(&file, resolved_header(Defaults::New) + &text)?;
    Ok(load(&file, &Overrides::from_process(set.to_vec()), components)?)
}

/// Rows of the last layer in a file: its classes.
fn classifier_rows(
    file: &Path,
    backbone: &str,
    networks: Networks<'_>,
    renames: &[(&str, &str)],
) -> anyhow::Result<usize> {
    let (choice, head) = networks.head_of(backbone, None)?;
    let last = format!("classifier.{}", head.last_weight(OwnSettings::new("model.head", &choice.settings))?);
    let is_last = |name: &str| ours(name, renames, |name| name == last).is_some();
    anyhow::ensure!(file.is_file(), "{}: no such file", file.display());
    let header = Header::read(file)?;
    let found = header.tensors.iter().find(|(name, _)| is_last(name)).and_then(|(_, t)| t.shape.first().copied());
    found.with_context(|| {
        format!(
            "{}: has no classifier of {backbone} (`{last}`, or another source's name for it); is it for another backbone?",
            file.display()
        )
    })
}

/// ImageNet's thousand names; other classes are known by their index alone.
fn class_names(classes: usize) -> Vec<String> {
    let imagenet: Vec<&str> = include_str!("imagenet_classes.txt").lines().collect();
    if classes == imagenet.len() {
        return imagenet.into_iter().map(str::to_owned).collect();
    }
    (0..classes).map(|class| format!("class {class}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_has_a_thousand_names() {
        let names = class_names(1000);
        assert_eq!(
            (names.len(), names[0].as_str(), names[967].as_str(), names[999].as_str()),
            (1000, "tench", "espresso", "toilet tissue")
        );
        assert!(names.iter().all(|name| !name.is_empty() && name.trim() == name));
        assert_eq!(class_names(2), ["class 0", "class 1"]);
    }
}
