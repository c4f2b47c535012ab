//! About how long a sweep will take, and what that rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use mga_core::wording::counted;
use mga_train::run_folder::RunFolder;
use mga_train::runners::timing::Timed;
use mga_train::stage_place::StagePlace;

use super::child::STAGES;
use super::follower::duration;
use super::plan::Cell;
use super::run_state::RunState;
use super::share::Share;
use super::state::State;

/// An estimate of the time of a run, and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds of one run, without stages that runs share.
    pub run_seconds: f64,
    /// Finished runs it is the mean of; 0: it was measured on steps.
    pub runs: usize,
    /// The source of the estimate, in words.
    pub from: String,
    /// Seconds of each stage that runs share and that is still to be trained, which is done once.
    pub stages: Vec<f64>,
}

/// The time of a run of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmTime {
    /// The arm, by its variant or else its settings.
    pub name: String,
    /// Seconds of a run, without stages that runs share.
    pub seconds: f64,
    /// The number of its runs that are still to run.
    pub left: usize,
    /// The source of the time, in words.
    pub from: String,
}

/// Arms that are timed at most: a search may draw hundreds, which cost much the same.
const MOST_TIMED: usize = 12;

/// The runs of one arm.
struct Of<'a> {
    /// The first that is to run.
    first: &'a Cell,
    left: usize,
    finished: Vec<f64>,
}

