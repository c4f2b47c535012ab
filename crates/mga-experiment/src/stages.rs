//! The stages of a run: which of them run, and what each of them reads of the layers.

use config::{Map, ValueKind};
use serde_json::{Value, json};

use super::idle::Idle;
use super::key_path::{KeyPath, Segment};
use super::layer::Layer;
use super::merge::{merge, to_json};
use super::problem::Problem;
use super::sources::Sources;
use super::task::{StageRules, TaskRules};
use super::validate::About;
use super::weight_file::PREVIOUS;
use super::wording::{one_of, quoted, unknown_name};
use crate::Components;
use mga_registry::nearest;

/// The table of the stages' own settings.
pub(super) const TABLE: &str = "stages";
/// The key that says which stages run.
pub(super) const CHOICE: &str = "run_stages";
/// What is said of stages.
pub(super) const OF_STAGES: [&str; 2] = [TABLE, CHOICE];
/// Settings that hold for all stages.
const OF_ALL: [&str; 8] = ["name", "description", "task", "seed", "device", "threads", "extends", CHOICE];

/// The stages that run.
pub(super) struct Chosen {
    /// In the task's order; none: the task has no stages.
    pub(super) stages: Vec<StageRules>,
    /// Whether they are all stages of the task.
    pub(super) all: bool,
}

/// A stage that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    /// What it is.
    pub(super) rules: StageRules,
    /// Whether another stage of the run comes before it.
    pub(super) follows: bool,
}

/// Settles which stages run. What is wrong with the choice, or with the tables of stages as such, is added to `problems`.
pub(super) fn chosen(sources: &Sources, components: &Components, problems: &mut Vec<Problem>) -> Chosen {
    let value: Value = to_json(merge(sources.layers.iter().map(|layer| &layer.values), None)).into();
    let task = value.get("task").map_or(Some("classification"), Value::as_str);
    let task = task.and_then(|task| components.task(task));
    let all = task.map(TaskRules::stages).unwrap_or_default();
    let mut error = |key: KeyPath, about: About, message: String| {
        problems.push(Problem::error(sources.place(&key, about), key, message));
    };
    if let Some(task) = task.filter(|_| all.is_empty()) {
        let others = components.tasks.iter().filter(|task| !task.stages().is_empty());
        let others: Vec<String> = others.map(|other| format!("task = \"{}\"", other.name())).collect();
        let hint = if others.is_empty() { String::new() } else { format!(", as {} has", others.join(" or ")) };
        for key in [TABLE, CHOICE].into_iter().filter(|key| value.get(key).is_some()) {
            error(
                KeyPath::dotted(key),
                About::Key,
                format!("task \"{}\" has no stages{hint}; take it out", task.name()),
            );
        }
    }
    if all.is_empty() {
        return Chosen { stages: Vec::new(), all: true };
    }
    let names: Vec<&str> = all.iter().map(|stage| stage.name).collect();
    check_tables(value.get(TABLE), &names, &mut error);
    let stages = match value.get(CHOICE) {
        None => all.to_vec(),
        Some(choice) => choose(choice, all, &names, &mut error),
    };
    Chosen { all: stages.len() == all.len(), stages }
}

/// The stages that `run_stages` names; all of them where it cannot be read.
fn choose(
    choice: &Value,
    all: &[StageRules],
    names: &[&str],
    error: &mut impl FnMut(KeyPath, About, String),
) -> Vec<StageRules> {
    let key = KeyPath::dotted(CHOICE);
    let texts: Option<Vec<&str>> = choice.as_array().and_then(|texts| texts.iter().map(Value::as_str).collect());
    let Some(texts) = texts else {
        error(key, About::Value, format!("expected an array of names: {}", one_of(names)));
        return all.to_vec();
    };
    let mut wrong = false;
    for (at, text) in texts.iter().enumerate().filter(|(_, text)| !names.contains(text)) {
        error(key.index(at), About::Value, unknown_name(text, names));
        wrong = true;
    }
    let chosen: Vec<StageRules> = all.iter().filter(|stage| texts.contains(&stage.name)).copied().collect();
    if !wrong && !chosen.iter().map(|stage| stage.name).eq(texts.iter().copied()) || texts.is_empty() {
        let what = "each stage that runs once, in the task's order";
        error(key, About::Value, format!("expected {what}: {}", quoted(names, "and")));
    }
    if chosen.is_empty() { all.to_vec() } else { chosen }
}

