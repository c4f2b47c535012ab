//! Whether a folder has a table of its images, and which column is which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::datasets::file_set::relative;
use crate::datasets::listing::Listing;
use crate::error::{Error, Result, shown};
use crate::recognition::mask_files::trees;
use crate::recognition::{Decision, Place, Recognised};
use crate::text_table::TextTable;

/// Words in the names of columns, in small letters, in English and German.
const LABELS: [&str; 18] = [
    "label",
    "class",
    "species",
    "cultivar",
    "variety",
    "category",
    "genus",
    "taxon",
    "target",
    "klasse",
    "sorte",
    "art",
    "gattung",
    "disease",
    "krankheit",
    "baumart",
    "pflanzenart",
    "unterart",
];
const GROUPS: [&str; 13] = [
    "group",
    "plant",
    "tree",
    "specimen",
    "individual",
    "subject",
    "patient",
    "gruppe",
    "pflanze",
    "baum",
    "strauch",
    "exemplar",
    "individuum",
];
const SPLITS: [&str; 5] = ["split", "part", "set", "subset", "teil"];

/// What `table` says of a folder, or of the table that is named; `None`: there is no table, or none with a file of an image in
/// each row.
pub(super) fn recognise(place: &Place<'_>) -> Result<Option<Recognised>> {
    let tables = match place.table {
        Some(table) => vec![table.to_path_buf()],
        None if place.folder.is_dir() => Listing::read(place.folder, false, None)?
            .others
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| ["csv", "tsv"].map(Some).contains(&end.to_str())))
            .collect(),
        None => return Ok(None),
    };
    let mut best: Option<Recognised> = None;
    for table in tables {
        let found = of_table(&table, place)?;
        best = best.into_iter().chain(found).max_by_key(|found| found.images);
    }
    Ok(best)
}

fn of_table(path: &Path, place: &Place<'_>) -> Result<Option<Recognised>> {
    let table = match TextTable::read(path, None, &[]) {
        Ok(table) => table,
        // Without being asked for, a file that is no table says nothing.
        Err(_) if place.table.is_none() => return Ok(None),
        Err(error) => return Err(error),
    };
    let files = Files::below(place.folder)?;
    let rows = table.rows.len();
    let named = |column: &Column| column.files * 2 >= rows && rows > 0;
    let read = |bare: bool| -> Vec<Column> {
        (0..table.header.len()).map(|at| Column::of(&table, at, &files, bare)).collect()
    };
    // Numbers may be called as images are, so extensions may lack only where no column has them.
    let mut columns = read(false);
    let bare = !columns.iter().any(named);
    if bare {
        columns = read(true);
    }
    // Masks are files too, and mostly PNG below a folder that says so.
    let Some(file) = columns.iter().filter(|column| named(column)).min_by_key(|column| column.is_mask) else {
        let names: Vec<&str> = table.header.iter().map(String::as_str).collect();
        let what = format!(
            "no column of this table holds files below {}; its columns are {}",
            shown(place.folder),
            names.join(", ")
        );
        return if place.table.is_some() { Err(Error::file(path, what)) } else { Ok(None) };
    };
    let others = || columns.iter().filter(|column| column.at != file.at);
    let mask = others().find(|column| named(column));
    let left: Vec<&Column> = others().filter(|column| !named(column)).collect();
    let is_class = |column: &Column| (2..=rows / 2).contains(&column.values);
    let by_words = best_called(&left, &LABELS, true, is_class);
    let Some(label) = by_words.or_else(|| {
        left.iter().copied().filter(|column| !column.numeric && is_class(column)).min_by_key(|column| column.values)
    }) else {
        let what = "no column of this table looks like the class of an image: expected words that repeat";
        return if place.table.is_some() { Err(Error::file(path, what)) } else { Ok(None) };
    };
    let groups = |column: &Column| {
        column.at != label.at && !column.decimals && column.values >= 2 && column.values * 10 <= rows * 9
    };
    let group = best_called(&left, &GROUPS, false, groups);
    let split = best_called(&left, &SPLITS, false, |column| column.parts);
    let table_path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let inside = path.parent().is_some_and(|parent| parent == place.folder);
    let file_name = if inside { path.file_name().map(PathBuf::from) } else { None };
    let mut decisions = vec![Decision::new(
        "file",
        shown(&file_name.unwrap_or(table_path)),
        format!("a table of {rows} rows, {} of which name an image", file.files),
    )];
    if let Some(root) = &file.below {
        decisions.push(Decision::new("image_root", root.as_str(), "where the files lie that the table names"));
    }
    if let Some(mask) = mask.filter(|mask| file.below.is_some() || mask.below.is_some()) {
        let root = mask.below.as_deref().unwrap_or(".");
        decisions.push(Decision::new("mask_root", root, "where the masks lie that the table names"));
    }
    let mut column = |key, column: &Column, why: String| decisions.push(Decision::new(key, column.name.as_str(), why));
    let lacking = if bare { ", written without their extension" } else { "" };
    column("columns.file", file, format!("{} cells are files of images{lacking}", file.files));
    column("columns.label", label, format!("{} values", label.values));
    if let Some(group) = group {
        column("columns.group", group, format!("{} values; images of one stay together", group.values));
    }
    if let Some(split) = split {
        column("columns.split", split, "its cells are names of parts".to_owned());
    }
    if let Some(mask) = mask {
        column("columns.mask", mask, format!("{} cells are files", mask.files));
    }
    let masks =
        mask.map(|mask| Decision::new("masks.source", "folder", format!("the table names {} masks", mask.files)));
    Ok(Some(Recognised { images: file.files, described: true, decisions, masks }))
}

