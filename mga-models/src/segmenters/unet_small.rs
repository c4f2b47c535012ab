//! `unet_small`: an encoder and a decoder with skips at every size, after Ronneberger, Fischer and Brox 2015 ("U-Net"),
//! small enough to train on a processor in minutes.
//!
//! For thin structures in small images: networks with an output stride of 8 or 16 draw a vein of two pixels in a map of
//! a tenth of the image's side. This one's logits are made at the image's own size. There are no published weights.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};

use super::registered::{RegisteredNetwork, RegisteredSegmenter, Segmenters};
use crate::segmenter::{SegmentationNetwork, SegmentationOutput};
use crate::settings::no_settings;

/// The entry of `unet_small` in the registry.
pub(super) fn entry() -> Entry<Segmenters> {
    let about =
        "a U-Net of 0.49 million parameters (after Ronneberger et al. 2015), for thin structures in small images";
    Entry::<Segmenters>::new("unet_small", about, Arc::new(RegisteredSegmenter::Network(Box::new(Registered))))
}

struct Registered;

impl RegisteredNetwork for Registered {
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        no_settings(settings, "unet_small")?;
        Ok(Box::new(UnetSmall::new(builder, classes)?))
    }
}

/// Channels at full, half, quarter and eighth size.
const CHANNELS: [usize; 4] = [16, 32, 64, 128];
/// What the sides are padded to a multiple of.
const MULTIPLE: usize = 1 << (CHANNELS.len() - 1);

/// Stages `down0` to `down3`, `up2` to `up0`, and `classifier`.
struct UnetSmall {
    classes: usize,
    down: Vec<Block>,
    /// From the smallest size up.
    up: Vec<Block>,
    classifier: Conv2d,
}

/// Twice 3 x 3 convolution, norm, relu.
struct Block([(Conv2d, BatchNorm2d); 2]);

impl Block {
    fn new(mut builder: Builder<'_>, channels: usize, out: usize) -> Result<Self> {
        let mut layer = |index: usize, channels: usize| -> Result<(Conv2d, BatchNorm2d)> {
            let same = Conv2dSettings { padding: (1, 1), ..Conv2dSettings::default() };
            let conv = builder.pp(format!("conv{index}"));
            let conv = Conv2d::new(conv, (channels, out), (3, 3), same, ConvInit::HeFanOut)?;
            Ok((conv, BatchNorm2d::new(builder.pp(format!("norm{index}")), out, BatchNormSettings::default())?))
        };
        Ok(Self([layer(1, channels)?, layer(2, out)?]))
    }

    fn forward(&self, tape: &mut Tape, mut x: Value) -> Result<Value> {
        for (conv, norm) in &self.0 {
            x = conv.forward(tape, x)?;
            x = norm.forward(tape, x, Activation::Relu)?;
        }
        Ok(x)
    }
}

impl UnetSmall {
    fn new(mut builder: Builder<'_>, classes: usize) -> Result<Self> {
        let mut down = vec![];
        for (level, &out) in CHANNELS.iter().enumerate() {
            let channels = if level == 0 { 3 } else { CHANNELS[level - 1] };
            down.push(Block::new(builder.pp(format!("down{level}")), channels, out)?);
        }
        let mut up = vec![];
        for level in (0..CHANNELS.len() - 1).rev() {
            let channels = CHANNELS[level] + CHANNELS[level + 1];
            up.push(Block::new(builder.pp(format!("up{level}")), channels, CHANNELS[level])?);
        }
        let point = Conv2dSettings::default();
        let classifier =
            Conv2d::with_bias(builder.pp("classifier"), (CHANNELS[0], classes), (1, 1), point, ConvInit::FanIn)?;
        Ok(Self { classes, down, up, classifier })
    }
}

