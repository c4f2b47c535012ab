//! Every backbone and segmentation network an experiment can name. An explicit table: adding one is a file and a line, and
//! a program of one's own starts from [`Registry::builtin`] and adds its entries.

use crate::backbone::BackboneEntry;
use crate::backbones;
use crate::segmenter::{SegmenterEntry, Trunk};
use crate::segmenters::{self, WeightlessEntry};
use crate::weights::PublishedWeights;

/// The backbones and segmentation networks of one program, and the published weights it knows by name.
#[derive(Clone)]
pub struct Registry {
    backbones: Vec<BackboneEntry>,
    segmenters: Vec<SegmenterEntry>,
    weightless: Vec<WeightlessEntry>,
    weights: Vec<PublishedWeights>,
}

impl Registry {
    /// Those of this crate.
    pub fn builtin() -> Self {
        let families = [backbones::RESNETS, backbones::DENSENETS, backbones::VGGS];
        let mut all: Vec<_> = families.concat();
        all.extend([backbones::MOBILENET_V2, backbones::INCEPTION_V3, backbones::EFFICIENTNET_LITE0, backbones::CONV4]);
        let weightless = vec![segmenters::OTSU, segmenters::EXCESS_GREEN];
        let mut segmenters = [segmenters::FCNS, segmenters::DEEPLABV3S, segmenters::SEGFORMERS].concat();
        segmenters.extend([segmenters::HMSA, segmenters::UNET_SMALL]);
        let weights = [
            backbones::RESNET_WEIGHTS,
            backbones::DENSENET_WEIGHTS,
            backbones::VGG_WEIGHTS,
            backbones::MOBILENET_V2_WEIGHTS,
            backbones::INCEPTION_V3_WEIGHTS,
            backbones::EFFICIENTNET_LITE0_WEIGHTS,
            segmenters::SEGFORMER_WEIGHTS,
        ];
        Self { backbones: all, segmenters, weightless, weights: weights.concat() }
    }

    /// Adds one; it replaces another of the same name.
    #[must_use]
    pub fn with_backbone(mut self, entry: BackboneEntry) -> Self {
        self.backbones.retain(|present| present.name != entry.name);
        self.backbones.push(entry);
        self
    }

    /// All of them.
    pub fn backbones(&self) -> &[BackboneEntry] {
        &self.backbones
    }

    /// The one called `name`.
    pub fn backbone(&self, name: &str) -> Option<&BackboneEntry> {
        self.backbones.iter().find(|entry| entry.name == name)
    }

    /// Adds a segmentation network; it replaces another of the same name.
    #[must_use]
    pub fn with_segmenter(mut self, entry: SegmenterEntry) -> Self {
        self.segmenters.retain(|present| present.name != entry.name);
        self.segmenters.push(entry);
        self
    }

    /// All segmentation networks.
    pub fn segmenters(&self) -> &[SegmenterEntry] {
        &self.segmenters
    }

    /// The segmentation network called `name`.
    pub fn segmenter(&self, name: &str) -> Option<&SegmenterEntry> {
        self.segmenters.iter().find(|entry| entry.name == name)
    }

    /// Adds a segmenter without weights; it replaces another of the same name.
    #[must_use]
    pub fn with_weightless(mut self, entry: WeightlessEntry) -> Self {
        self.weightless.retain(|present| present.name != entry.name);
        self.weightless.push(entry);
        self
    }

    /// All segmenters without weights.
    pub fn weightless_segmenters(&self) -> &[WeightlessEntry] {
        &self.weightless
    }

    /// The segmenter without weights called `name`.
    pub fn weightless(&self, name: &str) -> Option<&WeightlessEntry> {
        self.weightless.iter().find(|entry| entry.name == name)
    }

    /// Adds published weights; they replace others of the same name.
    #[must_use]
    pub fn with_weights(mut self, weights: PublishedWeights) -> Self {
        self.weights.retain(|present| present.name != weights.name);
        self.weights.push(weights);
        self
    }

    /// All published weights known by name.
    pub fn weights(&self) -> &[PublishedWeights] {
        &self.weights
    }

    /// The published weights called `name`, without `@revision`.
    pub fn published(&self, name: &str) -> Option<&PublishedWeights> {
        self.weights.iter().find(|weights| weights.name == name)
    }

