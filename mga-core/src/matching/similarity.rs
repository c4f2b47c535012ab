//! The cosine similarity of nodes.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use crate::element::{Element, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::ops;
use crate::ops::precision::widened;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Added to squared lengths: a row without any direction is similar to none. Far below the authors' 1e-8 on lengths.
const EPS: f64 = 1e-16;

/// Scales every row of `x` `[…, C]` to length 1, after its mean is taken from it. A row of equal numbers becomes zeros.
///
/// `f16` and `bf16` are computed in `f32` and rounded once.
///
/// # Errors
/// An `x` without dimensions or without channels.
pub fn unit_rows(tape: &mut Tape, x: Value) -> Result<Value> {
    let dims = x.dims().to_vec();
    let Some(&channels) = dims.last().filter(|&&channels| channels > 0) else {
        return Err(Error::shape("unit_rows", format!("{dims:?}; expected rows of at least one number")));
    };
    let wide = widened(x.tensor())?;
    let (y, inverse) = if tape.kernels(&wide) {
        with_element!(wide, T => {
            let (y, inverse) = read::<T, _>(&wide, |x| scaled(x, channels))?;
            let mut lengths = dims.clone();
            lengths.pop();
            lengths.push(1);
            (tensor(y, dims)?, tensor(inverse, lengths)?)
        })
    } else {
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let inverse = (centred.sqr()?.sum_keepdim(D::Minus1)? + EPS)?.sqrt()?.recip()?;
        (centred.broadcast_mul(&inverse)?, inverse)
    };
    let (slot, dtype, saved) = (x.slot(), x.tensor().dtype(), y.clone());
    Ok(tape.record(Operator::new("unit_rows"), &[&x], y.to_dtype(dtype)?, move |dy, gradients| {
        let dy = widened(dy.tensor())?;
        let along = (&dy * &saved)?.sum_keepdim(D::Minus1)?;
        let dx = (dy - saved.broadcast_mul(&along)?)?.broadcast_mul(&inverse)?;
        let dx = dx.broadcast_sub(&dx.mean_keepdim(D::Minus1)?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

/// The rows scaled, and one over their lengths.
fn scaled<T: Element>(x: &[T], channels: usize) -> (Vec<T>, Vec<T>) {
    const ROWS: usize = 16;
    let (mut y, mut inverse) = (zeros::<T>(x.len()), zeros::<T>(x.len() / channels));
    let pieces = y.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).zip(inverse.par_chunks_mut(ROWS));
    pieces.for_each(|((y, x), inverse)| {
        for ((y, x), inverse) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)).zip(inverse) {
            let mean = sum(x, |x| x) / channels as f64;
            let squares = sum(x, |x| (x - mean) * (x - mean));
            let factor = 1.0 / (squares + EPS).sqrt();
            *inverse = T::of(factor);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = T::of((x.wide() - mean) * factor));
        }
    });
    (y, inverse)
}

/// The sum of a function of each number, in lanes that are added at the end.
fn sum<T: Element>(x: &[T], f: impl Fn(f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|x| f(x.wide())).sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += f(x.wide()));
    }
    lanes.iter().sum::<f64>() + rest
}

/// Computes the cosine similarity of every node of the queries, rows `[Q, Lq, C]`, to every node of the prototypes,
/// `[W, Lp, C]`: `[Q, W, Lq, Lp]`. The mean over the channels is taken from each node first, as the authors' `center` does.
///
/// # Errors
/// Nodes of another number of channels.
pub fn node_similarity(tape: &mut Tape, queries: Value, prototypes: Value) -> Result<Value> {
    let (q, lq, c) = queries.tensor().dims3()?;
    let (w, lp, _) = prototypes.tensor().dims3()?;
    let queries = unit_rows(tape, queries)?;
    let queries = ops::reshape(tape, queries, &[1, q * lq, c])?;
    let prototypes = unit_rows(tape, prototypes)?;
    let channels = prototypes.dims()[2];
    let prototypes = ops::reshape(tape, prototypes, &[1, w * lp, channels])?;
    let prototypes = ops::permute(tape, prototypes, &[0, 2, 1])?;
    let similarity = ops::batch_matmul(tape, queries, prototypes)?;
    let similarity = ops::reshape(tape, similarity, &[q, lq, w, lp])?;
    ops::permute(tape, similarity, &[0, 2, 1, 3])
}

/// The mean over the nodes of `[N, C, L]`: `[N, C]`, in the type of the features.
pub(super) fn mean_over_nodes(tape: &mut Tape, nodes: Value) -> Result<Value> {
    let mean = |t: &Tensor| widened(t).and_then(|wide| Ok(wide.mean(D::Minus1)?.to_dtype(t.dtype())?));
    let (slot, dims) = (nodes.slot(), nodes.dims().to_vec());
    let y = mean(nodes.tensor())?;
    let length = dims.last().copied().unwrap_or(1) as f64;
    Ok(tape.record(Operator::new("mean_over_nodes"), &[&nodes], y, move |dy, gradients| {
        let dx = (dy.tensor() / length)?.unsqueeze(D::Minus1)?.broadcast_as(dims)?.contiguous()?;
        gradients.add(slot, Gradient::new(dx))
    }))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        check(&[&[3, 2, 11]], |tape, v| unit_rows(tape, v[0].clone()));
        check_half(&[&[3, 2, 11]], |tape, v| unit_rows(tape, v[0].clone()));
        check(&[&[2, 3, 5], &[3, 2, 5]], |tape, v| node_similarity(tape, v[0].clone(), v[1].clone()));
        check(&[&[2, 3, 5]], |tape, v| mean_over_nodes(tape, v[0].clone()));
        check_half(&[&[2, 3, 5]], |tape, v| mean_over_nodes(tape, v[0].clone()));
    }

    #[test]
    fn similarities_are_cosines_and_a_node_without_direction_has_none() -> Result<()> {
        let mut tape = Tape::train(0, 0);
        let queries = tape.variable(&Tensor::new(&[[[1f64, 2.0, 3.0], [5.0, 5.0, 5.0]]], &Device::Cpu)?)?;
        let prototypes = tape.constant(&Tensor::new(&[[[2f64, 4.0, 6.0]], [[3.0, 2.0, 1.0]]], &Device::Cpu)?)?;
        let similarity = node_similarity(&mut tape, queries.clone(), prototypes)?;
        assert_eq!(similarity.dims(), [1, 2, 2, 1]);
        let found = similarity.tensor().flatten_all()?.to_vec1::<f64>()?;
        assert!(found.iter().zip([1.0, 0.0, -1.0, 0.0]).all(|(f, e)| (f - e).abs() < 1e-12), "{found:?}");
        let sum = ops::candle_node(&mut tape, &[similarity], |t| t[0].sum_all())?;
        let dx = tape.backward(&sum, 1.0)?.take(&queries).map(|dx| dx.flatten_all()?.to_vec1::<f64>()).transpose()?;
        assert!(dx.is_some_and(|dx| dx.iter().all(|value| value.is_finite())));
        Ok(())
    }
}
