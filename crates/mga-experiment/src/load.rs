//! Loading an experiment: layers read, merged, checked and turned into settings; all problems in one pass.

use std::path::Path;

use mga_core::error::InvalidSetting;
use serde_json::{Value, json};

use super::assigned::{self, Assignment};
use super::consistency;
use super::defaults::Defaults;
use super::extends::{chain_of, read_chain};
use super::idle::Idle;
use super::key_path::{KeyPath, Segment};
use super::layer::{ENVIRONMENT_PREFIX, Layer};
use super::merge::{merge, to_json};
use super::problem::{ExperimentError, Place, Problem, Severity, SourceFile};
use super::schema::{DEFAULT_NAMES, experiment_schema, leftovers};
use super::schema_reading::fill_defaults;
use super::settings::Experiment;
use super::sources::{Author, Sources};
use super::validate::{About, Fault, faults};
use crate::Components;

/// Settings from outside the experiment file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Environment variables, name and value; those that do not begin with `MGA__` are ignored.
    pub environment: Vec<(String, String)>,
    /// `--set` arguments: `KEY=VALUE`.
    pub set: Vec<String>,
    /// The weights that the experiment starts from have been read long ago, as in a run with a checkpoint: they may be
    /// gone.
    pub weights_read: bool,
    /// The defaults of files that are written by hand. A sweep that an earlier release began keeps its own.
    pub defaults: Defaults,
}

impl Overrides {
    /// Collects the environment of the process and the given `--set` arguments.
    #[must_use]
    pub fn from_process(set: Vec<String>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .collect();
        Self { environment, set, ..Self::default() }
    }
}

/// An experiment that was found sound, and where each of its settings was written.
#[derive(Debug)]
pub struct Loaded {
    /// The experiment.
    pub experiment: Experiment,
    /// Warnings about settings that run, but perhaps not as intended.
    pub warnings: Vec<Problem>,
    /// The settings without effect in a sweep's cell. They may have an effect in another cell, so the sweep decides.
    pub idle: Vec<Idle>,
    /// Registered components of the kinds that other crates define.
    pub kinds: mga_registry::Registry,
    sources: Sources,
    defaults: Defaults,
}

impl Loaded {
    /// Returns an error about the setting `key` (`"model.freeze_through"`) that shows only later, once data or weights
    /// are open.
    #[must_use]
    pub fn error(&self, key: &str, message: impl Into<String>) -> ExperimentError {
        let key = KeyPath::dotted(key);
        Problem::error(self.sources.place(&key, About::Value), key, message).into()
    }

    /// Returns an error of what was made from the settings of `table`: at the setting that it names, else at the table.
    #[must_use]
    pub fn error_in(&self, table: &str, error: impl Into<anyhow::Error>) -> ExperimentError {
        let error = error.into();
        let of_data = || error.downcast_ref::<mga_data::Error>().and_then(mga_data::Error::invalid_setting);
        let of_core = error.downcast_ref::<mga_core::Error>().and_then(mga_core::Error::invalid_setting);
        match of_core.or_else(of_data) {
            Some(InvalidSetting { key, what }) => {
                let key = assigned::setting_path(key).unwrap_or_else(|_| KeyPath::dotted(key));
                Problem::error(self.sources.place(&key, About::Value), key, what).into()
            }
            None => self.error(table, error.to_string()),
        }
    }

    /// Returns a warning about the setting `key`.
    #[must_use]
    pub fn warning(&self, key: &str, message: impl Into<String>) -> Problem {
        let key = KeyPath::dotted(key);
        Problem::warning(self.sources.place(&key, About::Value), key, message)
    }

    /// Returns whether anything but a default sets `key`.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.sources.written(&KeyPath::dotted(key)).is_some()
    }

    /// Returns whether `key` is left out and what stands for it is the default of this release, where that differs from
    /// release 0.1: in an experiment that was written by hand, and not in one that mga resolved, which records its
    /// settings.
    #[must_use]
    pub fn takes_new_default(&self, key: &str) -> bool {
        self.defaults == Defaults::New && !self.is_set(key)
    }

    /// Checks the number of validation images, which is known once the data set is open and split.
    ///
    /// # Errors
    /// There are none, and the experiment selects on them.
    pub fn check_validation(&self, images: usize) -> Result<(), ExperimentError> {
        let selects = self.experiment.eval.select_on == super::SelectOn::Validation;
        if selects && images == 0 {
            return Err(self.error("eval.select_on", consistency::no_validation()));
        }
        Ok(())
    }
}

