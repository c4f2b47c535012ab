//! The network simplex of the transportation problem, in `f64`.
//!
//! The first tree comes from costs that are low beside the average of their target; then arcs whose reduced cost is negative
//! enter one after the other. Supplies are perturbed by a symbol that is smaller than any number, whose multiples are counted
//! as whole numbers beside each flow: then no pivot moves nothing, and problems with ties end as any other (Charnes 1952;
//! Orden 1956).

use super::perturbed::Flow;
use super::problem::Problem;
use super::spanning_tree::SpanningTree;
use crate::error::{Error, Result};

/// Reduced costs above this share of the largest cost, times the nodes, are rounding.
const ROUNDING: f64 = 1e-14;

/// The end of a solved problem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solved {
    /// The sum of flow times cost, which is the least possible.
    pub cost: f64,
    /// How often an arc entered the tree.
    pub pivots: usize,
}

/// Solves transport problems exactly, one after the other, in memory that it keeps.
///
/// ```
/// use mga_core::transport::{NetworkSimplex, Problem};
///
/// let problem = Problem { cost: &[0.0, 2.0, 1.0, 0.0], supply: &[0.75, 0.25], demand: &[0.5, 0.5] };
/// let mut flow = [0.0; 4];
/// let solved = NetworkSimplex::default().solve(&problem, &mut flow)?;
/// assert_eq!((solved.cost, flow), (0.5, [0.5, 0.25, 0.0, 0.25]));
/// # Ok::<(), mga_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct NetworkSimplex {
    tree: SpanningTree,
    /// The average cost of each target that still needs something.
    average: Vec<f64>,
    supply: Vec<Flow>,
    demand: Vec<Flow>,
    basis: Vec<(u32, u32, Flow)>,
}

impl NetworkSimplex {
    /// Solves one problem, and writes what flows from each source to each target, `[n, m]`, row by row.
    ///
    /// # Errors
    /// As [`Problem::demand_scale`]; a `flow` of another size than the costs.
    pub fn solve(&mut self, problem: &Problem<'_>, flow: &mut [f64]) -> Result<Solved> {
        let scale = problem.demand_scale()?;
        let (cost, nodes @ (_, m)) = (problem.cost, problem.nodes());
        if flow.len() != cost.len() {
            let what = format!("room for {} flows of {} costs", flow.len(), cost.len());
            return Err(Error::shape("transport", what));
        }
        self.begin(problem, scale);
        let pivots = self.improve(cost, nodes)?;
        flow.fill(0.0);
        self.tree.write(flow, m);
        Ok(Solved { cost: flow.iter().zip(cost).map(|(flow, cost)| flow * cost).sum(), pivots })
    }

    /// Returns the dual solution of the last problem, `u` of the sources and `v` of the targets: `u[i] + v[j] <= cost[i, j]`,
    /// with equality where something flows.
    #[must_use]
    pub fn potentials(&self) -> (&[f64], &[f64]) {
        self.tree.potentials()
    }

    /// Builds the first tree: source after source sends what it has to the targets that are cheap for it, next to what they
    /// cost the others on average.
    fn begin(&mut self, problem: &Problem<'_>, scale: f64) {
        let (cost, (n, m)) = (problem.cost, problem.nodes());
        self.supply.clear();
        self.supply.extend(problem.supply.iter().map(|&supply| Flow::new(supply, 1)));
        self.demand.clear();
        self.demand.extend(problem.demand.iter().map(|&demand| Flow::new(demand * scale, 0)));
        self.demand[m - 1].symbols = n as i32;
        self.average.clear();
        self.average.resize(m, 0.0);
        for row in cost.chunks_exact(m) {
            self.average.iter_mut().zip(row).for_each(|(average, cost)| *average += cost / n as f64);
        }
        self.basis.clear();
        let mut targets_left = m;
        for (source, row) in cost.chunks_exact(m).enumerate() {
            let last_source = source + 1 == n;
            while let Some(target) = cheapest(row, &self.average) {
                let (given, asked) = (self.supply[source], self.demand[target]);
                // Each arc is the last of one end. The last source serves all that is left, and the last target takes it.
                let source_ends = !last_source && (targets_left == 1 || given < asked);
                let amount = if source_ends || last_source && targets_left == 1 { given } else { asked };
                self.basis.push((source as u32, target as u32, amount));
                if source_ends {
                    self.demand[target] = asked.less(amount);
                    break;
                }
                self.average[target] = f64::NEG_INFINITY;
                targets_left -= 1;
                self.supply[source] = given.less(amount);
            }
        }
        self.tree.build(cost, (n, m), &self.basis);
    }

