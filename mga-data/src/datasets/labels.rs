//! Labels by file: class names in order, and the label files of the `mganet` layout.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::{Error, Result};
use crate::spelling::composed;
use crate::summed_up::summed_up;
use crate::text_table::TextTable;

/// The key of a label in a table: the number or the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelKey {
    /// The number that the file name is without its extension: 12 for `0012.jpg`.
    Number(i64),
    /// The file name, with or without its extension; its letters are composed (NFC), however the file system has them.
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

/// Returns the distinct labels in the order of the classes: by number where all are whole numbers, by text otherwise.
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
    let table = TextTable::read(path, None, &[])?;
    let expected = "expected a file and its label, as `0001,3`";
    if table.header.len() < 2 {
        return Err(Error::file(path, format!("has one column: {expected}, below a header line such as file,label")));
    }
    if let [number, label, ..] = table.header.as_slice()
        && (number.parse::<f64>().is_ok() || crate::decode::is_image_path(Path::new(number)))
    {
        let what = format!("begins with the row `{number},{label}`: put a header line above it, such as file,label");
        return Err(Error::file(path, what));
    }
    let faults = table.faults.iter().map(|(line, what)| (*line, format!("{what}: {expected}")));
    let mut wrong: Vec<(u64, String)> = faults.collect();
    let mut labels = Vec::new();
    for row in &table.rows {
        match (row.cell(Some(0)), row.cell(Some(1))) {
            (Some(file), Some(label)) => {
                let key = file.parse().map_or_else(|_| LabelKey::Name(composed(file)), LabelKey::Number);
                labels.push((key, label.to_owned()));
            }
            _ => wrong.push((row.line, expected.to_owned())),
        }
    }
    if wrong.is_empty() {
        return Ok(labels);
    }
    wrong.sort();
    let line = |(line, what)| ("such lines", Error::file(path, format!("line {line}: {what}")).to_string());
    Err(Error::Many(summed_up(wrong.into_iter().map(line))))
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
        let (_folder, path) = written("labels.csv", b"file;label\r\n7;2\r\n\r\n8;\r\n");
        assert!(read_csv(&path).unwrap_err().to_string().contains("line 4: expected"));
        for (bytes, part) in [
            (&b"7,2\n8,1\n"[..], "begins with the row `7,2`"),
            (b"a.jpg,2\n", "put a header line above"),
            (b"file\n7\n", "has one column"),
            (b"file,label\n\xe9,2\n", "Windows-1252"),
        ] {
            let (_folder, path) = written("labels.csv", bytes);
            let message = read_csv(&path).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