/// The variant, else the settings.
fn arm_name(cell: &Cell) -> String {
    let settings = || {
        let one = |(key, value): (&String, &serde_json::Value)| {
            format!("{key} = {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        cell.record.settings.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let name = cell.record.variant.clone().unwrap_or_else(settings);
    if name.is_empty() { "all runs".to_owned() } else { name }
}

impl Estimate {
    /// Returns the mean of the finished runs of a sweep, with the stages that the others still need; `None` if there are
    /// none.
    #[must_use]
    pub fn of_finished<'a>(cells: impl Iterator<Item = (&'a Cell, &'a State)> + Clone) -> Option<Self> {
        let finished = cells.clone().filter(|(_, state)| state.state == RunState::Finished);
        let seconds: Vec<f64> = finished.clone().filter_map(|(cell, state)| own_seconds(cell, state)).collect();
        let runs = seconds.len();
        // Of the stages at each place in the order, by their identities.
        let mut trained: BTreeMap<usize, BTreeMap<String, f64>> = BTreeMap::new();
        for (cell, _) in finished {
            let places = StagePlace::read(&RunFolder::at(cell.folder())).unwrap_or_default();
            for (at, place) in places.into_iter().enumerate() {
                *trained.entry(at).or_default().entry(place.id).or_default() += place.spent.trained;
            }
        }
        let known: Vec<f64> = trained.values().map(|stages| mean(stages.values().copied().collect())).collect();
        (runs > 0).then(|| Self {
            run_seconds: mean(seconds),
            runs,
            from: format!("the mean of {runs} finished run{}", if runs == 1 { "" } else { "s" }),
            stages: to_train(cells.map(|(cell, _)| cell), &known),
        })
    }

    /// Estimates the time from some steps of the first of these planned runs, in a process of its own. Returns `None` if
    /// they cannot be timed, whatever the reason: the run itself will report it.
    #[must_use]
    pub fn of_steps<'a>(mut cells: impl Iterator<Item = &'a Cell> + Clone, share: &Share) -> Option<Self> {
        let all = cells.clone();
        let cell = cells.next()?;
        let sweep = cell.folder().parent()?.parent()?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.arg("--offline").arg("sweep-task").arg(sweep).arg(&cell.key).arg("--time");
        share.apply(cell, &mut command);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let timed: Timed = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
        Some(Self {
            run_seconds: timed.seconds - timed.earlier.iter().sum::<f64>(),
            runs: 0,
            from: format!("{} steps of the first run", timed.steps),
            stages: to_train(all, &timed.earlier),
        })
    }

    /// Estimates the time of a sweep from each of its arms: from their finished runs, else from some steps of their first run,
    /// which `time` measures. At most twelve arms are timed, and the others are taken to be like them. Returns
    /// `None` if nothing is left to run or nothing could be timed.
    pub fn of_arms<'a>(
        cells: &[(&'a Cell, State)],
        time: &mut dyn FnMut(&'a Cell) -> Option<Timed>,
    ) -> Option<(Self, Vec<ArmTime>)> {
        let mut arms: Vec<Of<'a>> = Vec::new();
        for (cell, state) in cells {
            let settings = &cell.record.settings;
            let at = arms.iter().position(|arm| arm.first.record.settings == *settings).unwrap_or_else(|| {
                arms.push(Of { first: cell, left: 0, finished: vec![] });
                arms.len() - 1
            });
            match state.state {
                RunState::Finished => arms[at].finished.extend(own_seconds(cell, state)),
                _ if arms[at].left == 0 => (arms[at].first, arms[at].left) = (cell, 1),
                _ => arms[at].left += 1,
            }
        }
        let open: Vec<Of<'a>> = arms.into_iter().filter(|arm| arm.left > 0).collect();
        let (mut told, mut earlier, mut steps) = (Vec::new(), Vec::new(), 0);
        for arm in &open {
            let name = arm_name(arm.first);
            if !arm.finished.is_empty() {
                let from = format!("{} finished", arm.finished.len());
                told.push(ArmTime { name, seconds: mean(arm.finished.clone()), left: arm.left, from });
            } else if steps < MOST_TIMED {
                let Some(timed) = time(arm.first) else { continue };
                steps += 1;
                let seconds = timed.seconds - timed.earlier.iter().sum::<f64>();
                earlier.push(timed.earlier);
                told.push(ArmTime { name, seconds, left: arm.left, from: format!("{} steps", timed.steps) });
            }
        }
        let timed: usize = told.iter().map(|arm| arm.left).sum();
        if timed == 0 {
            return None;
        }
        let run_seconds = told.iter().map(|arm| arm.seconds * arm.left as f64).sum::<f64>() / timed as f64;
        let places = earlier.iter().map(Vec::len).max().unwrap_or(0);
        let at = |place: usize| mean(earlier.iter().filter_map(|stages| stages.get(place).copied()).collect());
        let known: Vec<f64> = (0..places).map(at).collect();
        let of_all = if told.len() == open.len() { String::new() } else { format!(" of {}", open.len()) };
        let from = format!("{}{of_all} timed apart", counted(told.len(), "arm", "arms"));
        let stages = to_train(cells.iter().map(|(cell, _)| *cell), &known);
        Some((Self { run_seconds, runs: 0, from, stages }, told))
    }

    /// Returns the time for `runs` runs and the stages that they share, `jobs` at a time.
    #[must_use]
    pub fn seconds(&self, runs: usize, jobs: usize) -> f64 {
        let jobs = jobs.max(1);
        let stages = self.stages.len().div_ceil(jobs) as f64 * mean(self.stages.clone());
        self.run_seconds * runs.div_ceil(jobs) as f64 + if runs > 0 { stages } else { 0.0 }
    }

    /// Describes the estimate for `runs` runs, `jobs` at a time.
    #[must_use]
    pub fn told(&self, runs: usize, jobs: usize) -> String {
        let (all, one) = (duration(self.seconds(runs, jobs)), duration(self.run_seconds));
        let stages = match (self.stages.len(), duration(self.stages.iter().sum())) {
            (0, _) => String::new(),
            (1, time) => format!(" and {time} for the stage that they share"),
            (stages, time) => format!(" and {time} for {stages} stages that they share"),
        };
        format!("about {all}: {one} a run{stages}, from {}", self.from)
    }
}

/// Returns the seconds that a finished run took, without those that it spent on stages that runs share; `None`: nobody timed
/// it.
fn own_seconds(cell: &Cell, state: &State) -> Option<f64> {
    if state.seconds <= 0.0 {
        return trained(cell);
    }
    let places = StagePlace::read(&RunFolder::at(cell.folder())).unwrap_or_default();
    let shared = places.iter().filter(|place| place.is_shared());
    let spent: f64 = shared.map(|place| place.spent.trained + place.spent.waited).sum();
    Some((state.seconds - spent).max(0.0))
}

/// The seconds of the stages that these runs need and that are not finished, each once; `known` are those of a stage at each
/// place in the order.
fn to_train<'a>(cells: impl Iterator<Item = &'a Cell>, known: &[f64]) -> Vec<f64> {
    let mut stages: BTreeSet<(usize, &str)> = BTreeSet::new();
    for cell in cells.filter(|cell| !RunFolder::at(cell.folder()).summary().is_file()) {
        let Some(shared) = cell.folder().parent().and_then(|runs| runs.parent()).map(|sweep| sweep.join(STAGES)) else {
            continue;
        };
        let open = |id: &str| !RunFolder::at(shared.join(id)).summary().is_file();
        stages.extend(cell.stages.iter().map(String::as_str).enumerate().filter(|(_, id)| open(id)));
    }
    stages.into_iter().filter_map(|(at, _)| known.get(at).copied()).collect()
}

fn mean(values: Vec<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Seconds of training as the run itself counted them.
fn trained(cell: &Cell) -> Option<f64> {
    let text = std::fs::read(RunFolder::at(cell.folder()).summary()).ok()?;
    serde_json::from_slice::<serde_json::Value>(&text).ok()?.get("training_seconds")?.as_f64()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::plan::CellRecord;
    use super::*;

    fn cell(variant: &str, order: usize) -> Cell {
        let settings = serde_json::json!({ "model.attention": variant }).as_object().unwrap().clone();
        let record = CellRecord {
            sweep: "s".to_owned(),
            variant: Some(variant.to_owned()),
            settings,
            replicate: serde_json::Map::new(),
            order,
            baseline: false,
            draw: None,
            id: String::new(),
        };
        Cell::new(Path::new("nowhere"), format!("{variant}-{order}"), record, "cpu".to_owned(), 0)
    }

    #[test]
    fn every_arm_is_timed_once_and_weighs_as_many_runs_as_it_has_left() {
        let cells = [cell("plain", 0), cell("mga", 1), cell("plain", 2), cell("mga", 3), cell("mga", 4)];
        let finished = State { state: RunState::Finished, seconds: 9.0, ..State::default() };
        let mut states: Vec<(&Cell, State)> = cells.iter().map(|cell| (cell, State::default())).collect();
        let mut timed = vec![];
        let mut time = |cell: &Cell| {
            timed.push(cell.key.clone());
            let seconds = if cell.key.starts_with("mga") { 20.0 } else { 10.0 };
            Some(Timed { seconds, steps: 3, earlier: vec![] })
        };
        let (estimate, told) = Estimate::of_arms(&states, &mut time).unwrap();
        assert_eq!((estimate.run_seconds, told.len()), (16.0, 2));
        assert_eq!(estimate.seconds(5, 1), 80.0);
        // An arm with a finished run is not timed again; what cannot be timed is left out, and said.
        states[0].1 = finished;
        let (estimate, told) = Estimate::of_arms(&states, &mut time).unwrap();
        assert_eq!((estimate.run_seconds, told[0].seconds), ((9.0 + 3.0 * 20.0) / 4.0, 9.0));
        assert_eq!(timed, ["plain-0", "mga-1", "mga-1"]);
        let (estimate, told) = Estimate::of_arms(&states, &mut |_| None).unwrap();
        assert!(told.len() == 1 && estimate.from.contains("1 arm of 2"), "{}", estimate.from);
        assert_eq!(Estimate::of_arms(&states[1..2], &mut |_| None), None);
    }

    #[test]
    fn a_stage_that_runs_share_is_counted_once() {
        let mut estimate = Estimate { run_seconds: 10.0, runs: 1, from: "somewhere".to_owned(), stages: vec![60.0] };
        assert_eq!([estimate.seconds(4, 1), estimate.seconds(4, 2), estimate.seconds(0, 1)], [100.0, 80.0, 0.0]);
        let told = estimate.told(4, 1);
        assert!(told.contains("10 s a run and 60 s for the stage that they share"), "{told}");
        // One a seed, say, each trained by another run.
        estimate.stages = vec![60.0, 60.0, 60.0];
        assert_eq!(estimate.seconds(4, 2), 140.0);
    }
}
