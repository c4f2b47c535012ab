//! Images listed in a table: a CSV with a header, or the two-column lists of the ultra-fine-grained (UFG) data sets.
//!
//! ```text
//! file,label,group,split,mask          train.txt:  images/0001.jpg 1
//! a/0001.jpg,oak,plant7,train,m/1.png              images/0002.jpg 2
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::background::{Backdrop, Background};
use crate::dataset::{Record, Split};
use crate::datasets::file_set::{Entry, FileSet, FileSetBuilder, relative};
use crate::datasets::labels::class_names;
use crate::error::{Error, Result};
use crate::registry::OpenContext;

/// Settings of the `table` data set: a CSV, or lists of path and label.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableSettings {
    /// A CSV with a header line: in the root, or else where the path says by itself.
    pub file: Option<PathBuf>,
    /// Instead of `file`: a list with a path and, after white space, a label on each line, of training images.
    pub train_list: Option<PathBuf>,
    /// The list of validation images.
    pub validation_list: Option<PathBuf>,
    /// The list of test images.
    pub test_list: Option<PathBuf>,
    /// Where the paths of images start: below the root where relative. Left out: the root, or else the table's folder.
    pub image_root: Option<PathBuf>,
    /// Where the paths of masks start: below the root where relative. Left out: as the images.
    pub mask_root: Option<PathBuf>,
    /// What separates the columns of the CSV, one ASCII character.
    pub delimiter: char,
    /// Names of the columns.
    pub columns: TableColumns,
    /// Which fold to use, "R.F" in quotes, of a table written by `mga data split`: rows whose column `repeat_R` holds F are
    /// the test images, the others train. Rows with nothing in that column keep their `split`.
    pub fold: Option<String>,
    /// What stands behind transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
    pub background: Background,
    /// Seed of the cluttered backgrounds.
    pub background_seed: u64,
    /// Read the header of every image and mask when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for TableSettings {
    fn default() -> Self {
        Self {
            file: None,
            train_list: None,
            validation_list: None,
            test_list: None,
            image_root: None,
            mask_root: None,
            delimiter: ',',
            columns: TableColumns::default(),
            fold: None,
            background: Background::default(),
            background_seed: 0,
            check_files: true,
        }
    }
}

/// Column names of a table. Those left out are `file`, `label`, `group`, `split` and `mask`; the last three need not
/// exist unless they are named here.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableColumns {
    /// Path of the image.
    pub file: Option<String>,
    /// Label, any text.
    pub label: Option<String>,
    /// Images of one group (one plant, one specimen) stay on one side of every split.
    pub group: Option<String>,
    /// train, validation (or val, valid) or test; empty: left to the experiment.
    pub split: Option<String>,
    /// Path of the mask; empty: none.
    pub mask: Option<String>,
}

/// One line of the table, checked as far as the line alone allows.
struct Row {
    line: u64,
    file: String,
    label: String,
    group: Option<String>,
    split: Option<Split>,
    mask: Option<String>,
}

/// Opens the table.
///
/// # Errors
/// No table, columns or folds that do not exist; and, all in one message, lines without file or label, unknown splits,
/// files that are missing or unreadable, and masks of another aspect. With `skip_errors` those lines are left out.
pub fn open(settings: &TableSettings, context: &OpenContext) -> Result<FileSet> {
    let lists = [
        (&settings.train_list, Split::Train),
        (&settings.validation_list, Split::Validation),
        (&settings.test_list, Split::Test),
    ];
    let lists: Vec<(&Path, Split)> =
        lists.into_iter().filter_map(|(path, split)| path.as_deref().map(|path| (path, split))).collect();
    let root = context.root.as_deref();
    let mut set = FileSetBuilder {
        backdrop: Backdrop { background: settings.background.clone(), seed: settings.background_seed },
        check_files: settings.check_files,
        skip_errors: context.skip_errors,
        ..FileSetBuilder::default()
    };
    let mut rows: Vec<(PathBuf, Row)> = Vec::new();
    match (&settings.file, lists.first()) {
        (Some(file), None) => {
            let table = locate(file, root)?;
            let read = read_csv(&table, settings, &mut set)?;
            rows.extend(read.into_iter().map(|row| (table.clone(), row)));
        }
        (None, Some(_)) => {
            if settings.fold.is_some() {
                return Err(Error::settings("`data.fold` needs a table with fold columns: set `data.file`, not lists"));
            }
            for (list, split) in lists {
                let list = locate(list, root)?;
                let read = read_list(&list, split, &mut set)?;
                rows.extend(read.into_iter().map(|row| (list.clone(), row)));
            }
        }
        _ => {
            return Err(Error::settings(
                "data set `table` needs either `data.file`, a CSV, or `data.train_list` and `data.test_list`",
            ));
        }
    }
    set.classes = class_names(rows.iter().map(|(_, row)| row.label.as_str()));
    let class_index: BTreeMap<String, usize> =
        set.classes.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
    let place = rows.first().map_or_else(|| root.unwrap_or(Path::new(".")).to_path_buf(), |(table, _)| table.clone());
    let folders = Folders::new(settings, root, &place);
    for (table, row) in rows {
        let path = folders.images.join(&row.file);
        let mask = row.mask.as_ref().map(|mask| folders.masks.join(mask));
        let missing = [Some(&path), mask.as_ref()].into_iter().flatten().find(|path| !path.is_file());
        if let Some(missing) = missing {
            set.problem(missing, format!("there is no such file, which {}:{} names", table.display(), row.line));
            continue;
        }
        let label = class_index.get(&row.label).copied();
        let id = relative(&path, &folders.root);
        let record = Record { id, path: None, label, group: row.group, split: row.split };
        set.entries.push(Entry { record, path, mask });
    }
    set.finish(&place)
}

