//! Networks by name, with the weights that somebody published for them, as a registry has them.

use mga_core::{Error, Result};
use mga_registry::{Choice, Entry, Kind, Registry};

use crate::attention::{Attentions, RegisteredAttention};
use crate::backbone::{Backbones, RegisteredBackbone};
use crate::head::{Heads, RegisteredHead};
use crate::segmenters::{self, RegisteredNetwork, RegisteredRule, RegisteredSegmenter, Segmenters, Trunk};
use crate::weights::{PublishedWeights, Weights};
use crate::{attentions, backbones, heads};

/// Returns the components of this crate.
#[must_use]
pub fn builtin() -> Registry {
    register(Registry::default())
}

/// Adds the components of this crate to a registry.
#[must_use]
pub fn register(mut registry: Registry) -> Registry {
    backbones::builtin().into_iter().for_each(|entry| registry.add(entry));
    attentions::builtin().into_iter().for_each(|entry| registry.add(entry));
    heads::builtin().into_iter().for_each(|entry| registry.add(entry));
    segmenters::builtin().into_iter().for_each(|entry| registry.add(entry));
    backbones::weights().into_iter().chain(segmenters::weights()).for_each(|weights| registry.add(weights.entry()));
    registry
}

/// The backbones, segmenters and published weights of a registry.
#[derive(Clone, Copy)]
pub struct Networks<'a>(&'a Registry);

impl<'a> Networks<'a> {
    /// Returns those of `registry`.
    #[must_use]
    pub fn of(registry: &'a Registry) -> Self {
        Self(registry)
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(self) -> &'a Registry {
        self.0
    }

