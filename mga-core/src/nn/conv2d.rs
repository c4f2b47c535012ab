//! Convolution layer.

use crate::error::Result;
use candle_core::Tensor;

use super::BatchNorm2d;
use crate::ops::{self, Activation, Conv2dSettings};
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Tape, Value};

/// The initialisation of a convolution's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConvInit {
    /// PyTorch's default: uniform within `1 / sqrt(fan_in)`.
    #[default]
    FanIn,
    /// He normal by fan out (of the whole weight, groups or not), as torchvision's ResNet, VGG and MobileNet.
    HeFanOut,
    /// He normal by fan in, as torchvision's DenseNet.
    HeFanIn,
}

/// `[N, C, H, W]` to `[N, O, OH, OW]`; entries `weight` `[O, C / groups, kh, kw]` and, where asked for, `bias` `[O]`.
///
/// The first convolution of a network whose input has the mask as a further channel ([`Builder::with_mask_channel`]) takes
/// `C + 1` channels; the weights of the last are an entry of their own, [`crate::parameter::MASK_CHANNEL`].
#[derive(Debug)]
pub struct Conv2d {
    weight: Parameter,
    mask: Option<Parameter>,
    bias: Option<Parameter>,
    settings: Conv2dSettings,
}

impl Conv2d {
    /// Creates a convolution with a square or oblong kernel and without bias.
    pub fn new(
        mut builder: Builder<'_>,
        (channels, out): (usize, usize),
        kernel: (usize, usize),
        settings: Conv2dSettings,
        init: ConvInit,
    ) -> Result<Self> {
        let taps = kernel.0 * kernel.1;
        let fan_in = channels / settings.groups.max(1) * taps;
        let draw = match init {
            ConvInit::FanIn => Init::fan_in(fan_in),
            ConvInit::HeFanOut => Init::he_fan_out(out * taps),
            ConvInit::HeFanIn => Init::he_fan_out(fan_in),
        };
        let shape = (out, channels / settings.groups.max(1), kernel.0, kernel.1);
        let weight = builder.weight("weight", shape, draw)?;
        let mask = builder.mask_channel((out, 1, kernel.0, kernel.1), draw)?;
        Ok(Self { weight, mask, bias: None, settings })
    }

    /// Creates a convolution with a bias that starts at zero.
    pub fn with_bias(
        mut builder: Builder<'_>,
        channels: (usize, usize),
        kernel: (usize, usize),
        settings: Conv2dSettings,
        init: ConvInit,
    ) -> Result<Self> {
        let mut layer = Self::new(builder.reborrow(), channels, kernel, settings, init)?;
        layer.bias = Some(builder.weight("bias", channels.1, Init::Constant(0.0))?);
        Ok(layer)
    }

    /// Its weight on the tape.
    pub(crate) fn weight(&self, tape: &mut Tape) -> Result<Value> {
        let weight = tape.parameter(&self.weight)?;
        let Some(mask) = &self.mask else { return Ok(weight) };
        let mask = tape.parameter(mask)?;
        ops::concat_channels(tape, &[weight, mask])
    }

    /// Convolves.
    pub fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        self.forward_activated(tape, x, Activation::Identity)
    }

    /// Convolves and activates.
    pub fn forward_activated(&self, tape: &mut Tape, x: Value, activation: Activation) -> Result<Value> {
        let weight = self.weight(tape)?;
        match (&self.bias, activation) {
            (None, Activation::Identity) => ops::conv2d(tape, x, weight, self.settings),
            (None, _) => {
                let w = weight.tensor();
                let none = tape.constant(&Tensor::zeros(w.dims()[0], w.dtype(), w.device())?)?;
                ops::conv2d_bias(tape, x, weight, none, self.settings, activation)
            }
            (Some(bias), _) => {
                let bias = tape.parameter(bias)?;
                ops::conv2d_bias(tape, x, weight, bias, self.settings, activation)
            }
        }
    }

    /// Convolves, normalises and activates: one pass where nothing is trained and the norm uses its running statistics.
    pub fn forward_normalised(
        &self,
        tape: &mut Tape,
        x: Value,
        norm: &BatchNorm2d,
        activation: Activation,
    ) -> Result<Value> {
        if self.bias.is_some() {
            let y = self.forward(tape, x)?;
            return norm.forward(tape, y, activation);
        }
        let (weight, inputs) = (self.weight(tape)?, norm.inputs(tape));
        let (y, statistics) = ops::conv2d_norm(tape, x, weight, self.settings, inputs, activation)?;
        let (n, _, h, w) = y.dims4()?;
        norm.move_running(statistics, n * h * w)?;
        Ok(y)
    }
}
