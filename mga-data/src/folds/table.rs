//! Folds as columns of a table to keep.

use std::io::Write;
use std::path::Path;

use mga_core::whole_file;

use super::k_folds::{FoldSettings, Folds, k_folds};
use super::keep_together::KeptTogether;
use super::named::read_names;
use super::rows::{FILE, RowSettings};
use crate::error::{Error, Result};
use crate::spelling::alike_note;
use crate::summed_up::summed_up;
use crate::text_table::TextTable;

/// Folds the rows of the table `input`, and writes it to `output` with one more column for every repetition
/// (`repeat_0`, `repeat_1`, ...): the fold, from 0, in which the row is tested. The other columns are kept, except for
/// blanks at the ends of cells. Classes and groups that are read from names become columns `label` and `group`, and what is
/// kept together besides becomes one too.
///
/// Rows with an empty group are each a group of their own, which the notes count. Errors, all of which name the table: rows
/// that cannot be read, columns that are missing (the message lists those there are), `repeat_` columns already there, names
/// that do not match, and those of [`super::k_folds`].
pub fn write_folds(input: &Path, output: &Path, rows: &RowSettings, settings: &FoldSettings) -> Result<Folds> {
    let file = rows.label.is_some().then(|| rows.file.as_deref().unwrap_or(FILE));
    let columns = [settings.group.as_deref(), settings.stratify.as_deref(), file];
    let names: Vec<&str> = columns.into_iter().flatten().collect();
    let mut table = TextTable::read(input, rows.delimiter, &names)?;
    if !table.faults.is_empty() {
        let line = |(line, what): &(u64, String)| {
            ("rows that cannot be read", Error::file(input, format!("line {line} {what}")).to_string())
        };
        return Err(Error::Many(summed_up(table.faults.iter().map(line))));
    }
    if let Some(taken) = table.header.iter().find(|name| name.starts_with("repeat_")) {
        return Err(Error::file(input, format!("column `{taken}` is already there; fold the table it was made from")));
    }
    let settings = read_names(&mut table, input, rows, settings)?;
    fold(table, (input, input), output, rows, &settings)
}

/// Folds a table that has all its columns, and writes it. Messages call it `input`; its files are called as from beside
/// `place`.
pub(super) fn fold(
    mut table: TextTable,
    (input, place): (&Path, &Path),
    output: &Path,
    rows: &RowSettings,
    settings: &FoldSettings,
) -> Result<Folds> {
    let mut notes = std::mem::take(&mut table.notes);
    let groups = column(&table, input, &settings.group, ("--group", "each is a group of its own"), &mut notes)?;
    let strata = column(&table, input, &settings.stratify, ("--stratify", "they are spread as one class"), &mut notes)?;
    let mut units = groups.clone();
    for (row, group) in units.iter_mut().flatten().enumerate() {
        if group.is_empty() {
            // A control character keeps it apart from every name in the table.
            *group = format!("\u{1}{row}");
        }
    }
    if let Some(together) = &rows.keep_together {
        let file = table.needed(rows.file.as_deref().unwrap_or(FILE), "--file")?;
        let kept = KeptTogether::read(together)?;
        let joined = kept.join(&table, (input, place), file, groups.as_deref())?;
        notes.extend(joined.notes);
        units = Some(joined.units);
        let name = if table.column("group")?.is_none() { "group" } else { "kept_together" };
        table.add_column(name, joined.names)?;
        notes.push(match name {
            "group" => "column `group` holds what stays together".to_owned(),
            _ => format!(
                "column `{name}` holds what stays together; data.columns.group = \"{name}\" has training keep to it"
            ),
        });
    }
    let made = k_folds(table.rows.len(), strata.as_deref(), units.as_deref(), settings);
    let mut folds = made.map_err(|error| Error::file(input, error.to_string()))?;
    notes.append(&mut folds.notes);
    folds.notes = notes;
    write(&table, output, &folds)?;
    Ok(folds)
}

/// The cells of a column; blank ones and such as look like one are noted.
fn column(
    table: &TextTable,
    input: &Path,
    name: &Option<String>,
    (option, meant): (&str, &str),
    notes: &mut Vec<String>,
) -> Result<Option<Vec<String>>> {
    let Some(name) = name else { return Ok(None) };
    let at = table.needed(name, option)?;
    let cells = || table.rows.iter().filter_map(|row| row.cell(Some(at)));
    if let Some(broken) = cells().find(|cell| cell.contains(['\n', '\r'])) {
        let begins = broken.lines().next().unwrap_or_default();
        let what =
            format!("column `{name}` has a cell of several lines, which begins `{begins}`: is a quote not closed?");
        return Err(Error::file(input, what));
    }
    let blank = table.rows.len() - cells().count();
    if blank > 0 {
        notes.push(format!("{}: {blank} of {} rows have no `{name}`: {meant}", input.display(), table.rows.len()));
    }
    notes.extend(alike_note(&format!("values of `{name}`"), cells()));
    Ok(Some(table.rows.iter().map(|row| row.cell(Some(at)).unwrap_or_default().to_owned()).collect()))
}

fn write(table: &TextTable, output: &Path, folds: &Folds) -> Result<()> {
    let unwritable = |e: csv::Error| Error::file(output, format!("cannot be written: {e}"));
    let mut writer = csv::WriterBuilder::new().delimiter(table.delimiter).from_writer(Vec::new());
    let repeats = (0..folds.of.len()).map(|repeat| format!("repeat_{repeat}"));
    writer.write_record(table.header.iter().cloned().chain(repeats)).map_err(unwritable)?;
    for (row, fields) in table.rows.iter().enumerate() {
        let numbers = folds.of.iter().map(|repeat| repeat[row].to_string());
        writer.write_record(fields.cells().iter().cloned().chain(numbers)).map_err(unwritable)?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::file(output, format!("cannot be written: {e}")))?;
    whole_file::write(output, |file, _| file.write_all(&bytes)).map_err(Error::io(output))
}
