//! What the segmenters without weights share: a rule for each pixel of each image.

use candle_core::{DType, Device, Tensor};
use mga_core::{Error, Result};

/// Applies a rule to each of `images` `[N, 3, H, W]`: RGB pixels in, whether each is foreground out.
pub(super) fn each(images: &Tensor, rule: impl Fn(&[[f64; 3]]) -> Vec<bool>) -> Result<Tensor> {
    let (n, channels, height, width) = images.dims4()?;
    if channels != 3 {
        return Err(Error::shape("segmenter", format!("needs images [N, 3, H, W], got {:?}", images.dims())));
    }
    let plane = height * width;
    let values = images.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let mut masks = Vec::with_capacity(n * plane);
    for image in values.chunks_exact((3 * plane).max(1)) {
        let pixels: Vec<[f64; 3]> =
            (0..plane).map(|at| [image[at], image[plane + at], image[2 * plane + at]]).collect();
        masks.extend(rule(&pixels).into_iter().map(|inside| if inside { 1f32 } else { 0.0 }));
    }
    let masks = Tensor::from_vec(masks, (n, 1, height, width), &Device::Cpu)?;
    Ok(masks.to_dtype(images.dtype())?.to_device(images.device())?)
}
