//! `sinkhorn`: the flow of the problem with an entropic penalty, by Sinkhorn's iterations (Cuturi 2013,
//! "Sinkhorn distances: lightspeed computation of optimal transport"), in the log domain.
//!
//! ```text
//! minimise  sum_ij cost[i, j] flow[i, j] + epsilon flow[i, j] (ln flow[i, j] - 1)
//! ```
//!
//! The gradient is that of the iterations as they were made (unrolled): each keeps its potentials, `n + m` numbers, and the
//! way back computes its softmax again. So it is the gradient of the flow that is returned, converged or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::problem::{Problem, ProblemGradient};
use super::solver::{Convergence, TransportSolver, Transported};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// The settings of `sinkhorn`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SinkhornSettings {
    /// The strength of the entropic penalty, in units of the cost. The smaller, the nearer the flow is to the optimal one, and
    /// the more iterations it takes.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub epsilon: f64,
    /// The most iterations. What has not converged by then is used as it is, and is counted.
    #[schemars(range(min = 1))]
    pub iterations: usize,
    /// Iterations end when no sum of flows is farther from its supply or demand than this share of all that flows.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for SinkhornSettings {
    /// A twentieth of the distance between features at right angles.
    fn default() -> Self {
        Self { epsilon: 0.05, iterations: 100, tolerance: 1e-6 }
    }
}

impl TransportSolver for SinkhornSettings {
    fn check(&self) -> Result<()> {
        let wrong = |key: &str, what: &str, found: f64| {
            Err(Error::setting(format!("transport.{key}"), format!("expected {what}, found {found}")))
        };
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return wrong("epsilon", "a number above 0", self.epsilon);
        }
        if self.iterations == 0 {
            return wrong("iterations", "at least 1", 0.0);
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return wrong("tolerance", "at least 0", self.tolerance);
        }
        Ok(())
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    fn flow(&self, tape: &mut Tape, cost: Value, supply: Value, demand: Value) -> Result<Transported> {
        let settings = *self;
        let batch = Batch::read(&cost, &supply, &demand)?;
        let inputs = [&cost, &supply, &demand];
        let keeps = tape.needs_gradient(&inputs);
        let (flow, convergence, kept) =
            batch.solve(|| (), |(), problem, flow| iterate(problem, &settings, keeps, flow))?;
        let attributes = || vec![("epsilon", settings.epsilon.into()), ("iterations", settings.iterations.into())];
        let operator = Operator::with("transport_sinkhorn", &attributes);
        let (slots, saved) = (inputs.map(Value::slot), keeps.then(|| flow.clone()));
        let flow = tape.record(operator, &inputs, flow, move |by_flow, gradients| {
            // The gradient by the exponent of each flow.
            let flow = saved.ok_or_else(|| Error::shape("transport", "no flow was kept"))?;
            let by_exponent = (by_flow.tensor() * flow)?;
            let found = batch.back(
                &by_exponent,
                || (),
                |(), index, by_exponent| {
                    kept[index]
                        .as_ref()
                        .map(|potentials| unroll(&batch.problem(index), settings.epsilon, potentials, by_exponent))
                },
            )?;
            slots.into_iter().zip(found).try_for_each(|(slot, found)| gradients.add(slot, Gradient::new(found)))
        });
        Ok(Transported { flow, convergence })
    }
}

/// The potentials of every iteration, `n` of the sources and then `m` of the targets.
type Potentials = Vec<f64>;

/// Solves one problem, and returns the potentials of every iteration if `keeps` says so.
fn iterate(
    problem: &Problem<'_>,
    settings: &SinkhornSettings,
    keeps: bool,
    flow: &mut [f64],
) -> Result<(Convergence, Potentials)> {
    let scale = problem.demand_scale()?;
    if problem.supply.iter().chain(problem.demand).any(|weight| *weight <= 0.0) {
        let what =
            "a node without weight: an entropic flow leaves no node empty; expected supplies and demands above 0";
        return Err(Error::shape("transport", what));
    }
    let (cost, (n, m), epsilon) = (problem.cost, problem.nodes(), settings.epsilon);
    let log_supply: Vec<f64> = problem.supply.iter().map(|supply| epsilon * supply.ln()).collect();
    let log_demand: Vec<f64> = problem.demand.iter().map(|demand| epsilon * (demand * scale).ln()).collect();
    let total: f64 = problem.supply.iter().sum();
    let mut potentials = vec![0.0; n + m];
    let mut all = Vec::with_capacity(if keeps { (n + m) * settings.iterations.min(64) } else { 0 });
    let mut convergence = Convergence { unconverged: 1, ..Convergence::default() };
    for step in 1..=settings.iterations {
        let (u, v) = potentials.split_at_mut(n);
        for (i, (u, log)) in u.iter_mut().zip(&log_supply).enumerate() {
            let row = cost[i * m..(i + 1) * m].iter().zip(&*v).map(|(cost, v)| v - cost);
            *u = log - smooth_maximum(row, epsilon);
        }
        for (j, (v, log)) in v.iter_mut().zip(&log_demand).enumerate() {
            let column = u.iter().enumerate().map(|(i, u)| u - cost[i * m + j]);
            *v = log - smooth_maximum(column, epsilon);
        }
        if keeps {
            all.extend_from_slice(&potentials);
        }
        let (u, v) = potentials.split_at(n);
        let mut residual: f64 = 0.0;
        for (i, u) in u.iter().enumerate() {
            let mut sum = 0.0;
            for (at, v) in (i * m..(i + 1) * m).zip(v) {
                flow[at] = ((u + v - cost[at]) / epsilon).exp();
                sum += flow[at];
            }
            residual = residual.max((sum - problem.supply[i]).abs() / total);
        }
        (convergence.steps, convergence.residual) = (step, residual);
        if residual <= settings.tolerance {
            convergence.unconverged = 0;
            break;
        }
    }
    Ok((convergence, all))
}

