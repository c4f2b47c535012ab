//! Images that look alike, as groups that stay together.

use std::io::Write;
use std::path::Path;

use mga_core::whole_file;
use rayon::prelude::*;

use super::inspected::Inspected;
use crate::dataset::Record;
use crate::datasets::file_set::relative;
use crate::error::{Error, Result};
use crate::joined::Joined;

/// Rows of images that are compared at once: their pairs are kept until they are joined.
const AT_ONCE: usize = 256;

/// Images that are copies of each other, exact or near, directly or by way of others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alike {
    /// Sets of two or more images, by index, ascending, in the order of their first.
    pub groups: Vec<Vec<usize>>,
    /// Pairs that are copies directly.
    pub pairs: usize,
}

impl Alike {
    /// Returns the number of images that look like another.
    #[must_use]
    pub fn images(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }
}

impl Inspected {
    /// Returns the images that look alike, in whatever parts they are.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn alike(&self) -> Result<Alike> {
        let prints: Vec<_> =
            self.facts.iter().filter_map(|(&index, facts)| Some((index, &facts.as_ref().ok()?.print))).collect();
        let most = self.settings.near_distance;
        let mut joined = Joined::of(prints.len());
        let mut pairs = 0;
        let rows: Vec<usize> = (0..prints.len()).collect();
        let pool = self.settings.pool()?;
        for rows in rows.chunks(AT_ONCE) {
            let copies = |&row: &usize| -> Vec<(usize, usize)> {
                let (_, print) = prints[row];
                let earlier = prints[..row].iter().enumerate();
                earlier.filter(|(_, (_, other))| print.is_copy(other, most)).map(|(other, _)| (row, other)).collect()
            };
            let found: Vec<Vec<(usize, usize)>> = pool.install(|| rows.par_iter().map(copies).collect());
            for (row, other) in found.into_iter().flatten() {
                joined.join(row, other);
                pairs += 1;
            }
        }
        let groups = joined.sets().into_iter().filter(|set| set.len() > 1);
        let groups = groups.map(|set| set.into_iter().map(|at| prints[at].0).collect()).collect();
        Ok(Alike { groups, pairs })
    }
}

/// Writes the groups as a table of `file` and `group`: files below the table's folder as they are called from there, others by
/// their whole paths, and images that are no files by their names.
///
/// # Errors
/// A file that cannot be written; a path that is no text.
pub fn write_groups(alike: &Alike, records: &[Record], output: &Path) -> Result<()> {
    let unwritable = |e: csv::Error| Error::file(output, format!("cannot be written: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "group"]).map_err(unwritable)?;
    for (number, group) in alike.groups.iter().enumerate() {
        for record in group.iter().filter_map(|&index| records.get(index)) {
            let file = match &record.path {
                Some(path) => from_table(path, output)?,
                None => record.id.clone(),
            };
            writer.write_record([file, format!("alike-{}", number + 1)]).map_err(unwritable)?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| Error::file(output, format!("cannot be written: {e}")))?;
    whole_file::write(output, |file, _| file.write_all(&bytes)).map_err(Error::io(output))
}

/// How a table calls a file: from its own folder if it lies below that, else by the whole path.
///
/// # Errors
/// A path that is no text, or whose place cannot be told.
pub(crate) fn from_table(file: &Path, table: &Path) -> Result<String> {
    let whole = std::path::absolute(file).map_err(Error::io(file))?;
    let table = std::path::absolute(table).map_err(Error::io(table))?;
    let folder = table.parent().unwrap_or(&table);
    // Forward slashes lead everywhere to the same place, but where a whole path has a prefix.
    let text = whole.strip_prefix(folder).is_ok().then(|| relative(&whole, folder));
    let text = text.or_else(|| whole.to_str().map(str::to_owned));
    text.filter(|_| whole.to_str().is_some())
        .ok_or_else(|| Error::file(file, "has a name that is not UTF-8: rename the file"))
}
