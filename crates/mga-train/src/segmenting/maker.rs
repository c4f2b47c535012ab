//! A segmenter opened from its settings, ready to make masks of pictures.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;

use candle_core::{DType, Device};
use mga_core::error::InvalidSetting;
use mga_core::parameter::ParameterStore;
use mga_data::error::Result;
use mga_data::masks::MaskMaker;
use mga_data::{Mask, Picture};
use mga_experiment::{ClassName, Components, SegmenterSettings, nearest};
use mga_models::weights::load_network;
use mga_models::weights::published::{IMAGENET, PublishedWeights};
use mga_models::{ForegroundSettings, NetworkSegmenter, RegisteredNetwork, RegisteredSegmenter, Segmenter, Segmenters};
use mga_registry::OwnSettings;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::provenance::{Provenance, TrainedOn};
use super::view::View;
use super::weights::{self, Found};
use crate::file_hashes::hex;

/// Classes of torchvision's segmentation weights (PASCAL VOC with its background).
const VOC_CLASSES: usize = 21;

/// Where an experiment has the settings of a segmenter itself; reference masks have them in a table of their own.
const OPTIONS: &str = "data.masks.segmenter.options";
const WEIGHTS: &str = "data.masks.segmenter.weights";
const FOREGROUND: &str = "data.masks.segmenter.foreground";
const CLASSES: &str = "data.masks.segmenter.classes";

/// Raised where masks of the same settings come out otherwise than before: cached ones are then made anew.
const VERSION: u32 = 1;

/// A segmenter with how it looks, what it was made from, and an identity.
pub struct Maker {
    name: &'static str,
    segmenter: Box<dyn Segmenter>,
    view: View,
    threshold: Option<f64>,
    device: Device,
    provenance: Provenance,
}

impl Maker {
    /// Opens the segmenter called `name`.
    ///
    /// # Errors
    /// No segmenter of that name. An [`InvalidSetting`] below `data.masks.segmenter`: options it does not have; weights that
    /// are not there or do not fit; classes that the weights do not have.
    pub fn open(
        name: &str,
        settings: &SegmenterSettings,
        components: &Components,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let Some(entry) = components.kinds.get::<Segmenters>(name) else {
            let known: Vec<&str> = components.networks().segmenter_names().collect();
            anyhow::bail!("no segmenter is called `{name}`; expected file, alpha, {}", known.join(", "));
        };
        let rule = match entry.item.as_ref() {
            RegisteredSegmenter::Network(network) => {
                return Self::network(name, network.as_ref(), settings, components, device);
            }
            RegisteredSegmenter::Rule(rule) => rule,
        };
        if settings.weights.is_some() {
            return Err(fault(WEIGHTS, format!("`{name}` has no weights to load; leave them out")));
        }
        let segmenter = rule.build(OwnSettings::new(OPTIONS, &settings.options)).map_err(own_fault)?;
        // A rule with a threshold for each image must see the whole image, and sees the same in its mirror image.
        let resolved = json!({ "options": settings.options, "threshold": settings.threshold });
        let provenance = provenance(name, None, resolved, None);
        let (view, threshold) = (View::whole(), settings.threshold);
        Ok(Self { name: lasting(name), segmenter, view, threshold, device: device.clone(), provenance })
    }

