//! The trunk of MobileNetV3-Large (Howard et al. 2019), its last blocks dilated, as torchvision's segmentation takes it.

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};

use crate::backbone::{Backbone, Stage, StageId, run_stages};
use crate::features::Features;

/// One line of table 1 of the paper.
struct Line {
    kernel: usize,
    expanded: usize,
    out: usize,
    squeeze: bool,
    activation: Kind,
    stride: usize,
    dilation: usize,
}

/// The activation of a layer.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Identity,
    Relu,
    HardSwish,
}

const fn line(
    kernel: usize,
    expanded: usize,
    out: usize,
    squeeze: bool,
    activation: Kind,
    (stride, dilation): (usize, usize),
) -> Line {
    Line { kernel, expanded, out, squeeze, activation, stride, dilation }
}

/// The last three would step from a sixteenth of the size to a thirty-second; they dilate by 2 instead.
const LINES: [Line; 15] = [
    line(3, 16, 16, false, Kind::Relu, (1, 1)),
    line(3, 64, 24, false, Kind::Relu, (2, 1)),
    line(3, 72, 24, false, Kind::Relu, (1, 1)),
    line(5, 72, 40, true, Kind::Relu, (2, 1)),
    line(5, 120, 40, true, Kind::Relu, (1, 1)),
    line(5, 120, 40, true, Kind::Relu, (1, 1)),
    line(3, 240, 80, false, Kind::HardSwish, (2, 1)),
    line(3, 200, 80, false, Kind::HardSwish, (1, 1)),
    line(3, 184, 80, false, Kind::HardSwish, (1, 1)),
    line(3, 184, 80, false, Kind::HardSwish, (1, 1)),
    line(3, 480, 112, true, Kind::HardSwish, (1, 1)),
    line(3, 672, 112, true, Kind::HardSwish, (1, 1)),
    line(5, 672, 160, true, Kind::HardSwish, (1, 2)),
    line(5, 960, 160, true, Kind::HardSwish, (1, 2)),
    line(5, 960, 160, true, Kind::HardSwish, (1, 2)),
];

/// Stages `0` to `16`.
pub(super) struct MobileNetV3 {
    stages: Vec<Stage>,
    blocks: Vec<Block>,
}

impl MobileNetV3 {
    /// At a sixteenth of the image's size, 960 channels.
    pub(super) fn large_dilated(mut builder: Builder<'_>) -> Result<Self> {
        let first = Layer::new(builder.pp("0"), (3, 16), 3, (2, 1, 1), Kind::HardSwish)?;
        let mut blocks = vec![(Block { layers: vec![first], squeeze: None, residual: false }, 16)];
        let mut channels = 16;
        for line in &LINES {
            let made = Block::new(builder.pp(blocks.len()).pp("block"), channels, line)?;
            blocks.push((made, line.out));
            channels = line.out;
        }
        let last = Layer::new(builder.pp(blocks.len()), (channels, 960), 1, (1, 1, 1), Kind::HardSwish)?;
        blocks.push((Block { layers: vec![last], squeeze: None, residual: false }, 960));
        let stage = |(index, (_, channels)): (usize, &(Block, usize))| Stage {
            name: index.to_string(),
            prefixes: vec![format!("backbone.{index}")],
            channels: *channels,
        };
        let stages = blocks.iter().enumerate().map(stage).collect();
        Ok(Self { stages, blocks: blocks.into_iter().map(|(block, _)| block).collect() })
    }
}

/// A convolution `0` without bias, its norm `1`, and an activation.
struct Layer {
    conv: Conv2d,
    norm: BatchNorm2d,
    activation: Kind,
}

impl Layer {
    fn new(
        mut builder: Builder<'_>,
        channels: (usize, usize),
        kernel: usize,
        (stride, dilation, groups): (usize, usize, usize),
        activation: Kind,
    ) -> Result<Self> {
        let reach = kernel / 2 * dilation;
        let settings = Conv2dSettings { stride, padding: (reach, reach), dilation, groups };
        Ok(Self {
            conv: Conv2d::new(builder.pp("0"), channels, (kernel, kernel), settings, ConvInit::HeFanOut)?,
            norm: BatchNorm2d::new(builder.pp("1"), channels.1, BatchNormSettings { eps: 1e-3, momentum: 0.01 })?,
            activation,
        })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        match self.activation {
            Kind::Relu => self.conv.forward_normalised(tape, x, &self.norm, Activation::Relu),
            Kind::Identity => self.conv.forward_normalised(tape, x, &self.norm, Activation::Identity),
            Kind::HardSwish => {
                let y = self.conv.forward_normalised(tape, x, &self.norm, Activation::Identity)?;
                ops::hard_swish(tape, y)
            }
        }
    }
}

