//! Settings that do nothing: found by [`super::effects`], and told where they were written.

use serde_json::Value;

use super::effects::{Loss, Need, SETTINGS};
use super::key_path::{KeyPath, Segment};
use super::mask_effects;
use super::merge::tag;
use super::problem::{Place, Problem, Severity};
use super::schema_reading::fill_defaults;
use super::settings::Experiment;
use super::sources::{Author, Sources};
use super::task::{StageWork, TaskRules};
use super::validate::About;
use crate::Components;

/// A setting that does nothing in this experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// The setting.
    pub key: KeyPath,
    /// The problem, at the place where the setting was written. It is an error if the experiment itself has the
    /// setting. It is a warning if an extended file has it, or if something stronger turned off what it belongs to.
    pub problem: Problem,
    /// Whether the experiment's own file, or something over it, has it.
    pub own: bool,
}

/// The settings of `experiment` that do nothing; `merged` is all that was written, without defaults.
pub(super) fn idle(
    experiment: &Experiment,
    merged: &Value,
    sources: &Sources,
    components: &Components,
    schema: &Value,
) -> Vec<Idle> {
    let mut found: Vec<Idle> = Vec::new();
    let work = components.work(experiment);
    for (key, unmet) in settings(experiment, components) {
        if at(merged, &key).is_none() || found.iter().any(|idle| key.is_within(&idle.key)) {
            continue;
        }
        let Some((author, layer)) = sources.author(&key) else { continue };
        if author == Author::Resolved {
            continue;
        }
        let (words, by, costs_only) = match (of_other_tasks(&key, experiment, components), unmet) {
            // Whatever its value, something else was meant.
            (Some(tasks), _) => (tasks, vec!["task".to_owned()], false),
            (None, _) if work != StageWork::Fit && trains(&key) => {
                let stage = experiment.stage().unwrap_or_default();
                (format!("a stage that fits a model: `{stage}` trains nothing"), Vec::new(), false)
            }
            (None, Some(unmet)) if unmet.loss == Loss::Value && is_default(merged, &key, schema) => continue,
            (None, Some(unmet)) => (unmet.words, unmet.by, unmet.loss == Loss::Cost),
            (None, None) => continue,
        };
        // Who turns a method off leaves the settings of the method as they are.
        let decided = by.iter().filter_map(|by| sources.author(&KeyPath::dotted(by))).map(|(_, layer)| layer).max();
        let turned_off = decided.is_some_and(|decided| decided > layer);
        let own = author == Author::Own;
        let severity = if own && !turned_off && !costs_only { Severity::Error } else { Severity::Warning };
        let place = sources.place(&key, About::Key);
        let message = format!("does nothing here: it counts only with {words}");
        let problem = Problem { severity, place, key: key.clone(), message };
        found.push(Idle { key, problem, own });
    }
    found
}

/// What a setting lacks to act.
struct Unmet {
    words: String,
    by: Vec<String>,
    loss: Loss,
}

/// Every setting with what it lacks, if anything: those that all experiments have, those of named components, and tables.
fn settings(experiment: &Experiment, components: &Components) -> Vec<(KeyPath, Option<Unmet>)> {
    let unmet = |need: &&Need| !(need.holds)(experiment, components);
    let lacks = |need: &Need| Unmet {
        words: need.words.to_owned(),
        by: need.by.iter().map(|by| (*by).to_owned()).collect(),
        loss: need.loss,
    };
    let shared = SETTINGS.iter().map(|(key, needs)| (KeyPath::dotted(key), needs.iter().find(unmet).map(lacks)));
    let masks = mask_effects::tables(experiment, components).flat_map(|table| {
        mask_effects::SETTINGS.iter().map(move |(key, needs)| {
            let unmet = needs.iter().find(|need| !(need.holds)(table)).map(|need| Unmet {
                words: table.named(need.words),
                by: need.by.iter().map(|by| table.named(by)).collect(),
                loss: Loss::Value,
            });
            (KeyPath::dotted(&format!("{}.{key}", table.at)), unmet)
        })
    });
    let own = components.conditions(experiment).into_iter().map(|(table, settings, condition)| {
        let by = vec![format!("{table}.{}", condition.by)];
        let unmet = Unmet { words: condition.words.to_owned(), by, loss: Loss::Value };
        let key = KeyPath::dotted(&format!("{table}.{}", condition.key));
        (key, (!(condition.holds)(settings)).then_some(unmet))
    });
    let tables = experiment.tables.keys().map(|table| (KeyPath::dotted(table), None));
    shared.chain(masks).chain(own).chain(tables).collect()
}