/// Where paths in the table start.
struct Folders {
    root: PathBuf,
    images: PathBuf,
    masks: PathBuf,
}

impl Folders {
    fn new(settings: &TableSettings, root: Option<&Path>, table: &Path) -> Self {
        let root = root.or(table.parent()).unwrap_or(Path::new("")).to_path_buf();
        let images = settings.image_root.as_ref().map_or_else(|| root.clone(), |path| root.join(path));
        let masks = settings.mask_root.as_ref().map_or_else(|| images.clone(), |path| root.join(path));
        Self { root, images, masks }
    }
}

/// The table itself: in the root, or else as the path says.
fn locate(path: &Path, root: Option<&Path>) -> Result<PathBuf> {
    let inside = root.map(|root| root.join(path)).filter(|path| path.is_file());
    if let Some(found) = inside.or_else(|| path.is_file().then(|| path.to_path_buf())) {
        return Ok(found);
    }
    let also = root.map_or_else(String::new, |root| format!(", neither here nor in {}", root.display()));
    Err(Error::file(path, format!("there is no such table{also}")))
}

fn read_csv(table: &Path, settings: &TableSettings, set: &mut FileSetBuilder) -> Result<Vec<Row>> {
    let unreadable = |e: csv::Error| Error::file(table, format!("is no readable CSV (UTF-8 text): {e}"));
    let delimiter = u8::try_from(settings.delimiter).ok().filter(u8::is_ascii).ok_or_else(|| {
        Error::settings("`data.delimiter`: expected one ASCII character, such as \",\", \";\" or \"\\t\"")
    })?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_path(table).map_err(unreadable)?;
    let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
    let find = |name: &str| header.iter().position(|column| column == name);
    let no_column = |name: &str, setting: &str| {
        Error::file(table, format!("has no column `{name}` ({setting}); its columns are: {}", header.join(", ")))
    };
    let names = &settings.columns;
    let needed = |set: &Option<String>, usual: &str| {
        let name = set.as_deref().unwrap_or(usual);
        find(name).ok_or_else(|| no_column(name, &format!("`data.columns.{usual}`")))
    };
    let optional = |set: &Option<String>, usual: &str| match set {
        Some(_) => needed(set, usual).map(Some),
        None => Ok(find(usual)),
    };
    let (file, label) = (needed(&names.file, "file")?, needed(&names.label, "label")?);
    let (group, split) = (optional(&names.group, "group")?, optional(&names.split, "split")?);
    let mask = optional(&names.mask, "mask")?;
    set.mask_files = mask.is_some();
    let fold = match &settings.fold {
        None => None,
        Some(text) => {
            let (repeat, fold) = text.split_once('.').ok_or_else(|| {
                Error::settings(format!("`data.fold` is \"{text}\": expected repeat and fold, such as \"0.3\""))
            })?;
            let name = format!("repeat_{repeat}");
            Some((find(&name).ok_or_else(|| no_column(&name, "`data.fold`"))?, fold.to_owned()))
        }
    };

    let mut rows = Vec::new();
    let mut folds = BTreeSet::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |column: Option<usize>| column.and_then(|c| row.get(c)).filter(|text| !text.is_empty());
        let (Some(file), Some(label)) = (cell(Some(file)), cell(Some(label))) else {
            let lacks = if cell(Some(file)).is_none() { "file" } else { "label" };
            set.problem(
                table,
                format!(
                    "line {line} has no {lacks}{}",
                    cell(Some(file)).map_or_else(String::new, |f| format!(" for {f}"))
                ),
            );
            continue;
        };
        let mut part = match cell(split).map(|text| parse_split(text).ok_or(text)).transpose() {
            Ok(part) => part,
            Err(text) => {
                set.problem(table, format!("line {line} has the split `{text}`: expected train, validation or test"));
                continue;
            }
        };
        if let Some((column, wanted)) = &fold
            && let Some(held) = cell(Some(*column))
        {
            folds.insert(held.to_owned());
            part = Some(if held == wanted { Split::Test } else { Split::Train });
        }
        rows.push(Row {
            line,
            file: file.to_owned(),
            label: label.to_owned(),
            group: cell(group).map(str::to_owned),
            split: part,
            mask: cell(mask).map(str::to_owned),
        });
    }
    if let Some((_, wanted)) = fold.filter(|(_, wanted)| !folds.contains(wanted)) {
        let known: Vec<_> = folds.into_iter().collect();
        let text = format!("has no fold {wanted} (`data.fold`); the folds of this repeat are: {}", known.join(", "));
        return Err(Error::file(table, text));
    }
    Ok(rows)
}

fn parse_split(text: &str) -> Option<Split> {
    match text.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" | "dev" => Some(Split::Validation),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}

/// Lines of path and label. The label is what follows the last white space, so paths may have some.
fn read_list(list: &Path, split: Split, set: &mut FileSetBuilder) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(list).map_err(Error::io(list))?;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        match text.rsplit_once(char::is_whitespace) {
            Some((file, label)) => rows.push(Row {
                line,
                file: file.trim_end().to_owned(),
                label: label.to_owned(),
                group: None,
                split: Some(split),
                mask: None,
            }),
            None => set.problem(list, format!("line {line} is `{text}`: expected a path and a label")),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
