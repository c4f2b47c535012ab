//! DeepLabv3 (Chen et al. 2017): atrous spatial pyramid pooling on a dilated trunk, as torchvision builds it.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::Conv2d;
use mga_core::ops::{self, Activation};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};

use super::fcn::{FcnHead, RESNET_TAPS, scores};
use super::mobilenet_v3::MobileNetV3;
use super::registered::{RegisteredNetwork, RegisteredSegmenter, Segmenters, Trunk};
use super::two_heads::{PixelHead, TwoHeads};
use crate::backbone::StageId;
use crate::backbones::{ConvNorm, ResNet, Spacing};
use crate::segmenter::SegmentationNetwork;
use crate::settings::no_settings;

/// DeepLabv3 on ResNet50, ResNet101 and MobileNetV3.
pub(super) fn entries() -> Vec<Entry<Segmenters>> {
    let entry = |name: &'static str, trunk| {
        let about = format!("DeepLabv3 (Chen et al. 2017), torchvision's {name}");
        Entry::<Segmenters>::new(name, about, Arc::new(RegisteredSegmenter::Network(Box::new(Member { name, trunk }))))
    };
    vec![
        entry("deeplabv3_resnet50", Some(("resnet50", [3, 4, 6, 3]))),
        entry("deeplabv3_resnet101", Some(("resnet101", [3, 4, 23, 3]))),
        // No classifier of this trunk is registered.
        entry("deeplabv3_mobilenet_v3_large", None),
    ]
}

/// On a ResNet of that name and so many blocks, else on MobileNetV3.
struct Member {
    name: &'static str,
    trunk: Option<(&'static str, [usize; 4])>,
}

impl RegisteredNetwork for Member {
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        no_settings(settings, self.name)?;
        match self.trunk {
            Some((_, blocks)) => on_resnet(builder, blocks, classes),
            None => on_mobilenet(builder, classes),
        }
    }

    fn trunk(&self) -> Option<Trunk> {
        self.trunk.map(|(backbone, _)| Trunk { backbone, prefix: "backbone" })
    }

    fn has_auxiliary_head(&self) -> bool {
        true
    }
}

/// Channels of the pyramid.
const CHANNELS: usize = 256;
/// Dilations of its 3 x 3 convolutions.
const RATES: [usize; 3] = [12, 24, 36];

fn on_resnet(mut builder: Builder<'_>, blocks: [usize; 4], classes: usize) -> Result<Box<dyn SegmentationNetwork>> {
    Ok(Box::new(TwoHeads {
        trunk: Box::new(ResNet::dilated(builder.pp("backbone"), blocks)?),
        taps: RESNET_TAPS,
        head: Box::new(DeepLabHead::new(builder.pp("classifier"), 2048, classes)?),
        auxiliary: Box::new(FcnHead::new(builder.pp("aux_classifier"), 1024, classes)?),
        classes,
    }))
}

/// torchvision taps MobileNetV3 at the block that reaches an eighth of the size, and at its end.
fn on_mobilenet(mut builder: Builder<'_>, classes: usize) -> Result<Box<dyn SegmentationNetwork>> {
    Ok(Box::new(TwoHeads {
        trunk: Box::new(MobileNetV3::large_dilated(builder.pp("backbone"))?),
        taps: [StageId(4), StageId(16)],
        head: Box::new(DeepLabHead::new(builder.pp("classifier"), 960, classes)?),
        auxiliary: Box::new(FcnHead::new(builder.pp("aux_classifier"), 40, classes)?),
        classes,
    }))
}

/// The pyramid (`0`), a 3 x 3 convolution (`1`, norm `2`), and a 1 x 1 to the classes (`4`).
struct DeepLabHead {
    pyramid: Pyramid,
    smooth: ConvNorm,
    scores: Conv2d,
}

impl DeepLabHead {
    fn new(mut builder: Builder<'_>, channels: usize, classes: usize) -> Result<Self> {
        Ok(Self {
            pyramid: Pyramid::new(builder.pp("0"), channels)?,
            smooth: ConvNorm::new(&mut builder, ("1", "2"), (CHANNELS, CHANNELS), 3, Spacing::DENSE)?,
            scores: scores(builder.pp("4"), CHANNELS, classes)?,
        })
    }
}

impl PixelHead for DeepLabHead {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let y = self.pyramid.forward(tape, features)?;
        let y = self.smooth.forward(tape, y, Activation::Relu)?;
        self.scores.forward(tape, y)
    }
}

/// Atrous spatial pyramid pooling: a 1 x 1 and dilated 3 x 3 convolutions (`convs.0` to `convs.3`), the mean of the whole
/// image (`convs.4`), and their `project`ion.
struct Pyramid {
    branches: Vec<ConvNorm>,
    whole: ConvNorm,
    project: ConvNorm,
}

impl Pyramid {
    fn new(mut builder: Builder<'_>, channels: usize) -> Result<Self> {
        let mut convs = builder.pp("convs");
        let mut branches =
            vec![ConvNorm::new(&mut convs.pp("0"), ("0", "1"), (channels, CHANNELS), 1, Spacing::DENSE)?];
        for (index, rate) in RATES.into_iter().enumerate() {
            let mut builder = convs.pp(index + 1);
            let dilated = Spacing::dilation(rate);
            branches.push(ConvNorm::new(&mut builder, ("0", "1"), (channels, CHANNELS), 3, dilated)?);
        }
        let whole = ConvNorm::new(&mut convs.pp(branches.len()), ("1", "2"), (channels, CHANNELS), 1, Spacing::DENSE)?;
        let joint = (branches.len() + 1) * CHANNELS;
        let project = ConvNorm::new(&mut builder.pp("project"), ("0", "1"), (joint, CHANNELS), 1, Spacing::DENSE)?;
        Ok(Self { branches, whole, project })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (_, _, h, w) = x.dims4()?;
        let mut parts = vec![];
        for branch in &self.branches {
            parts.push(branch.forward(tape, x.clone(), Activation::Relu)?);
        }
        let mean = ops::adaptive_avg_pool2d(tape, x, (1, 1))?;
        let mean = self.whole.forward(tape, mean, Activation::Relu)?;
        parts.push(ops::resize_bilinear(tape, mean, (h, w))?);
        let joint = ops::concat_channels(tape, &parts)?;
        let y = self.project.forward(tape, joint, Activation::Relu)?;
        ops::dropout(tape, y, 0.5)
    }
}