/// Whether the setting acts on training alone.
fn trains(key: &KeyPath) -> bool {
    ["optimiser", "schedule", "train"].iter().any(|table| key.is_within(&KeyPath::dotted(table)))
}

/// The settings at the top that this stage does not see: those that its own tables set otherwise, or drop as they name
/// another component. `merged` is all that was written, without defaults.
pub(super) fn overridden(sources: &Sources, merged: &Value, follows: bool) -> Vec<KeyPath> {
    let weights = KeyPath::dotted("model.weights");
    let by_stage = |key: &KeyPath| {
        let by = sources.author(key).and_then(|(_, at)| sources.layers.get(at));
        by.is_some_and(|layer| layer.stage.is_some())
    };
    // Whether a stage names another component in a table around the key, which drops the settings of the one before.
    let renamed = |key: &KeyPath| {
        let above = std::iter::successors(key.parent(), KeyPath::parent);
        let mut tables = above.take_while(|table| !table.segments().is_empty());
        tables.any(|table| by_stage(&table.key(tag(&table.to_string()))))
    };
    let mut found = Vec::new();
    for layer in sources.layers.iter().filter(|layer| layer.stage.is_none() && !layer.resolved) {
        let keys = layer.written.keys().filter(|key| key.segments().iter().all(|s| matches!(s, Segment::Key(_))));
        let table = |key: &&KeyPath| layer.written.keys().any(|other| other != *key && other.is_within(key));
        for key in keys.filter(|key| !table(key)) {
            let replaced = by_stage(key) || at(merged, key).is_none() && renamed(key);
            if (replaced || follows && *key == weights) && !found.contains(key) {
                found.push(key.clone());
            }
        }
    }
    found
}

/// What is said of settings at the top that act in no stage, since those that would use them have their own: `lost` are those
/// that each stage does not see, `idle` what does nothing in each, and `sources` all that was read. Where not `all` stages
/// run, a file may be meant for the others.
pub(super) fn overridden_by_all(lost: &[Vec<KeyPath>], idle: &[Vec<Idle>], sources: &Sources, all: bool) -> Vec<Idle> {
    let unused = |key: &KeyPath| {
        lost.iter().zip(idle).all(|(lost, idle)| lost.contains(key) || idle.iter().any(|idle| idle.key == *key))
    };
    let mut keys: Vec<&KeyPath> = lost.iter().flatten().filter(|key| unused(key)).collect();
    keys.sort();
    keys.dedup();
    let everywhere = keys.into_iter();
    let idle = everywhere.filter_map(|key| {
        let (author, _) = sources.author(key)?;
        let place = sources.place(key, About::Key);
        if !all && matches!(place, Some(Place::File(..))) {
            return None;
        }
        let own = author == Author::Own;
        let severity = if own { Severity::Error } else { Severity::Warning };
        let message = format!(
            "does nothing here: every stage that uses it has its own; set stages.NAME.{key}, or take those out of the stages"
        );
        Some(Idle { key: key.clone(), problem: Problem { severity, place, key: key.clone(), message }, own })
    });
    idle.collect()
}

/// The tasks that use the setting, in words, where the experiment's is none of them; `None`: it is, or every task does.
fn of_other_tasks(key: &KeyPath, experiment: &Experiment, components: &Components) -> Option<String> {
    let uses = |task: &dyn TaskRules| {
        let tables = task.own_tables();
        let tables = task.tables().iter().copied().chain(tables.iter().map(|own| own.table));
        task.own_settings().iter().copied().chain(tables).any(|own| key.is_within(&KeyPath::dotted(own)))
    };
    let users: Vec<&str> = components.tasks.iter().filter(|task| uses(task.as_ref())).map(|task| task.name()).collect();
    if users.is_empty() {
        // A table of a registered kind that no task acts on is a mistake in each; lists are of every task.
        let mut tables = components.tables.iter().filter(|kind| !kind.list);
        let unused = tables.any(|kind| key.is_within(&KeyPath::dotted(kind.table)));
        return unused.then(|| "a task that acts on it, and none is registered".to_owned());
    }
    if users.contains(&experiment.task.as_str()) {
        return None;
    }
    let named: Vec<String> = users.iter().map(|name| format!("\"{name}\"")).collect();
    Some(format!("task = {}", named.join(" or ")))
}

/// The value at `key`.
fn at<'a>(value: &'a Value, key: &KeyPath) -> Option<&'a Value> {
    key.segments().iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(index),
    })
}

