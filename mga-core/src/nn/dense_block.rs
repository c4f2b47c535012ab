//! The dense block of DenseNet (Huang et al. 2017).

use super::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use crate::error::Result;
use crate::ops::{self, Conv2dSettings, DenseLayerInputs};
use crate::parameter::Builder;
use crate::tape::{Tape, Value};

/// Sizes of a dense block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseBlockSettings {
    /// Layers.
    pub layers: usize,
    /// Channels that come in.
    pub channels: usize,
    /// Channels each layer adds.
    pub growth: usize,
    /// The bottleneck has this many times `growth` channels.
    pub bottleneck: usize,
}

impl DenseBlockSettings {
    /// Returns the number of output channels.
    pub fn out_channels(&self) -> usize {
        self.channels + self.layers * self.growth
    }
}

/// Each layer sees all channels before it (norm, relu, 1 x 1, norm, relu, 3 x 3) and adds `growth` of its own. Entries
/// `denselayer1.norm1.weight`, … as torchvision's.
#[derive(Debug)]
pub struct DenseBlock {
    layers: Vec<DenseLayer>,
}

#[derive(Debug)]
struct DenseLayer {
    norm1: BatchNorm2d,
    conv1: Conv2d,
    norm2: BatchNorm2d,
    conv2: Conv2d,
}

impl DenseBlock {
    /// Creates a block of `settings.layers` layers.
    pub fn new(mut builder: Builder<'_>, settings: DenseBlockSettings) -> Result<Self> {
        let (norm, inner) = (BatchNormSettings::default(), settings.bottleneck * settings.growth);
        let layer = |index: usize| {
            let mut builder = builder.pp(format!("denselayer{}", index + 1));
            let channels = settings.channels + index * settings.growth;
            let wide = Conv2dSettings { padding: (1, 1), ..Conv2dSettings::default() };
            Ok(DenseLayer {
                norm1: BatchNorm2d::new(builder.pp("norm1"), channels, norm)?,
                conv1: Conv2d::new(
                    builder.pp("conv1"),
                    (channels, inner),
                    (1, 1),
                    Conv2dSettings::default(),
                    ConvInit::HeFanIn,
                )?,
                norm2: BatchNorm2d::new(builder.pp("norm2"), inner, norm)?,
                conv2: Conv2d::new(builder.pp("conv2"), (inner, settings.growth), (3, 3), wide, ConvInit::HeFanIn)?,
            })
        };
        Ok(Self { layers: (0..settings.layers).map(layer).collect::<Result<_>>()? })
    }

    /// Computes the block: `[N, C, H, W]` to `[N, C + layers * growth, H, W]`.
    pub fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let inputs = |tape: &mut Tape, layer: &DenseLayer| {
            Ok(DenseLayerInputs {
                norm1: layer.norm1.inputs(tape),
                conv1: layer.conv1.weight(tape)?,
                norm2: layer.norm2.inputs(tape),
                conv2: layer.conv2.weight(tape)?,
            })
        };
        let layers = self.layers.iter().map(|layer| inputs(tape, layer)).collect::<Result<Vec<_>>>()?;
        let (y, statistics) = ops::dense_block(tape, x, layers)?;
        let (n, _, h, w) = y.dims4()?;
        for (layer, [first, second]) in self.layers.iter().zip(statistics) {
            layer.norm1.move_running(first, n * h * w)?;
            layer.norm2.move_running(second, n * h * w)?;
        }
        Ok(y)
    }

    /// Returns every batch norm of the block.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm2d> {
        self.layers.iter().flat_map(|layer| [&layer.norm1, &layer.norm2])
    }
}
