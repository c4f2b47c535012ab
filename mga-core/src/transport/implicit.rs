//! `implicit`: the flow of the problem with a quadratic penalty, whose gradient follows from the optimality conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::quadratic::QuadraticTransport;
use super::solver::{Convergence, TransportSolver, Transported};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// The settings of `implicit`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImplicitSettings {
    /// The strength of the penalty: `strength / 2` times the square of each flow is added to the cost. The larger, the more
    /// evenly the flow spreads, and the smoother it depends on the features.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub strength: f64,
}

impl Default for ImplicitSettings {
    /// The authors' `l2_strength`.
    fn default() -> Self {
        Self { strength: 1e-6 }
    }
}

impl TransportSolver for ImplicitSettings {
    fn check(&self) -> Result<()> {
        if self.strength > 0.0 && self.strength.is_finite() {
            return Ok(());
        }
        Err(Error::setting("transport.strength", format!("expected a number above 0, found {}", self.strength)))
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    fn flow(&self, tape: &mut Tape, cost: Value, supply: Value, demand: Value) -> Result<Transported> {
        let Self { strength } = *self;
        let batch = Batch::read(&cost, &supply, &demand)?;
        let (flow, convergence, plans) = batch.solve(QuadraticTransport::default, |solver, problem, flow| {
            let plan = solver.solve(problem, strength, flow)?;
            let (steps, residual) = (plan.steps, plan.residual);
            Ok((Convergence { steps, residual, unconverged: usize::from(!plan.converged) }, plan))
        })?;
        let attributes = || vec![("strength", strength.into())];
        let operator = Operator::with("transport_implicit", &attributes);
        let slots = [cost.slot(), supply.slot(), demand.slot()];
        let flow = tape.record(operator, &[&cost, &supply, &demand], flow, move |by_flow, gradients| {
            let found = batch.back(by_flow.tensor(), QuadraticTransport::default, |solver, index, by_flow| {
                plans[index].as_ref().map(|plan| solver.gradient(plan, by_flow))
            })?;
            slots.into_iter().zip(found).try_for_each(|(slot, found)| gradients.add(slot, Gradient::new(found)))
        });
        Ok(Transported { flow, convergence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::ops;

    #[test]
    fn gradients_follow_from_the_optimality_conditions() {
        for strength in [0.1, 1.0, 10.0] {
            let settings = ImplicitSettings { strength };
            check(&[&[2, 3, 4], &[2, 3], &[2, 4]], |tape, v| {
                let share = |tape: &mut Tape, v: &Value| ops::softmax(tape, v.clone(), 1);
                let (supply, demand) = (share(tape, &v[1])?, share(tape, &v[2])?);
                Ok(settings.flow(tape, v[0].clone(), supply, demand)?.flow)
            });
        }
    }

    #[test]
    fn a_strength_that_is_none_is_refused() {
        for strength in [0.0, -1.0, f64::NAN] {
            let told = ImplicitSettings { strength }.check().unwrap_err().to_string();
            assert!(told.starts_with("transport.strength: expected a number above 0"), "{told}");
        }
        assert!(ImplicitSettings::default().check().is_ok());
    }
}
