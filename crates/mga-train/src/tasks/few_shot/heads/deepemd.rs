//! DeepEMD: optimal transport between the nodes of two images (Zhang, Cai, Lin, Shen, CVPR 2020).

use mga_core::matching::{DeepEmd, Matched, NodeWeights, StructuredLayer, class_means, feature_pyramid};
use mga_core::ops;
use mga_core::random::Generator;
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::head::{Episode, EpisodeHead};
use super::support::support_labels;

/// Settings of the head. The nodes of an image are the places of its features, or the patches that transforms give of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeepEmdSettings {
    /// What the mean similarity of the nodes is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    temperature: f64,
    /// Sizes of pooled maps whose places are nodes too: `[2, 3]` adds 2 x 2 and 3 x 3 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(range(min = 1)))]
    feature_pyramid: Vec<usize>,
    /// Where the weights of nodes come from: the cross reference of DeepEMD, or the attention map, which masks can guide
    /// (the map is MGA's; weights from it are in neither paper). With those of the attention, the prototype of several images
    /// is their mean.
    node_weights: WeightSource,
    /// Of several support images a class: how its prototype is learnt (the structured fully connected layer).
    prototypes: PrototypeSettings,
}

/// The source of node weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum WeightSource {
    /// How similar a node is to the mean of the other image.
    #[default]
    CrossReference,
    /// How high the attention is at the node.
    Attention,
}

/// How the prototype of several support images is learnt: SGD on their cross entropy, from the mean of the class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PrototypeSettings {
    /// How often every support image is used.
    #[schemars(range(min = 1))]
    epochs: usize,
    /// Support images a step.
    #[schemars(range(min = 1))]
    batch_size: usize,
    /// The learning rate while the model is trained.
    #[schemars(range(min = 0.0))]
    learning_rate: f64,
    /// The learning rate in evaluations. The authors train with 0.1 and evaluate with 100.
    #[schemars(range(min = 0.0))]
    evaluation_learning_rate: f64,
    /// Momentum of SGD.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    momentum: f64,
    /// The share of a gradient that does not enter the momentum.
    #[schemars(range(min = 0.0, max = 1.0))]
    dampening: f64,
}

impl Default for PrototypeSettings {
    fn default() -> Self {
        let StructuredLayer { epochs, batch_size, learning_rate, momentum, dampening } = StructuredLayer::default();
        Self { epochs, batch_size, learning_rate, evaluation_learning_rate: 100.0, momentum, dampening }
    }
}

impl Default for DeepEmdSettings {
    fn default() -> Self {
        let (node_weights, prototypes) = (WeightSource::default(), PrototypeSettings::default());
        Self { temperature: 12.5, feature_pyramid: Vec::new(), node_weights, prototypes }
    }
}

impl DeepEmdSettings {
    fn layer(&self, trains: bool) -> StructuredLayer {
        let PrototypeSettings { epochs, batch_size, momentum, dampening, .. } = self.prototypes;
        let PrototypeSettings { learning_rate, evaluation_learning_rate, .. } = self.prototypes;
        let learning_rate = if trains { learning_rate } else { evaluation_learning_rate };
        StructuredLayer { epochs, batch_size, learning_rate, momentum, dampening }
    }

    /// The attention of an image's nodes, `[N, L]`.
    fn attention(&self, tape: &mut Tape, map: Option<&Value>) -> Result<Value> {
        let map = map.ok_or_else(|| {
            let what = "the attention is to weigh the nodes, and there is no attention map; patches have none";
            Error::setting("episode_head.node_weights", what)
        })?;
        let nodes = feature_pyramid(tape, map.clone(), &self.feature_pyramid)?;
        let (images, _, length) = nodes.tensor().dims3()?;
        ops::reshape(tape, nodes, &[images, length])
    }
}

impl EpisodeHead for DeepEmdSettings {
    fn uses_transport(&self) -> bool {
        true
    }

    fn uses_attention(&self) -> bool {
        self.node_weights == WeightSource::Attention
    }

    fn scores(&self, tape: &mut Tape, episode: &Episode<'_>) -> Result<Value> {
        Ok(self.matched(tape, episode)?.logits)
    }

    /// Of the places of the features alone: nodes of a pyramid lie across them.
    fn flow(&self, tape: &mut Tape, episode: &Episode<'_>) -> Result<Option<Value>> {
        let of_places = self.feature_pyramid.is_empty();
        of_places.then(|| Ok(self.matched(tape, episode)?.flow)).transpose()
    }
}

impl DeepEmdSettings {
    /// The query images matched with the classes.
    fn matched(&self, tape: &mut Tape, episode: &Episode<'_>) -> Result<Matched> {
        let support = feature_pyramid(tape, episode.support.clone(), &self.feature_pyramid)?;
        let queries = feature_pyramid(tape, episode.query.clone(), &self.feature_pyramid)?;
        let labels = support_labels(episode);
        let weights = match self.node_weights {
            WeightSource::CrossReference => NodeWeights::CrossReference,
            WeightSource::Attention => {
                let of_support = self.attention(tape, episode.support_attention.as_ref())?;
                let queries = self.attention(tape, episode.query_attention.as_ref())?;
                NodeWeights::Given { queries, prototypes: class_means(tape, of_support, &labels, episode.way)? }
            }
        };
        let head = DeepEmd { solver: episode.transport, temperature: self.temperature, weights };
        // Steps of the layer compare support images among themselves, which have weights of their own.
        let learns = episode.shot > 1 && self.node_weights == WeightSource::CrossReference;
        let prototypes = if learns {
            let mut generator = Generator::new(episode.seed, "structured layer", &[]);
            let layer = self.layer(episode.trains);
            tape.constant(&layer.fit(&head, support.tensor(), &labels, episode.way, &mut generator)?)?
        } else {
            class_means(tape, support, &labels, episode.way)?
        };
        head.forward(tape, prototypes, queries)
    }
}
