//! Labels by file: class names in order, and the label files of the `mganet` layout.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{Error, Result};

/// What a label belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelKey {
    /// The number that the file name is without its extension: 12 for `0012.jpg`.
    Number(i64),
    /// The file name, with or without its extension.
    Name(String),
}

impl std::fmt::Display for LabelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

/// The distinct labels in the order of the classes: by number where all are whole numbers, by text otherwise.
pub fn class_names<'a>(labels: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = labels.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
    }
    names.into_iter().map(str::to_owned).collect()
}

/// Reads a CSV with a header line whose first two columns are file (name, stem or number) and label.
///
/// # Errors
/// A file that cannot be read, is no CSV, or has a line without file or label.
pub fn read_csv(path: &Path) -> Result<Vec<(LabelKey, String)>> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut labels = Vec::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    for row in reader.records() {
        let row = row.map_err(|e| Error::file(path, format!("is no readable CSV: {e}")))?;
        let line = row.position().map_or(0, csv::Position::line);
        match (row.get(0).filter(|f| !f.is_empty()), row.get(1).filter(|l| !l.is_empty())) {
            (Some(file), Some(label)) => {
                let key = file.parse().map_or_else(|_| LabelKey::Name(file.to_owned()), LabelKey::Number);
                labels.push((key, label.to_owned()));
            }
            _ => return Err(Error::file(path, format!("line {line}: expected a file and its label, as `0001,3`"))),
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn classes_go_by_number_where_all_are_numbers() {
        assert_eq!(class_names(["10", "9", "2", "10"]), ["2", "9", "10"]);
        assert_eq!(class_names(["10", "9", "b"]), ["10", "9", "b"]);
    }

    #[test]
    fn csv_labels_and_their_faults() {
        let (_folder, path) = written("labels.csv", "\u{feff}file,label\n0007,2\na.jpg, x y\n".as_bytes());
        let labels = read_csv(&path).unwrap();
        assert_eq!(labels, [(LabelKey::Number(7), "2".into()), (LabelKey::Name("a.jpg".into()), "x y".into())]);
        let (_folder, path) = written("labels.csv", b"file,label\n1,2\n2,\n");
        let message = read_csv(&path).unwrap_err().to_string();
        assert!(message.contains("labels.csv") && message.contains("line 3"), "{message}");
    }
}