/// Refuses unknown stages, and what is no table in them.
fn check_tables(tables: Option<&Value>, names: &[&str], error: &mut impl FnMut(KeyPath, About, String)) {
    let key = KeyPath::dotted(TABLE);
    let Some(tables) = tables else { return };
    let Some(tables) = tables.as_object() else {
        return error(key, About::Value, format!("expected a table for each stage: {}", quoted(names, "and")));
    };
    for (stage, table) in tables {
        let key = key.key(stage);
        if !names.contains(&stage.as_str()) {
            let meant = nearest(stage, names.iter().copied()).map(|meant| format!(", did you mean `{meant}`?"));
            let meant = meant.unwrap_or_else(|| format!("; expected {}", one_of(names)));
            error(key, About::Key, format!("unknown stage{meant}"));
            continue;
        }
        let Some(table) = table.as_object() else {
            error(key, About::Value, "expected a table that holds the stage's tables, such as `data`".to_owned());
            continue;
        };
        for name in table.iter().filter(|(_, value)| !value.is_object()).map(|(name, _)| name) {
            let message = if OF_ALL.contains(&name.as_str()) {
                format!("`{name}` holds for all stages; it belongs at the top of the file, before the first [table]")
            } else {
                format!("unknown key; a stage has tables, such as [{TABLE}.{stage}.schedule]")
            };
            error(key.key(name), About::Key, message);
        }
    }
}

/// The layers without these keys, which are said of stages.
pub(super) fn without_stages(layers: &[Layer], keys: &[&str]) -> Vec<Layer> {
    let mut layers = layers.to_vec();
    for layer in &mut layers {
        for &key in keys {
            if layer.values.shift_remove(key).is_some() {
                let key = KeyPath::dotted(key);
                layer.written.retain(|path, _| !path.is_within(&key));
            }
        }
    }
    layers
}

/// The layers that a stage is read from: what all stages share, then what the sources say of this one, so that a stage's own
/// setting counts whatever the top of another source says.
pub(super) fn view(layers: &[Layer], stage: &str) -> Vec<Layer> {
    let own = layers.iter().filter_map(|layer| of_stage(layer, stage));
    without_stages(layers, &OF_STAGES).into_iter().chain(own).collect()
}

/// What a layer says of a stage, as a layer.
pub(super) fn of_stage(layer: &Layer, stage: &str) -> Option<Layer> {
    let ValueKind::Table(stages) = &layer.values.get(TABLE)?.kind else { return None };
    let ValueKind::Table(tables) = &stages.get(stage)?.kind else { return None };
    let tables = tables.iter().filter(|(_, value)| matches!(value.kind, ValueKind::Table(_)));
    let values: Map<String, config::Value> = tables.map(|(key, value)| (key.clone(), value.clone())).collect();
    let written = layer.written.iter().filter_map(|(path, written)| Some((within(path, stage)?, written.clone())));
    Some(Layer { values, written: written.collect(), stage: Some(stage.to_owned()), ..*layer })
}

/// The setting that `path` is of a stage; `None`: it is none of this stage.
fn within(path: &KeyPath, stage: &str) -> Option<KeyPath> {
    let [Segment::Key(table), Segment::Key(name), own @ ..] = path.segments() else { return None };
    let of_stage = table == TABLE && name == stage && !own.is_empty();
    of_stage.then(|| own.iter().fold(KeyPath::default(), |path, segment| path.then(segment.clone())))
}

/// A problem of the layers as a stage sees it; `None`: it is one of another stage.
pub(super) fn seen(problem: &Problem, stage: Option<Stage>) -> Option<Problem> {
    let Some(stage) = stage else { return Some(problem.clone()) };
    match within(&problem.key, stage.rules.name) {
        Some(key) => Some(Problem { key, ..problem.clone() }),
        None => (!problem.key.is_within(&KeyPath::dotted(TABLE))).then(|| problem.clone()),
    }
}

/// Says in an experiment which stage it is of. One that follows another starts from that one's weights, unless its own table
/// names some: those at the top are for the first stage.
pub(super) fn name(value: &mut Value, stage: Stage, sources: &Sources) {
    let weights = KeyPath::dotted("model.weights");
    let own = sources.layers.iter().any(|layer| layer.stage.is_some() && layer.written.contains_key(&weights));
    let Some(value) = value.as_object_mut() else { return };
    value.insert(CHOICE.to_owned(), json!([stage.rules.name]));
    if let Some(model) = value.get_mut("model").and_then(Value::as_object_mut).filter(|_| stage.follows && !own) {
        model.insert("weights".to_owned(), json!(PREVIOUS));
    }
}

/// What does nothing in a run: of a stage's own settings, those that do nothing in it; of those at the top, what does nothing
/// in any stage. Where not `all` stages run, others may use it.
pub(super) fn idle_in_all(idle: &[Vec<Idle>], all: bool) -> Vec<Idle> {
    let table = KeyPath::dotted(TABLE);
    let everywhere = |key: &KeyPath| idle.iter().all(|stage| stage.iter().any(|idle| idle.key == *key));
    let mut found: Vec<Idle> = Vec::new();
    for one in idle.iter().flatten() {
        let counts = one.key.is_within(&table) || all && everywhere(&one.key);
        if counts && !found.iter().any(|known| known.key == one.key) {
            found.push(one.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests;
