//! Experiments as files that say every setting: those of one stage, and those of several, whose common settings stand at the
//! top and whose others in the tables of their stages.

use serde_json::{Map, Value, json};

use super::defaults::{Defaults, base_header, resolved_header};
use super::merge::tag;
use super::schema_reading::without_nulls;
use super::settings::Experiment;

impl Experiment {
    /// Returns the experiment as TOML, every setting written out, defaults included: loading it gives an equal
    /// experiment, whatever the defaults of a later version are.
    ///
    /// # Errors
    /// Fails where a setting cannot be written as TOML; no experiment that came through [`crate::load`] has one.
    pub fn resolved_toml(&self) -> anyhow::Result<String> {
        resolved(&[self], Defaults::New)
    }
}

/// The experiments of the stages of a run, in their order, as one resolved file that was loaded with these defaults.
pub(super) fn resolved(stages: &[&Experiment], defaults: Defaults) -> anyhow::Result<String> {
    written(stages, &resolved_header(defaults))
}

/// Writes the resolved experiment as the base of a sweep, whose runs have these defaults.
pub(super) fn base(experiment: &Experiment, defaults: Defaults) -> anyhow::Result<String> {
    written(&[experiment], &base_header(defaults))
}

fn written(stages: &[&Experiment], header: &str) -> anyhow::Result<String> {
    // By way of JSON, whose maps keep the order of the fields.
    let body = toml::to_string(&without_nulls(value(stages)?).unwrap_or_default())?;
    Ok(format!("{header}\n{body}"))
}

/// The experiments of the stages of a run as one value, in the form of the file. Merging a stage's table over the top level
/// gives the stage's experiment again.
pub(super) fn value(stages: &[&Experiment]) -> anyhow::Result<Value> {
    let values: Vec<Value> = stages.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    if let [only] = values.as_slice() {
        return Ok(only.clone());
    }
    let values: Vec<Value> = values.into_iter().filter_map(without_nulls).collect();
    let mut shared = common(&values.iter().collect::<Vec<_>>(), "");
    // What stands at the top is for the first stage alone.
    let model = shared.as_mut().and_then(|shared| shared.get_mut("model")).and_then(Value::as_object_mut);
    model.map(|model| model.shift_remove("weights"));
    let names: Vec<&str> = stages.iter().filter_map(|stage| stage.stage()).collect();
    let mut tables = Map::new();
    for (name, value) in names.iter().zip(&values) {
        let Some(Value::Object(mut own)) = remainder(value, shared.as_ref()) else { continue };
        own.shift_remove("run_stages");
        tables.insert((*name).to_owned(), Value::Object(own));
    }
    let mut whole = Map::new();
    for (key, value) in shared.as_ref().and_then(Value::as_object).into_iter().flatten() {
        whole.insert(key.clone(), value.clone());
        if key == "task" {
            whole.insert("run_stages".to_owned(), json!(names));
        }
    }
    whole.insert("stages".to_owned(), Value::Object(tables));
    Ok(Value::Object(whole))
}

/// Returns the experiment of the last stage of a run, where `experiment` is a file that [`crate::Loaded::resolved`] wrote: the
/// tables of that stage are laid over those at the top. Of a run of one stage it is the file.
#[must_use]
pub fn last_stage(mut experiment: Value) -> Value {
    let last = experiment.get("run_stages").and_then(Value::as_array).and_then(|stages| stages.last()).cloned();
    let own = last.as_ref().and_then(Value::as_str).and_then(|last| experiment.get("stages")?.get(last)).cloned();
    if let Some(own) = own {
        lay_over(&mut experiment, own);
    }
    experiment
}

/// Returns the stages of a run, each by its name with its whole experiment, where `experiment` is a file that
/// [`crate::Loaded::resolved`] wrote; of a task without stages none.
#[must_use]
pub fn stage_experiments(experiment: &Value) -> Vec<(String, Value)> {
    let names = experiment.get("run_stages").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut shared = experiment.clone();
    let tables = shared.as_object_mut().and_then(|shared| shared.shift_remove("stages")).unwrap_or_default();
    let whole = |name: &str| {
        let mut stage = shared.clone();
        tables.get(name).cloned().into_iter().for_each(|own| lay_over(&mut stage, own));
        (name.to_owned(), stage)
    };
    names.map(whole).collect()
}

fn lay_over(value: &mut Value, own: Value) {
    match (value, own) {
        (Value::Object(table), Value::Object(own)) => {
            for (key, own) in own {
                lay_over(table.entry(key).or_insert(Value::Null), own);
            }
        }
        (value, own) => *value = own,
    }
}

/// What all values have in common; `key` is that of the table they are. Tables that name different components have nothing:
/// what belongs to a component is written beside its name.
fn common(values: &[&Value], key: &str) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    let tables: Option<Vec<&Map<String, Value>>> = values.iter().map(|value| value.as_object()).collect();
    let Some(tables) = tables else {
        return rest.iter().all(|value| value == first).then(|| (*first).clone());
    };
    let (first, rest) = tables.split_first()?;
    let name = tag(key);
    if !key.is_empty() && rest.iter().any(|table| table.get(name) != first.get(name)) {
        return None;
    }
    let mut shared = Map::new();
    for key in first.keys() {
        let values: Option<Vec<&Value>> = tables.iter().map(|table| table.get(key)).collect();
        if let Some(value) = values.and_then(|values| common(&values, key)) {
            shared.insert(key.clone(), value);
        }
    }
    Some(Value::Object(shared))
}

/// What of a value is not in common; `None`: nothing.
fn remainder(value: &Value, shared: Option<&Value>) -> Option<Value> {
    match (value, shared) {
        (_, None) => Some(value.clone()),
        (Value::Object(table), Some(Value::Object(shared))) => {
            let own = table.iter().filter_map(|(key, value)| Some((key.clone(), remainder(value, shared.get(key))?)));
            let own: Map<String, Value> = own.collect();
            (!own.is_empty()).then_some(Value::Object(own))
        }
        (value, Some(shared)) => (value != shared).then(|| value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_names_another_component_is_written_whole() {
        let first = json!({ "seed": 1, "optimiser": { "name": "sgd", "learning_rate": 0.1 }, "eval": { "every": 1 } });
        let second =
            json!({ "seed": 1, "optimiser": { "name": "adamw", "learning_rate": 0.1 }, "eval": { "every": 2 } });
        let shared = common(&[&first, &second], "").unwrap();
        assert_eq!(shared, json!({ "seed": 1, "eval": {} }));
        let own = json!({ "optimiser": { "name": "sgd", "learning_rate": 0.1 }, "eval": { "every": 1 } });
        assert_eq!(remainder(&first, Some(&shared)), Some(own));
        assert_eq!(remainder(&shared, Some(&shared)), None);
    }
}
