//! Transport with a quadratic penalty on the flow, which makes the flow a continuous function of costs, supplies and
//! demands.
//!
//! ```text
//! minimise  sum_ij cost[i, j] flow[i, j] + strength / 2 flow[i, j]^2
//! ```
//!
//! It is solved in its dual: `flow = max(u[i] + v[j] - cost[i, j], 0) / strength` for the potentials `u` and `v` whose flow
//! has the right sums. Costs are first reduced by the dual solution of the problem without penalty, which changes no flow:
//! then the potentials are as small as the strength, and a small strength loses no digits.

use super::laplacian::Laplacian;
use super::network_simplex::NetworkSimplex;
use super::problem::{Problem, ProblemGradient};
use crate::error::{Error, Result};

/// How far the flow's sums may be from supplies and demands, relative to all that flows.
const TOLERANCE: f64 = 1e-11;
/// Newton's steps before a problem is given up.
const STEPS: usize = 200;
/// The largest ridge of a Newton step; it shrinks with the residual.
const RIDGE: f64 = 1e-2;
/// Shares of a step that are too small to be worth a try.
const SHORTEST: f64 = 1e-10;

/// How a solution was reached, and what its gradient needs.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticPlan {
    /// 1 where something flows, and 0 elsewhere, `[n, m]`.
    active: Vec<f64>,
    strength: f64,
    nodes: (usize, usize),
    /// Newton's steps that were taken.
    pub steps: usize,
    /// The largest difference between a supply or demand and the sum of its flows, relative to all that flows.
    pub residual: f64,
    /// Whether the residual is below the tolerance.
    pub converged: bool,
}

/// Solves transport problems with a quadratic penalty, one after the other, in memory that it keeps.
#[derive(Debug, Default)]
pub struct QuadraticTransport {
    exact: NetworkSimplex,
    laplacian: Laplacian,
    reduced: Vec<f64>,
    potentials: Vec<f64>,
    tried: Vec<f64>,
    step: Vec<f64>,
    lacking: Vec<f64>,
    active: Vec<f64>,
}

impl QuadraticTransport {
    /// Solves one problem, and writes what flows from each source to each target, `[n, m]`, row by row.
    ///
    /// # Errors
    /// As [`NetworkSimplex::solve`]; a strength that is not above 0.
    pub fn solve(&mut self, problem: &Problem<'_>, strength: f64, flow: &mut [f64]) -> Result<QuadraticPlan> {
        let nodes = problem.nodes();
        if !(strength > 0.0 && strength.is_finite()) {
            return Err(Error::settings(format!("a penalty of strength {strength}; expected a number above 0")));
        }
        self.exact.solve(problem, flow)?;
        self.reduce(problem);
        let scale = problem.demand_scale()?;
        let sums: Vec<f64> = problem.supply.iter().copied().chain(problem.demand.iter().map(|d| d * scale)).collect();
        let total: f64 = problem.supply.iter().sum();
        let dual = Dual { cost: &self.reduced, sums: &sums, nodes, strength };
        // Where the exact flow is, the potentials exceed the cost by what carries it.
        self.active.clear();
        self.active.extend(flow.iter().map(|&flow| f64::from(u8::from(flow > 0.0))));
        self.laplacian.factorise(&self.active, nodes, 0.0);
        self.potentials.clear();
        self.potentials.extend(sums.iter().map(|sum| sum * strength));
        self.laplacian.solve(&mut self.potentials);
        let mut value = dual.value(&self.potentials, flow);
        let mut steps = 0;
        loop {
            dual.lacking(flow, &mut self.lacking);
            let most = self.lacking.iter().fold(0.0, |most: f64, lacking| most.max(lacking.abs()));
            let converged = most <= TOLERANCE * total;
            self.active.clear();
            self.active.extend(flow.iter().map(|&flow| f64::from(u8::from(flow > 0.0))));
            if converged || steps == STEPS {
                let residual = if total > 0.0 { most / total } else { 0.0 };
                return Ok(QuadraticPlan { active: self.active.clone(), strength, nodes, steps, residual, converged });
            }
            // Parts that nothing flows between cannot even out by a plain step: the ridge moves them towards each other.
            self.laplacian.factorise(&self.active, nodes, RIDGE.min(most / total));
            self.step.clear();
            self.step.extend(self.lacking.iter().map(|lacking| lacking * strength));
            self.laplacian.solve(&mut self.step);
            let slope: f64 = self.step.iter().zip(&self.lacking).map(|(step, lacking)| step * lacking).sum();
            let mut length = 1.0;
            loop {
                self.tried.clear();
                self.tried.extend(self.potentials.iter().zip(&self.step).map(|(p, step)| p + length * step));
                let found = dual.value(&self.tried, flow);
                // Close to the top, the value is lost in rounding before the sums are right.
                if found >= value + 1e-4 * length * slope - 1e-14 * value.abs() || length < SHORTEST {
                    std::mem::swap(&mut self.potentials, &mut self.tried);
                    value = found;
                    break;
                }
                length *= 0.5;
            }
            steps += 1;
        }
    }

