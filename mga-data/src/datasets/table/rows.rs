//! The rows of tables, whichever table they come from, on their way into a set of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::named_files::{Meant, NamedFiles};
use crate::dataset::{Record, Split};
use crate::datasets::file_set::{FileEntry, FileSetBuilder, relative};
use crate::datasets::labels::class_names;

/// One line of the table, checked as far as the line alone allows.
pub(in crate::datasets) struct Row {
    pub(in crate::datasets) line: u64,
    pub(in crate::datasets) file: String,
    /// `None`: blank.
    pub(in crate::datasets) label: Option<String>,
    pub(in crate::datasets) group: Option<String>,
    pub(in crate::datasets) split: Option<Split>,
    pub(in crate::datasets) mask: Option<String>,
}

/// Where the paths in tables start.
pub(in crate::datasets) struct Folders {
    /// What the names of records are relative to.
    pub(in crate::datasets) root: PathBuf,
    /// Where the paths of images start.
    pub(in crate::datasets) images: PathBuf,
    /// Where the paths of masks start.
    pub(in crate::datasets) masks: PathBuf,
    /// The table, or the folder of the tables, for what is said of all of them.
    pub(in crate::datasets) place: PathBuf,
}

impl Folders {
    /// Finds the files that rows name, each with its table, and gives their images and the classes to `set`. Files that
    /// are not there become problems.
    pub(in crate::datasets) fn fill(&self, set: &mut FileSetBuilder, rows: Vec<(PathBuf, Row)>) {
        set.classes = class_names(rows.iter().filter_map(|(_, row)| row.label.as_deref()));
        let class_index: BTreeMap<String, usize> =
            set.classes.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        let (mut images, mut masks) = (NamedFiles::below(&self.images), NamedFiles::below(&self.masks));
        let mut missing = Missing::default();
        for (table, row) in rows {
            let mut find = |files: &mut NamedFiles<'_>, written: &str| {
                let found = files.find(written);
                if found.is_none() {
                    missing.add(files, &table, row.line, written);
                }
                found
            };
            let Some(path) = find(&mut images, &row.file) else { continue };
            let mask = match &row.mask {
                Some(mask) => match find(&mut masks, mask) {
                    Some(mask) => Some(mask),
                    None => continue,
                },
                None => None,
            };
            let label = row.label.as_ref().and_then(|label| class_index.get(label).copied());
            let id = relative(&path, &self.root);
            let record = Record { id, path: None, label, group: row.group, split: row.split };
            let listed = format!("{}:{}", table.display(), row.line);
            set.entries.push(FileEntry { record, path, mask, listed: Some(listed) });
        }
        missing.tell(set);
        for (count, what) in [
            (images.backslashes + masks.backslashes, "backslashes for slashes: read as such"),
            (images.composed + masks.composed, "letters and accents composed otherwise than on the disk (NFC, NFD)"),
            (images.bare + masks.bare, "no extension: read as the one image of that name"),
        ] {
            if count > 0 {
                set.warnings.push(format!("{}: {count} paths have {what}", self.place.display()));
            }
        }
    }
}

/// Files that are not there. Where something else may be meant, all of one kind are told in one line.
#[derive(Default)]
struct Missing {
    unknown: Vec<(PathBuf, String)>,
    /// By table and kind: how many, and the first.
    meant: BTreeMap<(PathBuf, &'static str), (usize, String)>,
}

impl Missing {
    fn add(&mut self, files: &mut NamedFiles<'_>, table: &Path, line: u64, written: &str) {
        let meant = files.meant(written);
        if meant == Meant::Unknown {
            let what = format!("there is no such file, which {}:{line} names", table.display());
            self.unknown.push((files.path(written), what));
            return;
        }
        let told = self.meant.entry((table.to_path_buf(), meant.kind())).or_insert_with(|| {
            (0, format!("line {line} has {written}, and there is no such file: {}", meant.advice()))
        });
        told.0 += 1;
    }

    fn tell(self, set: &mut FileSetBuilder) {
        for ((table, kind), (count, first)) in self.meant {
            let more = if count > 1 { format!(" ({count} rows name files {kind})") } else { String::new() };
            set.problem(&table, first + &more);
        }
        for (path, what) in self.unknown {
            set.problem_of("files that are not there", &path, what);
        }
    }
}
