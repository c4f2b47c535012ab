//! The planner turns a sweep file into checked runs: every cell's experiment is resolved, its data opened and its
//! weights found before anything runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_data::check::DataReport;
use mga_experiment::{
    Better, Components, Defaults, Document, ExperimentError, KeyPath, Loaded, Metrics, Overrides, Problem, Severity,
    collected_base, experiment_schema, hidden_settings, load_assigned,
};
use mga_train::interrupt::Interrupt;
use mga_train::run_folder::RunFolder;
use mga_train::torn_groups::TornGroups;
use serde_json::{Value, json};

use super::baseline;
use super::expand::{Point, Space, unknown_variant};
use super::file::{Baseline, SweepFile};
use super::identities::Identities;
use super::idle::idle;
use super::key;
use super::plan::{Cell, CellRecord, EXPERIMENT, Plan, write_changed};
use super::search::{Drawing, SearchDimension, SearchStrategy, Trial, searches};
use super::searched::{searched, unsearchable};
use super::sweep_schema::sweep_schema;
use super::takeover;
use crate::launchers::launchers;

/// A sweep file that was found sound, ready to say which runs it asks for.
///
/// ```
/// use mga_experiment::Overrides;
/// use mga_sweep::Planner;
///
/// let folder = tempfile::tempdir()?;
/// let base = r#"
///     task = "classification"
///     data = { dataset = "leaves", size = 16, train_per_class = 2, test_per_class = 1 }
///     model = { backbone = "conv4", attention = "none", mask_guidance = false }
///     schedule = { epochs = 1 }
///     eval = { select_on = "last" }
/// "#;
/// std::fs::write(folder.path().join("base.toml"), base)?;
/// let sweep = folder.path().join("sweep.toml");
/// std::fs::write(&sweep, "base = \"base.toml\"\naxes.seed = [1, 2, 3]")?;
///
/// let components = mga_train::builtin();
/// let mut planner = Planner::read(&sweep, Overrides::default(), &components)?;
/// let plan = planner.plan(&folder.path().join("runs"), None)?;
/// assert_eq!(plan.cells.len(), 3);
/// # anyhow::Ok(())
/// ```
pub struct Planner<'a> {
    components: &'a Components,
    document: Document,
    file: SweepFile,
    name: String,
    base: PathBuf,
    overrides: Overrides,
    schema: Value,
    space: Space,
    /// When draws are made, and what makes them.
    drawing: Drawing,
    strategy: Box<dyn SearchStrategy>,
    /// The base by itself, where that is an experiment.
    base_experiment: Option<Loaded>,
    identities: Identities<'a>,
    /// Warnings about settings that run, but perhaps not as intended.
    pub warnings: Vec<Problem>,
}

/// The cells of a draw list, and the number that selects in them.
struct Resolved {
    cells: Vec<Cell>,
    metric: String,
    lower_is_better: bool,
}

