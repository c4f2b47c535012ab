//! Finished runs in a sweep's folder that fill planned cells but do not count: they are kept, and told.

use std::collections::BTreeSet;

use mga_train::identity::Identity;
use mga_train::run_folder::RunFolder;

use super::plan::{CELL, Cell, CellRecord, Plan, read_json};

/// A finished run that fills a planned cell, but does not count.
#[derive(Debug, Clone)]
pub struct Superseded {
    /// The folder's name.
    pub key: String,
    /// The planned run in its place.
    pub by: String,
    /// The differences between the two runs; `None` if they have none and the run exists twice.
    pub differences: Option<Vec<&'static str>>,
}

impl Superseded {
    /// Describes the differences in words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { key, by, differences } = self;
        let what = match differences.as_deref() {
            None => return format!("{key} is kept but does not count: {by} is the same run"),
            Some([]) => "identity".to_owned(),
            Some(differences) => differences.join(", "),
        };
        format!("{key} is kept but does not count: other {what} than {by}")
    }
}

impl Plan {
    /// Returns finished runs in the folder that fill planned cells but do not count: those of an earlier base, data set
    /// or program, and second copies.
    #[must_use]
    pub fn superseded(&self) -> Vec<Superseded> {
        let planned: BTreeSet<&str> = self.cells.iter().map(|cell| cell.key.as_str()).collect();
        let Ok(entries) = std::fs::read_dir(self.folder.join("runs")) else { return Vec::new() };
        let mut found = Vec::new();
        for folder in entries.flatten().map(|entry| entry.path()) {
            let Some(key) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            let found_elsewhere = self.cells.iter().any(|cell| cell.folder() == folder);
            if planned.contains(key) || found_elsewhere || !RunFolder::at(&folder).summary().is_file() {
                continue;
            }
            let old = Identity::of_run(&folder).ok().flatten();
            let twice = old.as_ref().and_then(|old| self.cells.iter().find(|cell| cell.record.id == old.id));
            if let Some(cell) = twice {
                found.push(Superseded { key: key.to_owned(), by: cell.key.clone(), differences: None });
                continue;
            }
            let Ok(record) = read_json::<CellRecord>(&folder.join(CELL)) else { continue };
            let same = |cell: &&Cell| {
                (&cell.record.variant, &cell.record.settings, &cell.record.replicate)
                    == (&record.variant, &record.settings, &record.replicate)
            };
            let Some(cell) = self.cells.iter().find(same) else { continue };
            let differences = cell.identity.as_ref().zip(old).map(|(new, old)| new.differences(&old));
            let differences = Some(differences.unwrap_or_default());
            found.push(Superseded { key: key.to_owned(), by: cell.key.clone(), differences });
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }
}