/// Whether the value at `key` is the one that leaving it out gives.
fn is_default(merged: &Value, key: &KeyPath, schema: &Value) -> bool {
    let mut without = merged.clone();
    let Some((Segment::Key(last), tables)) = key.segments().split_last() else { return false };
    let table = tables.iter().try_fold(&mut without, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    if let Some(table) = table.and_then(Value::as_object_mut) {
        table.shift_remove(last);
    }
    fill_defaults(schema, schema, &mut without);
    at(&without, key).is_some() && at(&without, key) == at(merged, key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mga_data::registry::Datasets;
    use mga_models::Backbones;

    use super::super::schema::experiment_schema;
    use super::super::schema_reading::{array, resolve};
    use super::*;

    /// Every setting below `schema`: tables are gone into, open ones and arrays are one setting.
    fn keys(root: &Value, schema: &Value, path: &str, all: &mut BTreeSet<String>) {
        let schema = resolve(root, schema);
        let parts = [schema].into_iter().chain(array(schema, "oneOf").map(|part| resolve(root, part)));
        let mut tables = parts.filter_map(|part| part.get("properties")?.as_object()).peekable();
        let inner = array(schema, "anyOf").find(|part| resolve(root, part).get("properties").is_some());
        match (tables.peek().is_some(), inner) {
            (true, _) => {
                for (key, schema) in tables.flatten().filter(|(_, schema)| !schema.is_boolean()) {
                    keys(root, schema, &format!("{path}.{key}"), all);
                }
            }
            (false, Some(inner)) => keys(root, inner, path, all),
            (false, None) => {
                all.insert(path.trim_start_matches('.').to_owned());
            }
        }
    }

    #[test]
    fn every_setting_of_the_schema_has_a_line_and_every_line_a_setting() {
        let components = super::super::components::bare();
        let schema = experiment_schema(&components);
        let mut all = BTreeSet::new();
        keys(&schema, &schema, "", &mut all);
        all.remove("extends");
        // What is a data set's or a backbone's own acts unless its entry says otherwise.
        let of_data_sets = components.kinds.all::<Datasets>().iter().map(|entry| ("data", entry.schema.as_ref()));
        let of_backbones = components.kinds.all::<Backbones>().iter().map(|entry| ("model", entry.schema.as_ref()));
        let own = of_data_sets.chain(of_backbones).filter_map(|(table, own)| Some((table, own?.get("properties")?)));
        let own = own.flat_map(|(table, own)| own.as_object().into_iter().flatten().map(move |(key, _)| (table, key)));
        let own: Vec<KeyPath> = own.map(|(table, key)| KeyPath::dotted(&format!("{table}.{key}"))).collect();
        all.retain(|key| !own.iter().any(|own| KeyPath::dotted(key).is_within(own)));
        assert!(all.contains("data.masks.segmenter.tile") && all.contains("schedule.gamma"), "{all:?}");
        let within = |key: &str, other: &str| KeyPath::dotted(key).is_within(&KeyPath::dotted(other));
        let mut lines: Vec<String> = SETTINGS.iter().map(|(line, _)| (*line).to_owned()).collect();
        let mut deciding: Vec<String> =
            SETTINGS.iter().flat_map(|(_, needs)| *needs).flat_map(|need| need.by).map(|by| (*by).to_owned()).collect();
        for table in [mask_effects::LEARNT, mask_effects::REFERENCE] {
            lines.extend(mask_effects::SETTINGS.iter().map(|(line, _)| format!("{table}.{line}")));
            let by = mask_effects::SETTINGS.iter().flat_map(|(_, needs)| *needs).flat_map(|need| need.by);
            deciding.extend(by.map(|by| by.replace("{table}", table)));
        }
        // The line of the table of reference masks stands for none of its settings.
        let own = || lines.iter().filter(|line| *line != mask_effects::REFERENCE);
        let missing: Vec<_> = all.iter().filter(|key| !own().any(|line| within(key, line))).collect();
        assert!(missing.is_empty(), "say in effects.rs or mask_effects.rs where these settings act: {missing:?}");
        let gone: Vec<_> = lines.iter().filter(|line| !all.iter().any(|key| within(key, line))).collect();
        assert!(gone.is_empty(), "no such settings any more: {gone:?}");
        let keys: BTreeSet<_> = lines.iter().collect();
        assert_eq!(keys.len(), lines.len(), "a setting has two lines");
        for by in &deciding {
            assert!(all.iter().any(|key| within(key, by)), "{by} decides, and is no setting");
        }
    }
}
