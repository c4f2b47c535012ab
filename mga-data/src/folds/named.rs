//! Classes and groups of a table's rows, read from the names of their files.

use std::path::Path;

use super::k_folds::FoldSettings;
use super::rows::{FILE, RowSettings};
use crate::error::{Error, Result};
use crate::name_pattern::NamePattern;
use crate::summed_up::summed_up;
use crate::text_table::TextTable;

/// The option that names the pattern.
pub(super) const OPTION: &str = "--label";

/// Adds the columns `label` and `group` that names say, and returns the settings that fold by them. Rows with names that do
/// not match are left out and noted, or an error.
pub(super) fn read_names(
    table: &mut TextTable,
    input: &Path,
    rows: &RowSettings,
    settings: &FoldSettings,
) -> Result<FoldSettings> {
    let mut settings = settings.clone();
    let Some(text) = &rows.label else { return Ok(settings) };
    let pattern = NamePattern::new(text, OPTION)?;
    let file = table.needed(rows.file.as_deref().unwrap_or(FILE), "--file")?;
    let (says_class, says_group) = (pattern.has_class(), !pattern.groups().is_empty());
    if says_group && let Some(group) = &settings.group {
        let what = format!("reads what stays together from names, and --group {group} names a column of it: drop one");
        return Err(Error::setting(OPTION, what));
    }
    // A plant counts within its class, which stands in a column where it is not in the name.
    let class_column = match (&settings.stratify, says_class) {
        (_, true) => None,
        (Some(name), false) => Some(table.needed(name, "--stratify")?),
        (None, false) => table.column("label")?,
    };
    if !says_class && class_column.is_none() && pattern.groups() != ["group"] {
        let what = "has no `class`, within which its groups count: name the column of the classes with --stratify, or call \
                    the group `group`";
        return Err(Error::setting(OPTION, what));
    }
    let (mut classes, mut groups, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
    table.rows.retain(|row| {
        let name = row.cell(Some(file)).unwrap_or_default().replace('\\', "/");
        let Some(named) = pattern.read(&name) else {
            let what = format!("line {}: `{OPTION}` does not match the name `{name}`", row.line);
            unmatched.push(Error::file(input, what).to_string());
            return false;
        };
        let class = named.class.clone().unwrap_or_else(|| row.cell(class_column).unwrap_or_default().to_owned());
        groups.push(named.group_of(&class).unwrap_or_default());
        classes.push(class);
        true
    });
    let told = summed_up(unmatched.into_iter().map(|line| ("rows with names that the pattern does not match", line)));
    if !told.is_empty() && !rows.skip_errors {
        return Err(Error::Many(told.into_iter().chain([WAY_ON.to_owned()]).collect()));
    }
    table.notes.extend(told.into_iter().map(|line| format!("left out: {line}")));
    if says_class {
        table.add_column("label", classes)?;
        settings.stratify = settings.stratify.or_else(|| Some("label".to_owned()));
    }
    if says_group {
        table.add_column("group", groups)?;
        settings.group = Some("group".to_owned());
    }
    Ok(settings)
}

/// What to do about what cannot be used, such as names that do not match.
pub(super) const WAY_ON: &str = "mend these, or leave them out with --skip-errors";
