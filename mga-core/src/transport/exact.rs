//! `exact`: the optimal flow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::network_simplex::NetworkSimplex;
use super::solver::{Convergence, TransportSolver, Transported};
use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Tape, Value};

/// The settings of `exact`, which has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExactSettings {}

impl TransportSolver for ExactSettings {
    fn is_differentiable(&self) -> bool {
        false
    }

    fn flow(&self, tape: &mut Tape, cost: Value, supply: Value, demand: Value) -> Result<Transported> {
        let batch = Batch::read(&cost, &supply, &demand)?;
        let (flow, convergence, _) = batch.solve(NetworkSimplex::default, |simplex, problem, flow| {
            let steps = simplex.solve(problem, flow)?.pivots;
            Ok((Convergence { steps, ..Convergence::default() }, ()))
        })?;
        let flow = tape.record_detached(Operator::new("transport_exact"), &[&cost, &supply, &demand], flow);
        Ok(Transported { flow, convergence })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    #[test]
    fn a_batch_is_its_problems_whatever_the_threads_and_no_gradient_passes() -> Result<()> {
        let numbers = |name: &str, dims: &[usize]| -> Result<Tensor> {
            let values = crate::formula::uniform(name, dims.iter().product());
            Ok(Tensor::from_vec(values, dims, &Device::Cpu)?)
        };
        let cost = numbers("cost", &[40, 6, 9])?;
        let supply = numbers("supply", &[40, 6])?;
        let supply = supply.broadcast_div(&supply.sum_keepdim(1)?)?;
        let demand = Tensor::full(1.0 / 9.0, (40, 9), &Device::Cpu)?;
        let solve = |threads: usize, dtype: DType| -> Result<Vec<f64>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool of threads").install(|| {
                let mut tape = Tape::train(0, 0);
                let cost = tape.variable(&cost.to_dtype(dtype)?)?;
                let [supply, demand] = [&supply, &demand].map(|t| tape.constant(&t.to_dtype(dtype)?));
                let flow = ExactSettings {}.flow(&mut tape, cost, supply?, demand?)?.flow;
                assert!(flow.slot().is_none() && flow.tensor().dtype() == dtype);
                Ok(flow.tensor().to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
            })
        };
        let alone = solve(1, DType::F64)?;
        assert_eq!(alone, solve(3, DType::F64)?);
        // The 8 problems of one batch are those of another.
        let tape = Tape::eval();
        let [c, s, d] = [&cost, &supply, &demand].map(|t| tape.constant(&t.narrow(0, 8, 8)?));
        let part =
            ExactSettings {}.flow(&mut Tape::eval(), c?, s?, d?)?.flow.tensor().flatten_all()?.to_vec1::<f64>()?;
        assert_eq!(alone[8 * 54..16 * 54], part);
        let single = solve(2, DType::F32)?;
        assert!(single.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-6));
        Ok(())
    }

    #[test]
    fn nan_is_passed_on_and_faults_name_their_problem() -> Result<()> {
        let tape = Tape::eval();
        let value = |rows: &[f64], dims: &[usize]| tape.constant(&Tensor::from_vec(rows.to_vec(), dims, &Device::Cpu)?);
        let flow = |cost: &[f64], supply: &[f64]| -> Result<Vec<f64>> {
            let demand = value(&[1.0, 1.0], &[2, 1])?;
            let (cost, supply) = (value(cost, &[2, 1, 1])?, value(supply, &[2, 1])?);
            let flow = ExactSettings {}.flow(&mut Tape::eval(), cost, supply, demand)?.flow;
            Ok(flow.tensor().flatten_all()?.to_vec1()?)
        };
        let found = flow(&[f64::NAN, 3.0], &[1.0, 1.0])?;
        assert!(found[0].is_nan() && found[1] == 1.0);
        let told = flow(&[1.0, 1.0], &[1.0, 2.0]).unwrap_err().to_string();
        assert!(told.contains("problem 1 of 2") && told.contains("the supplies add up to 2"), "{told}");
        let (cost, supply) = (value(&[1.0, 2.0], &[2, 1, 1])?, value(&[1.0], &[1, 1])?);
        let wrong = ExactSettings {}.flow(&mut Tape::eval(), cost, supply.clone(), supply).unwrap_err().to_string();
        assert!(wrong.contains("costs [2, 1, 1] with supplies [1, 1]"), "{wrong}");
        Ok(())
    }
}
