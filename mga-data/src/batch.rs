//! Normalised tensors of several images.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// Several images of one size, on the CPU.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Number of this batch within its epoch; to resume behind it, start from `position + 1`.
    pub position: usize,
    /// `[N, 3, H, W]`, f32, `(pixel - mean) / std`.
    pub images: Tensor,
    /// `[N, 1, H, W]`, f32 in `0..=1`; zeros where the image has no mask.
    pub masks: Tensor,
    /// Whether each image has a mask.
    pub has_mask: Vec<bool>,
    /// Class of each image; [`Batch::NO_LABEL`] where it carries none.
    pub labels: Vec<u32>,
    /// Index of each image in the data set's records.
    pub indices: Vec<usize>,
    /// Name of each image, as in the data set's records.
    pub ids: Vec<String>,
}

/// One image ready to be batched.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Index in the data set's records.
    pub index: usize,
    /// Name in the data set's records.
    pub id: String,
    /// Class, where known.
    pub label: Option<usize>,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
    /// `[3, H, W]`, normalised.
    pub image: Vec<f32>,
    /// `[1, H, W]`.
    pub mask: Option<Vec<f32>>,
}

impl Sample {
    /// Normalises a picture, `(pixel - mean) / std`, and lays it out by channel.
    pub fn new(
        index: usize,
        id: &str,
        label: Option<usize>,
        picture: &Picture,
        mask: Option<Mask>,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Self {
        let mut image = Vec::with_capacity(picture.pixels().len());
        for c in 0..3 {
            image.extend(picture.pixels().chunks_exact(3).map(|pixel| (pixel[c] - mean[c]) / std[c]));
        }
        let mask = mask.map(|mask| mask.values().to_vec());
        Self { index, id: id.to_owned(), label, height: picture.height(), width: picture.width(), image, mask }
    }
}

impl Batch {
    /// The label of an image that carries none. Losses refuse it as out of range.
    pub const NO_LABEL: u32 = u32::MAX;

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Puts samples of one size together. An error where there is none or two differ in size, naming both.
    pub fn collate(position: usize, samples: Vec<Sample>) -> Result<Self> {
        let Some(first) = samples.first() else {
            return Err(Error::settings("a batch needs at least one image"));
        };
        let (height, width) = (first.height, first.width);
        if let Some(other) = samples.iter().find(|s| (s.height, s.width) != (height, width)) {
            return Err(Error::settings(format!(
                "images of one batch differ in size: `{}` is {height} x {width}, `{}` is {} x {} (height x width); end \
                 the transforms with a random-crop, centre-crop or resize, or set batch_size = 1",
                first.id, other.id, other.height, other.width
            )));
        }
        let (count, plane) = (samples.len(), height * width);
        let mut images = Vec::with_capacity(count * 3 * plane);
        let mut masks = Vec::with_capacity(count * plane);
        let (mut has_mask, mut labels, mut indices, mut ids) = (vec![], vec![], vec![], vec![]);
        for sample in samples {
            images.extend_from_slice(&sample.image);
            has_mask.push(sample.mask.is_some());
            match &sample.mask {
                Some(mask) => masks.extend_from_slice(mask),
                None => masks.resize(masks.len() + plane, 0.0),
            }
            labels.push(sample.label.and_then(|label| u32::try_from(label).ok()).unwrap_or(Self::NO_LABEL));
            indices.push(sample.index);
            ids.push(sample.id);
        }
        Ok(Self {
            position,
            images: Tensor::from_vec(images, (count, 3, height, width), &Device::Cpu)?,
            masks: Tensor::from_vec(masks, (count, 1, height, width), &Device::Cpu)?,
            has_mask,
            labels,
            indices,
            ids,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
    const STD: [f32; 3] = [0.229, 0.224, 0.225];

    fn sample(index: usize, width: usize, height: usize, mask: Option<f32>) -> Sample {
        let pixels = (0..width * height * 3).map(|i| i as f32 / 100.0).collect();
        let picture = Picture::new(width, height, pixels).expect("a picture");
        let mask = mask.map(|v| Mask::filled(width, height, v));
        Sample::new(index, &format!("{index}.png"), (index != 7).then_some(index), &picture, mask, MEAN, STD)
    }

    #[test]
    fn values_lie_by_channel_and_are_normalised() {
        let batch = Batch::collate(3, vec![sample(2, 2, 1, Some(0.5)), sample(7, 2, 1, None)]).expect("a batch");
        assert_eq!(batch.images.dims(), [2, 3, 1, 2]);
        assert_eq!(batch.masks.dims(), [2, 1, 1, 2]);
        let images: Vec<f32> = batch.images.flatten_all().and_then(|t| t.to_vec1()).expect("values");
        let expected = |pixel: usize, c: usize| ((pixel * 3 + c) as f32 / 100.0 - MEAN[c]) / STD[c];
        let one = [expected(0, 0), expected(1, 0), expected(0, 1), expected(1, 1), expected(0, 2), expected(1, 2)];
        assert_eq!(images, [one, one].concat());
        let masks: Vec<f32> = batch.masks.flatten_all().and_then(|t| t.to_vec1()).expect("values");
        assert_eq!(masks, [0.5, 0.5, 0.0, 0.0]);
        assert_eq!(batch.has_mask, [true, false]);
        assert_eq!((batch.labels, batch.indices), (vec![2, Batch::NO_LABEL], vec![2, 7]));
        assert_eq!((batch.position, batch.ids), (3, vec!["2.png".to_owned(), "7.png".to_owned()]));
    }

    #[test]
    fn the_mean_becomes_exactly_zero() {
        let picture = Picture::new(1, 1, MEAN.to_vec()).expect("a picture");
        assert_eq!(Sample::new(0, "0", None, &picture, None, MEAN, STD).image, [0.0; 3]);
    }

    #[test]
    fn different_sizes_are_refused_by_name() {
        let error = Batch::collate(0, vec![sample(0, 2, 1, None), sample(1, 2, 3, None)]).expect_err("sizes differ");
        let message = error.to_string();
        for part in ["`0.png` is 1 x 2", "`1.png` is 3 x 2", "batch_size = 1", "resize"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(Batch::collate(0, vec![]).is_err());
    }
}