impl<'a> Planner<'a> {
    /// Reads a sweep file; `overrides` are laid over its base, below the cells' own settings. Their defaults are those
    /// that the sweep was [begun with](begun_with).
    ///
    /// # Errors
    /// Everything that is wrong with the file itself, in one pass.
    pub fn read(file: &Path, overrides: Overrides, components: &'a Components) -> Result<Self, ExperimentError> {
        let document = Document::read(file)?;
        let searches = searches(components);
        let launchers = launchers(components);
        let hidden = [hidden_settings(&launchers, &["name"]), hidden_settings(&searches, &["name"])].concat();
        if !hidden.is_empty() {
            return Err(ExperimentError { problems: hidden });
        }
        let schema = sweep_schema(&launchers, &searches);
        let problems = document.problems(&schema);
        if !problems.is_empty() {
            return Err(ExperimentError { problems });
        }
        let sweep: SweepFile = serde_json::from_value(document.settings(&schema))
            .map_err(|error| ExperimentError::from(document.error(&KeyPath::default(), error.to_string())))?;
        let mut problems = Vec::new();
        let space = Space::read(&sweep, &document, &mut problems);
        let search = searched(&sweep, &space, &searches, &document, &mut problems);
        let base = file.parent().unwrap_or(Path::new("")).join(&sweep.base);
        // The same words as for any experiment that is not there.
        if let Err(error) = Document::read(&base) {
            let messages = error.problems.into_iter().map(|problem| problem.message);
            problems.extend(messages.map(|message| document.error(&KeyPath::dotted("base"), message)));
        }
        if let Some(Baseline::Variant(name)) = &sweep.baseline
            && !sweep.variants.contains_key(name)
        {
            let message = unknown_variant(&json!(name), &sweep);
            problems.push(document.error(&KeyPath::dotted("baseline"), message));
        }
        document.sort(&mut problems);
        let Some((drawing, strategy)) = search.filter(|_| problems.is_empty()) else {
            return Err(ExperimentError { problems });
        };
        let schema = experiment_schema(components);
        let base_experiment = load_assigned(&base, &overrides, &[], components, &schema).ok();
        let stem = || file.file_stem().map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            components,
            name: sweep.name.clone().unwrap_or_else(stem),
            file: sweep,
            document,
            base,
            overrides,
            identities: Identities::new(components, schema.clone()),
            schema,
            space,
            drawing,
            strategy,
            base_experiment,
            warnings: Vec::new(),
        })
    }

    /// Keeps data open whose masks a segmenter makes, for [`Planner::make_masks`]. To be said before [`Planner::plan`].
    pub fn keep_data(&mut self) {
        self.identities.keep_data();
    }

    /// Makes the masks that segmenters make of the planned runs' data: runs on a cluster then find them in the cache.
    /// Gives a line for each data set.
    ///
    /// # Errors
    /// A signal.
    pub fn make_masks(&mut self, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        self.identities.make_masks(interrupt)
    }

    /// Returns what is known of the data of the planned runs without decoding an image, each data once. They are those that
    /// [`Planner::plan`] opened.
    pub fn data_reports(&self) -> impl Iterator<Item = &DataReport> {
        self.identities.reports()
    }

    /// Loads the experiments of the sweep, each with its variant and its settings of the data for a name; of a search the first draws. Neither data nor weights are
    /// opened.
    ///
    /// # Errors
    /// Everything that is wrong with any of the experiments.
    pub fn experiments(&mut self) -> anyhow::Result<Vec<(String, Loaded)>> {
        let draws = if self.drawing == Drawing::Never { None } else { Some(self.next_draws(&[])?) };
        let mut problems = Vec::new();
        let base = self.base_experiment.as_ref().map(Loaded::value).transpose()?;
        let points = self.space.points(draws.as_deref(), &self.document, base.as_ref(), &mut problems);
        let mut loaded = Vec::with_capacity(points.len());
        for point in &points {
            match load_assigned(&self.base, &self.overrides, &point.assignments, self.components, &self.schema) {
                Ok(found) => loaded.push((data_name(point), found)),
                Err(error) => problems.extend(error.problems),
            }
        }
        self.settle(problems)?;
        Ok(loaded)
    }

    /// Returns the sweep file.
    #[must_use]
    pub fn file(&self) -> &SweepFile {
        &self.file
    }

    /// Returns when the search makes its draws.
    #[must_use]
    pub fn drawing(&self) -> Drawing {
        self.drawing
    }

    /// Returns the number of draws that the budget allows; `None` for a search that draws nothing.
    #[must_use]
    pub fn draws(&self) -> Option<usize> {
        (self.drawing != Drawing::Never).then(|| self.file.budget.runs / self.space.combinations().max(1))
    }

    /// Returns the total number of runs, of which `planned` are already known. A search in rounds draws the others later.
    #[must_use]
    pub fn total(&self, planned: usize) -> usize {
        match self.drawing {
            Drawing::InRounds => planned.max(self.draws().unwrap_or(0) * self.space.combinations()),
            Drawing::Never | Drawing::AtOnce => planned,
        }
    }

    /// What is drawn from, in the order of the sweep file.
    pub(super) fn dimensions(&self) -> Vec<SearchDimension> {
        self.space.dimensions()
    }

    /// The draws of the next round after `trials`, no more than the budget leaves.
    ///
    /// # Errors
    /// What keeps the search from drawing; draws that do not fit the ranges.
    pub(super) fn next_draws(&self, trials: &[Trial]) -> anyhow::Result<Vec<Vec<Value>>> {
        let left = self.draws().unwrap_or(0).saturating_sub(trials.len());
        if left == 0 {
            return Ok(Vec::new());
        }
        let name = &self.file.search.name;
        let draws = self.strategy.next(trials, left).with_context(|| format!("search `{name}` cannot draw"))?;
        let (made, values) = (draws.len(), self.space.ranges.len());
        anyhow::ensure!(made <= left, "search `{name}` made {made} draws, and the budget leaves {left}");
        let fits = draws.iter().all(|draw| draw.len() == values);
        anyhow::ensure!(fits, "search `{name}` made a draw that has not one value for each of the {values} ranges");
        Ok(draws)
    }

    /// Plans the runs of the file in the folder `out`. For a search in rounds, `draws` are those made so far.
    ///
    /// # Errors
    /// Everything that is wrong with any of the experiments, with their data or weights; nothing is written.
    pub fn plan(&mut self, out: &Path, draws: Option<&[Vec<Value>]>) -> anyhow::Result<Plan> {
        let all: Vec<Vec<Value>>;
        let draws = match (self.drawing, draws) {
            (Drawing::Never, _) => None,
            (_, Some(draws)) => Some(draws),
            (_, None) => {
                all = self.next_draws(&[])?;
                Some(all.as_slice())
            }
        };
        let Resolved { cells, metric, lower_is_better } = self.resolve(out, draws)?;
        Ok(Plan {
            name: self.name.clone(),
            folder: out.to_path_buf(),
            search: self.file.search.clone(),
            metric,
            lower_is_better,
            launcher: self.file.launcher.clone(),
            cells,
        })
    }

    /// Writes the sweep file as it was started, with its resolved base beside it.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write_files(&self, out: &Path) -> anyhow::Result<()> {
        let runs = out.join("runs");
        std::fs::create_dir_all(&runs).with_context(|| format!("{}: cannot be made", runs.display()))?;
        let mut sweep: toml_edit::DocumentMut = self.document.text().parse()?;
        let collected = collected_base(&self.base, &self.overrides, self.components, &self.schema)?;
        let base = match (collected, &self.base_experiment) {
            (Some(collected), _) => Some(collected),
            (None, Some(base)) => Some(base.base_toml(self.overrides.defaults)?),
            (None, None) => None,
        };
        match base {
            Some(base) => {
                write_changed(&out.join("base.toml"), &base)?;
                sweep["base"] = toml_edit::value("base.toml");
            }
            // A base that is no experiment by itself cannot be resolved.
            None => sweep["base"] = toml_edit::value(std::path::absolute(&self.base)?.to_string_lossy().into_owned()),
        }
        write_changed(&out.join("sweep.toml"), &sweep.to_string())
    }

    fn resolve(&mut self, out: &Path, draws: Option<&[Vec<Value>]>) -> anyhow::Result<Resolved> {
        let mut problems = Vec::new();
        let base = self.base_experiment.as_ref().map(Loaded::value).transpose()?;
        let points = self.space.points(draws, &self.document, base.as_ref(), &mut problems);
        if points.is_empty() && draws.is_none_or(|draws| !draws.is_empty()) {
            problems.push(self.document.error(&KeyPath::dotted("exclude"), "nothing is left to run"));
        }
        self.overridden(&points, &mut problems);
        let mut loaded = Vec::with_capacity(points.len());
        for point in &points {
            let found = load_assigned(&self.base, &self.overrides, &point.assignments, self.components, &self.schema);
            match found {
                Ok(found) => {
                    problems.extend(found.warnings.iter().cloned());
                    if self.drawing == Drawing::InRounds {
                        problems.extend(unsearchable(&self.file.search.name, &found, &self.document));
                    }
                    loaded.push(found);
                }
                Err(error) => problems.extend(error.problems),
            }
        }
        problems.extend(idle(&points, &loaded, self.drawing != Drawing::Never));
        self.settle(problems)?;
        let mut identities = Vec::with_capacity(loaded.len());
        let mut problems = Vec::new();
        for found in &mut loaded {
            match self.identities.of(found) {
                Ok(identity) => identities.push(identity),
                Err(error) => match error.downcast::<ExperimentError>() {
                    Ok(error) => problems.extend(error.problems),
                    Err(error) => return Err(error),
                },
            }
        }
        self.settle(problems)?;
        let baseline = baseline::chosen(&self.file, &self.document, &points, &loaded)?;
        let mut problems = Vec::new();
        let mut cells: Vec<Cell> = Vec::with_capacity(loaded.len());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (order, ((point, found), (identity, stages))) in points.iter().zip(&loaded).zip(identities).enumerate() {
            let key = key::key(&point.labels, &key::names(&point.labels), &identity.id);
            if let Some(&first) = seen.get(&identity.id) {
                let message = format!(
                    "`{key}` would be the same run as `{}`: nothing that tells them apart changes the experiment; \
                     [[exclude]] one of them",
                    cells.get(first).map_or("", |cell| cell.key.as_str())
                );
                // Two equal draws of a search are no mistake of anybody's.
                if point.draw.is_none() {
                    let at = point.assignments.last().map(|assignment| assignment.value_place.clone());
                    problems.push(Problem::error(at, KeyPath::default(), message));
                }
                continue;
            }
            seen.insert(identity.id.clone(), cells.len());
            let record = CellRecord {
                sweep: self.name.clone(),
                variant: point.variant.clone(),
                settings: point.settings(),
                replicate: point.replicate(),
                order,
                baseline: baseline.get(order).copied().unwrap_or(false),
                draw: point.draw,
                id: identity.id.clone(),
            };
            let experiment = &found.experiment;
            let mut cell = Cell::new(out, key, record, experiment.device.clone(), experiment.threads);
            cell.experiment = Some(found.resolved(self.overrides.defaults)?);
            cell.identity = Some(identity);
            cell.stages = stages;
            // Runs that have trained already, before this was refused, stay what they are.
            if TornGroups::of_run(&RunFolder::at(cell.folder())) == TornGroups::Refused {
                let torn = found.stages().filter_map(|stage| self.identities.torn_groups(&stage.experiment));
                problems.extend(torn.flat_map(|e| e.problems.clone()));
            }
            cells.push(cell);
        }
        self.settle(problems)?;
        takeover::find(out, &mut cells);
        let metric = loaded.first().map(|found| found.experiment.eval.metric.clone()).unwrap_or_default();
        let known = self.components.kinds.get::<Metrics>(&metric);
        let lower_is_better = known.is_some_and(|known| known.item.better == Better::Lower);
        Ok(Resolved { cells, metric, lower_is_better })
    }

    /// Keeps warnings, each once; errors end the planning.
    fn settle(&mut self, problems: Vec<Problem>) -> Result<(), ExperimentError> {
        let mut once: Vec<Problem> = Vec::new();
        for problem in problems {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        self.document.sort(&mut once);
        if once.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(ExperimentError { problems: once });
        }
        for warning in once {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        Ok(())
    }

    /// A `--set` of what a cell sets would be lost without a word.
    fn overridden(&self, points: &[Point], problems: &mut Vec<Problem>) {
        for argument in &self.overrides.set {
            let Some(key) = argument.split('=').next().and_then(|key| mga_experiment::setting_path(key.trim()).ok())
            else {
                continue;
            };
            let varied = points.iter().flat_map(|point| &point.assignments).find(|assignment| assignment.key == key);
            if varied.is_some() {
                let place = Some(mga_experiment::Place::Flag(argument.clone()));
                problems.push(Problem::error(place, key, "is set by the sweep itself; change it in the sweep file"));
            }
        }
    }
}

/// What tells the data of a run from those of others, for people.
fn data_name(point: &Point) -> String {
    let settings = point.settings().into_iter().chain(point.replicate());
    let settings = settings.filter(|(key, _)| key.starts_with("data."));
    let settings = settings.map(|(key, value)| match value {
        Value::String(text) => format!("{key} = {text}"),
        other => format!("{key} = {other}"),
    });
    point.variant.clone().into_iter().chain(settings).collect::<Vec<_>>().join(", ")
}

/// Returns the defaults that the sweep in this folder was started with. Settings that its runs leave out keep their
/// meaning, so that none of them becomes another run.
#[must_use]
pub fn begun_with(out: &Path) -> Defaults {
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let of = |path: &Path| Defaults::of_sweep(&text(path));
    let base = out.join("base.toml");
    if base.is_file() {
        return of(&base);
    }
    // A base that is no experiment by itself is not written down, but runs are.
    let runs = std::fs::read_dir(out.join("runs")).into_iter().flatten().flatten();
    let old = runs.map(|run| of(&run.path().join(EXPERIMENT))).any(|defaults| defaults == Defaults::Old);
    if old { Defaults::Old } else { Defaults::New }
}
