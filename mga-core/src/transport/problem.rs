//! A transport problem, and what its supplies and demands may be.

use crate::error::{Error, Result};

/// How far the sums of supply and demand may be apart, relative to the larger; more is a mistake and no rounding.
const BALANCED: f64 = 1e-5;

/// A transport problem of `n` sources and `m` targets.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// The cost from each source to each target, `[n, m]`, row by row.
    pub cost: &'a [f64],
    /// How much each source gives, `[n]`.
    pub supply: &'a [f64],
    /// How much each target takes, `[m]`.
    pub demand: &'a [f64],
}

/// The gradient of some number in a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct ProblemGradient {
    /// In the costs, `[n, m]`.
    pub cost: Vec<f64>,
    /// In the supplies, `[n]`. The sums of supply and demand are equal, so a constant may be added here and taken from
    /// `demand`.
    pub supply: Vec<f64>,
    /// In the demands, `[m]`.
    pub demand: Vec<f64>,
}

impl Problem<'_> {
    /// Returns the number of sources and that of targets.
    #[must_use]
    pub fn nodes(&self) -> (usize, usize) {
        (self.supply.len(), self.demand.len())
    }

    /// Returns whether every number is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        // A sum of absolute values is finite where they all are, and is quicker than asking each.
        let sum = |values: &[f64]| values.iter().fold(0.0, |sum, value| sum + value.abs());
        (sum(self.cost) + sum(self.supply) + sum(self.demand)).is_finite()
    }

    /// Checks the problem, and returns what to multiply the demands by so that they add up to what the supplies do: 1 but
    /// for rounding.
    ///
    /// # Errors
    /// Costs that do not fit the nodes; a number that is not finite; a negative supply or demand; sums that differ by more
    /// than rounding.
    pub fn demand_scale(&self) -> Result<f64> {
        let wrong = |what: String| Err(Error::shape("transport", what));
        let (n, m) = self.nodes();
        if n == 0 || m == 0 || self.cost.len() != n * m {
            let costs = self.cost.len();
            return wrong(format!("{costs} costs for {n} sources and {m} targets; expected one for each pair"));
        }
        if !self.is_finite() {
            return wrong("a cost, supply or demand is not a finite number".to_owned());
        }
        for (what, nodes) in [("supply", self.supply), ("demand", self.demand)] {
            if let Some(node) = nodes.iter().position(|node| *node < 0.0) {
                return wrong(format!("{what} {node} is {}; expected at least 0", nodes[node]));
            }
        }
        let (given, taken): (f64, f64) = (self.supply.iter().sum(), self.demand.iter().sum());
        if (given - taken).abs() > BALANCED * given.max(taken) {
            return wrong(format!("the supplies add up to {given}, the demands to {taken}; expected equal sums"));
        }
        Ok(if taken > 0.0 { given / taken } else { 1.0 })
    }
}

/// Problems for tests.
#[cfg(test)]
pub(super) mod testing {
    use crate::random::Generator;

    /// A problem with its numbers.
    #[derive(Debug, Clone)]
    pub(crate) struct Owned {
        pub(crate) cost: Vec<f64>,
        pub(crate) supply: Vec<f64>,
        pub(crate) demand: Vec<f64>,
    }

    impl Owned {
        pub(crate) fn problem(&self) -> super::Problem<'_> {
            super::Problem { cost: &self.cost, supply: &self.supply, demand: &self.demand }
        }
    }

    fn scaled(mut weights: Vec<f64>, total: f64) -> Vec<f64> {
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight *= total / sum);
        weights
    }

    /// Costs in 0 to 1 and weights that add up to the number of sources.
    pub(crate) fn random(generator: &mut Generator, (n, m): (usize, usize)) -> Owned {
        let mut numbers =
            |count: usize, least: f64| -> Vec<f64> { (0..count).map(|_| least + generator.uniform()).collect() };
        let (cost, supply, demand) = (numbers(n * m, 0.0), numbers(n, 0.01), numbers(m, 0.01));
        Owned { cost, supply: scaled(supply, n as f64), demand: scaled(demand, n as f64) }
    }

    /// Few distinct whole costs, also negative, and whole weights, of which some are 0.
    pub(crate) fn tied(generator: &mut Generator, (n, m): (usize, usize)) -> Owned {
        let cost = (0..n * m).map(|_| generator.below(4) as f64 - 1.0).collect();
        let supply: Vec<f64> = (0..n).map(|_| generator.below(4) as f64).collect();
        let mut demand = vec![0.0; m];
        for _ in 0..supply.iter().sum::<f64>() as usize {
            demand[generator.below(m)] += 1.0;
        }
        Owned { cost, supply, demand }
    }

    /// Equal costs and equal weights: every flow is optimal, and every basis degenerate.
    pub(crate) fn degenerate((n, m): (usize, usize)) -> Owned {
        Owned { cost: vec![1.0; n * m], supply: vec![1.0; n], demand: vec![n as f64 / m as f64; m] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_problem_is_told() {
        let told = |cost: &[f64], supply: &[f64], demand: &[f64]| {
            Problem { cost, supply, demand }.demand_scale().unwrap_err().to_string()
        };
        assert!(told(&[1.0], &[1.0], &[0.5, 0.5]).contains("1 costs for 1 sources and 2 targets"));
        assert!(told(&[], &[], &[]).contains("expected one for each pair"));
        assert!(told(&[f64::NAN], &[1.0], &[1.0]).contains("not a finite number"));
        assert!(told(&[1.0, 1.0], &[1.0], &[1.5, -0.5]).contains("demand 1 is -0.5; expected at least 0"));
        assert!(told(&[1.0], &[1.0], &[1.1]).contains("the supplies add up to 1, the demands to 1.1"));
        let rounded = Problem { cost: &[1.0], supply: &[1.0], demand: &[1.0 + 1e-7] };
        assert_eq!(rounded.demand_scale().unwrap(), 1.0 / (1.0 + 1e-7));
        assert_eq!(Problem { cost: &[1.0], supply: &[0.0], demand: &[0.0] }.demand_scale().unwrap(), 1.0);
    }
}
