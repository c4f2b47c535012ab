//! The columns of folds that `mga data split` writes.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::text_table::TextTable;

/// How the columns of folds are called, before the number of the repeat.
const REPEAT: &str = "repeat_";

/// The column of folds that `data.fold` asks for, and the fold in it.
pub(super) struct FoldColumn {
    pub(super) column: usize,
    pub(super) wanted: String,
}

impl FoldColumn {
    pub(super) fn find(text: &str, table: &TextTable) -> Result<Self> {
        let (repeat, fold) = text.split_once('.').ok_or_else(|| {
            Error::setting("data.fold", format!("expected repeat and fold, such as \"0.3\", found \"{text}\""))
        })?;
        Ok(Self { column: table.needed(&format!("repeat_{repeat}"), "`data.fold`")?, wanted: fold_number(fold) })
    }
}

/// A fold's number as text: spreadsheets and data frames write 3 as `3.0`.
pub(super) fn fold_number(text: &str) -> String {
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

/// Every fold of every repeat of the table, as `data.fold` names them.
pub(super) fn all_folds(table: &TextTable) -> Vec<String> {
    let mut folds = Vec::new();
    for (column, name) in table.header.iter().enumerate() {
        let Some(repeat) = name.strip_prefix(REPEAT) else { continue };
        let numbers: BTreeSet<String> =
            table.rows.iter().filter_map(|row| row.cell(Some(column)).map(fold_number)).collect();
        let mut numbers: Vec<String> = numbers.into_iter().collect();
        // Fold 10 comes after fold 9.
        numbers.sort_by_key(|number| (number.len(), number.clone()));
        folds.extend(numbers.into_iter().map(|fold| format!("{repeat}.{fold}")));
    }
    folds
}
