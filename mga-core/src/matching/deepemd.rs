//! DeepEMD's head: two images are as similar as the optimal transport between their nodes can make them.

use crate::error::{Error, Result};
use crate::ops;
use crate::ops::precision::widened;
use crate::tape::{Tape, Value};
use crate::transport::{Convergence, TransportSolver, Transported};

use super::node_weights::{NodeWeights, balanced};
use super::similarity::node_similarity;

/// DeepEMD's head.
///
/// ```text
/// cost     = 1 - cosine(node of the query, node of the prototype)       nodes less their mean over the channels
/// supply   = weights of the query's nodes, scaled to add up to their number
/// demand   = weights of the prototype's nodes, scaled to the same sum
/// logit    = temperature / nodes * sum(flow * cosine)
/// ```
pub struct DeepEmd<'a> {
    /// What solves the transport problems, one for each pair of a query and a prototype.
    pub solver: &'a dyn TransportSolver,
    /// What the mean similarity along the flow is multiplied by; the authors' is 12.5.
    pub temperature: f64,
    /// Where the weights of the nodes come from.
    pub weights: NodeWeights,
}

/// Queries matched with prototypes.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The scores, `[Q, W]`.
    pub logits: Value,
    /// The cosine similarity of their nodes, `[Q, W, Lq, Lp]`.
    pub similarity: Value,
    /// What flows between their nodes, `[Q, W, Lq, Lp]`.
    pub flow: Value,
    /// The weights of the queries' nodes before they are balanced, `[Q, W, Lq]`.
    pub query_weights: Value,
    /// The weights of the prototypes' nodes before they are balanced, `[Q, W, Lp]`.
    pub prototype_weights: Value,
    /// How far the solver came.
    pub convergence: Convergence,
}

impl DeepEmd<'_> {
    /// Matches queries `[Q, C, …]` with prototypes `[W, C, …]`: positions `[h, w]`, nodes `[L]`, or one node. The number of nodes may
    /// differ between the two.
    ///
    /// A gradient passes through the similarities, and through the flow if the solver has one.
    ///
    /// # Errors
    /// Features of another number of channels; features without nodes; what the solver says.
    pub fn forward(&self, tape: &mut Tape, prototypes: Value, queries: Value) -> Result<Matched> {
        let (prototypes, queries) = (nodes(tape, prototypes)?, nodes(tape, queries)?);
        let ((q, c, lq), (w, other, lp)) = (queries.tensor().dims3()?, prototypes.tensor().dims3()?);
        if c != other || lq * lp == 0 {
            let what = format!("queries {:?} and prototypes {:?}", queries.dims(), prototypes.dims());
            return Err(Error::shape("deepemd", what + "; expected nodes of the same number of channels"));
        }
        let query_rows = ops::permute(tape, queries.clone(), &[0, 2, 1])?;
        let prototype_rows = ops::permute(tape, prototypes.clone(), &[0, 2, 1])?;
        let (query_weights, prototype_weights) =
            self.weights.of_pairs(tape, [&queries, &prototypes], [&query_rows, &prototype_rows])?;
        let similarity = node_similarity(tape, query_rows, prototype_rows)?;
        let problems = q * w;
        let cost = ops::reshape(tape, similarity.clone(), &[problems, lq, lp])?;
        let cost = ops::candle_node(tape, &[cost], |t| t[0].affine(-1.0, 1.0))?;
        let supply = balanced(tape, query_weights.clone(), lq as f64)?;
        let supply = ops::reshape(tape, supply, &[problems, lq])?;
        let demand = balanced(tape, prototype_weights.clone(), lq as f64)?;
        let demand = ops::reshape(tape, demand, &[problems, lp])?;
        let Transported { flow, convergence } = self.solver.flow(tape, cost, supply, demand)?;
        let flow = ops::reshape(tape, flow, &[q, w, lq, lp])?;
        let factor = self.temperature / lq as f64;
        let logits = ops::candle_node(tape, &[flow.clone(), similarity.clone()], |t| {
            let [flow, similarity] = [&t[0], &t[1]].map(|t| widened(t).map_err(candle_core::Error::wrap));
            let along = (flow? * similarity?)?.reshape((q, w, lq * lp))?.sum(2)?;
            (along * factor)?.to_dtype(t[1].dtype())
        })?;
        Ok(Matched { logits, similarity, flow, query_weights, prototype_weights, convergence })
    }
}

