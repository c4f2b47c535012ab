//! Normalised tensors of several images.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{Device, Tensor};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::picture::{Mask, Picture, value_of};

/// Several images of one size, on the CPU.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Number of this batch within its epoch; to resume behind it, start from `position + 1`.
    pub position: usize,
    /// `[N, 3, H, W]`, f32, `(pixel - mean) / std`.
    pub images: Tensor,
    /// `[N, 1, H, W]`, f32 in `0..=1`; zeros where the image has no mask, or a pixel of it is to be ignored.
    pub masks: Tensor,
    /// `[N, 1, H, W]`, f32: 1 where a pixel of the mask counts, 0 where it is to be ignored. `None`: all count.
    pub counts: Option<Tensor>,
    /// Whether each image has a mask.
    pub has_mask: Vec<bool>,
    /// The mask of each image, `H x W`, that attention is measured against; `None` where there is none.
    pub references: Vec<Option<Mask>>,
    /// Class of each image; [`Batch::NO_LABEL`] where it carries none.
    pub labels: Vec<u32>,
    /// Index of each image in the data set's records.
    pub indices: Vec<usize>,
    /// Name of each image, as in the data set's records.
    pub ids: Vec<String>,
    /// The role of each image in the batch, as the sampler says. It is 0 unless the sampler has other roles, such as
    /// support and query.
    pub roles: Vec<u16>,
    /// Other tensors by name: the views that transforms gave, `[N, 3, H, W]`, f32, normalised as the images are.
    pub tensors: BTreeMap<String, Tensor>,
    /// The records that transforms wrote for each image.
    pub records: Vec<Map<String, Value>>,
    /// Shares of each class in place of one label, `[N, K]`, f32, where something mixed them.
    pub soft_labels: Option<Tensor>,
}

/// An image that is ready to be batched.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Index in the data set's records.
    pub index: usize,
    /// Name in the data set's records.
    pub id: String,
    /// Class, where known.
    pub label: Option<usize>,
    /// The transformed picture.
    pub picture: Picture,
    /// The transformed mask.
    pub mask: Option<Mask>,
    /// The transformed mask to measure against.
    pub reference: Option<Mask>,
    /// Other views of the picture, by name.
    pub views: Vec<(String, Picture)>,
    /// The record that transforms wrote.
    pub record: Map<String, Value>,
    /// The role in the batch, by default 0.
    pub role: u16,
}

impl Sample {
    /// Creates a picture without mask, label or views.
    #[must_use]
    pub fn new(index: usize, id: String, picture: Picture) -> Self {
        let (views, record) = (Vec::new(), Map::new());
        Self { index, id, label: None, picture, mask: None, reference: None, views, record, role: 0 }
    }
}

/// The normalisation of pixels, `(pixel - mean) / std`, for red, green and blue.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    mean: [f32; 3],
    std: [f32; 3],
    /// What becomes of every byte, a table a channel.
    tables: [[f32; 256]; 3],
}

impl Normalisation {
    /// Creates a normalisation from the mean and deviation of each channel, for pixels in `0..=1`.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        let value = |c: usize, byte: usize| (value_of(byte as u8) - mean[c]) / std[c];
        let tables = std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte)));
        Self { mean, std, tables }
    }

    /// Appends the normalised picture by channel, `[3, H, W]`.
    fn append(&self, picture: &Picture, images: &mut Vec<f32>) {
        for (c, table) in self.tables.iter().enumerate() {
            match picture.bytes() {
                Some(bytes) => {
                    images.extend(bytes.as_chunks::<3>().0.iter().map(|pixel| table[usize::from(pixel[c])]));
                }
                None => {
                    let (mean, std) = (self.mean[c], self.std[c]);
                    images.extend(picture.pixels().as_chunks::<3>().0.iter().map(|pixel| (pixel[c] - mean) / std));
                }
            }
        }
    }
}

impl Batch {
    /// The label of an image that carries none. Losses refuse it as out of range.
    pub const NO_LABEL: u32 = u32::MAX;

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Returns the image at place `index` as a batch of its own.
    ///
    /// # Errors
    /// There is none at that place.
    pub fn one(&self, index: usize) -> Result<Self> {
        if index >= self.len() {
            return Err(Error::settings(format!("a batch of {} images has none at {index}", self.len())));
        }
        self.part(index..index + 1)
    }

