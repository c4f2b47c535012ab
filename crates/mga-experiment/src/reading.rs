//! From the layers of one experiment, or of one stage, to its settings: merged, checked, defaults filled in.

use std::path::Path;

use serde_json::{Value, json};

use super::consistency;
use super::defaults::Defaults;
use super::idle::{Idle, overridden, overridden_by_all};
use super::key_path::{KeyPath, Segment};
use super::layer::Layer;
use super::leftovers::leftovers;
use super::loaded::Loaded;
use super::merge::{merge, to_json};
use super::one_form;
use super::overrides::Overrides;
use super::problem::{Place, Problem, SourceFile};
use super::schema::DEFAULT_NAMES;
use super::schema_reading::fill_defaults;
use super::settings::Experiment;
use super::sources::{Author, Sources};
use super::stages::{self, Chosen, Stage};
use super::task::StageWork;
use super::validate::{About, Fault, faults};
use crate::Components;

/// What experiments are read with.
pub(super) struct Reading<'a> {
    pub(super) file: &'a Path,
    pub(super) overrides: &'a Overrides,
    pub(super) components: &'a Components,
    pub(super) schema: &'a Value,
    /// What was wrong with the layers.
    pub(super) read: &'a [Problem],
    pub(super) defaults: Defaults,
}

/// What came of reading.
pub(super) struct Read {
    /// The experiment, where there is one: with problems it may have holes.
    pub(super) loaded: Option<Loaded>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// Settings that do nothing.
    pub(super) idle: Vec<Idle>,
    /// All that was written, without defaults.
    written: Value,
}