    /// Returns the backbone called `name`.
    #[must_use]
    pub fn backbone(self, name: &str) -> Option<&'a dyn RegisteredBackbone> {
        Some(self.0.get::<Backbones>(name)?.item.as_ref())
    }

    /// Returns the attention called `name`.
    #[must_use]
    pub fn attention(self, name: &str) -> Option<&'a dyn RegisteredAttention> {
        Some(self.0.get::<Attentions>(name)?.item.as_ref())
    }

    /// Returns the head called `name`.
    #[must_use]
    pub fn head(self, name: &str) -> Option<&'a dyn RegisteredHead> {
        Some(self.0.get::<Heads>(name)?.item.as_ref())
    }

    /// Returns the head of a network: that of `backbone`, or the one that was chosen in its place. One of the same name has
    /// the settings of the backbone's own where it does not set them.
    ///
    /// # Errors
    /// No such backbone or head.
    pub fn head_of(self, backbone: &str, chosen: Option<&Choice>) -> Result<(Choice, &'a dyn RegisteredHead)> {
        let own = self.known_backbone(backbone)?.head();
        let choice = match chosen {
            None => own,
            Some(chosen) if chosen.name == own.name => {
                let mut settings = own.settings;
                settings.extend(chosen.settings.clone());
                Choice { name: own.name, settings }
            }
            Some(chosen) => chosen.clone(),
        };
        let head = self.head(&choice.name).ok_or_else(|| unknown::<Heads>(self.0, "head", &choice.name))?;
        Ok((choice, head))
    }

    /// Returns the backbone called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn known_backbone(self, name: &str) -> Result<&'a dyn RegisteredBackbone> {
        self.backbone(name).ok_or_else(|| unknown::<Backbones>(self.0, "backbone", name))
    }

    /// Returns the attention called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn known_attention(self, name: &str) -> Result<&'a dyn RegisteredAttention> {
        self.attention(name).ok_or_else(|| unknown::<Attentions>(self.0, "attention", name))
    }

    /// Returns the names of the backbones.
    pub fn backbone_names(self) -> impl Iterator<Item = &'a str> {
        self.0.all::<Backbones>().iter().map(|entry| entry.name.as_str())
    }

    /// Returns the segmentation network called `name`.
    #[must_use]
    pub fn network(self, name: &str) -> Option<&'a dyn RegisteredNetwork> {
        network(self.0.get::<Segmenters>(name)?)
    }

    /// Returns all segmentation networks.
    pub fn networks(self) -> impl Iterator<Item = (&'a Entry<Segmenters>, &'a dyn RegisteredNetwork)> {
        self.0.all::<Segmenters>().iter().filter_map(|entry| Some((entry, network(entry)?)))
    }

    /// Returns the segmenter without weights called `name`.
    #[must_use]
    pub fn rule(self, name: &str) -> Option<&'a dyn RegisteredRule> {
        match self.0.get::<Segmenters>(name)?.item.as_ref() {
            RegisteredSegmenter::Rule(rule) => Some(rule.as_ref()),
            RegisteredSegmenter::Network(_) => None,
        }
    }

    /// Returns whether a segmenter, a rule or a network, is called `name`.
    #[must_use]
    pub fn is_segmenter(self, name: &str) -> bool {
        self.0.get::<Segmenters>(name).is_some()
    }

    /// Returns the names of all segmenters.
    pub fn segmenter_names(self) -> impl Iterator<Item = &'a str> {
        self.0.all::<Segmenters>().iter().map(|entry| entry.name.as_str())
    }

    /// Returns whether a backbone or a segmentation network is called `name`.
    #[must_use]
    pub fn has_weights(self, name: &str) -> bool {
        self.backbone(name).is_some() || self.network(name).is_some()
    }

    /// Returns all published weights known by name.
    pub fn weights(self) -> impl Iterator<Item = &'a PublishedWeights> {
        self.0.all::<Weights>().iter().map(|entry| entry.item.as_ref())
    }

    /// Returns the published weights called `name`, without `@revision`.
    #[must_use]
    pub fn published(self, name: &str) -> Option<&'a PublishedWeights> {
        Some(self.0.get::<Weights>(name)?.item.as_ref())
    }

    /// Returns timm's name of the backbone called `name`, the `architecture` of `config.json`.
    #[must_use]
    pub fn timm_name(self, name: &str) -> &str {
        self.backbone(name).and_then(|backbone| backbone.timm_name()).unwrap_or(name)
    }

    /// Returns the component that timm calls `architecture`, as `config.json` of its repositories does: `mobilenetv2_100`
    /// is `mobilenet_v2`. `None`: it is none of ours.
    #[must_use]
    pub fn architecture(self, architecture: &str) -> Option<&'a str> {
        // As timm called torchvision's weights before it had tags.
        let name = architecture.strip_prefix("tv_").unwrap_or(architecture);
        let of_network = || self.networks().map(|(entry, _)| entry.name.as_str()).find(|known| *known == name);
        let own = self.backbone_names().find(|known| *known == name).or_else(of_network);
        let repo = |weights: &&PublishedWeights| {
            weights.repo.strip_prefix("timm/").and_then(|rest| rest.split('.').next()) == Some(name)
        };
        own.or_else(|| self.weights().find(repo).map(|weights| weights.component))
    }

    /// Returns what `weights = "imagenet"` means for the component called `component`: its own default, else that of the
    /// classifier it has its [trunk](RegisteredNetwork::trunk) from.
    #[must_use]
    pub fn default_weights(self, component: &str) -> Option<&'a PublishedWeights> {
        let of = |name: &str| self.weights().find(|weights| weights.component == name && weights.default);
        of(component).or_else(|| of(self.trunk(component)?.backbone))
    }

    /// Returns what is wrong with starting this network, whose settings are complete, from the published weights called
    /// `weights`: one of its settings, and a sentence. `None`: they fit, or no such weights are registered.
    #[must_use]
    pub fn misfit(self, weights: &str, network: &Choice) -> Option<(String, String)> {
        let published = match weights {
            "imagenet" => self.default_weights(&network.name),
            name => self.published(name.split('@').next().unwrap_or(name)),
        };
        published?.misfit(network)
    }

    /// Returns the names of published weights of the component called `component` itself.
    #[must_use]
    pub fn published_for(self, component: &str) -> Vec<&'static str> {
        self.weights().filter(|weights| weights.component == component).map(|weights| weights.name).collect()
    }

    /// Returns the classifier whose weights may start the segmentation network called `component`.
    #[must_use]
    pub fn trunk(self, component: &str) -> Option<Trunk> {
        self.network(component).and_then(RegisteredNetwork::trunk)
    }

    /// Returns whether those weights can start the component called `component`: they are its own, or its trunk's.
    #[must_use]
    pub fn starts(self, weights: &PublishedWeights, component: &str) -> bool {
        weights.component == component || self.trunk(component).is_some_and(|trunk| trunk.backbone == weights.component)
    }

    /// Returns all tables of names that a file may use for the tensors of the component called `component`: those of
    /// its published weights, then its own. With them a file fits whether it came by name or by hand.
    #[must_use]
    pub fn renames(self, component: &str) -> Vec<(&'static str, &'static str)> {
        let published = self.weights().filter(|weights| weights.component == component).map(|w| w.renames);
        let of_network = || self.network(component).map(RegisteredNetwork::renames);
        let own = self.backbone(component).map(RegisteredBackbone::renames).or_else(of_network);
        let mut table: Vec<(&'static str, &'static str)> = vec![];
        for line in published.chain(own).flatten() {
            if !table.contains(line) {
                table.push(*line);
            }
        }
        table
    }
}