impl SegmentationNetwork for UnetSmall {
    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput> {
        let (_, _, height, width) = images.dims4()?;
        // Zeros right and below, the mean colour: what the transforms pad with too.
        let padded = (height.next_multiple_of(MULTIPLE), width.next_multiple_of(MULTIPLE));
        let mut x = images;
        if padded != (height, width) {
            x = ops::candle_node(tape, &[x], |t| {
                t[0].pad_with_zeros(2, 0, padded.0 - height)?.pad_with_zeros(3, 0, padded.1 - width)
            })?;
        }
        let mut skips = vec![];
        for (level, block) in self.down.iter().enumerate() {
            if level > 0 {
                x = ops::max_pool2d(tape, x, Pool2dSettings { kernel: 2, stride: 2, padding: 0 })?;
            }
            x = block.forward(tape, x)?;
            skips.push(x.clone());
        }
        skips.pop();
        for block in &self.up {
            x = doubled(tape, x)?;
            if let Some(skip) = skips.pop() {
                x = ops::concat_channels(tape, &[skip, x])?;
            }
            x = block.forward(tape, x)?;
        }
        let mut logits = self.classifier.forward(tape, x)?;
        if padded != (height, width) {
            logits = ops::candle_node(tape, &[logits], |t| t[0].narrow(2, 0, height)?.narrow(3, 0, width))?;
        }
        Ok(SegmentationOutput { logits, auxiliary: None })
    }
}

/// Every pixel twice in both directions; the convolution that follows smooths (Odena et al. 2016).
fn doubled(tape: &mut Tape, x: Value) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    ops::candle_node(tape, &[x], |t| {
        t[0].reshape((n * c, h, 1, w, 1))?.broadcast_as((n * c, h, 2, w, 2))?.contiguous()?.reshape((
            n,
            c,
            2 * h,
            2 * w,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Tensor};
    use mga_core::gradient_check::check;
    use mga_core::loss::{LabelMaps, pixel_cross_entropy};
    use mga_core::parameter::{Kind, ParameterStore};

    #[test]
    fn logits_have_the_images_size_whatever_it_is() -> Result<()> {
        let mut store = ParameterStore::new(1, DType::F32, &Device::Cpu);
        let network = UnetSmall::new(store.root(), 3)?;
        let weights = store.entries().iter().filter(|entry| entry.kind() == Kind::Weight);
        let parameters: usize = weights.map(|entry| entry.tensor().elem_count()).sum();
        assert_eq!(parameters, 488_035);
        for (height, width) in [(16, 24), (9, 13), (1, 1)] {
            let mut tape = Tape::train(0, 0);
            let x = tape.constant(&Tensor::ones((2, 3, height, width), DType::F32, &Device::Cpu)?)?;
            let logits = network.forward(&mut tape, x)?.logits;
            assert_eq!(logits.dims(), [2, 3, height, width]);
        }
        Ok(())
    }

    #[test]
    fn doubling_has_the_right_gradient() {
        check(&[&[1, 2, 2, 3]], |tape, v| doubled(tape, v[0].clone()));
    }

    #[test]
    fn every_parameter_is_trained() -> Result<()> {
        let mut store = ParameterStore::new(1, DType::F64, &Device::Cpu);
        let network = UnetSmall::new(store.root(), 2)?;
        let mut tape = Tape::train(0, 0);
        let pixels: Vec<f64> = (0..2 * 3 * 10 * 12).map(|i| f64::from(i % 7) - 3.0).collect();
        let x = tape.constant(&Tensor::from_vec(pixels, (2, 3, 10, 12), &Device::Cpu)?)?;
        let logits = network.forward(&mut tape, x)?.logits;
        let labels: Vec<u32> = (0..2 * 10 * 12).map(|i| u32::from(i % 3 == 0)).collect();
        let maps = LabelMaps { labels: &labels, ignore: 255 };
        let loss = pixel_cross_entropy(&mut tape, logits, maps, None)?;
        let gradients = tape.backward(&loss, 1.0)?.into_parameters();
        assert_eq!(gradients.len(), store.entries().iter().filter(|e| e.kind() == Kind::Weight).count());
        Ok(())
    }
}