    /// The component that timm calls `architecture`, as `config.json` of its repositories does: `mobilenetv2_100` is
    /// `mobilenet_v2`. `None`: it is none of ours.
    pub fn architecture(&self, architecture: &str) -> Option<&'static str> {
        // As timm called torchvision's weights before it had tags.
        let name = architecture.strip_prefix("tv_").unwrap_or(architecture);
        let own = self.backbone(name).map(|entry| entry.name).or_else(|| self.segmenter(name).map(|entry| entry.name));
        let repo = |weights: &&PublishedWeights| {
            weights.repo.strip_prefix("timm/").and_then(|rest| rest.split('.').next()) == Some(name)
        };
        own.or_else(|| self.weights.iter().find(repo).map(|weights| weights.component))
    }

    /// What `weights = "imagenet"` means for the component called `component`: its own default, else that of the
    /// classifier it has its [trunk](SegmenterEntry::trunk) from.
    pub fn default_weights(&self, component: &str) -> Option<&PublishedWeights> {
        let of = |name: &str| self.weights.iter().find(|weights| weights.component == name && weights.default);
        of(component).or_else(|| of(self.trunk(component)?.backbone))
    }

    /// The names of published weights of the component called `component` itself.
    pub fn published_for(&self, component: &str) -> Vec<&'static str> {
        self.weights.iter().filter(|weights| weights.component == component).map(|weights| weights.name).collect()
    }

    /// The classifier whose weights may start the segmentation network called `component`.
    pub fn trunk(&self, component: &str) -> Option<Trunk> {
        self.segmenter(component).and_then(|entry| entry.trunk)
    }

    /// Whether those weights can start the component called `component`: they are its own, or its trunk's.
    pub fn starts(&self, weights: &PublishedWeights, component: &str) -> bool {
        weights.component == component || self.trunk(component).is_some_and(|trunk| trunk.backbone == weights.component)
    }

    /// Every way a file may name the tensors of the component called `component`: the tables of its published weights,
    /// then its own. With them a file fits whether it came by name or by hand.
    pub fn renames(&self, component: &str) -> Vec<(&'static str, &'static str)> {
        let published = self.weights.iter().filter(|weights| weights.component == component).map(|w| w.renames);
        let segmenter = || self.segmenter(component).map(|entry| entry.renames);
        let own = self.backbone(component).map(|entry| entry.renames).or_else(segmenter);
        let mut table: Vec<(&'static str, &'static str)> = vec![];
        for line in published.chain(own).flatten() {
            if !table.contains(line) {
                table.push(*line);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_weights_are_of_registered_components_and_have_one_default() {
        let registry = Registry::builtin();
        for weights in registry.weights() {
            let same = |other: &&PublishedWeights| other.name == weights.name;
            assert_eq!(registry.weights().iter().filter(same).count(), 1, "{}", weights.name);
            let defaults = registry.weights().iter().filter(|w| w.component == weights.component && w.default);
            assert_eq!(defaults.count(), 1, "{}", weights.component);
            assert_eq!(weights.repo.split('/').count(), 2, "{}", weights.name);
            assert!(weights.std.iter().all(|std| *std > 0.0) && weights.size > 0 && weights.classes > 1);
            assert!(["bilinear", "bicubic"].contains(&weights.interpolation), "{}", weights.name);
        }
    }

    #[test]
    fn architectures_are_known_by_their_names_at_timm() {
        let registry = Registry::builtin();
        let known = ["resnet50", "tv_resnet50", "mobilenetv2_100", "tf_efficientnet_lite0", "conv4"];
        let ours = ["resnet50", "resnet50", "mobilenet_v2", "efficientnet_lite0", "conv4"];
        assert_eq!(known.map(|name| registry.architecture(name)), ours.map(Some));
        for entry in registry.backbones() {
            assert_eq!(registry.architecture(crate::weights::timm_name(entry.name)), Some(entry.name));
        }
        assert_eq!(["convnext_tiny", "resnet50d", "tv_", ""].map(|name| registry.architecture(name)), [None; 4]);
    }

    #[test]
    fn segmentation_networks_start_from_their_own_weights_or_from_their_trunks() {
        let registry = Registry::builtin();
        let default = |component: &str| registry.default_weights(component).map(|weights| weights.name);
        assert_eq!(default("segformer_b0"), Some("nvidia/segformer-b0-finetuned-ade-512-512"));
        assert_eq!(default("deeplabv3_resnet101"), Some("timm/resnet101.tv_in1k"));
        assert_eq!(default("fcn_resnet50"), default("resnet50"));
        assert_eq!(
            (default("unet_small"), default("hmsa"), default("deeplabv3_mobilenet_v3_large")),
            (None, None, None)
        );
        let a1 = registry.published("timm/resnet50.a1_in1k").unwrap();
        assert!(registry.starts(a1, "fcn_resnet50") && registry.starts(a1, "resnet50"));
        assert!(!registry.starts(a1, "fcn_resnet101") && !registry.starts(a1, "segformer_b0"));
        for entry in registry.segmenters() {
            assert!(entry.trunk.is_none_or(|trunk| registry.backbone(trunk.backbone).is_some()), "{}", entry.name);
        }
    }

    #[test]
    fn a_program_adds_weights_of_its_own() {
        let own = PublishedWeights { name: "me/mine", component: "resnet18", ..PublishedWeights::TIMM };
        let own = PublishedWeights { repo: "me/mine", default: false, renames: &[("body", "layer1")], ..own };
        let registry = Registry::builtin().with_weights(own).with_weights(own);
        assert_eq!(registry.published("me/mine"), Some(&own));
        assert_eq!(registry.default_weights("resnet18").map(|w| w.name), Some("timm/resnet18.tv_in1k"));
        assert_eq!(registry.renames("resnet18").first(), Some(&("body", "layer1")));
        assert!(registry.renames("resnet18").contains(&("fc", "classifier")));
        assert!(registry.renames("no such").is_empty());
    }
}