    /// Lets arcs enter until none makes the flow cheaper; returns how many did.
    fn improve(&mut self, cost: &[f64], (n, m): (usize, usize)) -> Result<usize> {
        let largest = cost.iter().fold(0.0, |largest: f64, cost| largest.max(cost.abs()));
        let least = -ROUNDING * largest * (n + m) as f64;
        // Rows that are looked at before the best arc among them enters.
        let block = n.div_ceil(3);
        let (mut row, mut fresh) = (0, true);
        let mut pivots = 0;
        while pivots < 1000 * (n + m) + 100 * n * m {
            let Some((source, target, reduced)) = self.entering(cost, m, &mut row, block, least) else {
                if fresh {
                    return Ok(pivots);
                }
                // Potentials are moved with every pivot: rounding is taken out before the end is believed.
                self.tree.price(cost, m);
                fresh = true;
                continue;
            };
            fresh = false;
            let leaving = self.tree.leaving(source, target);
            let leaving = leaving.ok_or_else(|| Error::shape("transport", "no arc of the cycle carries anything"))?;
            self.tree.pivot(source, target, leaving, reduced);
            pivots += 1;
        }
        Err(Error::shape("transport", format!("a problem of {n} sources and {m} targets did not come to an end")))
    }

    /// Finds the arc with the most negative reduced cost of the next block of rows that has one.
    fn entering(&self, cost: &[f64], m: usize, row: &mut usize, block: usize, least: f64) -> Option<(u32, u32, f64)> {
        let (u, v) = self.tree.potentials();
        let n = u.len();
        let (mut best, mut found) = (least, None::<usize>);
        for looked in 1..=n {
            let source = *row;
            *row = if source + 1 == n { 0 } else { source + 1 };
            let costs = &cost[source * m..(source + 1) * m];
            let reduced = least_difference(costs, v) - u[source];
            if reduced < best {
                best = reduced;
                found = Some(source);
            }
            if looked % block == 0 && found.is_some() {
                break;
            }
        }
        let source = found?;
        let costs = &cost[source * m..(source + 1) * m];
        let target = costs.iter().zip(v).position(|(cost, v)| cost - v - u[source] == best)?;
        Some((source as u32, target as u32, best))
    }
}

/// The target whose cost is the farthest below its average; `None` where every average is minus infinity, which marks the
/// targets that need nothing more.
fn cheapest(row: &[f64], average: &[f64]) -> Option<usize> {
    let (mut least, mut found) = (f64::INFINITY, None);
    for (target, (cost, average)) in row.iter().zip(average).enumerate() {
        if cost - average < least {
            (least, found) = (cost - average, Some(target));
        }
    }
    found
}

/// The least `cost - v` of a row, in lanes.
#[inline(always)]
fn least_difference(costs: &[f64], v: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [f64::INFINITY; LANES];
    let (costs, v) = (costs.chunks_exact(LANES), v.chunks_exact(LANES));
    let rest = costs.remainder().iter().zip(v.remainder());
    let rest = rest.fold(f64::INFINITY, |least, (cost, v)| if cost - v < least { cost - v } else { least });
    for (costs, v) in costs.zip(v) {
        for ((lane, cost), v) in lanes.iter_mut().zip(costs).zip(v) {
            let difference = cost - v;
            *lane = if difference < *lane { difference } else { *lane };
        }
    }
    lanes.into_iter().fold(rest, |least, lane| if lane < least { lane } else { least })
}

#[cfg(test)]
mod tests {
    use super::super::problem::testing::{Owned, degenerate, random, tied};
    use super::*;
    use crate::random::Generator;

