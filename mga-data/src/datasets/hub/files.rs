//! The parquet files of a data set, and their contents.
//!
//! A file's own words are not trusted: the rows it claims are held against its length before anything is made room for,
//! and what the parquet crate stumbles over in a damaged file, panics included, is an error that names the file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use mga_hub::{Hub, Repo};
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::settings::HubSettings;
use crate::dataset::Split;
use crate::datasets::entry::OpenContext;
use crate::error::{Error, Result};

/// Rows that are read in one go.
const AT_A_TIME: usize = 4096;

/// What a column must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Files' bytes.
    Bytes,
    /// Numbers or texts.
    Text,
}

/// One parquet file.
pub(super) struct Table {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its path in the repository or below the root.
    pub(super) name: String,
    /// The split that its path names.
    pub(super) split: Option<Split>,
    reader: SerializedFileReader<File>,
}

/// The files, in the order of their names.
pub(super) fn find(own: &HubSettings, context: &OpenContext) -> Result<Vec<Table>> {
    let wanted = patterns(&own.files)?;
    let takes = |name: &str| name.ends_with(".parquet") && (own.files.is_empty() || wanted.is_match(name));
    let (found, from) = match (&own.repo, &context.root) {
        (Some(repo), None) => (of_repo(repo, &takes, context)?, format!("repository `{repo}`")),
        (None, Some(root)) => (of_folder(root, &takes)?, root.display().to_string()),
        (Some(_), Some(_)) => {
            let what = "stands beside data.root; keep the one that holds the parquet files";
            return Err(Error::setting("data.repo", what));
        }
        (None, None) => {
            let what = "data set `hub` needs `data.repo` (owner/name of the hub), or `data.root` with parquet files";
            return Err(Error::settings(what));
        }
    };
    if found.is_empty() {
        let hint = if own.files.is_empty() { "" } else { " that data.files takes" };
        let branch = "; the hub keeps a copy in parquet of many others at owner/name@refs/convert/parquet";
        return Err(Error::settings(format!(
            "{from} has no parquet file{hint}{}",
            if hint.is_empty() { branch } else { "" }
        )));
    }
    found.into_iter().map(|(path, name)| Table::open(path, name)).collect()
}

fn patterns(patterns: &[String]) -> Result<GlobSet> {
    let wrong = |pattern: &str, e: globset::Error| Error::setting("data.files", format!("`{pattern}`: {e}"));
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|e| wrong(pattern, e))?);
    }
    set.build().map_err(|e| wrong("", e))
}

/// Paths and names, in the order of the names.
fn of_repo(repo: &str, takes: &dyn Fn(&str) -> bool, context: &OpenContext) -> Result<Vec<(PathBuf, String)>> {
    let failed = |error: mga_hub::Error| Error::setting("data.repo", error.to_string());
    let hub = context.hub.clone().unwrap_or_else(Hub::from_env);
    let mut repo = Repo::dataset(repo).map_err(failed)?;
    let mut names: Vec<String> = hub.files(&repo).map_err(failed)?;
    names.retain(|name| takes(name));
    names.sort();
    let mut found = vec![];
    for name in names {
        let fetched = hub.file(&repo, &name).map_err(failed)?;
        // All of one commit, should the branch move meanwhile.
        repo = repo.at(&fetched.commit);
        found.push((fetched.path, name));
    }
    Ok(found)
}

/// Paths and names, in the order of the names. A folder or link that leads nowhere is an error: what cannot be read would
/// be missing from the data set without a word.
fn of_folder(root: &Path, takes: &dyn Fn(&str) -> bool) -> Result<Vec<(PathBuf, String)>> {
    let mut found = vec![];
    if !root.exists() {
        return Err(Error::file(root, "there is no such folder; data.root names the folder of the parquet files"));
    }
    for entry in walkdir::WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_path_buf();
            let what = "cannot be read, so what is in it would be left out; mend or remove it";
            Error::file(path, format!("{what} ({error})"))
        })?;
        let Ok(relative) = entry.path().strip_prefix(root) else { continue };
        let name = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        if entry.file_type().is_file() && takes(&name) {
            found.push((entry.into_path(), name));
        }
    }
    Ok(found)
}

