//! Data sets that come with one table of images for each part of their classes: miniImageNet and CUB as few-shot
//! learning splits them.
//!
//! ```text
//! ROOT/images/n0153282900000005.jpg      ROOT/split/train.csv      filename,label
//!                                        ROOT/split/val.csv        n0153282900000005.jpg,n01532829
//!                                        ROOT/split/test.csv
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::background::Background;
use crate::class_split::ClassParts;
use crate::dataset::{Dataset, Split};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::{FileSet, FileSetBuilder};
use crate::datasets::table::rows::{Folders, Row};
use crate::datasets::usual_folder::usual_folder;
use crate::decode;
use crate::error::{Error, Result, shown};
use crate::text_table::TextTable;

/// Returns the data sets as they are registered.
#[must_use]
pub fn entries() -> Vec<Entry<Datasets>> {
    let entry = |layout: &'static Layout| {
        let entry = Entry::<Datasets>::new(layout.name, layout.about, Arc::new(layout));
        entry.with_settings(schemars::schema_for!(SplitTablesSettings))
    };
    [&MINI_IMAGENET, &CUB].map(entry).into()
}

/// Settings of `mini-imagenet` and `cub-class-split`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitTablesSettings {
    /// Where the names in the tables start: below the root where relative. Left out: the folder `images` of miniImageNet,
    /// the root of CUB.
    #[schemars(extend("x-path" = "place"))]
    pub image_root: Option<PathBuf>,
    /// Read the header of every image when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for SplitTablesSettings {
    fn default() -> Self {
        Self { image_root: None, check_files: true }
    }
}

/// What tells the data sets apart.
struct Layout {
    name: &'static str,
    about: &'static str,
    /// Where the images lie below the root.
    images: &'static str,
    /// Folders below `data.root` that the usual archives unpack to.
    folders: &'static [&'static str],
    /// What to say where all images are no larger than so many pixels a side.
    small: Option<(usize, &'static str)>,
}

const MINI_IMAGENET: Layout = Layout {
    name: "mini-imagenet",
    about: "miniImageNet, 100 classes in 64 base, 16 validation and 20 novel ones: images/ and split/{train,val,test}.csv",
    images: "images",
    folders: &["miniimagenet", "mini-imagenet"],
    small: Some((
        84,
        "a copy that was made smaller and written as JPEG once more. The weights that the authors of DeepEMD published \
         were trained on images in their first size, and lose about nine points of accuracy on such a copy; use the images \
         as ImageNet has them",
    )),
};

const CUB: Layout = Layout {
    name: "cub-class-split",
    about: "CUB-200-2011 in 100 base, 50 validation and 50 novel classes: images/ and split/{train,val,test}.csv",
    images: "",
    folders: &["cub", "CUB"],
    small: None,
};

impl RegisteredDataset for &'static Layout {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(self, &settings(self.name, own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES[1..]
    }
}

const TABLES: [(&str, Split); 3] =
    [("train.csv", Split::Train), ("val.csv", Split::Validation), ("test.csv", Split::Test)];

fn open(layout: &Layout, settings: &SplitTablesSettings, context: &OpenContext) -> Result<FileSet> {
    let there = |folder: &Path| folder.join("split").join(TABLES[0].0).is_file();
    let root =
        usual_folder(layout.name, context, layout.folders, there, "split/train.csv, split/val.csv and split/test.csv")?;
    let mut set = FileSetBuilder {
        backdrop: context.backdrop(&Background::default(), 0),
        check_files: settings.check_files,
        skip_errors: context.skip_errors,
        ..FileSetBuilder::default()
    };
    let mut rows = Vec::new();
    for (name, split) in TABLES {
        let table = root.join("split").join(name);
        if !table.is_file() {
            return Err(Error::file(table, "there is no such table, beside split/train.csv"));
        }
        rows.extend(read(&table, split, &mut set)?.into_iter().map(|row| (table.clone(), row)));
    }
    let images = settings.image_root.as_deref().unwrap_or(Path::new(layout.images));
    let images = root.join(images);
    let place = root.join("split");
    Folders { root: root.clone(), masks: images.clone(), images, place: place.clone() }.fill(&mut set, rows);
    leave_to_one_part(&mut set, &place);
    if let Some((side, what)) = layout.small {
        set.warnings.extend(small_note(&set, side, what));
    }
    set.finish(&root)
}

fn read(table: &Path, split: Split, set: &mut FileSetBuilder) -> Result<Vec<Row>> {
    let read = TextTable::read(table, Some(','), &["filename", "label"])?;
    let column = |name| read.needed(name, "the tables of this data set have the columns filename and label");
    let (file, label) = (column("filename")?, column("label")?);
    set.warnings.extend(read.notes.iter().cloned());
    for (line, what) in &read.faults {
        set.problem_of("rows that cannot be read", table, format!("line {line} {what}"));
    }
    let mut rows = Vec::new();
    for row in &read.rows {
        match (row.cell(Some(file)), row.cell(Some(label))) {
            (Some(file), Some(label)) => rows.push(Row {
                line: row.line,
                file: file.to_owned(),
                label: Some(label.to_owned()),
                group: None,
                split: Some(split),
                mask: None,
            }),
            (file, _) => {
                let what = if file.is_none() { "file" } else { "label" };
                set.problem_of("rows without a file or a label", table, format!("line {} has no {what}", row.line));
            }
        }
    }
    Ok(rows)
}

