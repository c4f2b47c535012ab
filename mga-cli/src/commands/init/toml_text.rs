//! Pieces of TOML.

use std::path::Path;

use mga_data::recognition::{Decision, Recognised};
use serde_json::Value;

/// `[data]` with what a data set decided, and `[data.masks]`.
pub(super) fn data_table(folder: &Path, dataset: &str, recognised: &Recognised) -> String {
    let mut text = format!("[data]\ndataset = {}\n", quoted(dataset));
    if !recognised.decisions.iter().any(|decision| decision.key == "root") {
        let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        text += &format!("root = {}\n", quoted(&root.display().to_string()));
    }
    recognised.decisions.iter().for_each(|decision| text += &line(decision));
    let source = recognised.masks.as_ref().map_or_else(|| quoted("none"), |masks| toml_value(&masks.value));
    text + &format!("masks.source = {source}\n")
}

/// The settings of a source of masks.
pub(super) fn mask_settings(recognised: &Recognised) -> String {
    recognised.decisions.iter().filter(|decision| decision.key.starts_with("masks.")).map(line).collect()
}

fn line(decision: &Decision) -> String {
    format!("{} = {}  # {}\n", decision.key, toml_value(&decision.value), comment(&decision.why))
}

/// Text that a comment can hold: in one line, without control characters.
pub(super) fn comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// JSON as TOML; data sets decide on text, numbers and lists of them.
fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