    /// Follows the gradient of some number by the flow, `[n, m]`, back to the problem: through the conditions of its
    /// solution, not through the steps that found it.
    pub fn gradient(&mut self, plan: &QuadraticPlan, by_flow: &[f64]) -> ProblemGradient {
        let (n, m) = plan.nodes;
        let mut sums = vec![0.0; n + m];
        for (at, (active, gradient)) in plan.active.iter().zip(by_flow).enumerate() {
            sums[at / m] += active * gradient;
            sums[n + at % m] += active * gradient;
        }
        self.laplacian.factorise(&plan.active, plan.nodes, 0.0);
        self.laplacian.solve(&mut sums);
        let cost = plan
            .active
            .iter()
            .zip(by_flow)
            .enumerate()
            .map(|(at, (active, gradient))| active * (sums[at / m] + sums[n + at % m] - gradient) / plan.strength);
        ProblemGradient { cost: cost.collect(), supply: sums[..n].to_vec(), demand: sums[n..].to_vec() }
    }

    /// Reduces the costs by the exact solution's potentials. What is 0 but for rounding becomes 0.
    fn reduce(&mut self, problem: &Problem<'_>) {
        let (_, m) = problem.nodes();
        let (u, v) = self.exact.potentials();
        let largest = problem.cost.iter().fold(0.0, |largest: f64, cost| largest.max(cost.abs()));
        let rounding = 1e-15 * largest;
        self.reduced.clear();
        for (row, u) in problem.cost.chunks_exact(m).zip(u) {
            self.reduced.extend(row.iter().zip(v).map(|(cost, v)| {
                let reduced = cost - u - v;
                if reduced.abs() <= rounding { 0.0 } else { reduced }
            }));
        }
    }
}

/// A problem in its dual.
struct Dual<'a> {
    cost: &'a [f64],
    /// Supplies, then demands.
    sums: &'a [f64],
    nodes: (usize, usize),
    strength: f64,
}

