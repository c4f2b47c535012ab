//! The table as a SQLite file: an index that anything that speaks SQL can ask.
//!
//! It is for other programs, and for people at a prompt: mga itself reads the folders, and never this file. Whoever makes it
//! makes it anew and puts it in place by rename, so that a torn, old or deleted one is no loss, and nothing has to be
//! locked. Jobs on a cluster have no use for it and do not open it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};
use serde_json::Value;

use super::column::{Column, Kind};
use super::table::RunTable;
use crate::results::Note;

/// The file's name in a folder of runs.
pub const INDEX: &str = "index.sqlite";

/// A value of the table to SQLite.
struct Cell<'a>(&'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Bool(value) => ToSqlOutput::from(*value),
            Value::Number(number) if number.is_i64() => ToSqlOutput::from(number.as_i64().unwrap_or_default()),
            Value::Number(number) => ToSqlOutput::from(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => ToSqlOutput::from(text.as_str()),
            _ => ToSqlOutput::from(rusqlite::types::Null),
        })
    }
}

/// Writes `folder/index.sqlite`: table `runs`, a row a run and its columns those of the table, and table `notes`, `path` and
/// `message` of what is odd. The same runs give the same bytes.
///
/// # Errors
/// The folder cannot be written to.
pub fn write_index(folder: &Path, table: &RunTable, notes: &[Note]) -> anyhow::Result<PathBuf> {
    let path = folder.join(INDEX);
    let failed = || format!("{}: cannot be written", path.display());
    whole_file::write(&path, |_, temporary| fill(temporary, table, notes)).with_context(failed)?;
    Ok(path)
}

fn fill(path: &Path, table: &RunTable, notes: &[Note]) -> anyhow::Result<()> {
    // Nobody sees the file before it is whole: locks of SQLite's own could meet ours, and a journal beside it would only be
    // left behind.
    let no_locks = if cfg!(unix) { "unix-none" } else { "win32-none" };
    let mut connection = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), no_locks)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let work = connection.transaction()?;
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", quoted(&column.name), kind(column))).collect();
    if !columns.is_empty() {
        work.execute(&format!("CREATE TABLE runs ({})", columns.join(", ")), [])?;
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = work.prepare(&format!("INSERT INTO runs VALUES ({places})"))?;
        for row in 0..table.rows() {
            let values = table.columns.iter().map(|column| Cell(column.values.get(row).unwrap_or(&Value::Null)));
            insert.execute(params_from_iter(values))?;
        }
    }
    work.execute("CREATE TABLE notes (path TEXT, message TEXT)", [])?;
    for note in notes {
        work.execute("INSERT INTO notes VALUES (?, ?)", [&note.path.to_string_lossy(), note.message.as_str()])?;
    }
    work.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// A name with dots, as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Boolean => "BOOLEAN",
        Kind::Integer => "INTEGER",
        Kind::Float => "REAL",
        Kind::Text => "TEXT",
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::results::read;

    fn index(folder: &Path) -> PathBuf {
        let results = read(&[folder]).unwrap();
        let notes: Vec<Note> = results.all_notes().collect();
        write_index(folder, &RunTable::of(&results.records), &notes).unwrap()
    }

    #[test]
    fn rebuilt_after_deletion_and_after_damage_it_is_the_same() {
        let folder = fixture::sweep();
        let path = index(folder.path());
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        index(folder.path());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        for damaged in [&whole[..whole.len() / 2], &[0xff; 5000], b""] {
            std::fs::write(&path, damaged).unwrap();
            index(folder.path());
            assert!(std::fs::read(&path).unwrap() == whole, "rebuilt over {} bytes", damaged.len());
        }
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "runs and the index, and nothing else: {names:?}");
    }

    #[test]
    fn what_failed_or_is_half_done_is_in_it_and_strangers_are_named() {
        let folder = fixture::sweep();
        let connection = Connection::open(index(folder.path())).unwrap();
        let asked = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(asked("SELECT state FROM runs ORDER BY \"order\""), ["finished", "finished", "failed", "running"]);
        assert_eq!(asked("SELECT error FROM runs WHERE error NOT NULL"), ["the loss is NaN"]);
        assert_eq!(
            asked("SELECT key FROM runs WHERE top1 > 0.6 AND \"model.attention\" = 'residual'"),
            ["residual.seed-1"]
        );
        assert_eq!(asked("SELECT typeof(top1) || typeof(seconds) FROM runs LIMIT 1"), ["realreal"]);
        let notes = asked("SELECT path FROM notes");
        assert!(notes.iter().any(|path| path.ends_with("runs/holiday")), "{notes:?}");
    }
}
