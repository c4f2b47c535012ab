//! The JSON schema (draft-07) of the experiment file: made from the settings structs and from the schemas of the
//! registered components, for editors and for [`super::validate`].

use std::collections::BTreeSet;
use std::sync::Arc;

use mga_core::loss::Objectives;
use mga_core::metrics::{Metrics, Predictions};
use mga_core::optim::{Optimisers, Schedules};
use mga_data::masks::MaskSources;
use mga_data::registry::Datasets;
use mga_data::transforms::Transforms;
use mga_models::{Attentions, Heads};
use mga_registry::{Entry, Kind};
use schemars::generate::SchemaSettings;
use schemars::transform::{RemoveRefSiblings, ReplacePrefixItems, ReplaceUnevaluatedProperties, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::components::{Alternative, alternatives};
use super::merge::{Leftovers, tag};
use super::objective::Objective;
use super::older::OLDER_RELEASES;
use super::schema_reading::{choices, resolve};
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
    mask_alternatives(&mut definitions, components);
    name_alternatives(&mut definitions, "Objective", "name", alternatives::<Objectives>(&components.kinds));
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
        root["properties"][own.table] =
            json!({ "description": own.about, "allOf": [{ "$ref": format!("#/definitions/{definition}") }] });
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

/// The schema of a transform: its settings beside `op`.
fn transform(entry: &Entry<Transforms>, definitions: &mut Map<String, Value>) -> Value {
    let none = || json_schema!({ "type": "object" });
    let settings = entry.schema.clone().unwrap_or_else(none);
    // Types that several transforms share are defined once; one of the same name that is another has a place of its own.
    let mut shared = Map::new();
    let mut table = embed(&settings, "transform", &mut shared);
    if shared.iter().any(|(name, own)| definitions.get(name).is_some_and(|known| known != own)) {
        shared.clear();
        table = embed(&settings, &format!("transform.{}", entry.name), &mut shared);
    }
    definitions.extend(shared);
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({ "type": "string", "const": entry.name }));
    if let Some(Value::Object(own)) = table.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    let mut required = vec![json!("op")];
    required.extend(table.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    json!({ "description": entry.about, "type": "object", "properties": properties, "required": required })
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

/// Writes into the schema of another kind of file that the key `key` names one of these components: by its name alone, or by
/// a table with `name` and its settings.
pub fn embed_choice<K: Kind>(schema: &mut Value, key: &str, entries: &[Entry<K>]) {
    let mut definitions = take_definitions(schema);
    let mut own = Map::new();
    let none = || json_schema!({ "type": "object" });
    let components = entries
        .iter()
        .map(|entry| (vec![entry.name.clone()], entry.about.clone(), entry.schema.clone().unwrap_or_else(none)));
    let mut choice = choice(key, components.collect(), &mut own);
    own.values_mut().for_each(close);
    definitions.extend(own);
    definitions.sort_keys();
    schema["definitions"] = Value::Object(definitions);
    let described = schema.pointer(&format!("/properties/{key}")).and_then(Value::as_object).cloned();
    for (name, value) in
        described.into_iter().flatten().filter(|(name, _)| ["default", "description"].contains(&&**name))
    {
        choice[name] = value;
    }
    schema["properties"][key] = choice;
}

/// The schema of a component's name, or of a table with its name and settings.
fn choice(key: &str, components: Vec<(Vec<String>, String, Schema)>, definitions: &mut Map<String, Value>) -> Value {
    let named = components.iter().flat_map(|(names, about, _)| names.iter().map(move |name| (name, about)));
    let names: Vec<Value> =
        named.map(|(name, about)| json!({ "type": "string", "const": name, "description": about })).collect();
    let definition = format!("Choice.{key}");
    // Older releases knew the name alone, which is what a table without settings is written as.
    let name = json!({ "type": "string", OLDER_RELEASES: null });
    let table = json!({ "type": "object", "properties": { "name": name }, "required": ["name"] });
    definitions.insert(definition.clone(), table);
    name_alternatives(definitions, &definition, "name", components);
    json!({ "anyOf": [{ "oneOf": names }, { "$ref": format!("#/definitions/{definition}") }] })
}

/// Makes the table `definition` depend on the name under `tag`: one alternative for each set of names that share
/// settings, given as names, description and schema of the settings.
fn name_alternatives(definitions: &mut Map<String, Value>, definition: &str, tag: &str, components: Vec<Alternative>) {
    let own: Vec<Value> = components
        .into_iter()
        .map(|(names, about, settings)| {
            let first = names.first().cloned().unwrap_or_default();
            let mut settings = embed(&settings, &format!("{definition}.{first}"), definitions);
            let mut properties = Map::new();
            properties.insert(tag.to_owned(), json!({ "type": "string", "enum": names }));
            if let Some(Value::Object(own)) = settings.get_mut("properties").map(Value::take) {
                properties.extend(own);
            }
            let mut required = vec![json!(tag)];
            if let Some(Value::Array(own)) = settings.get_mut("required").map(Value::take) {
                required.extend(own);
            }
            json!({ "description": about, "type": "object", "properties": properties, "required": required })
        })
        .collect();
    let Some(table) = definitions.get_mut(definition).and_then(Value::as_object_mut) else { return };
    if own.is_empty() {
        // Nothing is registered, so there is nothing to check against.
        return;
    }
    table.shift_remove("additionalProperties");
    let common: BTreeSet<String> = properties(table).keys().filter(|key| *key != tag).cloned().collect();
    let own = own.into_iter().map(|mut alternative| {
        // A key that all share means what it means everywhere.
        if let Some(properties) = alternative.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|key, _| !common.contains(key));
        }
        if let Some(required) = alternative.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|key| !key.as_str().is_some_and(|key| common.contains(key)));
        }
        alternative
    });
    table.insert("oneOf".to_owned(), own.collect());
}