/// What a column holds.
struct Column {
    at: usize,
    name: String,
    /// Cells that name an image file.
    files: usize,
    /// The folder below which they lie, where that is not the folder itself.
    below: Option<String>,
    is_mask: bool,
    /// Distinct cells.
    values: usize,
    numeric: bool,
    /// Whether some number is not whole, as of measurements.
    decimals: bool,
    /// Whether every cell names a part.
    parts: bool,
}

impl Column {
    /// `bare`: files may be written without their extension.
    fn of(table: &TextTable, at: usize, files: &Files, bare: bool) -> Self {
        let cells: Vec<&str> = table.rows.iter().filter_map(|row| row.cell(Some(at))).collect();
        let mut roots: BTreeMap<&str, usize> = BTreeMap::new();
        let found: Vec<&str> = cells.iter().filter_map(|cell| files.find(cell, bare)).collect();
        found.iter().for_each(|root| *roots.entry(*root).or_default() += 1);
        let (root, count) = roots.into_iter().max_by_key(|(_, count)| *count).unwrap_or_default();
        let name = table.header[at].clone();
        let is_mask = name.to_lowercase().contains("mask");
        Self {
            at,
            files: count,
            below: (!root.is_empty()).then(|| root.to_owned()),
            is_mask,
            values: cells.iter().collect::<BTreeSet<_>>().len(),
            decimals: cells.iter().any(|cell| cell.replace(',', ".").parse::<f64>().is_ok_and(|v| v.fract() != 0.0)),
            numeric: cells.iter().all(|cell| cell.replace(',', ".").parse::<f64>().is_ok()),
            parts: !cells.is_empty() && cells.iter().all(|cell| Split::named(cell).is_some()),
            name,
        }
    }

    /// How well its name fits one of the words, the smaller the better: the word itself, a part of the name, where `begins`
    /// the beginning of it; then the order of the words.
    fn fit(&self, words: &[&str], begins: bool) -> Option<(usize, usize)> {
        let name = self.name.to_lowercase();
        let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
        let fit = |(order, word): (usize, &&str)| match () {
            () if name == **word => Some((0, order)),
            () if parts.contains(word) => Some((1, order)),
            () if begins && word.len() > 3 && name.starts_with(*word) => Some((2, order)),
            () => None,
        };
        words.iter().enumerate().filter_map(fit).min()
    }
}

/// The column that holds what it should and is called best.
fn best_called<'a>(
    columns: &[&'a Column],
    words: &[&str],
    begins: bool,
    holds: impl Fn(&Column) -> bool,
) -> Option<&'a Column> {
    let fits =
        columns.iter().filter(|column| holds(column)).filter_map(|column| Some((column.fit(words, begins)?, *column)));
    fits.min_by_key(|(fit, _)| *fit).map(|(_, column)| column)
}

/// The image files below a folder by their paths, and by every end of those.
struct Files {
    /// The folder that stands before each end, where one alone does; empty: none.
    before: BTreeMap<String, Option<String>>,
    /// The same by every end without the extension. Of several files that are called so no one can be meant.
    bare: BTreeMap<String, Option<String>>,
}

impl Files {
    fn below(folder: &Path) -> Result<Self> {
        let (mut before, mut bare): (BTreeMap<String, Option<String>>, BTreeMap<String, Option<String>>) =
            Default::default();
        let (_, masks) = trees(folder)?;
        let of_masks = |path: &PathBuf| masks.as_ref().is_some_and(|masks| path.starts_with(masks));
        let (masks, images): (Vec<_>, Vec<_>) =
            Listing::read(folder, true, None)?.images.into_iter().partition(of_masks);
        // What is written in full is that file, whatever else ends so.
        for path in images.iter().chain(&masks) {
            before.insert(relative(path, folder), Some(String::new()));
        }
        let written_in_full = before.clone();
        // A name that an image and its mask share is the image's.
        let mut of_images = BTreeSet::new();
        for (path, is_mask) in images.iter().map(|path| (path, false)).chain(masks.iter().map(|path| (path, true))) {
            let place = relative(path, folder);
            let cuts = std::iter::once(0).chain(place.match_indices('/').map(|(at, _)| at + 1));
            for cut in cuts {
                let root = place[..cut].trim_end_matches('/').to_owned();
                if is_mask && of_images.contains(&place[cut..]) {
                    continue;
                }
                if !is_mask {
                    of_images.insert(place[cut..].to_owned());
                }
                if let Some((stem, _)) = place[cut..].rsplit_once('.').filter(|_| !is_mask) {
                    bare.entry(stem.to_owned()).and_modify(|known| *known = None).or_insert(Some(root.clone()));
                }
                if written_in_full.contains_key(&place[cut..]) {
                    continue;
                }
                before
                    .entry(place[cut..].to_owned())
                    .and_modify(|known| *known = known.take().filter(|known| *known == root))
                    .or_insert(Some(root));
            }
        }
        Ok(Self { before, bare })
    }

    /// The folder below which the file lies that a cell names.
    fn find(&self, cell: &str, bare: bool) -> Option<&str> {
        let cell = cell.replace('\\', "/");
        let cell = cell.trim_start_matches("./");
        let known = if bare { self.bare.get(cell) } else { self.before.get(cell) };
        known?.as_deref()
    }
}
