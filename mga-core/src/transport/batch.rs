//! Batches of problems: from tensors to the numbers of each problem, and back.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::problem::{Problem, ProblemGradient};
use super::solver::Convergence;
use crate::error::{Error, Result};
use crate::tape::Value;

/// The problems of a batch in `f64` on the CPU, for solvers that take one problem after the other.
#[derive(Debug, Clone)]
pub struct Batch {
    cost: Vec<f64>,
    supply: Vec<f64>,
    demand: Vec<f64>,
    size: usize,
    nodes: (usize, usize),
    dtype: DType,
    device: Device,
}

impl Batch {
    /// Reads the problems of `cost` `[B, n, m]`, `supply` `[B, n]` and `demand` `[B, m]`.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn read(cost: &Value, supply: &Value, demand: &Value) -> Result<Self> {
        let (cost, supply, demand) = (cost.tensor(), supply.tensor(), demand.tensor());
        let (size, n, m) = match (cost.dims(), supply.dims(), demand.dims()) {
            (&[b, n, m], &[b1, n1], &[b2, m2]) if (b, b, n, m) == (b1, b2, n1, m2) && n > 0 && m > 0 => (b, n, m),
            (cost, supply, demand) => {
                let what = format!("costs {cost:?} with supplies {supply:?} and demands {demand:?}");
                return Err(Error::shape("transport", what + "; expected [B, n, m], [B, n] and [B, m]"));
            }
        };
        let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
            Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
        };
        let (dtype, device) = (cost.dtype(), cost.device().clone());
        let (cost, supply, demand) = (numbers(cost)?, numbers(supply)?, numbers(demand)?);
        Ok(Self { cost, supply, demand, size, nodes: (n, m), dtype, device })
    }

    /// Returns the number of sources and that of targets of each problem.
    #[must_use]
    pub fn nodes(&self) -> (usize, usize) {
        self.nodes
    }

    /// Returns one of the problems.
    ///
    /// # Panics
    /// Where the batch has no problem of this index.
    #[must_use]
    pub fn problem(&self, index: usize) -> Problem<'_> {
        let (n, m) = self.nodes;
        Problem {
            cost: &self.cost[index * n * m..(index + 1) * n * m],
            supply: &self.supply[index * n..(index + 1) * n],
            demand: &self.demand[index * m..(index + 1) * m],
        }
    }

    /// Solves every problem by `solve`, which writes the flow `[n, m]` and returns what is kept for the gradient. Problems are
    /// solved side by side, each thread in a memory that `memory` makes and that no result may depend on. A problem with a
    /// number that is not finite has the flow NaN, and nothing is kept of it.
    ///
    /// # Errors
    /// What `solve` says of the first problem that fails, with the problem's index.
    pub fn solve<M, K: Send>(
        &self,
        memory: impl Fn() -> M + Sync + Send,
        solve: impl Fn(&mut M, &Problem<'_>, &mut [f64]) -> Result<(Convergence, K)> + Sync + Send,
    ) -> Result<(Tensor, Convergence, Vec<Option<K>>)> {
        let (n, m) = self.nodes;
        let mut flows = vec![0.0; self.size * n * m];
        let solved: Vec<Result<Option<(Convergence, K)>>> = flows
            .par_chunks_mut(n * m)
            .enumerate()
            .map_init(memory, |memory, (index, flow)| {
                let problem = self.problem(index);
                if !problem.is_finite() {
                    flow.fill(f64::NAN);
                    return Ok(None);
                }
                solve(memory, &problem, flow).map(Some)
            })
            .collect();
        let mut convergence = Convergence::default();
        let mut kept = Vec::with_capacity(self.size);
        for (index, solved) in solved.into_iter().enumerate() {
            let solved = solved
                .map_err(|error| Error::shape("transport", format!("problem {index} of {}: {error}", self.size)))?;
            kept.push(solved.map(|(found, kept)| {
                convergence = convergence.and(found);
                kept
            }));
        }
        Ok((self.tensor(flows, &[self.size, n, m])?, convergence, kept))
    }

    /// Follows the gradient by the flows `[B, n, m]` back through every problem by `back`, which gets the index of the
    /// problem and the gradient by its flow `[n, m]`. Returns the gradients in costs, supplies and demands; NaN where `back`
    /// has none.
    ///
    /// # Errors
    /// A gradient of another shape.
    pub fn back<M>(
        &self,
        by_flow: &Tensor,
        memory: impl Fn() -> M + Sync + Send,
        back: impl Fn(&mut M, usize, &[f64]) -> Option<ProblemGradient> + Sync + Send,
    ) -> Result<[Tensor; 3]> {
        let (n, m) = self.nodes;
        let by_flow: Vec<f64> = by_flow.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        if by_flow.len() != self.cost.len() {
            let what = format!("a gradient of {} numbers for {} flows", by_flow.len(), self.cost.len());
            return Err(Error::shape("transport", what));
        }
        let gradients: Vec<Option<ProblemGradient>> = by_flow
            .par_chunks(n * m)
            .enumerate()
            .map_init(memory, |memory, (index, by_flow)| back(memory, index, by_flow))
            .collect();
        let gather = |count: usize, of: fn(&ProblemGradient) -> &[f64]| {
            let mut all = Vec::with_capacity(self.size * count);
            for gradient in &gradients {
                match gradient {
                    Some(gradient) => all.extend_from_slice(of(gradient)),
                    None => all.extend(std::iter::repeat_n(f64::NAN, count)),
                }
            }
            all
        };
        Ok([
            self.tensor(gather(n * m, |gradient| &gradient.cost), &[self.size, n, m])?,
            self.tensor(gather(n, |gradient| &gradient.supply), &[self.size, n])?,
            self.tensor(gather(m, |gradient| &gradient.demand), &[self.size, m])?,
        ])
    }

    /// A tensor of the type and on the device of the costs.
    fn tensor(&self, values: Vec<f64>, dims: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, dims, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)?)
    }
}