    /// Returns the images at some places in a row as a batch of their own.
    ///
    /// # Errors
    /// There are none at those places.
    pub fn part(&self, places: Range<usize>) -> Result<Self> {
        if places.is_empty() || places.end > self.len() {
            return Err(Error::settings(format!("a batch of {} images has none at {places:?}", self.len())));
        }
        fn cut<T: Clone>(all: &[T], places: &Range<usize>) -> Vec<T> {
            all.get(places.clone()).unwrap_or_default().to_vec()
        }
        let narrow = |all: &Tensor| {
            let part = all.narrow(0, places.start, places.len()).and_then(|part| part.contiguous());
            part.map_err(|e| Error::settings(e.to_string()))
        };
        Ok(Self {
            position: self.position,
            images: narrow(&self.images)?,
            masks: narrow(&self.masks)?,
            counts: self.counts.as_ref().map(narrow).transpose()?,
            has_mask: cut(&self.has_mask, &places),
            references: cut(&self.references, &places),
            labels: cut(&self.labels, &places),
            indices: cut(&self.indices, &places),
            ids: cut(&self.ids, &places),
            roles: cut(&self.roles, &places),
            tensors: self.tensors.iter().map(|(name, all)| Ok((name.clone(), narrow(all)?))).collect::<Result<_>>()?,
            records: cut(&self.records, &places),
            soft_labels: self.soft_labels.as_ref().map(narrow).transpose()?,
        })
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Normalises samples of one size into one batch. An error where there is none or two differ in size, naming both.
    pub fn collate(position: usize, samples: Vec<Sample>, normalisation: &Normalisation) -> Result<Self> {
        let Some(first) = samples.first() else {
            return Err(Error::settings("a batch needs at least one image"));
        };
        let (height, width) = (first.picture.height(), first.picture.width());
        if let Some(other) = samples.iter().find(|s| (s.picture.height(), s.picture.width()) != (height, width)) {
            return Err(Error::settings(format!(
                "images of one batch differ in size: `{}` is {height} x {width}, `{}` is {} x {} (height x width); end \
                 the transforms with a random-crop, centre-crop or resize, or set batch_size = 1",
                first.id,
                other.id,
                other.picture.height(),
                other.picture.width()
            )));
        }
        let tensors = views(&samples, normalisation)?;
        let (count, plane) = (samples.len(), height * width);
        let mut images = Vec::with_capacity(count * 3 * plane);
        let mut masks = Vec::with_capacity(count * plane);
        let (mut has_mask, mut references, mut labels, mut indices, mut ids) = (vec![], vec![], vec![], vec![], vec![]);
        let (mut roles, mut records) = (vec![], vec![]);
        for sample in samples {
            normalisation.append(&sample.picture, &mut images);
            has_mask.push(sample.mask.is_some());
            match &sample.mask {
                Some(mask) => masks.extend_from_slice(mask.values()),
                None => masks.resize(masks.len() + plane, 0.0),
            }
            references.push(sample.reference);
            labels.push(sample.label.and_then(|label| u32::try_from(label).ok()).unwrap_or(Self::NO_LABEL));
            indices.push(sample.index);
            ids.push(sample.id);
            roles.push(sample.role);
            records.push(sample.record);
        }
        let mut counts = None;
        if masks.iter().any(|value: &f32| value.is_nan()) {
            let counting: Vec<f32> = masks.iter().map(|value| f32::from(u8::from(!value.is_nan()))).collect();
            counts = Some(Tensor::from_vec(counting, (count, 1, height, width), &Device::Cpu)?);
            masks.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        }
        Ok(Self {
            position,
            images: Tensor::from_vec(images, (count, 3, height, width), &Device::Cpu)?,
            counts,
            masks: Tensor::from_vec(masks, (count, 1, height, width), &Device::Cpu)?,
            has_mask,
            references,
            labels,
            indices,
            ids,
            roles,
            tensors,
            records,
            soft_labels: None,
        })
    }
}

/// The views of samples as tensors `[N, 3, H, W]`. An error where an image lacks one, or has it in another size.
fn views(samples: &[Sample], normalisation: &Normalisation) -> Result<BTreeMap<String, Tensor>> {
    let Some(first) = samples.first() else { return Ok(BTreeMap::new()) };
    let view = |name: &String, like: &Picture| -> Result<(String, Tensor)> {
        let (height, width) = (like.height(), like.width());
        let mut values = Vec::with_capacity(samples.len() * 3 * height * width);
        for sample in samples {
            let own = sample.views.iter().find(|(other, _)| other == name).map(|(_, picture)| picture);
            let own = own.filter(|own| (own.height(), own.width()) == (height, width)).ok_or_else(|| {
                Error::settings(format!("`{}` has no view `{name}` of {height} x {width} as `{}`", sample.id, first.id))
            })?;
            normalisation.append(own, &mut values);
        }
        Ok((name.clone(), Tensor::from_vec(values, (samples.len(), 3, height, width), &Device::Cpu)?))
    };
    first.views.iter().map(|(name, like)| view(name, like)).collect()
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
        Sample {
            index,
            id: format!("{index}.png"),
            label: (index != 7).then_some(index),
            picture,
            mask,
            reference: None,
            ..Sample::new(index, String::new(), Picture::filled(1, 1, 0.0))
        }
    }