/// Loads the experiment file `file`: weakest first defaults, what it extends, the file, the environment, `--set`.
/// Tables merge, arrays replace. A layer that names another component (`optimiser.name`, `schedule.name`,
/// `data.dataset`, `model.backbone`) drops the weaker layers' settings of the old one; in `[optimiser]` all of them.
///
/// # Errors
/// Everything that is wrong, in one pass, with positions. Nothing is written or run.
pub fn load(file: &Path, overrides: &Overrides, components: &Components) -> Result<Loaded, ExperimentError> {
    load_assigned(file, overrides, &[], components, &experiment_schema(components))
}

/// Loads an experiment that is given as text, like [`load`]. Messages call it `experiment`. Files that it extends are
/// searched for in the working folder.
///
/// ```
/// use mga_experiment::{Components, Overrides, load_text};
/// use mga_hub::Hub;
///
/// let components = Components::without_tasks(Hub::from_env().offline());
/// let error = load_text("schedule = { epoch = 10 }", &Overrides::default(), &components);
/// let message = error.expect_err("the key is misspelt").to_string();
/// assert!(message.contains("epochs"), "{message}");
/// ```
///
/// # Errors
/// As [`load`].
pub fn load_text(text: &str, overrides: &Overrides, components: &Components) -> Result<Loaded, ExperimentError> {
    let name = Path::new("experiment");
    load_chain(name, chain_of(name, text.to_owned()), overrides, &[], components, &experiment_schema(components))
}

/// Loads an experiment like [`load`], with settings above all others, such as those of a sweep's cell. `schema` is
/// [`experiment_schema`] of `components`, which can be made once for many cells.
///
/// # Errors
/// As [`load`]; faults of an assignment are shown where it was written.
pub fn load_assigned(
    file: &Path,
    overrides: &Overrides,
    assignments: &[Assignment],
    components: &Components,
    schema: &Value,
) -> Result<Loaded, ExperimentError> {
    load_chain(file, read_chain(file), overrides, assignments, components, schema)
}

/// Loads the experiment `file`, whose layers were read.
fn load_chain(
    file: &Path,
    (files, mut problems, mut left_out): (Vec<Layer>, Vec<Problem>, Defaults),
    overrides: &Overrides,
    assignments: &[Assignment],
    components: &Components,
    schema: &Value,
) -> Result<Loaded, ExperimentError> {
    if overrides.defaults == Defaults::Old {
        left_out = Defaults::Old;
    }
    if files.is_empty() {
        return Err(ExperimentError { problems });
    }
    let mut layers = vec![defaults()];
    layers.extend(files);
    let own = layers.len() - 1;
    for (mut layer, more) in [Layer::from_environment(&overrides.environment), Layer::from_flags(&overrides.set)] {
        problems.extend(more);
        if layer.values.shift_remove("extends").is_some() {
            let key = KeyPath::dotted("extends");
            let place = layer.written.get(&key).map(|written| written.key.clone());
            problems.push(Problem::error(place, key, "only an experiment file can extend others"));
        }
        layers.push(layer);
    }
    if !assignments.is_empty() {
        layers.push(assigned::layer(assignments));
    }
    let merged = to_json(merge(layers.iter().map(|layer| &layer.values), Some(&leftovers(schema))));
    let mut value = Value::Object(merged);
    let sources = Sources { main: file.to_path_buf(), layers, own };

    let mut faults = faults(schema, &value);
    // What a file that could not be read through would have set is not missing, and the experiment has holes.
    let extends = KeyPath::dotted("extends");
    let torn = problems.iter().any(|problem| problem.key.segments().is_empty() || problem.key.is_within(&extends));
    let unread: Vec<(&SourceFile, usize)> =
        problems.iter().filter_map(|problem| problem.place.as_ref().and_then(Place::line)).collect();
    faults.retain(|fault| {
        let place = sources.place(&fault.path, fault.about);
        // A line that could not be read means something else.
        let misread = place.as_ref().and_then(Place::line).is_some_and(|line| unread.contains(&line));
        let refused = problems.iter().any(|problem| problem.key == fault.path);
        !refused && if fault.about == About::Absence { !torn } else { !misread }
    });
    let unsound: Vec<KeyPath> = faults
        .iter()
        .map(|fault| &fault.path)
        .chain(problems.iter().map(|problem| &problem.key).filter(|key| !key.segments().is_empty()))
        .cloned()
        .collect();

    for fault in &faults {
        remove(&mut value, fault);
    }
    let written = value.clone();
    fill_defaults(schema, schema, &mut value);
    let experiment = serde_json::from_value::<Experiment>(value).map(|mut experiment| {
        if let Some(task) = components.task(&experiment.task) {
            let is_written = |key: &str| sources.written(&KeyPath::dotted(key)).is_some();
            if !is_written("eval.metric") {
                experiment.eval.metric = task.default_metric().to_owned();
            }
            task.defaults(&mut experiment, &is_written, &components.known());
        }
        problems.extend(complete(&mut experiment, &components.kinds, &sources));
        problems.extend(weighing_default(&mut experiment, &sources, overrides.defaults, components));
        experiment
    });
    let mut idle: Vec<Idle> = Vec::new();
    for Fault { path, about, message } in faults {
        problems.push(Problem::error(sources.place(&path, about), path, message));
    }
    match &experiment {
        // Of an experiment with holes, not everything can be asked.
        Ok(experiment) if !torn => {
            problems.extend(consistency::problems(experiment, &sources, components, &unsound, overrides.weights_read));
            // What decides may be what is faulty.
            if unsound.is_empty() {
                idle = super::idle::idle(experiment, &written, &sources, components, schema);
            }
            if assignments.is_empty() {
                problems.extend(idle.drain(..).map(|idle| idle.problem));
            }
        }
        Err(error) if problems.is_empty() => {
            // Only a schema that promises more than the settings keep leads here.
            let place = Some(Place::Whole(file.to_path_buf()));
            problems.push(Problem::error(place, KeyPath::default(), error.to_string()));
        }
        _ => {}
    }
    problems.sort_by_key(|problem| sources.order(problem.place.as_ref()));
    match experiment {
        Ok(experiment) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            let kinds = components.kinds.clone();
            Ok(Loaded { experiment, warnings: problems, idle, kinds, sources, defaults: left_out })
        }
        _ => Err(ExperimentError { problems }),
    }
}