/// Makes the table `Masks` depend on its `source` where a registered source has settings of its own. The name may also be
/// that of a data set's masks, of a segmenter, or left out: the last alternative is for all those.
fn mask_alternatives(definitions: &mut Map<String, Value>, components: &Components) {
    let own: Vec<Alternative> = alternatives::<MaskSources>(&components.kinds)
        .into_iter()
        .filter(|(_, _, schema)| schema.get("properties").is_some())
        .collect();
    if own.is_empty() {
        return;
    }
    let named: Vec<String> = own.iter().flat_map(|(names, ..)| names.clone()).collect();
    name_alternatives(definitions, "Masks", "source", own);
    let all = definitions.get_mut("Masks").and_then(|masks| masks.get_mut("oneOf")).and_then(Value::as_array_mut);
    let text = "Any other source, without settings of its own.";
    let other = json!({ "type": "string", "minLength": 1, "not": { "enum": named } });
    let other = json!({ "description": text, "type": "object", "properties": { "source": other } });
    all.into_iter().for_each(|all| all.push(other.clone()));
}

/// Lets the table `definition` go without a `name`, which is then this one.
fn leave_out(definitions: &mut Map<String, Value>, definition: &str, name: &str) {
    let common = definitions.get_mut(definition).and_then(|table| table.get_mut("properties")?.as_object_mut());
    // What the name may be is said by the alternatives; that it came later is said once.
    if let Some(common) =
        common.filter(|common| common.get("name").is_some_and(|name| name.get(OLDER_RELEASES).is_none()))
    {
        common.shift_remove("name");
    }
    let alternatives = definitions.get_mut(definition).and_then(|table| table.get_mut("oneOf")?.as_array_mut());
    for alternative in alternatives.into_iter().flatten().filter_map(Value::as_object_mut) {
        let names = alternative.get("properties").and_then(|own| own.get("name")).and_then(choices);
        if names.is_some_and(|names| names.contains(&name))
            && let Some(required) = alternative.get_mut("required").and_then(Value::as_array_mut)
        {
            required.retain(|key| key != "name");
            if required.is_empty() {
                alternative.shift_remove("required");
            }
        }
    }
}

/// A component's schema as part of this one: in draft-07, its definitions moved to `definitions` under names that
/// begin with `prefix`.
fn embed(schema: &Schema, prefix: &str, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = schema.clone();
    ReplaceUnevaluatedProperties::default().transform(&mut schema);
    RemoveRefSiblings::default().transform(&mut schema);
    ReplacePrefixItems::default().transform(&mut schema);
    let mut value = schema.to_value();
    let inner = take_definitions(&mut value);
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("$schema");
        object.shift_remove("title");
    }
    redirect(&mut value, prefix);
    for (name, mut definition) in inner {
        redirect(&mut definition, prefix);
        definitions.insert(format!("{prefix}.{name}"), definition);
    }
    value
}

