//! Prototypes of pooled features, and scores by their distance or angle.

use candle_core::{D, Device, Tensor};

use crate::error::{Error, Result};
use crate::ops;
use crate::ops::precision::widened;
use crate::tape::{Tape, Value};

/// Added to squared lengths, so that features of zeros have cosines of 0.
const EPS: f64 = 1e-12;

/// Returns the mean features of each class: features `[N, …]` with labels below `classes` to `[classes, …]`.
///
/// # Errors
/// Another number of labels; a label that is no class; a class without features.
pub fn class_means(tape: &mut Tape, features: Value, labels: &[u32], classes: usize) -> Result<Value> {
    let wrong = |what: String| Err(Error::shape("class_means", what));
    let dims = features.dims().to_vec();
    if dims.first() != Some(&labels.len()) {
        return wrong(format!("features {dims:?} with {} labels; expected one for each", labels.len()));
    }
    let mut counts = vec![0usize; classes];
    for &label in labels {
        match counts.get_mut(label as usize) {
            Some(count) => *count += 1,
            None => return wrong(format!("label {label} of {classes} classes")),
        }
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return wrong(format!("class {class} has no features; expected at least one of each class"));
    }
    let mut shares = vec![0.0; classes * labels.len()];
    for (at, &label) in labels.iter().enumerate() {
        shares[label as usize * labels.len() + at] = 1.0 / counts[label as usize] as f64;
    }
    let like = features.tensor();
    let shares = Tensor::from_vec(shares, (1, classes, labels.len()), &Device::Cpu)?;
    let shares = tape.constant(&shares.to_dtype(like.dtype())?.to_device(like.device())?)?;
    let length = dims[1..].iter().product();
    let rows = ops::reshape(tape, features, &[1, labels.len(), length])?;
    let means = ops::batch_matmul(tape, shares, rows)?;
    let shape: Vec<usize> = std::iter::once(classes).chain(dims[1..].iter().copied()).collect();
    ops::reshape(tape, means, &shape)
}

/// Computes minus the squared Euclidean distance of queries `[Q, C]` to prototypes `[W, C]`, times `temperature`: `[Q, W]`
/// (Snell, Swersky, Zemel 2017, "Prototypical networks for few-shot learning").
///
/// # Errors
/// Features of another number of channels.
pub fn euclidean_scores(tape: &mut Tape, prototypes: Value, queries: Value, temperature: f64) -> Result<Value> {
    fits("euclidean_scores", &prototypes, &queries)?;
    ops::candle_node(tape, &[prototypes, queries], |t| {
        let [prototypes, queries] = [wide(&t[0])?, wide(&t[1])?];
        let apart = queries.unsqueeze(1)?.broadcast_sub(&prototypes.unsqueeze(0)?)?;
        (apart.sqr()?.sum(D::Minus1)? * -temperature)?.to_dtype(t[1].dtype())
    })
}

/// Computes the cosine of queries `[Q, C]` to prototypes `[W, C]`, times `temperature`: `[Q, W]`.
///
/// # Errors
/// Features of another number of channels.
pub fn cosine_scores(tape: &mut Tape, prototypes: Value, queries: Value, temperature: f64) -> Result<Value> {
    fits("cosine_scores", &prototypes, &queries)?;
    ops::candle_node(tape, &[prototypes, queries], |t| {
        let unit = |rows: Tensor| rows.broadcast_div(&(rows.sqr()?.sum_keepdim(D::Minus1)? + EPS)?.sqrt()?);
        let [prototypes, queries] = [unit(wide(&t[0])?)?, unit(wide(&t[1])?)?];
        (queries.matmul(&prototypes.t()?)? * temperature)?.to_dtype(t[1].dtype())
    })
}

/// The type that sums are taken in.
fn wide(tensor: &Tensor) -> candle_core::Result<Tensor> {
    widened(tensor).map_err(candle_core::Error::wrap)
}

fn fits(op: &'static str, prototypes: &Value, queries: &Value) -> Result<()> {
    match (prototypes.dims(), queries.dims()) {
        ([_, c], [_, other]) if c == other => Ok(()),
        (prototypes, queries) => {
            let what = format!("prototypes {prototypes:?} and queries {queries:?}; expected [W, C] and [Q, C]");
            Err(Error::shape(op, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        for scores in [euclidean_scores, cosine_scores] {
            check(&[&[3, 5], &[4, 5]], |tape, v| scores(tape, v[0].clone(), v[1].clone(), 0.7));
            check_half(&[&[3, 5], &[4, 5]], |tape, v| scores(tape, v[0].clone(), v[1].clone(), 0.7));
        }
        check(&[&[4, 3, 2]], |tape, v| class_means(tape, v[0].clone(), &[1, 0, 1, 1], 2));
    }

    #[test]
    fn scores_and_means_by_hand() -> Result<()> {
        let mut tape = Tape::eval();
        let features = tape.constant(&Tensor::new(&[[1f64, 0.0], [0.0, 2.0], [0.0, 4.0]], &Device::Cpu)?)?;
        let query = tape.constant(&Tensor::new(&[[3f64, 4.0]], &Device::Cpu)?)?;
        let means = class_means(&mut tape, features.clone(), &[1, 0, 0], 2)?;
        assert_eq!(means.tensor().to_vec2::<f64>()?, [[0.0, 3.0], [1.0, 0.0]]);
        let scores = euclidean_scores(&mut tape, means.clone(), query.clone(), 0.5)?;
        assert_eq!(scores.tensor().to_vec2::<f64>()?, [[-5.0, -10.0]]);
        let scores = cosine_scores(&mut tape, means.clone(), query, 10.0)?.tensor().to_vec2::<f64>()?;
        assert!((scores[0][0] - 8.0).abs() < 1e-12 && (scores[0][1] - 6.0).abs() < 1e-11, "{scores:?}");
        let mut told = |labels: &[u32]| class_means(&mut tape, features.clone(), labels, 2).unwrap_err().to_string();
        assert!(told(&[0, 0, 0]).contains("class 1 has no features"));
        assert!(told(&[0, 1, 2]).contains("label 2 of 2 classes"));
        assert!(told(&[0]).contains("features [3, 2] with 1 labels"));
        Ok(())
    }
}
