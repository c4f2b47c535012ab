//! Hierarchical multi-scale attention (Tao, Sapra and Catanzaro 2020): the segmenter of the paper on mask guided attention.
//! HRNet-W48 with object-contextual representations looks at the image at several sizes, and a map of its own says pixel
//! by pixel which size to trust. Names as NVIDIA's published weights have them.

use std::sync::Arc;

use mga_core::nn::{Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Gate};
use mga_core::parameter::Builder;
use mga_core::tape::{Phase, Tape, Value};
use mga_core::{Error, Result};
use mga_registry::{Entry, OwnSettings};

use super::hrnet::HrNet;
use super::object_context::{MID, ObjectContext};
use super::registered::{RegisteredNetwork, RegisteredSegmenter, Segmenters};
use crate::backbones::{ConvNorm, Spacing};
use crate::segmenter::{SegmentationNetwork, SegmentationOutput};
use crate::settings::no_settings;

/// The network, evaluated at half, whole and twice the size.
pub(super) fn entry() -> Entry<Segmenters> {
    let about = "hierarchical multi-scale attention (Tao et al. 2020), NVIDIA's HRNet-W48 with object context";
    Entry::<Segmenters>::new("hmsa", about, Arc::new(RegisteredSegmenter::Network(Box::new(Registered))))
}

struct Registered;

impl RegisteredNetwork for Registered {
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        no_settings(settings, "hmsa")?;
        Ok(Box::new(Hmsa::new(builder, classes)?))
    }

    fn has_auxiliary_head(&self) -> bool {
        true
    }
}

/// The sizes that are joined in training, as in the authors' code.
const TRAINING_SCALES: [f64; 2] = [1.0, 0.5];
/// Channels within the attention.
const BOTTLENECK: usize = 256;

/// The network of `hmsa`.
pub struct Hmsa {
    trunk: HrNet,
    context: ObjectContext,
    attention: ScaleAttention,
    classes: usize,
    /// From high to low, 1 among them.
    scales: Vec<f64>,
    flip: bool,
}

/// The output of the network for images of one size, all of it at that size.
#[derive(Debug, Clone)]
pub struct ScalePrediction {
    /// Scores, `[N, K, H, W]`.
    pub logits: Value,
    /// The rough segmentation behind them, `[N, K, H, W]`.
    pub auxiliary: Value,
    /// The confidence in this size relative to larger ones, `[N, 1, H, W]` in 0..=1.
    pub attention: Value,
}

impl Hmsa {
    /// Scales 0.5, 1 and 2, no mirror image; see [`SegmentationNetwork::set_scales`].
    pub fn new(mut builder: Builder<'_>, classes: usize) -> Result<Self> {
        Ok(Self {
            trunk: HrNet::new(builder.pp("backbone"))?,
            context: ObjectContext::new(builder.pp("ocr"), HrNet::CHANNELS, classes)?,
            attention: ScaleAttention::new(builder.pp("scale_attn"))?,
            classes,
            scales: vec![2.0, 1.0, 0.5],
            flip: false,
        })
    }

    /// Runs one pass over `images` `[N, 3, H, W]` at their own size.
    pub fn single_scale(&self, tape: &mut Tape, images: Value) -> Result<ScalePrediction> {
        let (_, _, h, w) = images.dims4()?;
        let features = self.trunk.forward(tape, images)?;
        let output = self.context.forward(tape, features)?;
        let attention = self.attention.forward(tape, output.features)?;
        Ok(ScalePrediction {
            logits: ops::resize_bilinear(tape, output.logits, (h, w))?,
            auxiliary: ops::resize_bilinear(tape, output.auxiliary, (h, w))?,
            attention: ops::resize_bilinear(tape, attention, (h, w))?,
        })
    }

