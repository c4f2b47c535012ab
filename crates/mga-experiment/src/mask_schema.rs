//! The schema of a table of masks: what depends on the sources that it names.

use mga_data::masks::MaskSources;
use mga_models::Segmenters;
use schemars::json_schema;
use serde_json::{Map, Value, json};

use super::components::{Alternative, alternatives};
use super::older::OLDER_RELEASES;
use super::schema_closing::embed;
use super::schema_tables::name_alternatives;
use crate::Components;

/// The definition of a table of masks.
const MASKS: &str = "Masks";
/// The definition of the masks that a control is made from, with settings.
const OF: &str = "Choice.of";

/// Makes the table `Masks` depend on the sources that it names.
pub(super) fn add(definitions: &mut Map<String, Value>, components: &Components) {
    let own: Vec<Alternative> = alternatives::<MaskSources>(&components.kinds)
        .into_iter()
        .filter(|(_, _, schema)| schema.get("properties").is_some())
        .collect();
    let name = json!({ "type": "string", "minLength": 1 });
    // Older releases knew the name alone, which is what a table without settings is written as.
    let of = json!({ "type": "string", "minLength": 1, OLDER_RELEASES: null });
    let of = json!({ "type": "object", "properties": { "name": of }, "required": ["name"] });
    definitions.insert(OF.to_owned(), of);
    if let Some(of) = definitions.get_mut(MASKS).and_then(|masks| masks.pointer_mut("/properties/of")) {
        of["anyOf"] = json!([name, { "$ref": format!("#/definitions/{OF}") }]);
    }
    for (definition, tag) in [(MASKS, "source"), (OF, "name")] {
        source_alternatives(definitions, definition, tag, &own);
    }
    options(definitions, components);
}

/// Makes a table depend on the source under `tag` where registered sources have settings of their own. The name may also be
/// that of a data set's masks, of a segmenter, or left out: the last alternative is for all those.
fn source_alternatives(definitions: &mut Map<String, Value>, definition: &str, tag: &str, own: &[Alternative]) {
    if own.is_empty() {
        return;
    }
    let named: Vec<String> = own.iter().flat_map(|(names, ..)| names.clone()).collect();
    name_alternatives(definitions, definition, tag, own.to_vec());
    let all = definitions.get_mut(definition).and_then(|table| table.get_mut("oneOf")).and_then(Value::as_array_mut);
    let text = "Any other source, without settings of its own.";
    let other = json!({ "type": "string", "minLength": 1, "not": { "enum": named } });
    let other = json!({ "description": text, "type": "object", "properties": { (tag): other } });
    all.into_iter().for_each(|all| all.push(other.clone()));
}

/// Makes `segmenter.options` the settings of the segmenter that the table names, as the source or as that of a control.
fn options(definitions: &mut Map<String, Value>, components: &Components) {
    let mut conditions = Vec::new();
    for entry in components.kinds.all::<Segmenters>() {
        // A mask source that was registered under the name is meant.
        if components.kinds.get::<MaskSources>(&entry.name).is_some() {
            continue;
        }
        let definition = format!("Segmenter.{}", entry.name);
        let none = || json_schema!({ "type": "object" });
        let mut settings = embed(&entry.schema.clone().unwrap_or_else(none), &definition, definitions);
        if settings.get("properties").is_none() {
            settings["properties"] = json!({});
        }
        definitions.insert(definition.clone(), settings);
        let name = json!({ "const": entry.name });
        let table = json!({ "type": "object", "properties": { "name": name }, "required": ["name"] });
        let source = json!({ "properties": { "source": name }, "required": ["source"] });
        let of = json!({ "properties": { "of": { "anyOf": [name, table] } }, "required": ["of"] });
        let options = json!({ "properties": { "options": { "$ref": format!("#/definitions/{definition}") } } });
        conditions.push(json!({
            "if": { "anyOf": [source, of] },
            "then": { "properties": { "segmenter": options } },
        }));
    }
    if let Some(masks) = definitions.get_mut(MASKS).filter(|_| !conditions.is_empty()) {
        masks["allOf"] = Value::Array(conditions);
    }
}
