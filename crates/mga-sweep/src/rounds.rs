//! The rounds of a sweep's plan: one, or of a search that learns, as many as its budget gives.

use std::path::Path;

use mga_train::interrupt::Interrupt;

use super::draws::Draws;
use super::plan::Plan;
use super::planner::Planner;
use super::search::Drawing;
use crate::launchers::Rounds;

/// Plans a sweep round by round.
pub struct PlannedRounds<'a, 'c> {
    planner: &'a mut Planner<'c>,
    out: &'a Path,
    draws: Option<Draws>,
    interrupt: &'a Interrupt,
}

impl<'a, 'c> PlannedRounds<'a, 'c> {
    /// Creates the rounds of `planner`'s sweep in the folder `out`.
    ///
    /// # Errors
    /// Draws that were made earlier and cannot be read, or are from other ranges.
    pub fn new(planner: &'a mut Planner<'c>, out: &'a Path, interrupt: &'a Interrupt) -> anyhow::Result<Self> {
        let in_rounds = planner.drawing() == Drawing::InRounds;
        let draws = in_rounds.then(|| Draws::read(out, planner)).transpose()?;
        Ok(Self { planner, out, draws, interrupt })
    }

    /// Returns the plan as far as it is drawn by now, and draws nothing.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub fn drawn(&mut self) -> anyhow::Result<Plan> {
        self.planner.plan(self.out, self.draws.as_ref().map(|draws| draws.values.as_slice()))
    }

    /// Returns the plan to begin with: of a search that learns at least its first round.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub fn first(&mut self) -> anyhow::Result<Plan> {
        if let Some(draws) = self.draws.as_mut().filter(|draws| draws.values.is_empty()) {
            draws.more(self.planner, None)?;
        }
        self.drawn()
    }

    /// Returns the planner.
    #[must_use]
    pub fn planner(&self) -> &Planner<'c> {
        self.planner
    }
}

impl Rounds for PlannedRounds<'_, '_> {
    fn total(&self, planned: usize) -> usize {
        self.planner.total(planned)
    }

    fn write(&self) -> anyhow::Result<()> {
        self.draws.as_ref().map_or(Ok(()), |draws| draws.write(self.out))
    }

    fn next(&mut self, plan: &Plan) -> anyhow::Result<Option<Plan>> {
        let Some(draws) = self.draws.as_mut().filter(|_| !self.interrupt.is_raised()) else { return Ok(None) };
        if draws.more(self.planner, Some(plan))? { self.drawn().map(Some) } else { Ok(None) }
    }

    fn make_masks(&mut self) -> anyhow::Result<Vec<String>> {
        self.planner.make_masks(self.interrupt)
    }
}