/// The split a word stands for.
pub(super) fn split_named(word: &str) -> Option<Split> {
    Split::named(word).or_else(|| word.eq_ignore_ascii_case("eval").then_some(Split::Test))
}

/// The split in a path: `data/train-00000-of-00002.parquet`, `plain_text/test/0000.parquet`.
fn split_of(name: &str) -> Option<Split> {
    name.rsplit('/').find_map(|part| split_named(part.split(['-', '.', '_']).next().unwrap_or(part)))
}

/// Runs what reads foreign bytes; a panic inside is an error of the file at `path`.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::file(path, "is damaged: it cannot be read as parquet; copy it again")))
}

impl Table {
    fn open(path: PathBuf, name: String) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io(&path))?;
        let length = file.metadata().map_err(Error::io(&path))?.len();
        let reader = guarded(&path, || {
            SerializedFileReader::new(file).map_err(|e| Error::file(&path, format!("no parquet file: {e}")))
        })?;
        let table = Self { split: split_of(&name), path, name, reader };
        table.check_rows(length)?;
        Ok(table)
    }

    /// Refuses row counts that cannot be: every row holds an image, so there are fewer rows than bytes.
    fn check_rows(&self, length: u64) -> Result<()> {
        let mut rows = 0u64;
        for group in self.reader.metadata().row_groups() {
            let own = u64::try_from(group.num_rows()).ok();
            rows = own.and_then(|own| rows.checked_add(own)).filter(|rows| *rows <= length).ok_or_else(|| {
                let what = format!("is damaged: a group claims {} rows in {length} bytes of file", group.num_rows());
                Error::file(&self.path, format!("{what}; copy it again"))
            })?;
        }
        Ok(())
    }

    pub(super) fn group_rows(&self) -> Vec<usize> {
        let groups = self.reader.metadata().row_groups();
        groups.iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).collect()
    }

    pub(super) fn rows(&self) -> usize {
        self.group_rows().iter().sum()
    }

    fn leaves(&self) -> impl Iterator<Item = (usize, &ColumnDescriptor)> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().enumerate().map(|(index, column)| (index, column.as_ref()))
    }

    /// The leaf that a column name means: itself, or its `bytes` where it is an image of the hub.
    fn leaf(&self, name: &str) -> Option<(usize, &ColumnDescriptor)> {
        let bytes = format!("{name}.bytes");
        self.leaves().find(|(_, column)| [name, &bytes].contains(&column.path().string().as_str()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.leaf(name).is_some()
    }

    /// Columns that hold files' bytes, without `.bytes`.
    pub(super) fn image_columns(&self) -> Vec<String> {
        let names = self.leaves().map(|(_, column)| column.path().string());
        names.filter_map(|name| name.strip_suffix(".bytes").map(str::to_owned)).collect()
    }

    /// All column names, for messages.
    pub(super) fn columns(&self) -> String {
        let names: Vec<String> = self.leaves().map(|(_, column)| format!("`{}`", column.path().string())).collect();
        names.join(", ")
    }

    /// The column for the setting `key`, which must be there and of this kind.
    pub(super) fn require(&self, name: &str, key: &str, kind: Kind) -> Result<(usize, &ColumnDescriptor)> {
        use parquet::basic::Type;
        let Some((index, column)) = self.leaf(name) else {
            return Err(Error::file(
                &self.path,
                format!("{key}: there is no column `{name}`; there are {}", self.columns()),
            ));
        };
        let fits = match kind {
            Kind::Bytes => column.physical_type() == Type::BYTE_ARRAY,
            Kind::Text => [Type::BYTE_ARRAY, Type::INT32, Type::INT64, Type::BOOLEAN].contains(&column.physical_type()),
        };
        if !fits || column.max_rep_level() > 0 {
            let expected = if kind == Kind::Bytes { "files' bytes" } else { "one number or text a row" };
            let what = format!("{key}: column `{name}` holds {}; expected {expected}", column.physical_type());
            return Err(Error::file(&self.path, what));
        }
        Ok((index, column))
    }

    /// A whole column of numbers or texts, as text.
    pub(super) fn texts(&self, name: &str, key: &str) -> Result<Vec<Option<String>>> {
        guarded(&self.path, || self.read_texts(name, key))
    }

    fn read_texts(&self, name: &str, key: &str) -> Result<Vec<Option<String>>> {
        let (index, column) = self.require(name, key, Kind::Text)?;
        let levels = column.max_def_level();
        let mut all = Vec::new();
        for (group, rows) in self.group_rows().into_iter().enumerate() {
            // Bytes that are no text stay apart from each other: two classes must not become one.
            let text = |bytes: ByteArray| match std::str::from_utf8(bytes.data()) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.data().escape_ascii().to_string(),
            };
            match self.column(group, index)? {
                reader @ ColumnReader::Int32ColumnReader(_) => {
                    all.extend(self.read::<Int32Type, _>(reader, rows, levels, |value| value.to_string())?);
                }
                reader @ ColumnReader::Int64ColumnReader(_) => {
                    all.extend(self.read::<Int64Type, _>(reader, rows, levels, |value| value.to_string())?);
                }
                reader @ ColumnReader::BoolColumnReader(_) => {
                    all.extend(self.read::<BoolType, _>(reader, rows, levels, |value| value.to_string())?);
                }
                reader => all.extend(self.read::<ByteArrayType, _>(reader, rows, levels, text)?),
            }
        }
        Ok(all)
    }

    /// The bytes of one row group of a column.
    pub(super) fn cells(&self, group: usize, name: &str) -> Result<Vec<Option<ByteArray>>> {
        let (index, column) = self.require(name, "column", Kind::Bytes)?;
        let rows = self.group_rows().get(group).copied().unwrap_or(0);
        guarded(&self.path, || {
            self.read::<ByteArrayType, _>(self.column(group, index)?, rows, column.max_def_level(), |bytes| bytes)
        })
    }

    fn column(&self, group: usize, index: usize) -> Result<ColumnReader> {
        let group = self.reader.get_row_group(group).map_err(|e| self.damaged(e))?;
        group.get_column_reader(index).map_err(|e| self.damaged(e))
    }

    fn read<T: DataType, V>(
        &self,
        reader: ColumnReader,
        rows: usize,
        levels: i16,
        value: impl Fn(T::T) -> V,
    ) -> Result<Vec<Option<V>>> {
        let mut reader = get_typed_column_reader::<T>(reader);
        let (mut defined, mut values) = (vec![], vec![]);
        while defined.len() < rows {
            let before = values.len();
            // Bit by bit, so that room is made for what is there and not for what is claimed.
            let (records, ..) = reader
                .read_records((rows - defined.len()).min(AT_A_TIME), Some(&mut defined), None, &mut values)
                .map_err(|e| self.damaged(e))?;
            if levels == 0 {
                // A column that is never empty has no levels.
                defined.resize(defined.len() + values.len() - before, 0);
            }
            if records == 0 {
                return Err(Error::file(
                    &self.path,
                    format!("is damaged: {} of {rows} rows in a group", defined.len()),
                ));
            }
        }
        let mut values = values.into_iter();
        Ok(defined.into_iter().map(|level| if level == levels { values.next().map(&value) } else { None }).collect())
    }

    fn damaged(&self, error: parquet::errors::ParquetError) -> Error {
        Error::file(&self.path, format!("cannot be read as parquet: {error}"))
    }

    /// The class names that the hub's `ClassLabel` feature gives a column, in the order of the labels.
    pub(super) fn class_labels(&self, label: Option<&str>) -> Option<Vec<String>> {
        let metadata = self.reader.metadata().file_metadata().key_value_metadata()?;
        let text = metadata.iter().find(|entry| entry.key == "huggingface")?.value.as_deref()?;
        let info: serde_json::Value = serde_json::from_str(text).ok()?;
        let names = info.get("info")?.get("features")?.get(label?)?.get("names")?;
        serde_json::from_value(names.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_the_split() {
        let cases = [
            ("data/train-00000-of-00002.parquet", Some(Split::Train)),
            ("plain_text/test/0000.parquet", Some(Split::Test)),
            ("default/partial-train/0000.parquet", None),
            ("validation.parquet", Some(Split::Validation)),
            ("train/test-0.parquet", Some(Split::Test)),
            ("0000.parquet", None),
        ];
        for (name, split) in cases {
            assert_eq!(split_of(name), split, "{name}");
        }
    }
}