impl Reading<'_> {
    /// Reads the stages of a run.
    pub(super) fn stages(&self, sources: &Sources, chosen: &Chosen) -> Read {
        let (mut loaded, mut problems, mut idle, mut lost) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, rules) in chosen.stages.iter().enumerate() {
            let layers = stages::view(&sources.layers, rules.name);
            let read = self.experiment(layers, Some(Stage { rules: *rules, follows: at > 0 }));
            // What all stages share is told once.
            for problem in read.problems {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            let replaced = read.loaded.as_ref().map(|loaded| overridden(&loaded.sources, &read.written, at > 0));
            lost.push(replaced.unwrap_or_default());
            loaded.extend(read.loaded);
            idle.push(read.idle);
        }
        let told = stages::idle_in_all(&idle, chosen.all);
        let unused =
            if problems.is_empty() { overridden_by_all(&lost, &idle, sources, chosen.all) } else { Vec::new() };
        let mut idle: Vec<Idle> = told.into_iter().chain(unused).collect();
        if self.overrides.weights_read {
            // Whoever reads a run sets them aside, and it does not matter what they are.
            idle.retain(|idle| idle.key != KeyPath::dotted("model.weights"));
        }
        let whole = loaded.len() == chosen.stages.len();
        let last = loaded.pop().filter(|_| whole);
        let last = last.map(|last| Loaded { earlier: loaded, ..last });
        Read { loaded: last, problems, idle, written: Value::Null }
    }

    /// Reads one experiment from its layers, weakest first: that of a stage, or of a task without stages.
    pub(super) fn experiment(&self, layers: Vec<Layer>, stage: Option<Stage>) -> Read {
        let (components, schema) = (self.components, self.schema);
        let read: Vec<Problem> = self.read.iter().filter_map(|problem| stages::seen(problem, stage)).collect();
        let mut problems = Vec::new();
        let merged = to_json(merge(layers.iter().map(|layer| &layer.values), Some(&leftovers(schema))));
        let mut value = Value::Object(merged);
        let sources = Sources { main: self.file.to_path_buf(), layers };
        let task = value.get("task").map_or(Some("classification"), Value::as_str);
        for own in task.and_then(|task| components.task(task)).map(|task| task.own_tables()).unwrap_or_default() {
            // What it lacks is missing, and its defaults are on record.
            value.as_object_mut().map(|value| value.entry(own.table).or_insert(json!({})));
        }

        let mut faults = faults(schema, &value);
        // What a file that could not be read through would have set is not missing, and the experiment has holes.
        let extends = KeyPath::dotted("extends");
        let torn = read.iter().any(|problem| problem.key.segments().is_empty() || problem.key.is_within(&extends));
        let unread: Vec<(&SourceFile, usize)> =
            read.iter().filter_map(|problem| problem.place.as_ref().and_then(Place::line)).collect();
        faults.retain(|fault| {
            let place = sources.place(&fault.path, fault.about);
            // A line that could not be read means something else.
            let misread = place.as_ref().and_then(Place::line).is_some_and(|line| unread.contains(&line));
            let refused = read.iter().any(|problem| problem.key == fault.path);
            !refused && if fault.about == About::Absence { !torn } else { !misread }
        });
        let unsound: Vec<KeyPath> = faults
            .iter()
            .map(|fault| &fault.path)
            .chain(read.iter().map(|problem| &problem.key).filter(|key| !key.segments().is_empty()))
            .cloned()
            .collect();

        for fault in &faults {
            remove(&mut value, fault);
        }
        let written = value.clone();
        if let Some(stage) = stage {
            stages::name(&mut value, stage, &sources);
        }
        fill_defaults(schema, schema, &mut value);
        let experiment = serde_json::from_value::<Experiment>(value).map(|mut experiment| {
            if let Some(task) = components.task(&experiment.task) {
                let is_written = |key: &str| sources.written(&KeyPath::dotted(key)).is_some();
                if !is_written("eval.metric") {
                    experiment.eval.metric = task.default_metric().to_owned();
                }
                task.defaults(&mut experiment, &is_written, &components.known());
            }
            problems.extend(complete(&mut experiment, components, &sources));
            one_form::bring(&mut experiment, &components.kinds);
            problems.extend(weighing_default(&mut experiment, &sources, self.overrides.defaults, components));
            experiment
        });
        let mut idle: Vec<Idle> = Vec::new();
        for Fault { path, about, message } in faults {
            problems.push(Problem::error(sources.place(&path, about), path, message));
        }
        let refused: Vec<Problem> = problems.clone();
        match &experiment {
            // Of an experiment with holes, not everything can be asked.
            Ok(experiment) if !torn => {
                let (weights_read, follows) = (self.overrides.weights_read, stage.is_some_and(|stage| stage.follows));
                let more = consistency::problems(experiment, &sources, components, &unsound, weights_read, follows);
                // What a component refuses shows where its settings are completed and where it is made.
                problems.extend(more.into_iter().filter(|problem| !refused.contains(problem)));
                // What decides may be what is faulty.
                if unsound.is_empty() {
                    idle = super::idle::idle(experiment, &written, &sources, components, schema);
                }
            }
            Err(error) if problems.is_empty() && read.is_empty() => {
                // Only a schema that promises more than the settings keep leads here.
                let place = Some(Place::Whole(self.file.to_path_buf()));
                problems.push(Problem::error(place, KeyPath::default(), error.to_string()));
            }
            _ => {}
        }
        let named = |problem: &mut Problem| problem.key = sources.full_key(&problem.key);
        problems.iter_mut().for_each(named);
        for idle in &mut idle {
            idle.key = sources.full_key(&idle.key);
            named(&mut idle.problem);
        }
        let loaded = experiment.ok().map(|experiment| Loaded {
            experiment,
            warnings: Vec::new(),
            idle: Vec::new(),
            kinds: components.kinds.clone(),
            work: stage.map_or(StageWork::Fit, |stage| stage.rules.work),
            sources,
            defaults: self.defaults,
            earlier: Vec::new(),
        });
        Read { loaded, problems, idle, written }
    }
}

/// Writes out all settings of the components that have theirs in a map, defaults included. The schema has found what is wrong
/// with them, unless it promises more than the settings keep.
fn complete(experiment: &mut Experiment, components: &Components, sources: &Sources) -> Vec<Problem> {
    let kinds = &components.kinds;
    let predictions = components.predictions(&experiment.task);
    let tables = [
        ("objective", experiment.objective.complete(predictions, kinds)),
        ("optimiser", experiment.optimiser.complete(kinds)),
        ("schedule", experiment.schedule.complete(kinds)),
    ];
    let problem = |(table, done): (&str, mga_core::Result<()>)| {
        let error = done.err()?;
        let (key, what) = match error.invalid_setting() {
            Some(setting) => (setting.key.as_str(), setting.what.clone()),
            None => (table, error.to_string()),
        };
        let key = KeyPath::dotted(key);
        Some(Problem::error(sources.place(&key, About::Value), key, what))
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
