//! Object-contextual representations (Yuan et al. 2020): a rough segmentation gathers one vector a class, and every pixel
//! looks at the classes it resembles. 512 mid and 256 key channels, as NVIDIA's published weights have them.

use mga_core::Result;
use mga_core::nn::Conv2d;
use mga_core::ops::{self, Activation};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};

use super::fcn::scores;
use crate::backbones::{ConvNorm, Spacing};

/// Channels of the features that the classes are read from.
pub(super) const MID: usize = 512;
/// Channels in which pixels and classes are compared.
const KEY: usize = 256;

/// The head, under `ocr`.
pub(super) struct ObjectContext {
    features: ConvNorm,
    block: AttentionToObjects,
    project: ConvNorm,
    scores: Conv2d,
    rough: ConvNorm,
    rough_scores: Conv2d,
}

/// What the head says, at its features' size.
pub(super) struct ContextOutput {
    /// `[N, K, h, w]`.
    pub(super) logits: Value,
    /// The rough segmentation, `[N, K, h, w]`.
    pub(super) auxiliary: Value,
    /// Pixels that know their context, `[N, 512, h, w]`.
    pub(super) features: Value,
}

impl ObjectContext {
    pub(super) fn new(mut builder: Builder<'_>, channels: usize, classes: usize) -> Result<Self> {
        let features = ConvNorm::with_bias(&mut builder.pp("conv3x3_ocr"), ("0", "1.0"), (channels, MID), 3)?;
        let mut head = builder.pp("ocr_distri_head");
        let block = AttentionToObjects::new(head.pp("object_context_block"))?;
        let project = ConvNorm::new(&mut head.pp("conv_bn_dropout"), ("0", "1.0"), (2 * MID, MID), 1, Spacing::DENSE)?;
        let scored = scores(builder.pp("cls_head"), MID, classes)?;
        let mut rough = builder.pp("aux_head");
        Ok(Self {
            features,
            block,
            project,
            scores: scored,
            rough: ConvNorm::with_bias(&mut rough, ("0", "1.0"), (channels, channels), 1)?,
            rough_scores: scores(rough.pp("2"), channels, classes)?,
        })
    }

    /// `x` `[N, C, h, w]`.
    pub(super) fn forward(&self, tape: &mut Tape, x: Value) -> Result<ContextOutput> {
        let features = self.features.forward(tape, x.clone(), Activation::Relu)?;
        let rough = self.rough.forward(tape, x, Activation::Relu)?;
        let auxiliary = self.rough_scores.forward(tape, rough)?;
        let objects = gather(tape, features.clone(), auxiliary.clone())?;
        let context = self.block.forward(tape, features.clone(), objects)?;
        let joint = ops::concat_channels(tape, &[context, features])?;
        let y = self.project.forward(tape, joint, Activation::Relu)?;
        let features = ops::channel_dropout(tape, y, 0.05)?;
        Ok(ContextOutput { logits: self.scores.forward(tape, features.clone())?, auxiliary, features })
    }
}

/// Features `[N, C, h, w]` averaged by how likely each pixel is for a class (softmax over the pixels): `[N, C, K, 1]`.
fn gather(tape: &mut Tape, features: Value, scores: Value) -> Result<Value> {
    let (n, c, h, w) = features.dims4()?;
    let classes = scores.dims()[1];
    let scores = ops::reshape(tape, scores, &[n, classes, h * w])?;
    let shares = ops::softmax(tape, scores, 2)?;
    let pixels = ops::reshape(tape, features, &[n, c, h * w])?;
    let pixels = ops::permute(tape, pixels, &[0, 2, 1])?;
    let objects = ops::batch_matmul(tape, shares, pixels)?;
    let objects = ops::permute(tape, objects, &[0, 2, 1])?;
    ops::reshape(tape, objects, &[n, c, classes, 1])
}

/// Every pixel's mean of the classes, weighed by likeness.
struct AttentionToObjects {
    pixel: [ConvNorm; 2],
    object: [ConvNorm; 2],
    down: ConvNorm,
    up: ConvNorm,
}

impl AttentionToObjects {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let layer = |mut builder: Builder<'_>, names: (&str, &str), channels: (usize, usize)| {
            ConvNorm::new(&mut builder, names, channels, 1, Spacing::DENSE)
        };
        let mut two = |name: &str| -> Result<[ConvNorm; 2]> {
            Ok([layer(builder.pp(name), ("0", "1.0"), (MID, KEY))?, layer(builder.pp(name), ("2", "3.0"), (KEY, KEY))?])
        };
        let (pixel, object) = (two("f_pixel")?, two("f_object")?);
        Ok(Self {
            pixel,
            object,
            down: layer(builder.pp("f_down"), ("0", "1.0"), (MID, KEY))?,
            up: layer(builder.pp("f_up"), ("0", "1.0"), (KEY, MID))?,
        })
    }

    /// `x` `[N, 512, h, w]`, `objects` `[N, 512, K, 1]` to `[N, 512, h, w]`.
    fn forward(&self, tape: &mut Tape, x: Value, objects: Value) -> Result<Value> {
        let (n, _, h, w) = x.dims4()?;
        let classes = objects.dims()[2];
        let [query, key] = [(&self.pixel, x), (&self.object, objects.clone())]
            .map(|(layers, x)| layers.iter().try_fold(x, |x, layer| layer.forward(tape, x, Activation::Relu)));
        let query = ops::reshape(tape, query?, &[n, KEY, h * w])?;
        let query = ops::permute(tape, query, &[0, 2, 1])?;
        let key = ops::reshape(tape, key?, &[n, KEY, classes])?;
        let likeness = ops::batch_matmul(tape, query, key)?;
        let likeness = ops::scaled_sum(tape, &[(likeness, (KEY as f64).powf(-0.5))])?;
        let shares = ops::softmax(tape, likeness, 2)?;
        let value = self.down.forward(tape, objects, Activation::Relu)?;
        let value = ops::reshape(tape, value, &[n, KEY, classes])?;
        let value = ops::permute(tape, value, &[0, 2, 1])?;
        let context = ops::batch_matmul(tape, shares, value)?;
        let context = ops::permute(tape, context, &[0, 2, 1])?;
        let context = ops::reshape(tape, context, &[n, KEY, h, w])?;
        self.up.forward(tape, context, Activation::Relu)
    }
}
