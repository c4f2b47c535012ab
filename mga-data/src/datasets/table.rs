//! Images listed in a table: a CSV with a header, or the two-column lists of the ultra-fine-grained (UFG) data sets.
//!
//! ```text
//! file,label,group,split,mask          train.txt:  images/0001.jpg 1
//! a/0001.jpg,oak,plant7,train,m/1.png              images/0002.jpg 2
//! ```

mod folds;
mod named_files;
mod recognised;
pub(super) mod rows;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_registry::{Condition, Entry};
use serde_json::Value;

use crate::background::{self, Background};
use crate::dataset::{Dataset, Split};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::{FileSet, FileSetBuilder};
use crate::error::{Error, Result};
use crate::recognition::{Place, Recognised};
use crate::spelling::trimmed;
use crate::text_file::read_text;
use crate::text_table::TextTable;
use folds::{FoldColumn, all_folds, fold_number};
use rows::{Folders, Row};

/// Settings of the `table` data set: a CSV, or lists of path and label.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableSettings {
    /// A CSV with a header line: in the root, or else where the path says by itself.
    #[schemars(extend("x-path" = "file"))]
    pub file: Option<PathBuf>,
    /// Instead of `file`: a list with a path and, after white space, a label on each line, of training images.
    #[schemars(extend("x-path" = "place"))]
    pub train_list: Option<PathBuf>,
    /// The list of validation images.
    #[schemars(extend("x-path" = "place"))]
    pub validation_list: Option<PathBuf>,
    /// The list of test images.
    #[schemars(extend("x-path" = "place"))]
    pub test_list: Option<PathBuf>,
    /// Where the paths of images start: below the root where relative. Left out: the root, or else the table's folder.
    #[schemars(extend("x-path" = "place"))]
    pub image_root: Option<PathBuf>,
    /// Where the paths of masks start: below the root where relative. Left out: as the images.
    #[schemars(extend("x-path" = "place"))]
    pub mask_root: Option<PathBuf>,
    /// What separates the columns of the CSV, one ASCII character. Where the table has its columns with `,`, `;`, a tab or
    /// `|` alone, that is taken, and told.
    pub delimiter: char,
    /// Names of the columns.
    pub columns: TableColumns,
    /// What stands for a label of test images that have none; they are predicted and not scored. Left out: -1 where test
    /// images alone are labelled so. Test images without any label are taken so too where no test image has one.
    #[schemars(extend("x-older-releases" = "none"))]
    pub unlabelled: Option<String>,
    /// Which fold to use, "R.F" in quotes, of a table written by `mga data split`: rows whose column `repeat_R` holds F are
    /// the test images, the others train. Rows with nothing in that column keep their `split`.
    pub fold: Option<String>,
    /// The background of transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
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
            unlabelled: None,
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

/// Settings of a CSV, which lists have not.
const OF_FILE: Condition = Condition {
    key: "file",
    holds: |settings| settings.get("file").is_some_and(|file| !file.is_null()),
    by: "file",
    words: "data.file",
};

/// Returns `table` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "a CSV of files and labels, with groups, splits, masks and folds; or two-column lists (UFG)";
    let entry = Entry::<Datasets>::new("table", about, Arc::new(Table));
    entry.with_settings(schemars::schema_for!(TableSettings)).with_conditions(&[
        background::CONDITION,
        Condition { key: "delimiter", ..OF_FILE },
        Condition { key: "columns", ..OF_FILE },
        Condition { key: "fold", ..OF_FILE },
    ])
}

struct Table;

