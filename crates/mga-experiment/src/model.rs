//! `[model]`: the network, the weights it starts from, and its attention.

use mga_models::{Input, Networks};
use mga_registry::{Choice, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network, the weights it starts from, and its attention.
///
/// The settings of the backbone itself stand beside these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// A registered backbone; `mga list` shows them. With task = "segmentation" a segmentation network.
    pub backbone: String,
    /// `none` (PyTorch's initialisation), `imagenet`, a published name such as `timm/densenet161.tv_in1k`, or
    /// `file:PATH`.
    #[serde(default = "none")]
    #[schemars(length(min = 1))]
    pub weights: String,
    /// Missing, unexpected and mis-shaped tensors in the weights are errors; false: they are listed. A classifier of
    /// another width is drawn anew and said so either way.
    #[serde(default = "yes")]
    pub strict: bool,
    /// The input of the network, made from an image and its mask.
    #[serde(default)]
    pub input: Input,
    /// How the attention map A acts on the features F.
    #[serde(default = "residual")]
    #[schemars(schema_with = "crate::schema::attention")]
    pub attention: Choice,
    /// The weights a and b of `residual`: a F + b A F.
    #[serde(default = "halves")]
    pub residual_weights: [f64; 2],
    /// Train the attention map towards the mask; false leaves the mask loss out.
    #[serde(default = "yes")]
    pub mask_guidance: bool,
    /// The last frozen stage, with all before it; `none` trains everything. Left out: `none`, except that inception_v3
    /// with weights is frozen through `Mixed_6c`, as in the authors' code.
    #[serde(default = "none")]
    #[schemars(length(min = 1))]
    pub freeze_through: String,
    /// Batch norms of frozen stages use their running statistics; false: those of the batch, as in the authors' code.
    #[serde(default)]
    pub freeze_norm: bool,
    /// The classifier on top of the features; left out: the backbone's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::head", extend("x-older-releases" = null))]
    pub head: Option<Choice>,
    /// Dropout before the classifier; left out: the head's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: Option<f64>,
    /// The backbone's own settings, already checked against its schema.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Model {
    /// Returns the network with its own settings.
    #[must_use]
    pub fn network(&self) -> Choice {
        Choice { name: self.backbone.clone(), settings: self.settings.clone() }
    }

    /// Returns whether the network needs a mask with every image, to evaluate and predict too: its input shows it, or
    /// its attention needs it.
    #[must_use]
    pub fn needs_masks(&self, kinds: &Registry) -> bool {
        let attention = Networks::of(kinds).attention(&self.attention.name);
        self.input.needs_masks() || attention.is_some_and(|attention| attention.needs_masks())
    }
}

fn halves() -> [f64; 2] {
    [0.5, 0.5]
}

fn residual() -> Choice {
    Choice::from("residual")
}

fn none() -> String {
    "none".to_owned()
}

fn yes() -> bool {
    true
}
