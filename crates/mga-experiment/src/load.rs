//! Loading an experiment: layers read, merged, checked and turned into settings; all problems in one pass.

use std::path::Path;

use serde_json::Value;

use super::assigned::{self, Assignment};
use super::defaults::Defaults;
use super::extends::{chain_of, read_chain};
use super::key_path::KeyPath;
use super::layer::Layer;
use super::loaded::Loaded;
use super::overrides::Overrides;
use super::problem::{ExperimentError, Problem, Severity};
use super::reading::{Read, Reading};
use super::registration;
use super::schema::{DEFAULT_NAMES, experiment_schema};
use super::sources::Sources;
use super::stages;
use crate::Components;

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
    let hidden = registration::problems(components);
    if !hidden.is_empty() {
        return Err(ExperimentError { problems: hidden });
    }
    if overrides.defaults == Defaults::Old {
        left_out = Defaults::Old;
    }
    let Some(own) = files.len().checked_sub(1) else { return Err(ExperimentError { problems }) };
    let mut layers = vec![defaults()];
    layers.extend(
        files.into_iter().enumerate().map(|(at, layer)| Layer { extended: layer.extended || at < own, ..layer }),
    );
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
    let sources = Sources { main: file.to_path_buf(), layers };
    let chosen = stages::chosen(&sources, components, &mut problems);
    let reading = Reading { file, overrides, components, schema, read: &problems, defaults: left_out };
    let Read { loaded, problems: mut found, mut idle, .. } = match chosen.stages.as_slice() {
        [] => reading.experiment(stages::without_stages(&sources.layers, &stages::OF_STAGES), None),
        _ => reading.stages(&sources, &chosen),
    };
    if assignments.is_empty() {
        found.extend(idle.drain(..).map(|idle| idle.problem));
    }
    problems.extend(found);
    problems.sort_by_key(|problem| sources.order(problem.place.as_ref()));
    match loaded {
        Some(loaded) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok(Loaded { warnings: problems, idle, ..loaded })
        }
        _ => Err(ExperimentError { problems }),
    }
}

/// The weakest layer: the names that other defaults depend on.
fn defaults() -> Layer {
    let named = |name: &str| config::Value::from(config::Map::from_iter([("name".to_owned(), name)]));
    let values = DEFAULT_NAMES.map(|(table, _, name)| (table.to_owned(), named(name)));
    Layer { values: values.into_iter().collect(), ..Layer::default() }
}
