//! The input of a network: images, or images and masks. The latter are controls: they use the mask where MGA only
//! learns from it, and so need one for every image they are ever shown.

use candle_core::Tensor;
use mga_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The input of the network, made from an image and its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The image.
    #[default]
    Image,
    /// A control: the mask as a fourth channel, to evaluate and predict too.
    ImageAndMask,
    /// A control: the normalised image times the mask, to evaluate and predict too.
    MaskedImage,
}

impl Input {
    /// Returns whether every image needs a mask, in evaluation and prediction too.
    #[must_use]
    pub fn needs_masks(self) -> bool {
        self != Self::Image
    }

    /// Returns the number of channels of the network's input.
    pub fn channels(self) -> usize {
        if self == Self::ImageAndMask { 4 } else { 3 }
    }

    /// Returns the network's input from normalised images `[N, 3, H, W]` and masks `[N, 1, H, W]` in 0 to 1. Where the
    /// mask is 0, a masked image is its data set's mean colour, which normalisation makes 0.
    ///
    /// # Errors
    /// Masks of another size than the images.
    pub fn tensor(self, images: &Tensor, masks: &Tensor) -> Result<Tensor> {
        let (n, _, h, w) = images.dims4()?;
        if self.needs_masks() && masks.dims() != [n, 1, h, w] {
            return Err(Error::shape("input", format!("images {:?} with masks {:?}", images.dims(), masks.dims())));
        }
        Ok(match self {
            Self::Image => images.clone(),
            Self::ImageAndMask => Tensor::cat(&[images, &masks.to_dtype(images.dtype())?], 1)?,
            Self::MaskedImage => images.broadcast_mul(&masks.to_dtype(images.dtype())?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn masks_come_beside_the_image_or_over_it() -> Result<()> {
        let images = Tensor::new(&[1f32, -2.0, 3.0, 4.0, 5.0, 6.0], &Device::Cpu)?.reshape((1, 3, 1, 2))?;
        let masks = Tensor::new(&[0.5f32, 0.0], &Device::Cpu)?.reshape((1, 1, 1, 2))?;
        let made = |input: Input| input.tensor(&images, &masks).unwrap().flatten_all().unwrap().to_vec1::<f32>();
        assert_eq!(made(Input::Image)?, [1.0, -2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(made(Input::ImageAndMask)?, [1.0, -2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 0.0]);
        assert_eq!(made(Input::MaskedImage)?, [0.5, 0.0, 1.5, 0.0, 2.5, 0.0]);
        assert!(Input::ImageAndMask.tensor(&images, &images).is_err());
        Ok(())
    }
}