    /// Solves a problem, and proves by the dual solution that no flow is cheaper.
    fn solved(simplex: &mut NetworkSimplex, owned: &Owned) -> (Solved, Vec<f64>) {
        let Owned { cost, supply, demand } = owned;
        let (n, m) = (supply.len(), demand.len());
        let mut flow = vec![f64::NAN; n * m];
        let found = simplex.solve(&owned.problem(), &mut flow).unwrap();
        let (u, v) = simplex.potentials();
        let total = supply.iter().sum::<f64>().max(1e-300);
        let largest = cost.iter().fold(1e-300, |largest: f64, cost| largest.max(cost.abs()));
        assert!(flow.iter().all(|flow| *flow >= 0.0));
        for (i, supply) in supply.iter().enumerate() {
            let sum: f64 = flow[i * m..(i + 1) * m].iter().sum();
            assert!((sum - supply).abs() <= 1e-12 * total, "source {i} of {n} x {m}: {sum} for {supply}");
        }
        for (j, demand) in demand.iter().enumerate() {
            let sum: f64 = (0..n).map(|i| flow[i * m + j]).sum();
            assert!((sum - demand).abs() <= 1e-12 * total, "target {j} of {n} x {m}: {sum} for {demand}");
        }
        for (at, cost) in cost.iter().enumerate() {
            let slack = cost - u[at / m] - v[at % m];
            assert!(slack >= -1e-12 * largest * (n + m) as f64, "{n} x {m}: slack {slack}");
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let dual = dot(supply, u) + dot(demand, v);
        assert!(
            (dual - found.cost).abs() <= 1e-11 * total * largest,
            "{n} x {m}: {} but the dual is {dual}",
            found.cost
        );
        (found, flow)
    }

    /// The least cost over every flow of whole numbers.
    fn least_cost(cost: &[f64], supply: &[usize], demand: &mut [usize], target: usize) -> f64 {
        let m = demand.len();
        let Some((&left, rest)) = supply.split_first() else { return 0.0 };
        if left == 0 {
            return least_cost(&cost[m..], rest, demand, 0);
        }
        let mut least = f64::INFINITY;
        // The units of a source are dealt in the order of the targets, so that each flow is counted once.
        for to in target..m {
            if demand[to] > 0 {
                demand[to] -= 1;
                let mut supply = supply.to_vec();
                supply[0] -= 1;
                least = least.min(cost[to] + least_cost(cost, &supply, demand, to));
                demand[to] += 1;
            }
        }
        least
    }

    #[test]
    fn no_flow_of_whole_numbers_is_cheaper() {
        let mut simplex = NetworkSimplex::default();
        for case in 0..1500 {
            let mut generator = Generator::new(3, "transport", &[case]);
            let nodes = (1 + generator.below(4), 1 + generator.below(4));
            let mut owned = tied(&mut generator, nodes);
            if owned.supply.iter().sum::<f64>() > 8.0 {
                continue;
            }
            if case % 2 == 0 {
                owned.cost.iter_mut().for_each(|cost| *cost = generator.uniform());
            }
            let whole = |weights: &[f64]| weights.iter().map(|weight| *weight as usize).collect::<Vec<_>>();
            let expected = least_cost(&owned.cost, &whole(&owned.supply), &mut whole(&owned.demand), 0);
            let found = solved(&mut simplex, &owned).0.cost;
            assert!((found - expected).abs() < 1e-12, "{owned:?}: {found} for {expected}");
        }
    }

    #[test]
    fn random_tied_and_degenerate_problems_are_optimal_by_their_dual() {
        let mut simplex = NetworkSimplex::default();
        for case in 0..3000 {
            let mut generator = Generator::new(4, "transport", &[case]);
            let nodes = (1 + generator.below(12), 1 + generator.below(12));
            let owned = match case % 3 {
                0 => random(&mut generator, nodes),
                1 => tied(&mut generator, nodes),
                _ => degenerate(nodes),
            };
            solved(&mut simplex, &owned);
        }
        for (case, nodes) in [(25, 25), (196, 196), (1, 40), (40, 1), (30, 200), (25, 30)].into_iter().enumerate() {
            solved(&mut simplex, &random(&mut Generator::new(5, "transport", &[case as u64]), nodes));
            solved(&mut simplex, &tied(&mut Generator::new(6, "transport", &[case as u64]), nodes));
        }
    }

    #[test]
    fn problems_of_any_scale_end() {
        let mut simplex = NetworkSimplex::default();
        for (costs, weights) in [(1e-300, 1e-300), (1e-9, 1e9), (1e12, 1e-12), (1e150, 1.0), (0.0, 1.0), (1.0, 0.0)] {
            let mut owned = random(&mut Generator::new(7, "transport", &[]), (9, 7));
            owned.cost.iter_mut().for_each(|cost| *cost *= costs);
            owned.supply.iter_mut().chain(&mut owned.demand).for_each(|weight| *weight *= weights);
            solved(&mut simplex, &owned);
        }
    }

    #[test]
    fn what_was_solved_before_changes_nothing() {
        let mut used = NetworkSimplex::default();
        for case in 0..50 {
            let mut generator = Generator::new(8, "transport", &[case]);
            let owned = random(&mut generator, (2 + case as usize % 9, 11 - case as usize % 7));
            assert_eq!(solved(&mut used, &owned), solved(&mut NetworkSimplex::default(), &owned));
        }
    }
}
