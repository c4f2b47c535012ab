//! What class scores are compared with, as a distribution over the classes for each image.

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};

/// The targets that the class scores of a batch are compared with.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// The class of each image, `N`.
    Labels(&'a [u32]),
    /// A share of each class for each image, `[N, classes]`, at least 0: soft labels.
    Soft(&'a Tensor),
}

/// A distribution over the classes for each image.
pub(super) struct Distribution {
    /// `[N, classes]`, times the classes' weights; row by row.
    pub(super) rows: Vec<f64>,
    /// What the sum over the batch is divided by.
    pub(super) count: f64,
    /// Whether every row sums to 1.
    pub(super) sums_to_one: bool,
}

impl Targets<'_> {
    /// Spreads `smoothing` of each image evenly over all classes, and multiplies by the classes' `weights`. The count is the
    /// number of images; of labels with weights it is the sum of the labels' weights, as in PyTorch.
    pub(super) fn distribution(
        &self,
        op: &'static str,
        (n, classes): (usize, usize),
        smoothing: f64,
        weights: Option<&[f64]>,
    ) -> Result<Distribution> {
        if !(0.0..=1.0).contains(&smoothing) {
            return Err(Error::settings(format!("label smoothing must lie in 0 to 1, got {smoothing}")));
        }
        if let Some(weights) = weights {
            check_weights(op, classes, weights)?;
        }
        match *self {
            Self::Labels(labels) => of_labels(op, labels, (n, classes), smoothing, weights),
            Self::Soft(shares) => of_shares(op, shares, (n, classes), smoothing, weights),
        }
    }
}

fn of_labels(
    op: &'static str,
    labels: &[u32],
    (n, classes): (usize, usize),
    smoothing: f64,
    weights: Option<&[f64]>,
) -> Result<Distribution> {
    if labels.len() != n || n == 0 {
        return Err(Error::shape(op, format!("{} labels for logits [{n}, {classes}]", labels.len())));
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(Error::shape(op, format!("label {label} with {classes} classes")));
    }
    let mut rows = vec![smoothing / classes as f64; n * classes];
    for (row, &label) in rows.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] += 1.0 - smoothing;
    }
    let Some(weights) = weights else { return Ok(Distribution { rows, count: n as f64, sums_to_one: true }) };
    let sum: f64 = labels.iter().map(|&label| weights[label as usize]).sum();
    if sum == 0.0 {
        // Nothing is learnt from such a batch, and nothing is divided by 0.
        rows.fill(0.0);
        return Ok(Distribution { rows, count: 1.0, sums_to_one: false });
    }
    weigh(&mut rows, classes, weights);
    Ok(Distribution { rows, count: sum, sums_to_one: false })
}

fn of_shares(
    op: &'static str,
    shares: &Tensor,
    (n, classes): (usize, usize),
    smoothing: f64,
    weights: Option<&[f64]>,
) -> Result<Distribution> {
    if shares.dims() != [n, classes] || n == 0 {
        return Err(Error::shape(op, format!("soft labels {:?} for logits [{n}, {classes}]", shares.dims())));
    }
    let mut rows = shares.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    if let Some(share) = rows.iter().find(|share| !share.is_finite() || **share < 0.0) {
        return Err(Error::settings(format!("soft labels must be at least 0 and finite, got {share}")));
    }
    rows.iter_mut().for_each(|share| *share = *share * (1.0 - smoothing) + smoothing / classes as f64);
    weights.into_iter().for_each(|weights| weigh(&mut rows, classes, weights));
    Ok(Distribution { rows, count: n as f64, sums_to_one: false })
}

fn check_weights(op: &'static str, classes: usize, weights: &[f64]) -> Result<()> {
    if weights.len() != classes {
        return Err(Error::shape(op, format!("{} class weights for {classes} classes", weights.len())));
    }
    match weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
        Some(weight) => Err(Error::settings(format!("class weights must be at least 0 and finite, got {weight}"))),
        None => Ok(()),
    }
}

fn weigh(rows: &mut [f64], classes: usize, weights: &[f64]) {
    for row in rows.chunks_exact_mut(classes) {
        row.iter_mut().zip(weights).for_each(|(target, weight)| *target *= weight);
    }
}