    fn collate(position: usize, samples: Vec<Sample>) -> Result<Batch> {
        Batch::collate(position, samples, &Normalisation::new(MEAN, STD))
    }

    fn images(batch: &Batch) -> Vec<f32> {
        batch.images.flatten_all().and_then(|t| t.to_vec1()).expect("values")
    }

    #[test]
    fn values_lie_by_channel_and_are_normalised() {
        let batch = collate(3, vec![sample(2, 2, 1, Some(0.5)), sample(7, 2, 1, None)]).expect("a batch");
        assert_eq!(batch.images.dims(), [2, 3, 1, 2]);
        assert_eq!(batch.masks.dims(), [2, 1, 1, 2]);
        let expected = |pixel: usize, c: usize| ((pixel * 3 + c) as f32 / 100.0 - MEAN[c]) / STD[c];
        let one = [expected(0, 0), expected(1, 0), expected(0, 1), expected(1, 1), expected(0, 2), expected(1, 2)];
        assert_eq!(images(&batch), [one, one].concat());
        let masks: Vec<f32> = batch.masks.flatten_all().and_then(|t| t.to_vec1()).expect("values");
        assert_eq!(masks, [0.5, 0.5, 0.0, 0.0]);
        assert_eq!(batch.has_mask, [true, false]);
        assert_eq!((batch.labels, batch.indices), (vec![2, Batch::NO_LABEL], vec![2, 7]));
        assert!(batch.counts.is_none());
        assert_eq!((batch.position, batch.ids), (3, vec!["2.png".to_owned(), "7.png".to_owned()]));
    }

    #[test]
    fn ignored_pixels_are_0_in_the_masks_and_do_not_count() {
        let mut ignoring = sample(0, 2, 1, Some(0.5));
        if let Some(mask) = &mut ignoring.mask {
            mask.values_mut()[1] = f32::NAN;
        }
        let batch = collate(0, vec![ignoring, sample(1, 2, 1, None)]).expect("a batch");
        let flat = |tensor: &Tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        assert_eq!(flat(&batch.masks), [0.5, 0.0, 0.0, 0.0]);
        assert_eq!(batch.counts.as_ref().map(flat), Some(vec![1.0, 0.0, 1.0, 1.0]));
    }

    #[test]
    fn the_mean_becomes_exactly_zero() {
        let picture = Picture::new(1, 1, MEAN.to_vec()).expect("a picture");
        let sample = Sample::new(0, "0".to_owned(), picture);
        assert_eq!(images(&collate(0, vec![sample]).expect("a batch")), [0.0; 3]);
    }

    #[test]
    fn bytes_are_normalised_as_their_numbers_are() {
        let kept = Picture::from_bytes(16, 16, (0..768).map(|i| (i % 256) as u8).collect()).expect("fits");
        let plain = Picture::new(16, 16, kept.pixels().to_vec()).expect("fits");
        let batch = |picture| collate(0, vec![Sample::new(0, "0".to_owned(), picture)]).expect("a batch");
        assert_eq!(images(&batch(kept)), images(&batch(plain)));
    }

    #[test]
    fn different_sizes_are_refused_by_name() {
        let error = collate(0, vec![sample(0, 2, 1, None), sample(1, 2, 3, None)]).expect_err("sizes differ");
        let message = error.to_string();
        for part in ["`0.png` is 1 x 2", "`1.png` is 3 x 2", "batch_size = 1", "resize"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(collate(0, vec![]).is_err());
    }
}
