//! The JSON schema (draft-07) of the experiment file: made from the settings structs and from the schemas of the
//! registered components, for editors and for [`super::validate`].

use mga_core::metrics::{Metrics, Predictions};
use mga_core::optim::{Optimisers, Schedules};
use mga_data::registry::Datasets;
use mga_data::transforms::Transforms;
use mga_models::{Attentions, Heads};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::components::alternatives;
use super::mask_schema;
use super::objective::Objective;
use super::older::OLDER_RELEASES;
use super::schema_closing::{close, embed, inline_alternatives, take_definitions};
use super::schema_tables::{choice, leave_out, name_alternatives, transform};
use super::settings::Experiment;
use super::stages_schema;
use crate::Components;

/// The tables that can go without the name of their component: table, its definition, and the name that is meant.
pub(super) const DEFAULT_NAMES: [(&str, &str, &str); 3] = [
    ("objective", "Objective", Objective::CROSS_ENTROPY),
    ("optimiser", "Optimiser", "sgd"),
    ("schedule", "Schedule", "cosine"),
];

/// Schema of a list of transforms; what a transform is comes from the components.
pub(super) fn transforms(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/definitions/Transform" } })
}

/// Schema of `task`; which tasks there are comes from the components.
pub(super) fn task(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "$ref": "#/definitions/Task" })
}

/// Schema of `eval.metric`; which metrics there are comes from the components.
pub(super) fn metric(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "$ref": "#/definitions/Metric" })
}

/// Schema of `model.attention`; which attentions there are comes from the components.
pub(super) fn attention(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "$ref": "#/definitions/Attention" })
}

/// Schema of `model.head`; which heads there are comes from the components.
pub(super) fn head(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "$ref": "#/definitions/Head" })
}

/// The schema of a text that names one of these; each is a name and what it is.
fn named<'a>(description: &str, all: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut known: Vec<&str> = Vec::new();
    let mut named = Vec::new();
    for (name, about) in all {
        // Two tasks can share a metric.
        if !known.contains(&name) {
            known.push(name);
            named.push(json!({ "type": "string", "const": name, "description": about }));
        }
    }
    json!({ "oneOf": named, "description": description })
}