    fn network(
        name: &str,
        entry: &dyn RegisteredNetwork,
        settings: &SegmenterSettings,
        components: &Components,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let Some(named) = &settings.weights else {
            let by_name = match components.networks().published_for(name) {
                known if known.is_empty() => String::new(),
                known => format!(", or by name: {}", known.join(", ")),
            };
            let what =
                format!("`{name}` needs weights: a safetensors file, the folder of a run that trained it{by_name}");
            return Err(fault(WEIGHTS, what));
        };
        let of_weights = |error: anyhow::Error| fault(WEIGHTS, format!("{error:#}"));
        let found = weights::find(named, name, components).map_err(of_weights)?;
        let run = found.run.as_ref().map(|(_, experiment)| experiment);
        if let Some(trained) = run.map(|run| run.model.backbone.as_str()).filter(|trained| *trained != name) {
            let what = format!("{}: this run trained `{trained}`, not `{name}`", found.file.display());
            return Err(fault(WEIGHTS, what));
        }
        let names = run.and_then(|run| run.data.annotations.as_ref()).map(|annotations| annotations.classes.as_slice());
        let about = found.about.as_ref();
        let classes = settings.classes.or(names.map(<[String]>::len)).or(about.and_then(|about| about.classes));
        let classes = classes.unwrap_or(VOC_CLASSES);
        let known = names.or(about.map(|about| about.class_names.as_slice())).unwrap_or_default();
        // Published class lists may begin with a class like any other; all but the first would be nearly everything.
        let no_background = about.is_some_and(|about| about.classes.is_some())
            && !known.first().is_some_and(|first| first.to_lowercase().contains("background"));
        if settings.foreground.is_empty() && settings.classes.is_none() && no_background {
            let what = format!(
                "{}: none of its {classes} classes is a background, so it must be said which are foreground, by number{}",
                found.label(),
                if known.is_empty() { "" } else { " or name" }
            );
            return Err(fault(FOREGROUND, what));
        }
        let foreground = foreground(&settings.foreground, known, classes)?;
        let mut store = ParameterStore::new(0, DType::F32, device);
        let published = components.networks().published(named.split('@').next().unwrap_or(named));
        let published = published.filter(|weights| run.is_none() && weights.component == name);
        let trained = run.map(|run| run.model.settings.clone()).or(published.map(PublishedWeights::needed));
        let options = own_settings(name, &settings.options, trained.unwrap_or_default())?;
        let network = entry.build(store.root(), classes, OwnSettings::new(OPTIONS, &options));
        let mut network = network.map_err(own_fault)?;
        let report = load_network(&store, &found.file, components.networks(), name, true);
        let report = report.map_err(|error| of_weights(error.into()))?;
        if report.reinitialised.iter().any(|fresh| fresh.file.is_none()) {
            let what = format!(
                "{}: these are weights of the classifier that {name} is built on, and know no masks; start training from \
                 them with task = \"segmentation\", and name that run",
                found.label()
            );
            return Err(fault(WEIGHTS, what));
        }
        if !report.reinitialised.is_empty() {
            let what = format!(
                "{}: its classifier is not for {classes} classes: {}; set their number",
                found.file.display(),
                report.reinitialised.iter().map(|misfit| misfit.name.as_str()).collect::<Vec<_>>().join(", ")
            );
            return Err(fault(CLASSES, what));
        }
        let View { tile, overlap, mut scales, mut flip } = View {
            tile: settings.tile,
            overlap: settings.overlap,
            scales: settings.scales.clone(),
            flip: settings.flip,
        };
        // A network that joins scales by itself does it better than their mean.
        if (scales != [1.0] || flip) && network.set_scales(&scales, flip).is_ok() {
            (scales, flip) = (vec![1.0], false);
        }
        let theirs = about.and_then(|about| about.preprocessing.as_ref());
        let mean = settings.mean.or(run.and_then(|run| run.data.mean)).or(theirs.map(|theirs| theirs.mean));
        let std = settings.std.or(run.and_then(|run| run.data.std)).or(theirs.map(|theirs| theirs.std));
        let (mean, std) = (mean.unwrap_or(IMAGENET.0), std.unwrap_or(IMAGENET.1));
        let mut resolved = json!({
            "classes": classes, "class_names": names, "foreground": foreground, "threshold": settings.threshold,
            "tile": tile, "overlap": overlap, "scales": settings.scales, "flip": settings.flip, "mean": mean, "std": std,
        });
        if !options.is_empty() {
            resolved["options"] = json!(options);
        }
        let trained_on = match &found.run {
            Some((run, _)) => Some(TrainedOn { run: run.clone(), images: weights::written_images(run)? }),
            None => None,
        };
        let provenance = provenance(name, Some(found), resolved, trained_on);
        let foreground = ForegroundSettings { classes: foreground, threshold: None };
        let segmenter = Box::new(NetworkSegmenter::new(network, mean, std, foreground)?);
        let view = View { tile, overlap, scales, flip };
        Ok(Self {
            name: lasting(name),
            segmenter,
            view,
            threshold: settings.threshold,
            device: device.clone(),
            provenance,
        })
    }

    /// Returns the origin of its masks.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

impl MaskMaker for Maker {
    fn name(&self) -> &'static str {
        self.name
    }

    fn identity(&self) -> &str {
        &self.provenance.identity
    }

    fn make(&self, picture: &Picture) -> Result<Mask> {
        let mut mask = self.view.mask(self.segmenter.as_ref(), picture, &self.device)?;
        if let Some(threshold) = self.threshold {
            mask.values_mut().iter_mut().for_each(|v| *v = if f64::from(*v) >= threshold { 1.0 } else { 0.0 });
        }
        Ok(mask)
    }
}

/// The same name for as long as the program runs, as names of mask sources are. Each is kept once.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// What is wrong with a setting of the segmenter.
fn fault(key: impl Into<String>, what: impl Into<String>) -> anyhow::Error {
    InvalidSetting { key: key.into(), what: what.into() }.into()
}

/// What a segmenter says of its own settings.
fn own_fault(error: mga_core::Error) -> anyhow::Error {
    match error.invalid_setting() {
        Some(setting) => setting.clone().into(),
        None => error.into(),
    }
}

/// The settings of a network itself: those that it was `trained` with, as far as its weights say, and over them `options`.
fn own_settings(
    name: &str,
    options: &Map<String, Value>,
    trained: Map<String, Value>,
) -> anyhow::Result<Map<String, Value>> {
    let mut settings = trained;
    for (key, value) in options {
        if let Some(trained) = settings.get(key).filter(|trained| *trained != value) {
            let what = format!("{value}, but `{name}` was trained with {trained}; leave it out");
            return Err(fault(format!("{OPTIONS}.{key}"), what));
        }
        settings.insert(key.clone(), value.clone());
    }
    Ok(settings)
}