/// `[N, C, …]` as nodes `[N, C, L]`.
fn nodes(tape: &mut Tape, features: Value) -> Result<Value> {
    match *features.dims() {
        [_, _, _] => Ok(features),
        [n, c, ref rest @ ..] => {
            let length = rest.iter().product();
            ops::reshape(tape, features, &[n, c, length])
        }
        ref dims => {
            Err(Error::shape("deepemd", format!("features {dims:?}; expected [N, C, h, w], [N, C, L] or [N, C]")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::gradient_check::check;
    use crate::transport::{ExactSettings, ImplicitSettings, SinkhornSettings};

    fn head(solver: &dyn TransportSolver) -> DeepEmd<'_> {
        DeepEmd { solver, temperature: 12.5, weights: NodeWeights::CrossReference }
    }

    /// The inputs of the fixture: queries resemble one prototype each, rolled by a row and two columns, and mixed with noise.
    fn episode(dtype: DType) -> Result<(Tensor, Tensor)> {
        let image = |name: &str, n: usize| -> Result<Tensor> {
            let values = crate::formula::uniform(name, n * 64 * 25);
            Ok(Tensor::from_vec(values, (n, 64, 5, 5), &Device::Cpu)?)
        };
        let prototypes = image("episode.proto", 5)?;
        let rolled = prototypes.roll(1, 2)?.roll(2, 3)?;
        let queries = ((image("episode.query", 10)? * 0.5)? + (Tensor::cat(&[&rolled, &rolled], 0)? * 0.5)?)?;
        Ok((prototypes.to_dtype(dtype)?, queries.to_dtype(dtype)?))
    }

    #[test]
    fn the_reference_holds() -> Result<()> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/deepemd.safetensors");
        let expected = candle_core::safetensors::load(file, &Device::Cpu)?;
        for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 2e-5)] {
            let (prototypes, queries) = episode(dtype)?;
            let mut tape = Tape::eval();
            let (prototypes, queries) = (tape.constant(&prototypes)?, tape.constant(&queries)?);
            let found = head(&ExactSettings {}).forward(&mut tape, prototypes, queries)?;
            let cost = ((found.similarity.tensor().affine(-1.0, 1.0)? * found.flow.tensor())?.sum((2, 3)))?;
            let weights = found.prototype_weights.tensor().transpose(0, 1)?;
            for (name, found) in [
                ("query_weight", found.query_weights.tensor()),
                ("proto_weight", &weights),
                ("similarity", found.similarity.tensor()),
                ("cost", &cost),
                ("logits", found.logits.tensor()),
            ] {
                let apart = (found.to_dtype(DType::F64)? - &expected[name])?.abs()?.max_all()?.to_vec0::<f64>()?;
                assert!(apart < tolerance, "{name} in {dtype:?}: {apart:e}");
            }
        }
        Ok(())
    }

    #[test]
    fn gradients_are_right() {
        let shapes: [&[usize]; 2] = [&[2, 6, 2, 2], &[2, 6, 2, 2]];
        let implicit = ImplicitSettings { strength: 0.5 };
        let sinkhorn = SinkhornSettings { epsilon: 0.3, iterations: 12, tolerance: 0.0 };
        for solver in [&implicit as &dyn TransportSolver, &sinkhorn] {
            check(&shapes, |tape, v| Ok(head(solver).forward(tape, v[0].clone(), v[1].clone())?.logits));
            check(&shapes, |tape, v| Ok(head(solver).forward(tape, v[0].clone(), v[1].clone())?.flow));
        }
        // Nodes of two numbers, with weights of their own.
        check(&[&[2, 6, 3], &[2, 6, 4], &[2, 3], &[2, 4]], |tape, v| {
            let weight =
                |tape: &mut Tape, v: &Value| ops::candle_node(tape, std::slice::from_ref(v), |t| t[0].sqr()? + 0.5);
            let weights = NodeWeights::Given { queries: weight(tape, &v[3])?, prototypes: weight(tape, &v[2])? };
            let head = DeepEmd { solver: &implicit, temperature: 12.5, weights };
            Ok(head.forward(tape, v[0].clone(), v[1].clone())?.logits)
        });
    }

    #[test]
    fn the_exact_flow_is_a_constant() -> Result<()> {
        let gradient = |fixed: bool| -> Result<Vec<f64>> {
            let (prototypes, queries) = episode(DType::F64)?;
            let mut tape = Tape::train(0, 0);
            let (prototypes, queries) = (tape.variable(&prototypes)?, tape.constant(&queries)?);
            let matched = head(&ExactSettings {}).forward(&mut tape, prototypes.clone(), queries)?;
            assert!(matched.flow.slot().is_none());
            let logits = if fixed {
                let flow = tape.constant(matched.flow.tensor())?;
                ops::candle_node(&mut tape, &[matched.similarity, flow], |t| {
                    (&t[0] * &t[1])?.reshape((10, 5, 625))?.sum(2)? * (12.5 / 25.0)
                })?
            } else {
                matched.logits
            };
            let loss = crate::loss::cross_entropy(&mut tape, logits, &[0, 1, 2, 3, 4, 0, 1, 2, 3, 4], 0.0)?;
            let found = tape.backward(&loss, 1.0)?.take(&prototypes).map(|t| t.flatten_all()?.to_vec1()).transpose()?;
            Ok(found.unwrap_or_default())
        };
        let (found, expected) = (gradient(false)?, gradient(true)?);
        assert!(found.iter().any(|value| value.abs() > 1e-6));
        assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-14));
        Ok(())
    }

    #[test]
    fn features_that_do_not_fit_are_told() -> Result<()> {
        let mut tape = Tape::eval();
        let value = |dims: &[usize]| tape.constant(&Tensor::zeros(dims, DType::F64, &Device::Cpu)?);
        let (five, six, flat) = (value(&[2, 5, 3])?, value(&[2, 6, 3])?, value(&[2])?);
        let mut told = |prototypes: &Value, queries: &Value| {
            head(&ExactSettings {}).forward(&mut tape, prototypes.clone(), queries.clone()).unwrap_err().to_string()
        };
        assert!(told(&five, &six).contains("queries [2, 6, 3] and prototypes [2, 5, 3]"));
        assert!(told(&five, &flat).contains("features [2]; expected [N, C, h, w]"));
        Ok(())
    }
}
