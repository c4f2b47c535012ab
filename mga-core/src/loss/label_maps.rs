//! The classes of pixels, as losses of segmentation take them.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// The class of every pixel of a batch, and the number that stands for no class.
#[derive(Debug, Clone, Copy)]
pub struct LabelMaps<'a> {
    /// Class indices, `[N, H, W]`, row-major.
    pub labels: &'a [u32],
    /// The label of pixels that count nowhere; 255 by custom.
    pub ignore: u32,
}

impl LabelMaps<'_> {
    /// One-hot targets `[N, K, H, W]` in the type and on the device of `logits`, zero at every class of an ignored
    /// pixel. `weights`: what stands in place of 1, by class.
    ///
    /// # Errors
    /// Shapes that do not fit, and a label that is neither a class nor ignored.
    pub(super) fn one_hot(&self, op: &'static str, logits: &Tensor, weights: Option<&[f64]>) -> Result<(Tensor, f64)> {
        let (n, classes, height, width) = logits.dims4()?;
        let plane = height * width;
        if self.labels.len() != n * plane || n * plane * classes == 0 {
            let what = format!("{} labels for logits {:?}", self.labels.len(), logits.dims());
            return Err(Error::shape(op, what));
        }
        if weights.is_some_and(|weights| weights.len() != classes) {
            let found = weights.map_or(0, <[f64]>::len);
            return Err(Error::shape(op, format!("{found} class weights for {classes} classes")));
        }
        let mut target = vec![0f32; n * classes * plane];
        let mut sum = 0.0;
        for (image, labels) in self.labels.chunks_exact(plane).enumerate() {
            for (pixel, &label) in labels.iter().enumerate().filter(|(_, label)| **label != self.ignore) {
                if label as usize >= classes {
                    let ignore = self.ignore;
                    return Err(Error::shape(op, format!("label {label} with {classes} classes, {ignore} is ignored")));
                }
                let weight = weights.map_or(1.0, |weights| weights[label as usize]);
                target[(image * classes + label as usize) * plane + pixel] = weight as f32;
                sum += weight;
            }
        }
        let target = Tensor::from_vec(target, logits.dims(), &Device::Cpu)?;
        Ok((target.to_dtype(logits.dtype())?.to_device(logits.device())?, sum))
    }
}
