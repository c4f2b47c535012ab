//! The predictions of a network for images, and where it looked.

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use mga_core::tape::Tape;
use mga_data::{Batch, Mask, Picture};
use mga_models::{Features, MgaModel, grad_cam};

use crate::network_input::network_input;
use crate::pictures::{Print, PrintSource, grey, overlay};

/// Channel means and deviations that images were normalised by.
pub type Normalisation = ([f32; 3], [f32; 3]);

/// The output of a network for one image.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The image's index in its source.
    pub index: usize,
    /// The image's name.
    pub id: String,
    /// The class, if it is known.
    pub label: Option<usize>,
    /// The class scores.
    pub logits: Vec<f32>,
    /// Classes with their softmax probabilities, the most probable first; of equals the first class.
    pub ranking: Vec<(usize, f64)>,
    /// The image as the network saw it: after the transforms.
    pub picture: Picture,
    /// The mask, if there is one.
    pub mask: Option<Mask>,
    /// The attention map, at the size of the features; `None` for a network without one.
    pub attention: Option<Mask>,
    /// The Grad-CAM map for a class, if it was requested.
    pub grad_cam: Option<GradCam>,
}

/// A map of the parts of an image that speak for a class (Selvaraju et al. 2017).
#[derive(Debug, Clone, PartialEq)]
pub struct GradCam {
    /// The class.
    pub class: usize,
    /// The map, from 0 to 1, at the size of the network's features.
    pub map: Mask,
}

/// The class that Grad-CAM and the deletion score are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chosen {
    /// The network's own.
    #[default]
    Predicted,
    /// The image's.
    Label,
    /// This one.
    Class(usize),
}

impl Prediction {
    /// Returns the attention over the image; `None` for a network without.
    #[must_use]
    pub fn overlay(&self) -> Option<Picture> {
        self.attention.as_ref().map(|map| overlay(&self.picture, map))
    }

    /// Returns image, mask, attention and Grad-CAM, as far as they exist, with their names: `image`, `mask`, `attention`,
    /// `grad-cam`.
    #[must_use]
    pub fn columns(&self) -> Vec<(&'static str, Picture)> {
        let grad_cam = self.grad_cam.as_ref().map(|grad_cam| overlay(&self.picture, &grad_cam.map));
        let columns = [
            ("image", Some(self.picture.clone())),
            ("mask", self.mask.as_ref().map(grey)),
            ("attention", self.overlay()),
            ("grad-cam", grad_cam),
        ];
        columns.into_iter().filter_map(|(name, picture)| Some((name, picture?))).collect()
    }

    /// Replaces image and mask by the part of the original that the network saw; maps are laid over that then.
    ///
    /// # Errors
    /// As [`PrintSource::print`].
    pub fn enlarge(&mut self, originals: &PrintSource) -> anyhow::Result<()> {
        let Print { picture, mask } = originals.print(self.index)?;
        self.picture = picture;
        self.mask = if self.mask.is_some() { mask } else { None };
        Ok(())
    }
}

/// Shows the images of a batch to a network in evaluation mode.
///
/// # Errors
/// Images that the network cannot take, such as ones smaller than its strides.
pub fn predict(model: &MgaModel, batch: &Batch, normalisation: Normalisation) -> anyhow::Result<Vec<Prediction>> {
    Ok(seen(model, batch, normalisation)?.0)
}

/// Predicts like [`predict`], and adds the Grad-CAM map for a class of each image.
///
/// # Errors
/// As [`predict`]; an image without a label, where that is the class.
pub fn explain(
    model: &MgaModel,
    batch: &Batch,
    normalisation: Normalisation,
    chosen: Chosen,
) -> anyhow::Result<Vec<Prediction>> {
    let (mut predictions, features) = seen(model, batch, normalisation)?;
    let class = |prediction: &Prediction| match chosen {
        Chosen::Predicted => prediction.ranking.first().map(|(class, _)| *class).context("a network without classes"),
        Chosen::Label => {
            prediction.label.with_context(|| format!("{}: has no label, so it has no true class", prediction.id))
        }
        Chosen::Class(class) => Ok(class),
    };
    let classes = predictions.iter().map(class).collect::<anyhow::Result<Vec<_>>>()?;
    let maps = planes(&grad_cam(model, &features, &classes)?)?;
    for ((prediction, class), map) in predictions.iter_mut().zip(classes).zip(maps) {
        prediction.grad_cam = Some(GradCam { class, map });
    }
    Ok(predictions)
}

