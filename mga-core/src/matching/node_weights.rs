//! The weights of nodes: how much of an image's flow passes through each.

use candle_core::D;

use super::similarity::mean_over_nodes;
use crate::error::{Error, Result};
use crate::ops;
use crate::tape::{Tape, Value};

/// Added to the cross reference, so that every node has some weight.
const LEAST_REFERENCE: f64 = 1e-3;
/// Added to weights before they are balanced.
const LEAST_WEIGHT: f64 = 1e-5;

/// Where the weights of nodes come from.
#[derive(Debug, Clone)]
pub enum NodeWeights {
    /// The cross reference: how much a node agrees with the mean of the image that it is compared with.
    CrossReference,
    /// Given for each image, such as the values of an attention map.
    Given {
        /// Of the nodes of the queries, `[Q, Lq]`, from 0.
        queries: Value,
        /// Of the nodes of the prototypes, `[W, Lp]`, from 0.
        prototypes: Value,
    },
}

impl NodeWeights {
    /// Returns the weights in each pair of a query and a prototype, `[Q, W, Lq]` and `[Q, W, Lp]`, of nodes `[Q, C, Lq]` and
    /// `[W, C, Lp]`. `rows` are the same nodes as `[Q, Lq, C]` and `[W, Lp, C]`.
    pub(super) fn of_pairs(
        &self,
        tape: &mut Tape,
        [queries, prototypes]: [&Value; 2],
        rows: [&Value; 2],
    ) -> Result<(Value, Value)> {
        let (q, _, lq) = queries.tensor().dims3()?;
        let (w, _, lp) = prototypes.tensor().dims3()?;
        match self {
            Self::CrossReference => {
                let of_queries = mean_over_nodes(tape, queries.clone())?;
                let of_prototypes = mean_over_nodes(tape, prototypes.clone())?;
                let first = referred(tape, rows[0].clone(), of_prototypes)?;
                let second = referred(tape, rows[1].clone(), of_queries)?;
                Ok((ops::permute(tape, first, &[0, 2, 1])?, ops::permute(tape, second, &[2, 0, 1])?))
            }
            Self::Given { queries, prototypes } => {
                if queries.dims() != [q, lq] || prototypes.dims() != [w, lp] {
                    let what = format!(
                        "{:?} and {:?}; expected {:?} and {:?}",
                        queries.dims(),
                        prototypes.dims(),
                        [q, lq],
                        [w, lp]
                    );
                    return Err(Error::shape("node_weights", what));
                }
                let first = ops::candle_node(tape, std::slice::from_ref(queries), |t| {
                    t[0].unsqueeze(1)?.broadcast_as((q, w, lq))?.contiguous()
                })?;
                let second = ops::candle_node(tape, std::slice::from_ref(prototypes), |t| {
                    t[0].unsqueeze(0)?.broadcast_as((q, w, lp))?.contiguous()
                })?;
                Ok((first, second))
            }
        }
    }
}

/// Computes the cross-reference weights of the nodes of `a` `[A, C, L]` beside the images `b` `[B, C, L']`:
/// `relu(<node of a, mean node of b>) + 0.001`, `[A, B, L]`.
///
/// # Errors
/// Nodes of another number of channels.
pub fn cross_reference(tape: &mut Tape, a: Value, b: Value) -> Result<Value> {
    let rows = ops::permute(tape, a, &[0, 2, 1])?;
    let mean = mean_over_nodes(tape, b)?;
    let weights = referred(tape, rows, mean)?;
    ops::permute(tape, weights, &[0, 2, 1])
}

/// `rows` `[A, L, C]` and `mean` `[B, C]` to the weights `[A, L, B]`.
fn referred(tape: &mut Tape, rows: Value, mean: Value) -> Result<Value> {
    let (a, l, c) = rows.tensor().dims3()?;
    let (b, channels) = mean.tensor().dims2()?;
    let rows = ops::reshape(tape, rows, &[1, a * l, c])?;
    let mean = ops::reshape(tape, mean, &[1, b, channels])?;
    let mean = ops::permute(tape, mean, &[0, 2, 1])?;
    let products = ops::batch_matmul(tape, rows, mean)?;
    let products = ops::reshape(tape, products, &[a, l, b])?;
    let positive = ops::relu(tape, products)?;
    ops::candle_node(tape, &[positive], |t| &t[0] + LEAST_REFERENCE)
}

/// Balances weights `[…, L]`: `relu(weight) + 0.00001`, scaled so that those of an image add up to `total`. The authors add
/// the 0.00001 before their exact solver alone; here it is added before every solver.
///
/// # Errors
/// Weights without dimensions.
pub fn balanced(tape: &mut Tape, weights: Value, total: f64) -> Result<Value> {
    let positive = ops::relu(tape, weights)?;
    ops::candle_node(tape, &[positive], |t| {
        let weights = (&t[0] + LEAST_WEIGHT)?;
        weights.broadcast_div(&(weights.sum_keepdim(D::Minus1)? / total)?)
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 4], &[3, 3, 5]], |tape, v| cross_reference(tape, v[0].clone(), v[1].clone()));
        check(&[&[2, 3, 4]], |tape, v| balanced(tape, v[0].clone(), 4.0));
    }

    #[test]
    fn weights_by_hand() -> Result<()> {
        let mut tape = Tape::eval();
        let a = tape.constant(&Tensor::new(&[[[1f64, -2.0], [0.0, 1.0]]], &Device::Cpu)?)?;
        let b = tape.constant(&Tensor::new(&[[[2f64, 4.0], [1.0, 1.0]]], &Device::Cpu)?)?;
        // The mean of b is (3, 1); the nodes of a are (1, 0) and (-2, 1).
        let weights = cross_reference(&mut tape, a, b)?;
        assert_eq!(weights.tensor().to_vec3::<f64>()?, [[[3.001, 0.001]]]);
        let weights = balanced(&mut tape, weights, 2.0)?.tensor().flatten_all()?.to_vec1::<f64>()?;
        let sum = 3.00101 + 0.00101;
        assert!((weights[0] - 2.0 * 3.00101 / sum).abs() < 1e-14 && (weights[1] - 2.0 * 0.00101 / sum).abs() < 1e-14);
        Ok(())
    }
}