/// Tells classes that are in two tables, and leaves each to the first.
fn leave_to_one_part(set: &mut FileSetBuilder, place: &Path) {
    let labels = set.entries.iter().filter_map(|entry| Some((entry.record.split?, entry.record.label?)));
    let parts = ClassParts::of(labels);
    for overlap in parts.overlaps(&set.classes) {
        let what = "the tables of base (train.csv), validation (val.csv) and novel classes (test.csv) must share none";
        set.problem(place, format!("{overlap}; {what}"));
    }
    set.entries.retain(|entry| entry.record.label.and_then(|label| parts.split_of(label)) == entry.record.split);
}

/// What to say where no image, of some all over the set, is larger than `side` pixels.
fn small_note(set: &FileSetBuilder, side: usize, what: &str) -> Option<String> {
    const LOOKED_AT: usize = 50;
    let step = set.entries.len().div_ceil(LOOKED_AT).max(1);
    let mut sizes = set.entries.iter().step_by(step).filter_map(|entry| decode::size(&entry.path).ok()).peekable();
    let first = *sizes.peek()?;
    let all_small = sizes.all(|(width, height)| width.max(height) <= side);
    let path = shown(&set.entries.first()?.path);
    all_small.then(|| format!("the images are {} x {} pixels (first: {path}): {what}", first.0, first.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::testing::rgb_jpeg;

    fn made(tables: [&str; 3], size: u32) -> (tempfile::TempDir, OpenContext) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("miniimagenet");
        std::fs::create_dir_all(root.join("split")).unwrap();
        for ((name, _), rows) in TABLES.iter().zip(tables) {
            std::fs::write(root.join("split").join(name), format!("filename,label\n{rows}")).unwrap();
        }
        for image in ["a1", "a2", "b1", "c1", "c2"] {
            rgb_jpeg(&root.join(format!("images/{image}.jpg")), size, size - 1);
        }
        let context = OpenContext { root: Some(folder.path().to_path_buf()), ..OpenContext::default() };
        (folder, context)
    }

    const GOOD: [&str; 3] = ["a1.jpg,n01\na2.jpg,n01\n", "b1.jpg,n02\n", "c1.jpg,n03\nc2.jpg,n03\n"];

    fn mini(context: &OpenContext) -> Result<FileSet> {
        open(&MINI_IMAGENET, &SplitTablesSettings::default(), context)
    }

    #[test]
    fn each_table_is_a_part() {
        let (_folder, context) = made(GOOD, 100);
        let set = mini(&context).unwrap();
        assert_eq!(set.classes(), ["n01", "n02", "n03"]);
        let rows: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label, r.split)).collect();
        assert_eq!(rows[0], ("images/a1.jpg", Some(0), Some(Split::Train)));
        assert_eq!(rows[2], ("images/b1.jpg", Some(1), Some(Split::Validation)));
        assert_eq!(rows[4], ("images/c2.jpg", Some(2), Some(Split::Test)));
        assert_eq!(set.image(3).unwrap().width(), 100);
        assert_eq!(set.warnings(), [""; 0]);
    }

    #[test]
    fn a_copy_of_84_pixels_is_called_out() {
        let (_folder, context) = made(GOOD, 84);
        let notes = mini(&context).unwrap().warnings().join("\n");
        assert!(notes.contains("the images are 84 x 83 pixels") && notes.contains("nine points"), "{notes}");
    }

    #[test]
    fn what_is_wrong_with_the_tables_is_told_at_once() {
        let bad = ["a1.jpg,n01\na1.jpg,n01\nmissing.jpg,n01\na2.jpg,\n", "b1.jpg,n02\n", "c1.jpg,n01\nb1.jpg,n03\n"];
        let (_folder, context) = made(bad, 100);
        let message = mini(&context).unwrap_err().to_string();
        for part in [
            "1 class is in base and in novel: `n01`",
            "missing.jpg: there is no such file, which ",
            "line 5 has no label",
            "a1.jpg: is listed 2 times",
            "b1.jpg: is listed 2 times",
            "with labels that differ, `n02`, `n03`",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        let skipping = OpenContext { skip_errors: true, ..context };
        let set = mini(&skipping).unwrap();
        assert!(set.warnings().iter().any(|note| note.contains("left out")), "{:?}", set.warnings());
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn missing_tables_and_columns_are_told() {
        let (folder, context) = made(GOOD, 100);
        let split = folder.path().join("miniimagenet/split");
        std::fs::write(split.join("val.csv"), "file,class\nb1.jpg,n02\n").unwrap();
        let message = mini(&context).unwrap_err().to_string();
        assert!(message.contains("val.csv: has no column `filename`"), "{message}");
        std::fs::remove_file(split.join("val.csv")).unwrap();
        assert!(mini(&context).unwrap_err().to_string().contains("val.csv: there is no such table"));
        std::fs::remove_file(split.join("train.csv")).unwrap();
        let message = mini(&context).unwrap_err().to_string();
        assert!(message.contains("mini-imagenet") && message.contains("split/train.csv"), "{message}");
        assert!(mini(&OpenContext::default()).unwrap_err().to_string().contains("needs `data.root`"));
    }
}