/// The classes of the mask, by number: those that are named, else all but the first.
fn foreground(named: &[ClassName], names: &[String], classes: usize) -> anyhow::Result<Vec<usize>> {
    if named.is_empty() {
        return Ok(if classes == 1 { vec![0] } else { (1..classes).collect() });
    }
    let number = |class: &ClassName| match class {
        ClassName::Number(number) => Ok(*number),
        ClassName::Name(name) => names.iter().position(|known| known == name).ok_or_else(|| {
            let known = match nearest(name, names.iter().map(String::as_str)) {
                _ if names.is_empty() => "these weights name none: give its number".to_owned(),
                Some(meant) => format!("did you mean `{meant}`?"),
                None => names.join(", "),
            };
            fault(FOREGROUND, format!("no class is called `{name}`; {known}"))
        }),
    };
    let mut numbers = named.iter().map(number).collect::<anyhow::Result<Vec<_>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn provenance(
    name: &str,
    found: Option<Found>,
    settings: serde_json::Value,
    trained_on: Option<TrainedOn>,
) -> Provenance {
    let weights_name = found.as_ref().and_then(|found| {
        let pinned = &found.about.as_ref()?.pinned;
        (!pinned.starts_with("file:")).then(|| pinned.clone())
    });
    let (weights, weights_sha256) = found.map(|found| (found.file, found.sha256)).unzip();
    let all = json!({ "version": VERSION, "segmenter": name, "weights": weights_sha256, "settings": settings });
    let identity = hex(&Sha256::digest(all.to_string().as_bytes())[..8]);
    Provenance { segmenter: name.to_owned(), identity, weights, weights_name, weights_sha256, settings, trained_on }
}

/// Returns the cache folder of the masks that an experiment needed.
#[must_use]
pub fn cache_folder(settings: &SegmenterSettings) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    settings
        .cache
        .clone()
        .or_else(|| variable("MGA_CACHE").map(|cache| cache.join("masks")))
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("mga/masks")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/mga/masks")))
        .unwrap_or_else(|| std::env::temp_dir().join("mga/masks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, settings: &SegmenterSettings) -> anyhow::Result<Maker> {
        Maker::open(name, settings, &crate::builtin(), &Device::Cpu)
    }

    #[test]
    fn identities_change_with_what_the_masks_depend_on() {
        let settings = SegmenterSettings::default();
        let identity = |name: &str, settings: &SegmenterSettings| open(name, settings).unwrap().identity().to_owned();
        let otsu = identity("otsu", &settings);
        assert_eq!((otsu.len(), &otsu), (16, &identity("otsu", &settings)));
        assert_ne!(otsu, identity("excess-green", &settings));
        let mut below = settings.clone();
        below.options.insert("foreground".to_owned(), json!("below"));
        assert_ne!(otsu, identity("otsu", &below));
        // Where masks are kept, and how large tiles are, changes nothing for a rule.
        let elsewhere = SegmenterSettings { cache: Some("x".into()), tile: 8, ..settings };
        assert_eq!(otsu, identity("otsu", &elsewhere));
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let refused = |name: &str, settings: SegmenterSettings| format!("{:#}", open(name, &settings).err().unwrap());
        let default = SegmenterSettings::default;
        assert!(refused("otus", default()).contains("otsu"));
        assert!(refused("unet_small", default()).contains("needs weights"));
        let named = refused("segformer_b0", default());
        assert!(named.contains("by name: nvidia/segformer-b0-finetuned-ade-512-512"), "{named}");
        let nowhere = SegmenterSettings { weights: Some("file:/no/such".to_owned()), ..default() };
        assert!(refused("unet_small", nowhere.clone()).contains("/no/such"));
        assert!(refused("otsu", nowhere).contains("no weights to load"));
        let mut odd = default();
        odd.options.insert("hue".to_owned(), json!(1));
        assert!(refused("otsu", odd).starts_with("data.masks.segmenter.options.hue: "));
    }

    #[test]
    fn foreground_goes_by_number_or_name() {
        let names = ["background", "vein", "blade"].map(str::to_owned);
        let name = |name: &str| ClassName::Name(name.to_owned());
        assert_eq!(foreground(&[], &names, 3).unwrap(), [1, 2]);
        assert_eq!(foreground(&[], &[], 1).unwrap(), [0]);
        assert_eq!(foreground(&[name("blade"), ClassName::Number(1), name("vein")], &names, 3).unwrap(), [1, 2]);
        assert!(foreground(&[name("vien")], &names, 3).unwrap_err().to_string().contains("vein"));
        assert!(foreground(&[name("vein")], &[], 21).unwrap_err().to_string().contains("number"));
    }
}
