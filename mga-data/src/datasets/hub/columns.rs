//! The meaning of columns: which one holds the images, and how labels become classes.

use std::collections::{BTreeMap, BTreeSet};

use mga_core::wording::counted;

use super::files::Table;
use crate::datasets::labels::class_names;
use crate::error::{Error, Result};

/// The column of images where the experiment names none.
pub(super) fn image_column(table: &Table) -> Result<String> {
    let images = table.image_columns();
    if let Some(usual) = ["image", "img"].into_iter().find(|name| images.iter().any(|image| image == name)) {
        return Ok(usual.to_owned());
    }
    match images.as_slice() {
        [only] => Ok(only.clone()),
        [] if table.has("image") => Ok("image".to_owned()),
        _ => Err(Error::file(
            &table.path,
            format!("name the column of images in data.image_column; there are {}", table.columns()),
        )),
    }
}

/// The labels of all files, row by row.
#[derive(Debug, Default)]
pub(super) struct Labels {
    labels: Vec<Option<String>>,
    names: Vec<Option<String>>,
    named: bool,
}

impl Labels {
    /// Adds a file of `rows` rows.
    pub(super) fn add(&mut self, labels: Option<Vec<Option<String>>>, names: Option<Vec<Option<String>>>, rows: usize) {
        self.named |= names.is_some();
        let names = names.unwrap_or_else(|| vec![None; rows]);
        self.labels.extend(labels.unwrap_or_else(|| names.clone()));
        self.names.extend(names);
    }

    /// Classes, and the class of every row. A label of -1, as the hub's unlabelled test images have, is none. `known` are
    /// the names of the numbers from 0 on.
    pub(super) fn finish(mut self, known: Option<Vec<String>>) -> Result<(Vec<String>, Vec<Option<usize>>)> {
        self.labels.iter_mut().filter(|label| label.as_deref() == Some("-1")).for_each(|label| *label = None);
        if let Some(known) = known.filter(|_| !self.named) {
            let index = |label: &Option<String>| -> Result<Option<usize>> {
                let Some(label) = label else { return Ok(None) };
                let number = label.parse().ok().or_else(|| known.iter().position(|name| name == label));
                let number: Option<usize> = number.filter(|number| *number < known.len());
                number.map(Some).ok_or_else(|| {
                    let classes = counted(known.len(), "class", "classes");
                    let what = format!("`{label}`, but the files name {classes}");
                    Error::setting("data.label_column", what)
                })
            };
            let indices = self.labels.iter().map(index).collect::<Result<Vec<_>>>()?;
            return Ok((known, indices));
        }
        let keys = class_names(self.labels.iter().flatten().map(String::as_str));
        let position: BTreeMap<&str, usize> =
            keys.iter().enumerate().map(|(index, key)| (key.as_str(), index)).collect();
        let indices: Vec<Option<usize>> =
            self.labels.iter().map(|label| label.as_deref().and_then(|label| position.get(label).copied())).collect();
        let mut classes = keys.clone();
        for (index, name) in indices.iter().zip(&self.names) {
            let (Some(index), Some(name)) = (index, name) else { continue };
            if let Some(class) = classes.get_mut(*index) {
                if class != name && *class != keys[*index] {
                    let (one, label) = (class.clone(), &keys[*index]);
                    let what = format!("label {label} is called both `{one}` and `{name}`");
                    return Err(Error::setting("data.class_column", what));
                }
                class.clone_from(name);
            }
        }
        if classes.iter().collect::<BTreeSet<_>>().len() < classes.len() {
            let what = "two labels have the same name; leave one of the columns out";
            return Err(Error::setting("data.class_column", what));
        }
        Ok((classes, indices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(
        labels: &[&str],
        names: Option<&[&str]>,
        known: Option<&[&str]>,
    ) -> Result<(Vec<String>, Vec<Option<usize>>)> {
        let column = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
        let mut all = Labels::default();
        all.add(Some(column(labels)), names.map(column), labels.len());
        all.finish(known.map(|known| known.iter().map(|k| (*k).to_owned()).collect()))
    }

    #[test]
    fn numbers_names_and_both() {
        let (classes, indices) = finish(&["10", "2", "-1", "10"], None, None).unwrap();
        assert_eq!((classes, indices), (vec!["2".into(), "10".into()], vec![Some(1), Some(0), None, Some(1)]));
        let (classes, indices) = finish(&["b", "a"], None, None).unwrap();
        assert_eq!((classes, indices), (vec!["a".into(), "b".into()], vec![Some(1), Some(0)]));
        let (classes, _) = finish(&["1", "0"], Some(&["oak", "ash"]), None).unwrap();
        assert_eq!(classes, ["ash", "oak"]);
        let (classes, indices) = finish(&["2", "0"], None, Some(&["x", "y", "z"])).unwrap();
        assert_eq!((classes.len(), indices), (3, vec![Some(2), Some(0)]));
    }

    #[test]
    fn contradictions_are_told() {
        assert!(
            finish(&["1", "1"], Some(&["oak", "ash"]), None).unwrap_err().to_string().contains("both `oak` and `ash`")
        );
        assert!(finish(&["1", "2"], Some(&["oak", "oak"]), None).unwrap_err().to_string().contains("same name"));
        assert!(finish(&["3"], None, Some(&["x"])).unwrap_err().to_string().contains("name 1 class"));
    }
}
