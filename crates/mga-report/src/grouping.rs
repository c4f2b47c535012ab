//! The rows of the table: runs of equal settings, and what to call them.

use std::collections::BTreeMap;

use mga_sweep::short_key;
use serde_json::{Map, Value};

use super::wording::{drawn, show};
use crate::results::Record;

/// Runs of equal settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// Unique in the report.
    pub(super) name: String,
    pub(super) variant: Option<String>,
    pub(super) settings: Map<String, Value>,
    pub(super) baseline: bool,
    /// The draw of a search that it is of.
    pub(super) draw: Option<usize>,
    /// Indices of its records.
    pub(super) members: Vec<usize>,
}

/// Puts records of equal settings together, in the order they come in.
pub(super) fn groups(records: &[Record], title: &str) -> Vec<Group> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<Group> = vec![];
    for (index, record) in records.iter().enumerate() {
        let cell = &record.cell;
        let place = *places.entry(cell.arm_key()).or_insert_with(|| {
            groups.push(Group {
                name: String::new(),
                variant: cell.variant.clone(),
                settings: cell.settings.clone(),
                baseline: false,
                draw: cell.draw,
                members: vec![],
            });
            groups.len() - 1
        });
        groups[place].members.push(index);
        groups[place].baseline |= cell.baseline;
    }
    let names: Vec<String> = (0..groups.len()).map(|index| name(&groups, index, title)).collect();
    for (index, name) in names.iter().enumerate() {
        // Two arms that read alike are told apart by a number.
        let before = names[..index].iter().filter(|other| *other == name).count();
        groups[index].name = if before == 0 { name.clone() } else { format!("{name} ({})", before + 1) };
    }
    groups
}

/// The variant's name, and the settings in which it differs from other arms of that name.
fn name(groups: &[Group], index: usize, title: &str) -> String {
    let group = &groups[index];
    let rivals: Vec<&Group> = groups.iter().filter(|other| other.variant == group.variant).collect();
    let mut keys: Vec<&String> = vec![];
    for key in rivals.iter().flat_map(|rival| rival.settings.keys()) {
        let differs = rivals.iter().any(|rival| rival.settings.get(key) != group.settings.get(key));
        if differs && !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut settings = vec![];
    for &key in &keys {
        let short = short_key(key);
        let alone = keys.iter().filter(|other| short_key(other) == short).count() == 1;
        // What another arm sets and this one leaves as it is.
        let Some(value) = group.settings.get(key).filter(|value| !value.is_null()) else { continue };
        let value = if group.draw.is_some() { drawn(value) } else { show(value) };
        settings.push(format!("{} = {value}", if alone { short } else { key }));
    }
    // A draw is found again by its number.
    settings.splice(0..0, group.draw.map(|draw| format!("draw {draw}")));
    match (&group.variant, settings.is_empty()) {
        (Some(variant), true) => variant.clone(),
        (Some(variant), false) => format!("{variant}, {}", settings.join(", ")),
        (None, false) => settings.join(", "),
        (None, true) if groups.len() == 1 => title.to_owned(),
        (None, true) => "as the base".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cells: &[(Option<&str>, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let record = |(index, (variant, settings)): (usize, &(Option<&str>, &str))| {
            let path = folder.path().join(index.to_string());
            std::fs::create_dir(&path).unwrap();
            let variant = serde_json::json!(variant);
            std::fs::write(path.join("cell.json"), format!(r#"{{"variant": {variant}, "settings": {settings}}}"#))
                .unwrap();
            Record::read(&path).unwrap()
        };
        let records: Vec<Record> = cells.iter().enumerate().map(record).collect();
        groups(&records, "sweep").into_iter().map(|group| group.name).collect()
    }

    #[test]
    fn arms_are_named_by_what_tells_them_apart() {
        let none = r#"{"model.attention": "none", "schedule.epochs": 5}"#;
        let residual = r#"{"schedule.epochs": 5, "model.attention": "residual"}"#;
        assert_eq!(
            names(&[(None, none), (None, residual), (None, none)]),
            ["attention = none", "attention = residual"]
        );
        assert_eq!(names(&[(None, none)]), ["sweep"]);
        assert_eq!(names(&[(Some("plain"), none), (Some("mga"), residual)]), ["plain", "mga"]);
        let narrow = r#"{"model.attention": "residual", "schedule.epochs": 10}"#;
        let three = [(Some("plain"), none), (Some("mga"), residual), (Some("mga"), narrow)];
        assert_eq!(names(&three), ["plain", "mga, epochs = 5", "mga, epochs = 10"]);
        let rates = [(None, r#"{"a.rate": 1, "b.rate": 1}"#), (None, r#"{"a.rate": 2, "b.rate": 2}"#), (None, "{}")];
        assert_eq!(names(&rates), ["a.rate = 1, b.rate = 1", "a.rate = 2, b.rate = 2", "as the base"]);
    }
}
