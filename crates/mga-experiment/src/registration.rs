//! The check of the registered components: no setting hides behind a key that all components of its table share.

use std::sync::LazyLock;

use mga_core::loss::{Objectives, PixelObjectives};
use mga_core::optim::{Optimisers, Schedules};
use mga_data::masks::MaskSources;
use mga_data::registry::Datasets;
use mga_data::transforms::Transforms;
use mga_models::{Attentions, Backbones, Heads, Segmenters};
use mga_registry::Entry;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::hidden::hidden_settings;
use super::key_path::KeyPath;
use super::problem::Problem;
use super::settings::Experiment;
use super::task::OwnTable;
use crate::Components;

/// The tables of the experiment file without any component.
static TABLES: LazyLock<Value> =
    LazyLock::new(|| SchemaSettings::draft07().into_generator().into_root_schema_for::<Experiment>().to_value());

/// Returns what is wrong with the registration of the components that an experiment can name.
pub(super) fn problems(components: &Components) -> Vec<Problem> {
    let kinds = &components.kinds;
    let (name, model) = (&["name"][..], shared("Model"));
    let mut found = vec![
        hidden_settings(kinds.all::<Datasets>(), &shared("Data")),
        hidden_settings(kinds.all::<Backbones>(), &model),
        hidden_settings(kinds.all::<MaskSources>(), &[shared("Masks"), name.to_vec()].concat()),
        hidden_settings(kinds.all::<Objectives>(), &shared("Objective")),
        hidden_settings(kinds.all::<PixelObjectives>(), &shared("Objective")),
        hidden_settings(kinds.all::<Optimisers>(), &shared("Optimiser")),
        hidden_settings(kinds.all::<Schedules>(), &shared("Schedule")),
        hidden_settings(kinds.all::<Attentions>(), name),
        hidden_settings(kinds.all::<Heads>(), name),
        hidden_settings(kinds.all::<Transforms>(), &["op"]),
    ];
    // Those that are trained stand in `model`; the others have a table to themselves.
    let trained: Vec<Entry<Segmenters>> = components.trained_networks().map(|(entry, _)| entry.clone()).collect();
    found.push(hidden_settings(&trained, &model));
    found.extend(components.tables.iter().map(|kind| (kind.hidden)(kinds)));
    found.push(own_tables(components));
    found.concat()
}

/// What is wrong with the tables of tasks' own: two of one name have to be the same table.
fn own_tables(components: &Components) -> Vec<Problem> {
    let mut known: Vec<(&str, OwnTable)> = Vec::new();
    let mut found = Vec::new();
    for task in &components.tasks {
        for own in task.own_tables() {
            match known.iter().find(|(_, other)| other.table == own.table) {
                Some((other, table)) if table.schema != own.schema => {
                    let message = format!(
                        "tasks \"{other}\" and \"{}\" both have a table of this name, with other settings; the program that \
                         registers them has to give one of them another name",
                        task.name()
                    );
                    found.push(Problem::error(None, KeyPath::dotted(own.table), message));
                }
                Some(_) => {}
                None => known.push((task.name(), own)),
            }
        }
    }
    found
}

/// The keys that a table of the experiment has whatever component it names.
fn shared(definition: &str) -> Vec<&'static str> {
    let table = TABLES.pointer(&format!("/definitions/{definition}/properties")).and_then(Value::as_object);
    table.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::components::bare;
    use mga_registry::Kind;

    use super::*;
    use crate::{Overrides, load_text};

    fn with_setting<K: Kind>(components: Components, name: &str, setting: &str) -> Components {
        let schema = serde_json::json!({ "properties": { setting: { "type": "integer" } } });
        let entry = components.kinds.get::<K>(name).unwrap().clone();
        components.with(entry.with_settings(schema.try_into().unwrap()))
    }

    #[test]
    fn every_table_is_found_and_no_setting_of_ours_is_hidden() {
        let tables = ["Data", "Model", "Masks", "Objective", "Optimiser", "Schedule"].map(shared);
        assert!(tables.iter().all(|keys| keys.len() > 1), "{tables:?}");
        assert_eq!(problems(&bare()), []);
    }

    #[test]
    fn a_component_with_a_setting_that_its_table_has_is_refused() {
        let cases: [(&str, Components); 11] = [
            ("data.dataset", with_setting::<Datasets>(bare(), "leaves", "batch_size")),
            ("model.backbone", with_setting::<Backbones>(bare(), "conv4", "weights")),
            ("data.masks.source", with_setting::<Segmenters>(bare(), "unet_small", "strict")),
            ("data.masks.source", with_setting::<MaskSources>(bare(), "ones", "seed")),
            ("objective.name", with_setting::<Objectives>(bare(), "cross-entropy", "mask_weight")),
            ("objective.name", with_setting::<PixelObjectives>(bare(), "dice", "class_weights")),
            ("optimiser.name", with_setting::<Optimisers>(bare(), "sgd", "learning_rates")),
            ("schedule.name", with_setting::<Schedules>(bare(), "cosine", "epochs")),
            ("model.attention", with_setting::<Attentions>(bare(), "residual", "name")),
            ("model.head", with_setting::<Heads>(bare(), "linear", "name")),
            ("data.train.transforms", with_setting::<Transforms>(bare(), "resize", "op")),
        ];
        for (key, components) in cases {
            let error = load_text("seed = 1", &Overrides::default(), &components).unwrap_err();
            assert_eq!(error.problems.len(), 1, "{key}: {error}");
            assert!(error.problems[0].message.contains("another name"), "{key}: {error}");
        }
    }
}