/// Writes out alternatives that are a name beside a reference, as schemars derives them of settings that do not deny
/// unknown fields: closed, the two parts would each refuse the other's keys.
fn inline_alternatives(schema: &mut Value, definitions: &Map<String, Value>) {
    let alternatives = schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
    for alternative in alternatives.filter_map(Value::as_object_mut).filter(|part| part.contains_key("properties")) {
        for part in alternative.shift_remove("allOf").as_ref().and_then(Value::as_array).into_iter().flatten() {
            let name =
                part.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/definitions/"));
            let Some(referred) = name.and_then(|name| definitions.get(name)) else { continue };
            for key in ["properties", "required"] {
                match (alternative.get_mut(key), referred.get(key)) {
                    (Some(Value::Object(own)), Some(Value::Object(more))) => {
                        own.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                    }
                    (Some(Value::Array(own)), Some(Value::Array(more))) => own.extend(more.iter().cloned()),
                    _ => {}
                }
            }
        }
    }
}

fn take_definitions(schema: &mut Value) -> Map<String, Value> {
    let mut all = Map::new();
    if let Some(object) = schema.as_object_mut() {
        for key in ["$defs", "definitions"] {
            if let Some(Value::Object(definitions)) = object.shift_remove(key) {
                all.extend(definitions);
            }
        }
    }
    all
}

fn redirect(value: &mut Value, prefix: &str) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) =
                            target.strip_prefix("#/$defs/").or_else(|| target.strip_prefix("#/definitions/"))
                        {
                            *target = format!("#/definitions/{prefix}.{name}");
                        }
                    }
                    other => redirect(other, prefix),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| redirect(element, prefix)),
        _ => {}
    }
}

/// Fits schemars' output to TOML, and closes every table that does not say it is open; a table with alternatives leaves that to them, each of which also
/// lists the keys that all share.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    // TOML has no null: what is optional is left out.
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    // Doc comments are wrapped for the source, not for editors.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema.get_mut(key).and_then(Value::as_array_mut) {
            parts.iter_mut().for_each(close);
        }
    }
    for key in ["items", "additionalProperties"] {
        schema.get_mut(key).into_iter().for_each(close);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    if !schema.contains_key("properties") {
        return;
    }
    let common: Vec<String> = properties(schema).keys().cloned().collect();
    if let Some(alternatives) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        for alternative in alternatives {
            let Some(properties) = alternative.get_mut("properties").and_then(Value::as_object_mut) else { continue };
            for key in &common {
                properties.entry(key.as_str()).or_insert(Value::Bool(true));
            }
            alternative["additionalProperties"] = Value::Bool(false);
        }
        schema.shift_remove("additionalProperties");
    } else {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

fn properties(schema: &Map<String, Value>) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Which keys of weaker layers go when a layer names another component: those that only the old one knows. Of
/// `[optimiser]` everything goes: a learning rate for one rule means nothing to another.
pub(super) fn leftovers(schema: &Value) -> Leftovers {
    let schema = schema.clone();
    Arc::new(move |table, old, new| {
        let tag = tag(table);
        let (Some(old), Some(new)) = (own_keys(&schema, table, tag, old), own_keys(&schema, table, tag, new)) else {
            // A name that nobody knows is a fault of its own; the rest stays as it is.
            return Vec::new();
        };
        if table == "optimiser" {
            return old.into_iter().chain(["learning_rates".to_owned()]).collect();
        }
        old.difference(&new).cloned().collect()
    })
}

/// The keys of `table` that belong to the component called `name`.
fn own_keys(schema: &Value, table: &str, tag: &str, name: &str) -> Option<BTreeSet<String>> {
    let mut base = schema;
    for key in table.split('.') {
        base = resolve(schema, base.get("properties")?.get(key)?);
        // A table that may be left out.
        let inner = base.get("anyOf").and_then(Value::as_array);
        base = inner
            .and_then(|any| any.iter().find(|part| part.get("$ref").is_some()))
            .map_or(base, |part| resolve(schema, part));
    }
    let alternatives = base.get("oneOf")?.as_array()?;
    let named = |alternative: &&Value| {
        let names = alternative.pointer(&format!("/properties/{tag}")).map(choices);
        names.flatten().is_some_and(|names| names.contains(&name))
    };
    let other = |alternative: &&Value| alternative.pointer(&format!("/properties/{tag}/not")).is_some();
    let alternative = alternatives.iter().find(named).or_else(|| alternatives.iter().find(other))?;
    let keys = alternative.get("properties")?.as_object()?;
    Some(
        keys.iter()
            .filter(|(key, value)| *key != tag && **value != Value::Bool(true))
            .map(|(k, _)| k.clone())
            .collect(),
    )
}