/// Writes out all settings of the components that have theirs in a map, defaults included. The schema has found what is wrong
/// with them, unless it promises more than the settings keep.
fn complete(experiment: &mut Experiment, kinds: &mga_registry::Registry, sources: &Sources) -> Vec<Problem> {
    let tables = [
        ("objective", experiment.objective.complete(kinds)),
        ("optimiser", experiment.optimiser.complete(kinds)),
        ("schedule", experiment.schedule.complete(kinds)),
    ];
    let problem = |(table, done): (&str, mga_core::Result<()>)| {
        let key = KeyPath::dotted(table);
        Some(Problem::error(sources.place(&key, About::Value), key, done.err()?.to_string()))
    };
    tables.into_iter().filter_map(problem).collect()
}

/// The class weights of a classifier count, but in experiments that release 0.1.0 resolved, and in sweeps that it began: it
/// did nothing with them.
fn weighing_default(
    experiment: &mut Experiment,
    sources: &Sources,
    sweep: Defaults,
    components: &Components,
) -> Option<Problem> {
    let key = KeyPath::dotted("objective.class_weights");
    // Tasks to which release 0.1.0 gave the weights have no such setting.
    let asks = components.task(&experiment.task)?.own_settings().contains(&"objective.weigh_classes");
    let (author, _) = sources.author(&key).filter(|_| asks)?;
    if sources.written(&KeyPath::dotted("objective.weigh_classes")).is_some() {
        return None;
    }
    if author != Author::Resolved && sweep == Defaults::New {
        experiment.objective.weigh_classes = true;
        return None;
    }
    let message = "does nothing here: the release of mga that resolved this experiment took the class weights of a \
                   classifier and did not use them, so it goes on without; a new experiment that sets them uses them";
    Some(Problem::warning(sources.place(&key, About::Key), key, message))
}

/// The weakest layer: the names that other defaults depend on.
fn defaults() -> Layer {
    let named = |name: &str| config::Value::from(config::Map::from_iter([("name".to_owned(), name)]));
    let values = DEFAULT_NAMES.map(|(table, _, name)| (table.to_owned(), named(name)));
    Layer { values: values.into_iter().collect(), ..Layer::default() }
}

/// Takes a faulty setting out, so that the rest can be looked at: an element with its whole array. The names of data
/// set and backbone stay, since there is no experiment without them.
fn remove(value: &mut Value, fault: &Fault) {
    let keep = [KeyPath::dotted("data.dataset"), KeyPath::dotted("model.backbone")];
    let keys: Vec<&str> = fault
        .path
        .segments()
        .iter()
        .map_while(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        })
        .collect();
    let Some((last, tables)) = keys.split_last() else { return };
    let mut table = value;
    for key in tables {
        match table.get_mut(key) {
            Some(inner) => table = inner,
            None => return,
        }
    }
    let Some(table) = table.as_object_mut() else { return };
    if keep.contains(&fault.path) {
        table.insert((*last).to_owned(), json!(""));
    } else {
        table.shift_remove(*last);
        if let Some((.., name)) = DEFAULT_NAMES.iter().find(|(table, ..)| tables == [*table] && *last == "name") {
            table.insert("name".to_owned(), json!(name));
        }
    }
}
