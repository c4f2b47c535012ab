//! Spatial attention: a map A `[N, 1, h, w]` of the last features F `[N, C, h, w]`, and the ways in which it acts on them.

use std::sync::Arc;

use mga_core::nn::BatchNorm2d;
use mga_core::ops::{self, Gate};
use mga_core::tape::Tape;
use mga_core::{Error, Result};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::Deserialize;

use super::map::{Map, MapKind};
use crate::attention::{Attended, Attention, AttentionOpening, Attentions, RegisteredAttention};
use crate::features::Features;
use crate::settings::{no_settings, read_settings};
use crate::stage::StageId;
use crate::torch_program::AttentionProgram;

/// The ways in which the map acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    None,
    Multiply,
    Residual,
    Concat,
    CbamSpatial,
}

pub(super) fn entries() -> Vec<Entry<Attentions>> {
    let entry = |name: &str, about: &str, way| Entry::<Attentions>::new(name, about, Arc::new(way));
    let with_map = || schemars::schema_for!(MapSettings);
    vec![
        entry("none", "F: not at all.", Way::None).with_settings(with_map()),
        entry("multiply", "A F.", Way::Multiply).with_settings(with_map()),
        entry("residual", "a F + b A F, with `residual_weights`.", Way::Residual)
            .with_settings(schemars::schema_for!(ResidualSettings)),
        entry("concat", "F and A F side by side: twice the channels for the classifier.", Way::Concat)
            .with_settings(with_map()),
        entry(
            "cbam-spatial",
            "A F, with the map of CBAM's spatial gate (Woo et al. 2018): a 7 x 7 convolution and a batch norm.",
            Way::CbamSpatial,
        ),
    ]
}

/// The settings of an attention that can take its map from either layer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MapSettings {
    /// What computes the map.
    map: MapKind,
}

/// The settings of `residual`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ResidualSettings {
    /// What computes the map.
    map: MapKind,
    /// The weights a and b; left out: `model.residual_weights`.
    weights: Option<[f64; 2]>,
}

impl RegisteredAttention for Way {
    fn build(&self, opening: AttentionOpening<'_, '_>) -> Result<Option<Box<dyn Attention>>> {
        let AttentionOpening { builder, settings, guided, residual_weights, .. } = opening;
        let ResidualSettings { map, weights } = match self {
            Self::Residual => read_settings(settings)?,
            Self::CbamSpatial => {
                no_settings(settings, "cbam-spatial")?;
                ResidualSettings { map: MapKind::Cbam, weights: None }
            }
            Self::None | Self::Multiply | Self::Concat => {
                let MapSettings { map } = read_settings(settings)?;
                ResidualSettings { map, weights: None }
            }
        };
        let gate = match self {
            // The masks guide the map all the same.
            Self::None if guided => None,
            Self::None => return Ok(None),
            Self::Multiply | Self::CbamSpatial => Some(Gate::MULTIPLY),
            Self::Residual => {
                let (plain, gated) = weights.map_or(residual_weights, |[plain, gated]| (plain, gated));
                if !(plain.is_finite() && gated.is_finite()) {
                    return Err(Error::setting(settings.key("weights"), format!("{plain} and {gated}: not finite")));
                }
                Some(Gate::Sum { plain, gated })
            }
            Self::Concat => Some(Gate::Concat),
        };
        Ok(Some(Box::new(Spatial { map: Map::new(map, builder)?, gate })))
    }

    fn changes_features(&self) -> bool {
        *self != Self::None
    }

    fn uses_residual_weights(&self) -> bool {
        *self == Self::Residual
    }

    fn program(&self, [plain, gated]: [f64; 2]) -> Option<AttentionProgram> {
        let attended = match self {
            Self::None => "f".to_owned(),
            Self::Multiply | Self::CbamSpatial => "f * a".to_owned(),
            Self::Residual => format!("{plain} * f + {gated} * f * a"),
            Self::Concat => "torch.cat([f, f * a], 1)".to_owned(),
        };
        let map = if *self == Self::CbamSpatial { MapKind::Cbam } else { MapKind::Mga };
        Some(AttentionProgram { map: map.program(), attended, doubles: *self == Self::Concat })
    }
}

/// The map, and how it acts; `None`: it is there for the masks alone.
struct Spatial {
    map: Map,
    gate: Option<Gate>,
}

impl Attention for Spatial {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Attended> {
        let last = features.last()?.clone();
        let map = self.map.forward(tape, last.clone())?;
        let features = match self.gate {
            Some(gate) => features.with_last(ops::attend(tape, last, map.clone(), gate)?),
            None => features,
        };
        Ok(Attended { features, map: Some(map) })
    }

    fn channels(&self, _: StageId, channels: usize) -> usize {
        if self.gate == Some(Gate::Concat) { 2 * channels } else { channels }
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.map.norms()
    }
}
