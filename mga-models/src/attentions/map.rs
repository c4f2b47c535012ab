//! Where the attention map comes from.

use mga_core::Result;
use mga_core::attention::SpatialAttention;
use mga_core::cbam::SpatialGate;
use mga_core::nn::BatchNorm2d;
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What computes the attention map A of the features F.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MapKind {
    /// MGA's 1 x 1 convolution of mean and maximum over the channels.
    #[default]
    Mga,
    /// CBAM's spatial gate (Woo et al. 2018): a 7 x 7 convolution of the same, and a batch norm.
    Cbam,
}

impl MapKind {
    /// The statements that make the layer in PyTorch.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Mga => "        self.attention = torch.nn.Conv2d(2, 1, 1, bias=False)\n",
            Self::Cbam => concat!(
                "        self.attention = torch.nn.Sequential()\n",
                "        self.attention.conv = torch.nn.Conv2d(2, 1, 7, padding=3, bias=False)\n",
                "        self.attention.bn = torch.nn.BatchNorm2d(1, momentum=0.01)\n",
            ),
        }
    }
}

/// The layer that computes it. Parameters: `weight`, or of CBAM's gate those below `conv` and `bn`.
pub(super) enum Map {
    Mga(SpatialAttention),
    Cbam(SpatialGate),
}

impl Map {
    pub(super) fn new(kind: MapKind, builder: Builder<'_>) -> Result<Self> {
        Ok(match kind {
            MapKind::Mga => Self::Mga(SpatialAttention::new(builder)?),
            MapKind::Cbam => Self::Cbam(SpatialGate::new(builder)?),
        })
    }

    /// `F` `[N, C, h, w]` to `A` `[N, 1, h, w]` in 0 to 1.
    pub(super) fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        match self {
            Self::Mga(attention) => attention.forward(tape, features),
            Self::Cbam(gate) => gate.forward(tape, features),
        }
    }

    pub(super) fn norms(&self) -> Vec<&BatchNorm2d> {
        match self {
            Self::Mga(_) => Vec::new(),
            Self::Cbam(gate) => vec![gate.norm()],
        }
    }
}
