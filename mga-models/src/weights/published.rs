//! Weights that somebody published, by name: where they are and what they expect of an image.
//!
//! Each component's file holds the table of its own (`pub const WEIGHTS: &[PublishedWeights]`), and
//! [`crate::builtin`] puts them together. Facts are those of the publisher's own configuration.

use std::sync::Arc;

use mga_registry::{Choice, Entry, Kind, same_value};
use serde_json::{Map, Value};

/// The kind of component that `model.weights` names.
#[derive(Debug)]
pub struct Weights;

impl Kind for Weights {
    type Item = PublishedWeights;
    const TITLE: &'static str = "published weights";
    const KEY: &'static str = "model.weights";
}

/// Weights that somebody published: where they are and what they expect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedWeights {
    /// The name in `model.weights`: `timm/densenet161.tv_in1k`.
    pub name: &'static str,
    /// The registered backbone or segmenter they belong to: `densenet161`.
    pub component: &'static str,
    /// The hub repository: `timm/densenet161.tv_in1k`.
    pub repo: &'static str,
    /// The file in it: `model.safetensors`.
    pub file: &'static str,
    /// The revision taken where none is asked for: a branch, a tag, a commit or `refs/pr/2`.
    pub revision: &'static str,
    /// Channel means of the images they were trained on, in 0..=1, red, green, blue.
    pub mean: [f64; 3],
    /// Channel deviations, as `mean`.
    pub std: [f64; 3],
    /// Side of the square images they were trained on, in pixels.
    pub size: usize,
    /// The interpolation of the resizing: `bilinear` or `bicubic`.
    pub interpolation: &'static str,
    /// The share of the resized image's shorter side that is cut out of its centre to evaluate, timm's `crop_pct`; 1: all
    /// of it.
    pub crop_pct: f64,
    /// Classes they tell apart.
    pub classes: usize,
    /// The licence's SPDX name in lower case; empty where the publisher's page could not be read.
    pub licence: &'static str,
    /// Prefixes of the file's names and ours, matched at dots, before the component's own table.
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether `weights = "imagenet"` means these; one entry a component at most.
    pub default: bool,
    /// The component's own settings that they need, such as `("stem", "3")`: keys beside `model.backbone`, and values as in
    /// JSON. They fit whatever the other settings are.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Channel means and deviations of ImageNet's training images, which most weights expect.
pub const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

impl PublishedWeights {
    /// The values that most classifiers in the hub's `timm` repositories share. Start from them and set the rest.
    pub const TIMM: Self = Self {
        name: "",
        component: "",
        repo: "",
        file: "model.safetensors",
        revision: "main",
        mean: IMAGENET.0,
        std: IMAGENET.1,
        size: 224,
        interpolation: "bicubic",
        crop_pct: 0.875,
        classes: 1000,
        licence: "",
        renames: &[],
        default: true,
        settings: &[],
    };

    /// Returns the component's own settings that they need.
    #[must_use]
    pub fn needed(&self) -> Map<String, Value> {
        let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        self.settings.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect()
    }

    /// Returns what is wrong with weights of a component whose own settings are these, defaults included: the setting, and a
    /// sentence; `None`: they fit, or are of another component.
    #[must_use]
    pub fn misfit(&self, network: &Choice) -> Option<(String, String)> {
        let needed = self.needed();
        let mut differing = needed.iter().filter(|_| self.component == network.name).filter_map(|(key, needed)| {
            let own = network.settings.get(key);
            (!own.is_some_and(|own| same_value(own, needed))).then_some((key, needed, own))
        });
        let (key, needed, own) = differing.next()?;
        let own = own.map_or_else(|| "not set".to_owned(), ToString::to_string);
        let what = format!(
            "{own}, but `{}` holds weights of {} with {key} = {needed}; set that, or take other weights",
            self.name, self.component
        );
        Some((key.clone(), what))
    }

    /// Returns them as they are registered.
    #[must_use]
    pub fn entry(self) -> Entry<Weights> {
        let Self { name, component, size, classes, licence, .. } = self;
        let licence = if licence.is_empty() { "a licence that is not known" } else { licence };
        let about = format!("{component}, {classes} classes, images of {size} px; {licence}");
        Entry::<Weights>::new(name, about, Arc::new(self))
    }
}

/// Returns the shorter side that an image is resized to, so that a square of `size` pixels is the share `crop_pct` of
/// it: timm rounds down.
pub fn resized_to(size: usize, crop_pct: f64) -> usize {
    (size as f64 / crop_pct).floor() as usize
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Networks, builtin};

    /// `scripts/weights/timm_configurations.py` writes the file from timm's own tables.
    #[test]
    fn every_published_classifier_is_preprocessed_as_timm_does() {
        let timm: Value = serde_json::from_str(include_str!("timm.json")).unwrap();
        let timm = timm["weights"].as_array().unwrap();
        let registry = builtin();
        let networks = Networks::of(&registry);
        let of_timm = |weights: &&PublishedWeights| weights.repo.starts_with("timm/");
        let ours: Vec<&PublishedWeights> = networks.weights().filter(of_timm).collect();
        assert_eq!(ours.len(), timm.len(), "a published name is missing in timm.json");
        for weights in ours {
            let facts = timm.iter().find(|facts| facts["name"] == weights.name).expect(weights.name);
            let known = json!({
                "name": weights.name,
                "architecture": facts["architecture"],
                "num_classes": weights.classes,
                "input_size": [3, weights.size, weights.size],
                "interpolation": weights.interpolation,
                "crop_pct": weights.crop_pct,
                "crop_mode": "center",
                "mean": weights.mean,
                "std": weights.std,
                "resized_to": resized_to(weights.size, weights.crop_pct),
                "license": weights.licence,
                "test_input_size": facts["test_input_size"],
                "test_crop_pct": facts["test_crop_pct"],
            });
            assert_eq!(&known, facts, "{}", weights.name);
            assert_eq!(networks.architecture(facts["architecture"].as_str().unwrap()), Some(weights.component));
        }
    }

    #[test]
    fn weights_that_need_a_setting_fit_no_other() {
        let settings: &[(&str, &str)] = &[("stem", "3"), ("act", "\"relu\"")];
        let weights = PublishedWeights { name: "me/small", component: "resnet18", settings, ..PublishedWeights::TIMM };
        let misfit = |name: &str, own: Value| weights.misfit(&Choice::new(name, own));
        assert_eq!(misfit("resnet18", json!({ "stem": 3.0, "act": "relu", "other": 1 })), None);
        assert_eq!(misfit("resnet34", json!({ "stem": 7 })), None);
        let (key, what) = misfit("resnet18", json!({ "stem": 7, "act": "relu" })).unwrap();
        assert_eq!(key, "stem");
        assert_eq!(what, "7, but `me/small` holds weights of resnet18 with stem = 3; set that, or take other weights");
        assert!(misfit("resnet18", json!({ "stem": 3 })).unwrap().1.starts_with("not set, but "));
    }

    #[test]
    fn the_resized_side_is_rounded_down() {
        let sides = [(224, 0.875), (224, 0.95), (299, 0.875), (288, 1.0)].map(|(size, pct)| resized_to(size, pct));
        assert_eq!(sides, [256, 235, 341, 288]);
    }
}