/// Nobody registered a component of that name.
fn unknown<K: Kind>(registry: &Registry, what: &str, name: &str) -> Error {
    let known: Vec<&str> = registry.all::<K>().iter().map(|entry| entry.name.as_str()).collect();
    Error::setting(K::KEY, format!("no {what} `{name}`; expected one of {}", known.join(", ")))
}

fn network(entry: &Entry<Segmenters>) -> Option<&dyn RegisteredNetwork> {
    match entry.item.as_ref() {
        RegisteredSegmenter::Network(network) => Some(network.as_ref()),
        RegisteredSegmenter::Rule(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_weights_are_of_registered_components_and_have_one_default() {
        let registry = builtin();
        let networks = Networks::of(&registry);
        for weights in networks.weights() {
            let same = |other: &&PublishedWeights| other.name == weights.name;
            assert_eq!(networks.weights().filter(same).count(), 1, "{}", weights.name);
            assert!(networks.has_weights(weights.component), "{}", weights.name);
            let defaults = networks.weights().filter(|w| w.component == weights.component && w.default);
            assert_eq!(defaults.count(), 1, "{}", weights.component);
            assert_eq!(weights.repo.split('/').count(), 2, "{}", weights.name);
            assert!(weights.std.iter().all(|std| *std > 0.0) && weights.size > 0 && weights.classes > 1);
            assert!(["bilinear", "bicubic"].contains(&weights.interpolation), "{}", weights.name);
        }
    }

    #[test]
    fn architectures_are_known_by_their_names_at_timm() {
        let registry = builtin();
        let networks = Networks::of(&registry);
        let known = ["resnet50", "tv_resnet50", "mobilenetv2_100", "tf_efficientnet_lite0", "conv4"];
        let ours = ["resnet50", "resnet50", "mobilenet_v2", "efficientnet_lite0", "conv4"];
        assert_eq!(known.map(|name| networks.architecture(name)), ours.map(Some));
        for name in networks.backbone_names() {
            assert_eq!(networks.architecture(networks.timm_name(name)), Some(name));
        }
        assert_eq!(["convnext_tiny", "resnet50d", "tv_", ""].map(|name| networks.architecture(name)), [None; 4]);
    }

    #[test]
    fn segmentation_networks_start_from_their_own_weights_or_from_their_trunks() {
        let registry = builtin();
        let networks = Networks::of(&registry);
        let default = |component: &str| networks.default_weights(component).map(|weights| weights.name);
        assert_eq!(default("segformer_b0"), Some("nvidia/segformer-b0-finetuned-ade-512-512"));
        assert_eq!(default("deeplabv3_resnet101"), Some("timm/resnet101.tv_in1k"));
        assert_eq!(default("fcn_resnet50"), default("resnet50"));
        assert_eq!(
            (default("unet_small"), default("hmsa"), default("deeplabv3_mobilenet_v3_large")),
            (None, None, None)
        );
        let a1 = networks.published("timm/resnet50.a1_in1k").unwrap();
        assert!(networks.starts(a1, "fcn_resnet50") && networks.starts(a1, "resnet50"));
        assert!(!networks.starts(a1, "fcn_resnet101") && !networks.starts(a1, "segformer_b0"));
        for (entry, network) in networks.networks() {
            let trunk = network.trunk();
            assert!(trunk.is_none_or(|trunk| networks.backbone(trunk.backbone).is_some()), "{}", entry.name);
        }
    }

    #[test]
    fn a_program_adds_weights_of_its_own() {
        let own = PublishedWeights { name: "me/mine", component: "resnet18", ..PublishedWeights::TIMM };
        let own = PublishedWeights { repo: "me/mine", default: false, renames: &[("body", "layer1")], ..own };
        let registry = builtin().with(own.entry()).with(own.entry());
        let networks = Networks::of(&registry);
        assert_eq!(networks.published("me/mine"), Some(&own));
        assert_eq!(networks.default_weights("resnet18").map(|w| w.name), Some("timm/resnet18.tv_in1k"));
        assert_eq!(networks.renames("resnet18").first(), Some(&("body", "layer1")));
        assert!(networks.renames("resnet18").contains(&("fc", "classifier")));
        assert!(networks.renames("no such").is_empty());
    }
}
