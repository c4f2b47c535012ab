//! Files that stay together, by a table of `file` and `group`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mga_core::wording::counted;

use crate::error::{Error, Result};
use crate::groups::joined;
use crate::summed_up::summed_up;
use crate::text_table::TextTable;

/// The option that names the table.
const OPTION: &str = "--keep-together";

/// A table of files and groups, as `mga data check --groups-out` writes it.
pub(super) struct KeptTogether {
    path: PathBuf,
    /// Every file as the table calls it, and its group.
    files: Vec<(String, String)>,
}

/// Rows with all that keeps them together.
pub(super) struct JoinedRows {
    /// What stays together, by row, in names that are given to nothing else.
    pub(super) units: Vec<String>,
    /// The same for people: the name of the first group; blank where a row is alone.
    pub(super) names: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl KeptTogether {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let table = TextTable::read(path, None, &["file", "group"])?;
        if let Some((line, what)) = table.faults.first() {
            return Err(Error::file(path, format!("line {line} {what}")));
        }
        let (file, group) = (table.needed("file", OPTION)?, table.needed("group", OPTION)?);
        let rows = table.rows.iter();
        let files = rows.filter_map(|row| Some((row.cell(Some(file))?.to_owned(), row.cell(Some(group))?.to_owned())));
        Ok(Self { path: path.to_path_buf(), files: files.collect() })
    }

    /// Joins the rows of `table`, whose files are in the column `file` and whose own groups are `groups`.
    ///
    /// # Errors
    /// A file that may be several rows; none of the files is in the table.
    pub(super) fn join(
        &self,
        table: &TextTable,
        (input, place): (&Path, &Path),
        file: usize,
        groups: Option<&[String]>,
    ) -> Result<JoinedRows> {
        let rows = Rows::of(table, place, file);
        let mut of_group = BTreeMap::<&str, Vec<usize>>::new();
        let (mut unknown, mut unclear) = (0, Vec::new());
        for (named, group) in &self.files {
            match rows.find(named, &self.path).as_slice() {
                [] => unknown += 1,
                [row] => of_group.entry(group).or_default().push(*row),
                several => unclear.push(format!(
                    "{}: `{named}` may be any of {} rows of {}, whose ends are alike: name it by its whole path",
                    self.path.display(),
                    several.len(),
                    input.display()
                )),
            }
        }
        if !unclear.is_empty() {
            return Err(Error::Many(summed_up(unclear.into_iter().map(|line| ("files that are not clear", line)))));
        }
        if !self.files.is_empty() && unknown == self.files.len() {
            let what = format!("none of its {unknown} files is in {}: are they of other images?", input.display());
            return Err(Error::file(&self.path, what));
        }
        let own: Vec<Option<String>> = (0..table.rows.len())
            .map(|row| groups.and_then(|groups| groups.get(row)).filter(|group| !group.is_empty()).cloned())
            .collect();
        let sets: Vec<(String, Vec<usize>)> =
            of_group.into_iter().map(|(group, rows)| (group.to_owned(), rows)).collect();
        let names = joined(&own, &sets);
        let kept: usize = sets.iter().filter(|(_, rows)| rows.len() > 1).map(|(_, rows)| rows.len()).sum();
        let mut notes = vec![format!("{}: {} stay together by it", self.path.display(), counted(kept, "row", "rows"))];
        if unknown > 0 {
            let files = counted(unknown, "file is", "files are");
            notes.push(format!("{}: {files} not in {}: passed over", self.path.display(), input.display()));
        }
        // A control character keeps a row without a group apart from every name in the tables.
        let unit = |(row, name): (usize, &Option<String>)| name.clone().unwrap_or_else(|| format!("\u{1}{row}"));
        let units = names.iter().enumerate().map(unit).collect();
        Ok(JoinedRows { units, names: names.into_iter().map(Option::unwrap_or_default).collect(), notes })
    }
}

/// The rows of a table by what their files are called.
struct Rows {
    /// By every end of the path as the table writes it.
    ends: BTreeMap<String, Vec<usize>>,
    /// By where the path leads from the table's folder, for files that are there.
    places: BTreeMap<PathBuf, usize>,
    paths: Vec<String>,
}

impl Rows {
    fn of(table: &TextTable, place: &Path, file: usize) -> Self {
        let folder = place.parent().unwrap_or(Path::new(""));
        let (mut ends, mut places, mut paths) = (BTreeMap::<String, Vec<usize>>::new(), BTreeMap::new(), Vec::new());
        for (number, row) in table.rows.iter().enumerate() {
            let path = row.cell(Some(file)).unwrap_or_default().replace('\\', "/");
            for end in ends_of(&path) {
                ends.entry(end.to_owned()).or_default().push(number);
            }
            if let Ok(place) = folder.join(&path).canonicalize() {
                places.insert(place, number);
            }
            paths.push(path);
        }
        Self { ends, places, paths }
    }

    /// The rows that a file of the other table may be: the one at the same place, or those whose path ends alike, one being
    /// the end of the other.
    fn find(&self, named: &str, from: &Path) -> Vec<usize> {
        let named = named.replace('\\', "/");
        let folder = from.parent().unwrap_or(Path::new(""));
        if let Some(&row) = folder.join(&named).canonicalize().ok().and_then(|place| self.places.get(&place)) {
            return vec![row];
        }
        if let Some(rows) = self.ends.get(&named) {
            let whole: Vec<usize> = rows.iter().copied().filter(|&row| self.paths[row] == named).collect();
            return if whole.is_empty() { rows.clone() } else { whole };
        }
        let shorter = ends_of(&named).find_map(|end| {
            let rows = self.ends.get(end)?;
            let whole: Vec<usize> = rows.iter().copied().filter(|&row| self.paths[row] == end).collect();
            (!whole.is_empty()).then_some(whole)
        });
        shorter.unwrap_or_default()
    }
}

/// A path and every end of it that begins with a name, the longest first.
fn ends_of(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once(0)
        .chain(path.match_indices('/').map(|(at, _)| at + 1))
        .filter_map(|cut| path.get(cut..))
        .filter(|end| !end.is_empty())
}