impl RegisteredDataset for Table {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(&settings("table", own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Optional
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES
    }

    fn recognise(&self, place: &Place<'_>) -> Result<Option<Recognised>> {
        recognised::recognise(place)
    }

    fn folds(&self, own: &Value, context: &OpenContext) -> Result<Vec<String>> {
        folds(&settings("table", own)?, context)
    }
}

/// Every fold that the settings could name, where they name one.
fn folds(settings: &TableSettings, context: &OpenContext) -> Result<Vec<String>> {
    let (Some(file), Some(_)) = (&settings.file, &settings.fold) else { return Ok(Vec::new()) };
    let names = &settings.columns;
    let needed = [names.file.as_deref().unwrap_or("file"), names.label.as_deref().unwrap_or("label")];
    let table = locate(file, context.root.as_deref())?;
    Ok(all_folds(&TextTable::read(&table, Some(settings.delimiter), &needed)?))
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
        backdrop: context.backdrop(&settings.background, settings.background_seed),
        reading: context.masks.clone(),
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
                return Err(Error::setting("data.fold", "needs a table with fold columns: set `data.file`, not lists"));
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
    let place = rows.first().map_or_else(|| root.unwrap_or(Path::new(".")).to_path_buf(), |(table, _)| table.clone());
    settle_labels(&mut rows, settings, &mut set);
    folders(settings, root, &place).fill(&mut set, rows);
    set.finish(&place)
}

/// Takes the labels that stand for none from test images; other rows without a label are told and left out.
fn settle_labels(rows: &mut Vec<(PathBuf, Row)>, settings: &TableSettings, set: &mut FileSetBuilder) {
    let is_test = |row: &Row| row.split == Some(Split::Test);
    let none = settings.unlabelled.as_deref().unwrap_or("-1");
    let says_none = |row: &Row| row.label.as_deref() == Some(none);
    // A class may well be called -1, but then images of it are trained on.
    let meant = settings.unlabelled.is_some() || !rows.iter().any(|(_, row)| says_none(row) && !is_test(row));
    let mut unlabelled = 0;
    for (_, row) in rows.iter_mut().filter(|(_, row)| meant && is_test(row) && says_none(row)) {
        row.label = None;
        unlabelled += 1;
    }
    let without = unlabelled > 0 || !rows.iter().any(|(_, row)| is_test(row) && row.label.is_some());
    rows.retain(|(table, row)| {
        if row.label.is_some() {
            return true;
        }
        if is_test(row) && without {
            return true;
        }
        let what = format!("line {} has no label for {}", row.line, row.file);
        set.problem_of("rows without a label", table, what);
        false
    });
}

/// Where paths in the table start.
fn folders(settings: &TableSettings, root: Option<&Path>, table: &Path) -> Folders {
    let root = root.or(table.parent()).unwrap_or(Path::new("")).to_path_buf();
    let images = settings.image_root.as_ref().map_or_else(|| root.clone(), |path| root.join(path));
    let masks = settings.mask_root.as_ref().map_or_else(|| images.clone(), |path| root.join(path));
    Folders { root, images, masks, place: table.to_path_buf() }
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

fn read_csv(path: &Path, settings: &TableSettings, set: &mut FileSetBuilder) -> Result<Vec<Row>> {
    let names = &settings.columns;
    let (file, label) = (names.file.as_deref().unwrap_or("file"), names.label.as_deref().unwrap_or("label"));
    let table = TextTable::read(path, Some(settings.delimiter), &[file, label])?;
    let (file, label) = (table.needed(file, "`data.columns.file`")?, table.needed(label, "`data.columns.label`")?);
    let optional = |set: &Option<String>, usual: &str| match set {
        Some(name) => table.needed(name, &format!("`data.columns.{usual}`")).map(Some),
        None => table.column(usual),
    };
    let (group, split) = (optional(&names.group, "group")?, optional(&names.split, "split")?);
    let mask = optional(&names.mask, "mask")?;
    set.mask_files = mask.is_some();
    let fold = settings.fold.as_deref().map(|text| FoldColumn::find(text, &table)).transpose()?;
    set.warnings.extend(table.notes.iter().cloned());
    for (line, what) in &table.faults {
        set.problem_of("rows that cannot be read", path, format!("line {line} {what}"));
    }
    let mut rows = Vec::new();
    let (mut folds, mut unmasked) = (BTreeSet::new(), Vec::new());
    for row in &table.rows {
        let line = row.line;
        let Some(named) = row.cell(Some(file)) else {
            set.problem_of("rows without a file", path, format!("line {line} has no file"));
            continue;
        };
        let used = [Some(file), Some(label), group, split, mask];
        if let Some(broken) =
            used.into_iter().filter_map(|column| row.cell(column)).find(|cell| cell.contains(['\n', '\r']))
        {
            let begins = broken.lines().next().unwrap_or_default();
            let what =
                format!("line {line} has a cell of several lines, which begins `{begins}`: is a quote not closed?");
            set.problem_of("rows with cells of several lines", path, what);
            continue;
        }
        let mut part = match row.cell(split).map(|text| Split::named(text).ok_or(text)).transpose() {
            Ok(part) => part,
            Err(text) => {
                let what = format!("line {line} has the split `{text}`: expected train, validation or test");
                set.problem_of("rows of unknown splits", path, what);
                continue;
            }
        };
        if let Some(fold) = &fold
            && let Some(held) = row.cell(Some(fold.column))
        {
            let held = fold_number(held);
            part = Some(if held == fold.wanted { Split::Test } else { Split::Train });
            folds.insert(held);
        }
        if mask.is_some() && row.cell(mask).is_none() {
            unmasked.push(line);
        }
        rows.push(Row {
            line,
            file: named.to_owned(),
            label: row.cell(Some(label)).map(str::to_owned),
            group: row.cell(group).map(str::to_owned),
            split: part,
            mask: row.cell(mask).map(str::to_owned),
        });
    }
    if let Some(fold) = fold.filter(|fold| !folds.contains(&fold.wanted)) {
        let known: Vec<_> = folds.into_iter().collect();
        let (wanted, known) = (fold.wanted, known.join(", "));
        let text = format!("has no fold {wanted} (`data.fold`); the folds of this repeat are: {known}");
        return Err(Error::file(path, text));
    }
    if let Some(first) = unmasked.first() {
        let (count, all) = (unmasked.len(), table.rows.len());
        set.warnings.push(format!("{}: {count} of {all} rows have no mask (first: line {first})", path.display()));
    }
    Ok(rows)
}

/// Lines of path and label. The label is what follows the last white space, so paths may have some.
fn read_list(list: &Path, split: Split, set: &mut FileSetBuilder) -> Result<Vec<Row>> {
    let text = read_text(list)?;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = trimmed(text);
        if text.is_empty() {
            continue;
        }
        match text.rsplit_once(char::is_whitespace) {
            Some((file, label)) => rows.push(Row {
                line,
                file: file.trim_end().to_owned(),
                label: Some(label.to_owned()),
                group: None,
                split: Some(split),
                mask: None,
            }),
            None => {
                let what = format!("line {line} is `{text}`: expected a path and a label");
                set.problem_of("lines without a label", list, what);
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
