//! `cosine`: scores by the cosine between the pooled features and a vector for each class (Gidaris and Komodakis 2018,
//! "Dynamic few-shot visual learning without forgetting").

use std::sync::Arc;

use candle_core::{D, Tensor};
use mga_core::parameter::{Init, Parameter};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result, ops};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::features::Features;
use crate::head::{Head, HeadOpening, Heads, RegisteredHead};
use crate::settings::read_settings;

/// Below the root of the squared length, so that a vector of zeros has cosines of 0.
const EPS: f64 = 1e-12;

pub(super) fn entry() -> Entry<Heads> {
    let about =
        "global average pool, and the cosine to a vector of each class (Gidaris and Komodakis 2018), times a scale";
    Entry::<Heads>::new("cosine", about, Arc::new(Registered)).with_settings(schemars::schema_for!(CosineSettings))
}

/// The settings of `cosine`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CosineSettings {
    /// What the cosines are multiplied by before the softmax.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    scale: f64,
    /// Learn the scale, starting at `scale`.
    learn_scale: bool,
}

impl Default for CosineSettings {
    fn default() -> Self {
        Self { scale: 10.0, learn_scale: false }
    }
}

struct Registered;

impl RegisteredHead for Registered {
    fn build(&self, opening: HeadOpening<'_, '_>) -> Result<Box<dyn Head>> {
        let CosineSettings { scale, learn_scale } = read_settings(opening.settings)?;
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(Error::setting(
                opening.settings.key("scale"),
                format!("expected a number above 0, found {scale}"),
            ));
        }
        let (channels, classes) = (opening.channels(), opening.classes);
        let mut builder = opening.builder;
        let weight = builder.weight("weight", (classes, channels), Init::fan_in(channels))?;
        let learnt = if learn_scale { Some(builder.weight("scale", 1, Init::Constant(scale))?) } else { None };
        Ok(Box::new(CosineHead { weight, scale, learnt }))
    }

    fn last_weight(&self, _: OwnSettings<'_>) -> Result<String> {
        Ok("weight".to_owned())
    }
}

/// `weight` `[classes, C]`, and `scale` `[1]` where it is learnt.
struct CosineHead {
    weight: Parameter,
    scale: f64,
    learnt: Option<Parameter>,
}

impl Head for CosineHead {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Value> {
        let x = ops::adaptive_avg_pool2d(tape, features.into_last()?, (1, 1))?;
        let x = ops::flatten(tape, x)?;
        let weight = tape.parameter(&self.weight)?;
        match &self.learnt {
            None => {
                let scale = self.scale;
                ops::candle_node(tape, &[x, weight], move |t| cosines(&t[0], &t[1])? * scale)
            }
            Some(scale) => {
                let scale = tape.parameter(scale)?;
                ops::candle_node(tape, &[x, weight, scale], |t| cosines(&t[0], &t[1])?.broadcast_mul(&t[2]))
            }
        }
    }
}

/// `x` `[N, C]` and `w` `[K, C]` to their cosines `[N, K]`.
fn cosines(x: &Tensor, w: &Tensor) -> candle_core::Result<Tensor> {
    unit(x)?.matmul(&unit(w)?.t()?)
}

/// Rows `[M, C]` over their lengths.
fn unit(rows: &Tensor) -> candle_core::Result<Tensor> {
    rows.broadcast_div(&(rows.sqr()?.sum_keepdim(D::Minus1)? + EPS)?.sqrt()?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use mga_core::gradient_check::check;
    use mga_core::parameter::ParameterStore;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::stage::{Stage, StageId};

    fn head(settings: &Json, device: &Device) -> Result<(Box<dyn Head>, ParameterStore)> {
        let mut store = ParameterStore::new(1, DType::F64, device);
        let stages = [Stage { name: "last".to_owned(), prefixes: vec![], channels: 3 }];
        let opening = HeadOpening {
            builder: store.root(),
            settings: OwnSettings::new("model.head", settings.as_object().unwrap()),
            stages: &stages,
            pooled: None,
            classes: 4,
            dropout: None,
        };
        let head = Registered.build(opening)?;
        Ok((head, store))
    }

    #[test]
    fn scores_are_cosines_times_the_scale() -> Result<()> {
        let (head, store) = head(&json!({ "scale": 2.0 }), &Device::Cpu)?;
        let weight = [[3.0, 0.0, 4.0], [0.0, 1.0, 0.0], [-6.0, 0.0, -8.0], [0.0, 0.0, 0.0]].concat();
        store.entries()[0].set(Tensor::from_vec(weight, (4, 3), &Device::Cpu)?)?;
        let mut tape = Tape::eval();
        // Two places, whose mean is (3, 0, 4).
        let map = Tensor::new(&[2f64, 4.0, 0.0, 0.0, 8.0, 0.0], &Device::Cpu)?.reshape((1, 3, 1, 2))?;
        let map = tape.constant(&map)?;
        let scores = head.forward(&mut tape, Features::of(StageId(0), map))?;
        let scores = scores.tensor().flatten_all()?.to_vec1::<f64>()?;
        for (found, expected) in scores.iter().zip([2.0, 0.0, -2.0, 0.0]) {
            assert!((found - expected).abs() < 1e-9, "{scores:?}");
        }
        Ok(())
    }

    #[test]
    fn gradients_are_right() {
        // Of the features, through the head; then of weight and scale, with the features fixed.
        for settings in [json!({}), json!({ "learn_scale": true })] {
            check(&[&[2, 3, 2, 2]], |tape, v| {
                let (head, _store) = head(&settings, v[0].tensor().device())?;
                head.forward(tape, Features::of(StageId(0), v[0].clone()))
            });
        }
        check(&[&[2, 3], &[4, 3], &[1]], |tape, v| {
            ops::candle_node(tape, v, |t| cosines(&t[0], &t[1])?.broadcast_mul(&t[2]))
        });
    }

    #[test]
    fn a_scale_that_is_none_is_refused() {
        let refused = |settings| head(&settings, &Device::Cpu).err().unwrap().to_string();
        assert!(refused(json!({ "scale": 0.0 })).starts_with("model.head.scale: expected a number above 0"));
        assert!(refused(json!({ "margin": 1.0 })).starts_with("model.head.margin: unknown field"));
    }
}