/// Returns the JSON schema of the experiment file, with the data sets, backbones and transforms of `components`.
///
/// A table whose settings depend on a name in it (`data.dataset`, `model.backbone`, `optimiser.name`,
/// `schedule.name`, a transform's `op`) has one `oneOf` alternative for each name. Tables are closed: keys
/// that are not listed are faults.
#[must_use]
pub fn experiment_schema(components: &Components) -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut root = generator.into_root_schema_for::<Experiment>().to_value();
    let mut definitions = take_definitions(&mut root);

    name_alternatives(&mut definitions, "Data", "dataset", alternatives::<Datasets>(&components.kinds));
    name_alternatives(&mut definitions, "Model", "backbone", components.networks_by_settings());
    mask_schema::add(&mut definitions, components);
    name_alternatives(&mut definitions, "Objective", "name", components.objectives());
    name_alternatives(&mut definitions, "Optimiser", "name", alternatives::<Optimisers>(&components.kinds));
    name_alternatives(&mut definitions, "Schedule", "name", alternatives::<Schedules>(&components.kinds));
    for (_, definition, name) in DEFAULT_NAMES {
        leave_out(&mut definitions, definition, name);
    }
    for kind in &components.tables {
        let alternatives = (kind.alternatives)(&components.kinds);
        if alternatives.is_empty() {
            // Nothing of the kind is registered, so there is nothing to name.
            continue;
        }
        if kind.list {
            let items = choice(kind.table, alternatives, &mut definitions);
            root["properties"][kind.table] =
                json!({ "description": kind.about, OLDER_RELEASES: null, "type": "array", "items": items });
            continue;
        }
        let name = json!({ "type": "string" });
        let table = json!({ "type": "object", "description": kind.about, "properties": { "name": name }, "required": ["name"] });
        let definition = format!("Table.{}", kind.table);
        definitions.insert(definition.clone(), table);
        name_alternatives(&mut definitions, &definition, "name", alternatives);
        let reference = format!("#/definitions/{definition}");
        // Older releases, and programs without the kind, have no such table.
        let allof = json!([{ "$ref": reference }]);
        root["properties"][kind.table] = json!({ "description": kind.about, OLDER_RELEASES: null, "allOf": allof });
    }
    for (name, key, known) in [
        ("Attention", "attention", alternatives::<Attentions>(&components.kinds)),
        ("Head", "head", alternatives::<Heads>(&components.kinds)),
    ] {
        let choice = choice(key, known, &mut definitions);
        definitions.insert(name.to_owned(), choice);
    }
    for own in components.tasks.iter().flat_map(|task| task.own_tables()) {
        let table = embed(&own.schema, &format!("Table.{}", own.table), &mut definitions);
        let definition = format!("Table.{}", own.table);
        root["properties"][own.table] = json!({ "description": own.about, OLDER_RELEASES: null, "allOf": [{ "$ref": format!("#/definitions/{definition}") }] });
        definitions.insert(definition, table);
    }
    let tasks = components.tasks.iter().map(|task| (task.name(), task.about()));
    definitions.insert("Task".to_owned(), named("What a model learns.", tasks));
    let given: Vec<Predictions> = components.tasks.iter().map(|task| task.predictions()).collect();
    let metrics = components.kinds.all::<Metrics>().iter().filter(|metric| given.contains(&metric.item.predictions()));
    let metrics = metrics.map(|metric| (metric.name.as_str(), metric.about.as_str()));
    let about = "The number that selects the best checkpoint. Ties go to the earlier epoch.";
    definitions.insert("Metric".to_owned(), named(about, metrics));
    let known = components.kinds.all::<Transforms>().iter().map(|entry| transform(entry, &mut definitions));
    let transform = json!({ "description": "One transform of a pipeline, by the name in `op`.", "oneOf": known.collect::<Vec<_>>() });
    definitions.insert("Transform".to_owned(), transform);

    if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
        let text = "Files this one builds on, relative to it, weakest first; tables merge, arrays replace.";
        let path = json!({ "type": "string", "minLength": 1 });
        let extends = json!({ "description": text, "anyOf": [path, { "type": "array", "items": path }] });
        properties.shift_insert(0, "extends".to_owned(), extends);
    }
    let referred = definitions.clone();
    for definition in definitions.values_mut() {
        inline_alternatives(definition, &referred);
        close(definition);
    }
    stages_schema::add(&mut root, &mut definitions, components);
    close(&mut root);
    let mut schema = Map::new();
    for (key, value) in
        [("$schema", json!("http://json-schema.org/draft-07/schema#")), ("title", json!("mga experiment"))]
    {
        schema.insert(key.to_owned(), value);
    }
    for (key, value) in root.as_object().into_iter().flatten() {
        schema.entry(key.clone()).or_insert_with(|| value.clone());
    }
    // What was written out where it is used is needed no more.
    let all = Value::Object(definitions.clone()).to_string() + &root.to_string();
    definitions.retain(|name, _| all.contains(&format!("\"#/definitions/{name}\"")));
    definitions.sort_keys();
    schema.insert("definitions".to_owned(), Value::Object(definitions));
    schema.into()
}

/// Returns the JSON schema of another kind of file, closed as the experiment's: keys that are not listed are faults,
/// but in tables that say they are open.
#[must_use]
pub fn document_schema<T: JsonSchema>(title: &str) -> Value {
    let mut root = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value();
    let mut definitions = take_definitions(&mut root);
    let referred = definitions.clone();
    for definition in definitions.values_mut() {
        inline_alternatives(definition, &referred);
        close(definition);
    }
    close(&mut root);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!(title));
    for (key, value) in root.as_object().into_iter().flatten() {
        schema.entry(key.clone()).or_insert_with(|| value.clone());
    }
    definitions.sort_keys();
    schema.insert("definitions".to_owned(), Value::Object(definitions));
    schema.into()
}