impl Dual<'_> {
    /// Computes the dual's value, which its solution makes the largest, and writes the flow of these potentials.
    fn value(&self, potentials: &[f64], flow: &mut [f64]) -> f64 {
        let (n, m) = self.nodes;
        let (u, v) = potentials.split_at(n);
        let mut squares = 0.0;
        for ((flow, cost), u) in flow.chunks_exact_mut(m).zip(self.cost.chunks_exact(m)).zip(u) {
            for ((flow, cost), v) in flow.iter_mut().zip(cost).zip(v) {
                *flow = ((u + v - cost) / self.strength).max(0.0);
                squares += *flow * *flow;
            }
        }
        let linear: f64 = potentials.iter().zip(self.sums).map(|(potential, sum)| potential * sum).sum();
        let value = linear - 0.5 * self.strength * squares;
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    }

    /// Computes what each node lacks.
    fn lacking(&self, flow: &[f64], lacking: &mut Vec<f64>) {
        let (n, m) = self.nodes;
        lacking.clear();
        lacking.extend_from_slice(self.sums);
        let (rows, columns) = lacking.split_at_mut(n);
        for (flow, row) in flow.chunks_exact(m).zip(rows) {
            for (flow, column) in flow.iter().zip(&mut *columns) {
                *row -= flow;
                *column -= flow;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::testing::{Owned, degenerate, random, tied};
    use super::*;
    use crate::random::Generator;

    fn solve(owned: &Owned, strength: f64) -> (QuadraticPlan, Vec<f64>) {
        let mut flow = vec![0.0; owned.cost.len()];
        let plan = QuadraticTransport::default().solve(&owned.problem(), strength, &mut flow).unwrap();
        (plan, flow)
    }

    #[test]
    fn the_solution_by_hand() {
        // Two nodes each: x along the diagonal, 1 - x off it; costs 0 and 1. By symmetry the derivative of
        // 2 (1 - x) + s (x^2 + (1 - x)^2) is 0 at x = 1/2 + 1/(2 s).
        let owned = Owned { cost: vec![0.0, 1.0, 1.0, 0.0], supply: vec![1.0; 2], demand: vec![1.0; 2] };
        let near = |strength: f64, diagonal: f64| {
            let (plan, flow) = solve(&owned, strength);
            let expected = [diagonal, 1.0 - diagonal, 1.0 - diagonal, diagonal];
            assert!(plan.converged && flow.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-11), "{flow:?}");
        };
        near(2.0, 0.75);
        near(5.0, 0.6);
        near(0.5, 1.0);
    }

    #[test]
    fn every_problem_converges_at_any_strength() {
        for case in 0..300 {
            let mut generator = Generator::new(9, "transport", &[case]);
            let nodes = (1 + generator.below(8), 1 + generator.below(8));
            let owned = match case % 4 {
                0 => random(&mut generator, (25, 25)),
                1 => tied(&mut generator, nodes),
                2 => degenerate(nodes),
                _ => random(&mut generator, nodes),
            };
            for strength in [1e-8, 1e-6, 1e-4, 0.1, 10.0] {
                let (plan, _) = solve(&owned, strength);
                assert!(plan.converged, "case {case}, {nodes:?}, {strength}: {} after {}", plan.residual, plan.steps);
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut solver = QuadraticTransport::default();
        for case in 0..40 {
            let mut generator = Generator::new(10, "transport", &[case]);
            let nodes @ (n, m) = (2 + generator.below(6), 2 + generator.below(6));
            let owned = random(&mut generator, nodes);
            let weights: Vec<f64> = (0..n * m).map(|_| generator.normal()).collect();
            for strength in [1e-3, 0.1, 1.0] {
                let mut number = |owned: &Owned| -> f64 {
                    let mut flow = vec![0.0; n * m];
                    solver.solve(&owned.problem(), strength, &mut flow).unwrap();
                    flow.iter().zip(&weights).map(|(flow, weight)| flow * weight).sum()
                };
                let mut slope = |step: f64, change: &dyn Fn(&mut Owned, f64)| {
                    let (mut above, mut below) = (owned.clone(), owned.clone());
                    change(&mut above, step);
                    change(&mut below, -step);
                    (number(&above) - number(&below)) / (2.0 * step)
                };
                let mut slopes: Vec<f64> =
                    (0..n * m).map(|at| slope(1e-6 * strength, &|o, h| o.cost[at] += h)).collect();
                // Supplies and demands change together.
                for (source, target) in (0..n).flat_map(|source| (0..m).map(move |target| (source, target))) {
                    slopes.push(slope(1e-7, &|o, h| {
                        o.supply[source] += h;
                        o.demand[target] += h;
                    }));
                }
                let plan = solver.solve(&owned.problem(), strength, &mut vec![0.0; n * m]).unwrap();
                let gradient = solver.gradient(&plan, &weights);
                let pairs = gradient.supply.iter().flat_map(|s| gradient.demand.iter().map(move |d| s + d));
                let found: Vec<f64> = gradient.cost.iter().copied().chain(pairs).collect();
                let largest =
                    slopes[..n * m].iter().fold(1.0 / strength, |largest: f64, slope| largest.max(slope.abs()));
                for (at, (found, slope)) in found.iter().zip(&slopes).enumerate() {
                    let scale = if at < n * m { largest } else { 1.0 };
                    assert!((found - slope).abs() < 1e-5 * scale, "case {case}, {strength}, {at}: {found} for {slope}");
                }
            }
        }
    }
}