    /// Scores joined over `scales`, from high to low, and the rough ones where `auxiliary`.
    fn joined(&self, tape: &mut Tape, images: &Value, scales: &[f64], auxiliary: bool) -> Result<SegmentationOutput> {
        let (_, _, h, w) = images.dims4()?;
        let mut joint: Option<SegmentationOutput> = None;
        for &scale in scales {
            let size = ((h as f64 * scale) as usize, (w as f64 * scale) as usize);
            let resized = ops::resize_bilinear(tape, images.clone(), size)?;
            let one = self.single_scale(tape, resized)?;
            joint = Some(match joint {
                None => SegmentationOutput { logits: one.logits, auxiliary: auxiliary.then_some(one.auxiliary) },
                Some(joint) => SegmentationOutput {
                    logits: join(tape, joint.logits, one.logits, one.attention.clone(), scale)?,
                    auxiliary: match joint.auxiliary {
                        None => None,
                        Some(joint) => Some(join(tape, joint, one.auxiliary, one.attention, scale)?),
                    },
                },
            });
        }
        joint.ok_or_else(|| Error::settings("hmsa needs at least one scale"))
    }
}

/// Takes the scores of the next lower scale in. From 1 on upwards the joint scores come down to the new ones,
/// `a p + (1 - a) down(joint)`; below, the new ones go up, `up(a p) + (1 - up(a)) joint`.
fn join(tape: &mut Tape, joint: Value, scores: Value, attention: Value, scale: f64) -> Result<Value> {
    let size = |value: &Value| value.dims4().map(|(_, _, h, w)| (h, w));
    let trusted = ops::attend(tape, scores, attention.clone(), Gate::MULTIPLY)?;
    let (trusted, attention, joint) = if scale >= 1.0 {
        let size = size(&trusted)?;
        (trusted, attention, ops::resize_bilinear(tape, joint, size)?)
    } else {
        let size = size(&joint)?;
        (ops::resize_bilinear(tape, trusted, size)?, ops::resize_bilinear(tape, attention, size)?, joint)
    };
    let rest = ops::attend(tape, joint, attention, Gate::Sum { plain: 1.0, gated: -1.0 })?;
    ops::add(tape, trusted, rest)
}

impl SegmentationNetwork for Hmsa {
    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput> {
        if tape.phase() == Phase::Train {
            return self.joined(tape, &images, &TRAINING_SCALES, true);
        }
        let seen = self.joined(tape, &images, &self.scales, false)?;
        if !self.flip {
            return Ok(seen);
        }
        let mirrored = ops::mirror(tape, images)?;
        let mirrored = self.joined(tape, &mirrored, &self.scales, false)?.logits;
        let back = ops::mirror(tape, mirrored)?;
        let logits = ops::scaled_sum(tape, &[(seen.logits, 0.5), (back, 0.5)])?;
        Ok(SegmentationOutput { logits, auxiliary: None })
    }

    fn set_scales(&mut self, scales: &[f64], flip: bool) -> Result<()> {
        let mut sorted = scales.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted.dedup();
        if sorted.len() != scales.len() || sorted.iter().any(|s| !(s.is_finite() && *s > 0.0)) || !sorted.contains(&1.0)
        {
            return Err(Error::settings(format!(
                "hmsa's scales must be distinct numbers above 0 with 1.0 among them (the joint prediction has that size), \
                 such as [0.5, 1.0, 2.0], got {scales:?}"
            )));
        }
        (self.scales, self.flip) = (sorted, flip);
        Ok(())
    }
}

/// Features to one number a pixel, in 0..=1, under `scale_attn`.
struct ScaleAttention {
    layers: [ConvNorm; 2],
    last: Conv2d,
}

impl ScaleAttention {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let b = &mut builder;
        Ok(Self {
            layers: [
                ConvNorm::new(b, ("conv0", "bn0"), (MID, BOTTLENECK), 3, Spacing::DENSE)?,
                ConvNorm::new(b, ("conv1", "bn1"), (BOTTLENECK, BOTTLENECK), 3, Spacing::DENSE)?,
            ],
            last: Conv2d::new(b.pp("conv2"), (BOTTLENECK, 1), (1, 1), Conv2dSettings::default(), ConvInit::FanIn)?,
        })
    }

    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let mut y = features;
        for layer in &self.layers {
            y = layer.forward(tape, y, Activation::Relu)?;
        }
        let y = self.last.forward(tape, y)?;
        ops::sigmoid(tape, y)
    }
}