/// An inverted residual: widen, depthwise, squeeze and excite, narrow; the first and the last layer of the network are
/// blocks of one layer.
struct Block {
    layers: Vec<Layer>,
    /// Acts before the last layer.
    squeeze: Option<SqueezeExcitation>,
    residual: bool,
}

impl Block {
    fn new(mut builder: Builder<'_>, channels: usize, line: &Line) -> Result<Self> {
        let (mut layers, wide) = (vec![], line.expanded);
        if wide != channels {
            layers.push(Layer::new(builder.pp("0"), (channels, wide), 1, (1, 1, 1), line.activation)?);
        }
        let depthwise = (line.stride, line.dilation, wide);
        layers.push(Layer::new(builder.pp(layers.len()), (wide, wide), line.kernel, depthwise, line.activation)?);
        let mut at = layers.len();
        let squeeze = if line.squeeze { Some(SqueezeExcitation::new(builder.pp(at), wide)?) } else { None };
        at += usize::from(line.squeeze);
        layers.push(Layer::new(builder.pp(at), (wide, line.out), 1, (1, 1, 1), Kind::Identity)?);
        // torchvision goes by the stride that the dilation replaced, but where that is 2 the channels change too.
        Ok(Self { layers, squeeze, residual: line.stride == 1 && channels == line.out })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let shortcut = self.residual.then(|| x.clone());
        let mut y = x;
        for (index, layer) in self.layers.iter().enumerate() {
            if let (Some(squeeze), true) = (&self.squeeze, index + 1 == self.layers.len()) {
                y = squeeze.forward(tape, y)?;
            }
            y = layer.forward(tape, y)?;
        }
        match shortcut {
            Some(shortcut) => ops::add(tape, y, shortcut),
            None => Ok(y),
        }
    }
}

/// Squeeze and excitation (Hu et al. 2018): every channel times what two layers, `fc1` and `fc2`, make of the means of all.
struct SqueezeExcitation {
    narrow: Conv2d,
    widen: Conv2d,
}

impl SqueezeExcitation {
    fn new(mut builder: Builder<'_>, channels: usize) -> Result<Self> {
        let narrow = divisible_by_8(channels / 4);
        let layer = |builder: Builder<'_>, channels| {
            Conv2d::with_bias(builder, channels, (1, 1), Conv2dSettings::default(), ConvInit::HeFanOut)
        };
        Ok(Self {
            narrow: layer(builder.pp("fc1"), (channels, narrow))?,
            widen: layer(builder.pp("fc2"), (narrow, channels))?,
        })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let mean = ops::adaptive_avg_pool2d(tape, x.clone(), (1, 1))?;
        let y = self.narrow.forward(tape, mean)?;
        let y = ops::relu(tape, y)?;
        let y = self.widen.forward(tape, y)?;
        let scale = ops::hard_sigmoid(tape, y)?;
        ops::scale_channels(tape, x, scale)
    }
}

/// The nearest multiple of 8 that is not below nine tenths of `count`, and at least 8: how MobileNets round their widths.
fn divisible_by_8(count: usize) -> usize {
    let nearest = ((count + 4) / 8 * 8).max(8);
    if 10 * nearest < 9 * count { nearest + 8 } else { nearest }
}

impl Backbone for MobileNetV3 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| self.blocks[stage].forward(tape, x))
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.blocks.iter().flat_map(|block| block.layers.iter().map(|layer| &layer.norm)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::divisible_by_8;

    #[test]
    fn widths_round_to_eights() {
        let rounded = [18, 30, 120, 168, 240, 1].map(divisible_by_8);
        assert_eq!(rounded, [24, 32, 120, 168, 240, 8]);
    }
}
