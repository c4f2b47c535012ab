//! The ranges and the budget of a search, from its sweep file.

use std::path::Path;

use mga_registry::Choice;
use mga_sweep::Budget;
use mga_sweep::search::is_range;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The file in a sweep's folder.
const FILE: &str = "sweep.toml";

/// A search: how it draws, from what, how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchSpace {
    /// The search, as the sweep file names it.
    pub search: Choice,
    /// The ranges that are drawn from, by dotted key: `{ "log_uniform": [1e-4, 1e-1] }`.
    pub ranges: Map<String, Value>,
    /// The budget.
    pub budget: Budget,
}

/// The part of the sweep file that a search is in.
#[derive(Deserialize)]
struct File {
    search: Option<Choice>,
    #[serde(default)]
    ranges: Map<String, Value>,
    #[serde(default)]
    budget: Budget,
}

impl SearchSpace {
    /// Reads the file in a sweep's folder; `None` where there is none, or it is of a grid. What is wrong with it goes to
    /// `notes`.
    pub(super) fn read(folder: &Path, notes: &mut Vec<String>) -> Option<Self> {
        let text = match std::fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                notes.push(format!("{FILE} cannot be read: {error}"));
                return None;
            }
        };
        let file: File = match toml::from_str(&text) {
            Ok(file) => file,
            Err(error) => {
                notes.push(format!("{FILE} cannot be understood: {}", error.message()));
                return None;
            }
        };
        let mut ranges = Map::new();
        flatten(&file.ranges, "", &mut ranges);
        let search = file.search.filter(|_| !ranges.is_empty())?;
        Some(Self { search, ranges, budget: file.budget })
    }

    /// Returns the name in the sweep file, such as `tpe`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.search.name
    }
}

/// Dotted keys stand for tables in tables; a range is a table itself.
fn flatten(table: &Map<String, Value>, prefix: &str, ranges: &mut Map<String, Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if !is_range(value) => flatten(inner, &key, ranges),
            range => drop(ranges.insert(key, range.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ranges_by_their_keys_and_faults_as_notes() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let mut notes = vec![];
            (SearchSpace::read(folder.path(), &mut notes), notes)
        };
        assert_eq!(SearchSpace::read(folder.path(), &mut vec![]), None);
        let text = "base = \"b\"\nsearch = \"tpe\"\n[ranges]\n\"a.rate\" = { log_uniform = [1e-4, 0.1] }\n\
                    model.attention = { choice = [\"none\", \"residual\"] }\n[budget]\nruns = 40\n";
        let (space, notes) = read(text);
        let space = space.unwrap();
        assert!(notes.is_empty() && space.kind() == "tpe" && space.budget.runs == 40 && space.budget.startup == 8);
        let expected = json!({ "a.rate": { "log_uniform": [1e-4, 0.1] },
                               "model.attention": { "choice": ["none", "residual"] } });
        assert_eq!(json!(space.ranges), expected);
        assert_eq!(read("base = \"b\"\n"), (None, vec![]));
        let (space, notes) = read("search = ");
        assert!(space.is_none() && notes[0].contains("sweep.toml cannot be understood"), "{notes:?}");
    }
}