/// Computes `epsilon` times the logarithm of the sum of `exp(value / epsilon)`.
fn smooth_maximum(values: impl Iterator<Item = f64> + Clone, epsilon: f64) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + epsilon * values.map(|value| ((value - largest) / epsilon).exp()).sum::<f64>().ln()
}

/// Follows the gradient by the exponents of the flow, `(u + v - cost) / epsilon`, back through the iterations.
fn unroll(problem: &Problem<'_>, epsilon: f64, potentials: &[f64], by_exponent: &[f64]) -> ProblemGradient {
    let (cost, nodes @ (n, m)) = (problem.cost, problem.nodes());
    let (mut by_u, mut by_v) = (vec![0.0; n], vec![0.0; m]);
    let mut by_cost: Vec<f64> = by_exponent.iter().map(|gradient| -gradient / epsilon).collect();
    for (at, gradient) in by_exponent.iter().enumerate() {
        by_u[at / m] += gradient / epsilon;
        by_v[at % m] += gradient / epsilon;
    }
    let (mut by_log_supply, mut by_log_demand) = (vec![0.0; n], vec![0.0; m]);
    let mut shares = vec![0.0; n * m];
    let steps = potentials.len() / (n + m);
    for step in (0..steps).rev() {
        let u = &potentials[step * (n + m)..step * (n + m) + n];
        // v = log demand - smooth maximum over the sources, of this step's u: its shares are the flow over the demand.
        softmax(&mut shares, nodes, true, epsilon, |i, j| u[i] - cost[i * m + j]);
        for (at, share) in shares.iter().enumerate() {
            by_u[at / m] -= by_v[at % m] * share;
            by_cost[at] += by_v[at % m] * share;
        }
        by_log_demand.iter_mut().zip(&by_v).for_each(|(sum, by_v)| *sum += by_v);
        // u = log supply - smooth maximum over the targets, of the v before.
        let before = step.checked_sub(1).map(|before| &potentials[before * (n + m) + n..(before + 1) * (n + m)]);
        softmax(&mut shares, nodes, false, epsilon, |i, j| before.map_or(0.0, |v| v[j]) - cost[i * m + j]);
        by_v.fill(0.0);
        for (at, share) in shares.iter().enumerate() {
            by_v[at % m] -= by_u[at / m] * share;
            by_cost[at] += by_u[at / m] * share;
        }
        by_log_supply.iter_mut().zip(&by_u).for_each(|(sum, by_u)| *sum += by_u);
        by_u.fill(0.0);
    }
    let weight = |logs: Vec<f64>, weights: &[f64]| -> Vec<f64> {
        logs.into_iter().zip(weights).map(|(log, weight)| log * epsilon / weight).collect()
    };
    ProblemGradient {
        cost: by_cost,
        supply: weight(by_log_supply, problem.supply),
        demand: weight(by_log_demand, problem.demand),
    }
}