/// Returns the images of a batch as people see them.
///
/// # Errors
/// Images without pixels.
pub fn shown(batch: &Batch, (mean, std): Normalisation) -> anyhow::Result<Vec<Picture>> {
    let (_, _, height, width) = batch.images.dims4()?;
    let pixels = batch.images.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?.to_vec2::<f32>()?;
    let picture = |mut pixels: Vec<f32>| {
        for pixel in pixels.chunks_exact_mut(3) {
            for (c, value) in pixel.iter_mut().enumerate() {
                *value = (*value * std[c] + mean[c]).clamp(0.0, 1.0);
            }
        }
        Picture::new(width, height, pixels).context("an image without pixels")
    };
    pixels.into_iter().map(picture).collect()
}

/// What is said of a batch, and its last features.
fn seen(model: &MgaModel, batch: &Batch, normalisation: Normalisation) -> anyhow::Result<(Vec<Prediction>, Features)> {
    let mut tape = Tape::eval();
    let images = tape.constant(&network_input(model, batch)?)?;
    let features = model.features(&mut tape, images)?;
    let said = model.classify(&mut tape, features.clone())?;
    let logits = said.logits.tensor().to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let attention = said.attention.map(|map| planes(map.tensor())).transpose()?;
    let masks = planes(&batch.masks)?;
    let mut predictions = Vec::with_capacity(batch.len());
    for (n, (picture, logits)) in shown(batch, normalisation)?.into_iter().zip(logits).enumerate() {
        let label = batch.labels.get(n).copied().filter(|label| *label != Batch::NO_LABEL);
        let masked = batch.has_mask.get(n).copied().unwrap_or(false);
        predictions.push(Prediction {
            index: batch.indices.get(n).copied().unwrap_or_default(),
            id: batch.ids.get(n).cloned().unwrap_or_default(),
            label: label.map(|label| label as usize),
            ranking: ranking(&logits),
            logits,
            picture,
            mask: masks.get(n).filter(|_| masked).cloned(),
            attention: attention.as_ref().and_then(|maps| maps.get(n)).cloned(),
            grad_cam: None,
        });
    }
    Ok((predictions, features))
}

/// Computes the softmax.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Classes by falling softmax probability.
fn ranking(logits: &[f32]) -> Vec<(usize, f64)> {
    let mut ranking: Vec<(usize, f64)> = probabilities(logits).into_iter().enumerate().collect();
    // Stable: of equals the first class comes first.
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking
}

/// `[N, 1, h, w]` as N maps.
fn planes(maps: &Tensor) -> anyhow::Result<Vec<Mask>> {
    let (_, _, height, width) = maps.dims4()?;
    let values = maps.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_from(1)?.to_vec2::<f32>()?;
    Ok(values.into_iter().filter_map(|values| Mask::new(width, height, values)).collect())
}

/// Returns at most `count` of the images, evenly spread over their order, so that every class has its share.
#[must_use]
pub fn spread(indices: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(indices.len());
    (0..count).filter_map(|i| indices.get((2 * i + 1) * indices.len() / (2 * count)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ranked_by_probability() {
        let ranking = ranking(&[0.0, 3.0_f32.ln(), 0.0, f32::NEG_INFINITY]);
        assert_eq!(ranking.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [1, 0, 2, 3]);
        let expected = [0.6, 0.2, 0.2, 0.0];
        assert!(ranking.iter().zip(expected).all(|((_, p), e)| (p - e).abs() < 1e-6), "{ranking:?}");
        assert_eq!(super::ranking(&[500.0, -500.0])[0], (0, 1.0));
    }

    #[test]
    fn images_are_spread_over_all() {
        let indices: Vec<usize> = (100..110).collect();
        assert_eq!(spread(&indices, 5), [101, 103, 105, 107, 109]);
        assert_eq!(spread(&indices, 99), indices);
        assert_eq!(spread(&indices, 0), [] as [usize; 0]);
        assert_eq!(spread(&[], 3), [] as [usize; 0]);
    }

    #[test]
    fn columns_are_what_there_is() {
        let mut prediction = Prediction {
            index: 0,
            id: String::new(),
            label: None,
            logits: vec![],
            ranking: vec![],
            picture: Picture::filled(6, 4, 0.5),
            mask: None,
            attention: None,
            grad_cam: None,
        };
        assert_eq!(prediction.columns(), [("image", prediction.picture.clone())]);
        prediction.attention = Mask::new(2, 1, vec![0.2, 0.4]);
        prediction.mask = Some(Mask::filled(6, 4, 1.0));
        prediction.grad_cam = Some(GradCam { class: 0, map: Mask::filled(2, 1, 1.0) });
        let names: Vec<_> = prediction.columns().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["image", "mask", "attention", "grad-cam"]);
    }
}
