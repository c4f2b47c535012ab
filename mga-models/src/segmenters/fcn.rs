//! Fully convolutional networks (Long et al. 2015) on a dilated ResNet, as torchvision builds them.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};

use super::registered::{RegisteredNetwork, RegisteredSegmenter, Segmenters, Trunk};
use super::two_heads::{PixelHead, TwoHeads};
use crate::backbone::StageId;
use crate::backbones::{ConvNorm, ResNet, Spacing};
use crate::segmenter::SegmentationNetwork;
use crate::settings::no_settings;

/// FCN on ResNet50 and ResNet101.
pub(super) fn entries() -> Vec<Entry<Segmenters>> {
    let entry = |name: &'static str, trunk, blocks| {
        let about = format!("FCN (Long et al. 2015), torchvision's {name}");
        Entry::<Segmenters>::new(
            name,
            about,
            Arc::new(RegisteredSegmenter::Network(Box::new(Member { name, trunk, blocks }))),
        )
    };
    vec![entry("fcn_resnet50", "resnet50", [3, 4, 6, 3]), entry("fcn_resnet101", "resnet101", [3, 4, 23, 3])]
}

struct Member {
    name: &'static str,
    trunk: &'static str,
    blocks: [usize; 4],
}

impl RegisteredNetwork for Member {
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        no_settings(settings, self.name)?;
        build(builder, self.blocks, classes)
    }

    fn trunk(&self) -> Option<Trunk> {
        Some(Trunk { backbone: self.trunk, prefix: "backbone" })
    }

    fn has_auxiliary_head(&self) -> bool {
        true
    }
}

fn build(mut builder: Builder<'_>, blocks: [usize; 4], classes: usize) -> Result<Box<dyn SegmentationNetwork>> {
    Ok(Box::new(TwoHeads {
        trunk: Box::new(ResNet::dilated(builder.pp("backbone"), blocks)?),
        taps: RESNET_TAPS,
        head: Box::new(FcnHead::new(builder.pp("classifier"), 2048, classes)?),
        auxiliary: Box::new(FcnHead::new(builder.pp("aux_classifier"), 1024, classes)?),
        classes,
    }))
}

/// `layer3` and `layer4` of a ResNet, whose first stage is the stem.
pub(super) const RESNET_TAPS: [StageId; 2] = [StageId(3), StageId(4)];

/// A 3 x 3 convolution to a quarter of the channels (`0`, norm `1`), dropout, and a 1 x 1 to the classes (`4`).
pub(super) struct FcnHead {
    narrow: ConvNorm,
    scores: Conv2d,
}

impl FcnHead {
    pub(super) fn new(mut builder: Builder<'_>, channels: usize, classes: usize) -> Result<Self> {
        let inner = channels / 4;
        Ok(Self {
            narrow: ConvNorm::new(&mut builder, ("0", "1"), (channels, inner), 3, Spacing::DENSE)?,
            scores: scores(builder.pp("4"), inner, classes)?,
        })
    }
}

impl PixelHead for FcnHead {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let y = self.narrow.forward(tape, features, Activation::Relu)?;
        let y = ops::dropout(tape, y, 0.1)?;
        self.scores.forward(tape, y)
    }
}

/// The last layer of every head: 1 x 1 to the classes, with a bias.
pub(super) fn scores(builder: Builder<'_>, channels: usize, classes: usize) -> Result<Conv2d> {
    Conv2d::with_bias(builder, (channels, classes), (1, 1), Conv2dSettings::default(), ConvInit::FanIn)
}