/// Writes `exp(x / epsilon)`, scaled to add up to 1 in each column or each row.
fn softmax(shares: &mut [f64], (n, m): (usize, usize), columns: bool, epsilon: f64, x: impl Fn(usize, usize) -> f64) {
    let (outer, inner) = if columns { (m, n) } else { (n, m) };
    let at = |o: usize, i: usize| if columns { (i, o) } else { (o, i) };
    for o in 0..outer {
        let places = (0..inner).map(|i| at(o, i));
        let largest = places.clone().map(|(i, j)| x(i, j)).fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (i, j) in places.clone() {
            let share = ((x(i, j) - largest) / epsilon).exp();
            shares[i * m + j] = share;
            sum += share;
        }
        places.for_each(|(i, j)| shares[i * m + j] /= sum);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::super::network_simplex::NetworkSimplex;
    use super::super::problem::testing::random;
    use super::*;
    use crate::gradient_check::check;
    use crate::ops;
    use crate::random::Generator;

    fn solve(problem: &Problem<'_>, settings: SinkhornSettings) -> Result<(Convergence, Vec<f64>)> {
        let mut flow = vec![0.0; problem.cost.len()];
        let (convergence, _) = iterate(problem, &settings, false, &mut flow)?;
        Ok((convergence, flow))
    }

    #[test]
    fn the_solution_by_hand() -> Result<()> {
        // Two nodes each, costs 0 and 1: by symmetry the flow is that of a softmax of -cost / epsilon.
        let problem = Problem { cost: &[0.0, 1.0, 1.0, 0.0], supply: &[1.0; 2], demand: &[1.0; 2] };
        let (convergence, flow) = solve(&problem, SinkhornSettings { epsilon: 0.5, ..SinkhornSettings::default() })?;
        let diagonal = 1.0 / (1.0 + (-2f64).exp());
        assert!((flow[0] - diagonal).abs() < 1e-14 && (flow[1] - 1.0 + diagonal).abs() < 1e-14, "{flow:?}");
        assert_eq!((convergence.steps, convergence.unconverged), (1, 0));
        Ok(())
    }

    #[test]
    fn a_small_epsilon_comes_near_the_optimum_and_what_is_left_is_counted() -> Result<()> {
        let owned = random(&mut Generator::new(11, "transport", &[]), (12, 9));
        let problem = owned.problem();
        let least = NetworkSimplex::default().solve(&problem, &mut vec![0.0; 108])?.cost;
        let cost = |flow: &[f64]| flow.iter().zip(problem.cost).map(|(flow, cost)| flow * cost).sum::<f64>();
        let settings = SinkhornSettings { epsilon: 1e-3, iterations: 100_000, tolerance: 1e-9 };
        let (convergence, flow) = solve(&problem, settings)?;
        assert!(convergence.unconverged == 0 && convergence.residual <= 1e-9, "{convergence:?}");
        // The entropy of a flow of 12 over 108 arcs is what the two can be apart by, times epsilon.
        assert!((-1e-7..12.0 * 108f64.ln() * 1e-3).contains(&(cost(&flow) - least)), "{} {least}", cost(&flow));
        let (convergence, flow) = solve(&problem, SinkhornSettings { iterations: 3, ..settings })?;
        assert!(convergence.unconverged == 1 && convergence.steps == 3, "{convergence:?}");
        let rows = (0..12).map(|i| flow[i * 9..(i + 1) * 9].iter().sum::<f64>() - problem.supply[i]);
        let residual = rows.fold(0.0, |most: f64, apart| most.max(apart.abs())) / 12.0;
        assert!((residual - convergence.residual).abs() < 1e-12, "{residual} {convergence:?}");
        Ok(())
    }

    #[test]
    fn gradients_are_those_of_the_iterations() {
        for iterations in [1, 2, 30] {
            let settings = SinkhornSettings { epsilon: 0.4, iterations, tolerance: 0.0 };
            check(&[&[2, 3, 4], &[2, 3], &[2, 4]], |tape, v| {
                // Supplies and demands above 0 that add up to the same.
                let share = |tape: &mut Tape, v: &Value| ops::softmax(tape, v.clone(), 1);
                let (supply, demand) = (share(tape, &v[1])?, share(tape, &v[2])?);
                Ok(settings.flow(tape, v[0].clone(), supply, demand)?.flow)
            });
        }
    }

    #[test]
    fn a_node_without_weight_is_refused_and_so_are_settings_out_of_range() -> Result<()> {
        let tape = Tape::eval();
        let value = |rows: &[f64], dims: &[usize]| tape.constant(&Tensor::from_vec(rows.to_vec(), dims, &Device::Cpu)?);
        let (cost, supply, demand) =
            (value(&[1.0; 2], &[1, 2, 1])?, value(&[1.0, 0.0], &[1, 2])?, value(&[1.0], &[1, 1])?);
        let told = SinkhornSettings::default().flow(&mut Tape::eval(), cost, supply, demand).unwrap_err().to_string();
        assert!(told.contains("problem 0 of 1") && told.contains("a node without weight"), "{told}");
        let default = SinkhornSettings::default();
        for (settings, key) in [
            (SinkhornSettings { epsilon: 0.0, ..default }, "transport.epsilon"),
            (SinkhornSettings { iterations: 0, ..default }, "transport.iterations"),
            (SinkhornSettings { tolerance: -1.0, ..default }, "transport.tolerance"),
        ] {
            assert!(settings.check().unwrap_err().to_string().starts_with(key));
        }
        default.check()
    }
}
