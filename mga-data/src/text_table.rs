//! Tables as people have them, read in one place: a header and rows, whatever program wrote them.
//!
//! Cells lose the blanks at their ends. What separates them is found where it is not what was expected. What is odd but can
//! be read is noted; rows that cannot be read are faults of their own, by their line.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::spelling::trimmed;
use crate::text_file::read_text;

/// What separates the cells, by frequency.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// A table, read.
#[derive(Debug)]
pub(crate) struct TextTable {
    path: PathBuf,
    /// What separates the cells.
    pub(crate) delimiter: u8,
    /// The names of the columns.
    pub(crate) header: Vec<String>,
    /// The rows that could be read, each as wide as the header.
    pub(crate) rows: Vec<Row>,
    /// The rows that could not: their line, and what is wrong.
    pub(crate) faults: Vec<(u64, String)>,
    /// What was read though it is odd, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// A row of a table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The line it begins on, from 1.
    pub(crate) line: u64,
    cells: Vec<String>,
}

impl Row {
    /// The cell in `column`; `None` where it is blank.
    pub(crate) fn cell(&self, column: Option<usize>) -> Option<&str> {
        self.cells.get(column?).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Every cell.
    pub(crate) fn cells(&self) -> &[String] {
        &self.cells
    }
}

impl TextTable {
    /// Reads the table at `path`. It is separated by `delimiter` where that gives the columns called `needed`, else by
    /// what does, else by what gives most columns.
    ///
    /// # Errors
    /// A file that cannot be read or is in an encoding that does not tell itself, an empty one, a quote that is never closed, a delimiter that is not one
    /// ASCII character.
    pub(crate) fn read(path: &Path, delimiter: Option<char>, needed: &[&str]) -> Result<Self> {
        let text = read_text(path)?;
        let (delimiter, noted) = choose(&text, delimiter, needed)?;
        let mut table = Self {
            path: path.to_path_buf(),
            delimiter,
            header: Vec::new(),
            rows: Vec::new(),
            faults: Vec::new(),
            notes: noted.map(|note| format!("{}: {note}", path.display())).into_iter().collect(),
        };
        table.fill(&text)?;
        Ok(table)
    }

    /// A table that was made, of rows as wide as its header; `path` is what messages call it.
    pub(crate) fn made(path: &Path, header: Vec<String>, rows: Vec<Vec<String>>) -> Self {
        let rows = (2..).zip(rows).map(|(line, cells)| Row { line, cells }).collect();
        Self { path: path.to_path_buf(), delimiter: b',', header, rows, faults: Vec::new(), notes: Vec::new() }
    }

    /// Adds a column, with a cell for each row; rows without one have a blank.
    ///
    /// # Errors
    /// There is a column of that name.
    pub(crate) fn add_column(&mut self, name: &str, cells: impl IntoIterator<Item = String>) -> Result<()> {
        if self.header.iter().any(|column| column == name) {
            return Err(Error::file(
                &self.path,
                format!(
                    "column `{name}` is already there, and one of that name would be \
                                                        added: rename it"
                ),
            ));
        }
        self.header.push(name.to_owned());
        let mut cells = cells.into_iter();
        self.rows.iter_mut().for_each(|row| row.cells.push(cells.next().unwrap_or_default()));
        Ok(())
    }

    fn fill(&mut self, text: &str) -> Result<()> {
        let (mut lines, mut read_header) = (Lines::of(text), false);
        let (mut blank, mut wide, mut spaced) = (0, 0, 0);
        for record in reader(text, self.delimiter).records() {
            // Of text that is UTF-8 and rows of any length nothing is refused.
            let record = record.map_err(|e| Error::file(&self.path, format!("is no readable CSV: {e}")))?;
            let line = lines.line_at(record.position().map_or(0, csv::Position::byte));
            let mut cells: Vec<String> = record.iter().map(|cell| unquoted(cell, &mut spaced)).collect();
            if cells.iter().all(String::is_empty) {
                blank += usize::from(read_header);
                continue;
            }
            if !read_header {
                read_header = true;
                self.header = cells;
                continue;
            }
            let width = self.header.len();
            if cells.len() > width && cells.iter().skip(width).all(String::is_empty) {
                cells.truncate(width);
                wide += 1;
            }
            if cells.len() == width {
                self.rows.push(Row { line, cells });
                continue;
            }
            let quote = if record.iter().any(|cell| cell.contains(['"', '\n', '\r'])) {
                ": is a quote not closed, or is there a blank before one?"
            } else {
                ""
            };
            let cells = cells.len();
            self.faults.push((line, format!("has {cells} cells where the header has {width}{quote}")));
        }
        if !read_header {
            return Err(Error::file(&self.path, "is empty: expected a header line such as file,label"));
        }
        self.unclosed(text)?;
        let name = self.path.display().to_string();
        let odd = [
            (blank, "blank rows were passed over"),
            (wide, "rows have blank cells beyond the header's: passed over"),
            (spaced, "cells have blanks before their quotes: read without both"),
        ];
        self.notes.extend(odd.iter().filter(|(count, _)| *count > 0).map(|(n, what)| format!("{name}: {n} {what}")));
        Ok(())
    }

    /// A quote that is opened and not closed makes one cell of the rest of the file.
    fn unclosed(&self, text: &str) -> Result<()> {
        let last = self.rows.last().map(|row| (row.line, row.cells.iter().any(|cell| cell.contains('\n'))));
        let fault = self.faults.last().map(|(line, _)| (*line, true));
        let Some((line, true)) = last.max(fault) else { return Ok(()) };
        let rest = text.split_inclusive('\n').skip(usize::try_from(line).unwrap_or(1).saturating_sub(1));
        let (quotes, over) = rest.fold((0, 0), |(quotes, lines), line| (quotes + line.matches('"').count(), lines + 1));
        if over > 1 && quotes % 2 == 1 {
            let what =
                format!("line {line} opens a quote that is never closed, so all that follows is one cell: close it");
            return Err(Error::file(&self.path, what));
        }
        Ok(())
    }

    /// Where the column called `name` is; `None`: nowhere.
    ///
    /// # Errors
    /// Two columns of that name.
    pub(crate) fn column(&self, name: &str) -> Result<Option<usize>> {
        let mut at = self.header.iter().enumerate().filter(|(_, column)| *column == name).map(|(at, _)| at);
        match (at.next(), at.next()) {
            (first, None) => Ok(first),
            _ => Err(Error::file(&self.path, format!("has two columns `{name}`: rename one"))),
        }
    }

    /// Where the column called `name` is, which `setting` asks for.
    ///
    /// # Errors
    /// There is none, or there are two.
    pub(crate) fn needed(&self, name: &str, setting: &str) -> Result<usize> {
        self.column(name)?.ok_or_else(|| {
            let near = self.header.iter().find(|column| column.to_lowercase() == name.to_lowercase());
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let there = self.header.join(", ");
            Error::file(&self.path, format!("has no column `{name}` ({setting}); its columns are: {there}{near}"))
        })
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes())
}

/// The delimiter that is taken, and what is to be said of it.
fn choose(text: &str, wanted: Option<char>, needed: &[&str]) -> Result<(u8, Option<String>)> {
    let ascii = |c: char| u8::try_from(c).ok().filter(u8::is_ascii);
    let header = |delimiter: u8| -> Vec<String> {
        let first = reader(text, delimiter).into_records().find_map(std::result::Result::ok);
        first.iter().flat_map(csv::StringRecord::iter).map(|cell| trimmed(cell).to_owned()).collect()
    };
    let fits = |delimiter: &u8| {
        let header = header(*delimiter);
        !needed.is_empty() && needed.iter().all(|name| header.iter().any(|column| column == name))
    };
    let first = match wanted {
        Some(wanted) => Some(ascii(wanted).ok_or_else(|| {
            Error::settings(format!(
                "the delimiter `{wanted}`: expected one ASCII character, such as \",\", \";\" or \"\\t\""
            ))
        })?),
        None => None,
    };
    let others = || DELIMITERS.into_iter().filter_map(ascii);
    if let Some(found) = first.into_iter().chain(others()).find(fits) {
        let other = first
            .filter(|first| *first != found)
            .map(|first| format!("its columns are separated by {}, not by {}: read so", shown(found), shown(first)));
        return Ok((found, other));
    }
    // Nothing gives the columns: the widest header is the likeliest to show what is wrong, the first of equals.
    let widest = others().rev().max_by_key(|delimiter| header(*delimiter).len()).unwrap_or(b',');
    Ok((first.unwrap_or(widest), None))
}

fn shown(delimiter: u8) -> String {
    if delimiter == b'\t' { "tabs".to_owned() } else { format!("`{}`", char::from(delimiter)) }
}

/// A cell without the blanks at its ends, and without the quotes that a blank kept from being taken for quotes.
fn unquoted(cell: &str, spaced: &mut usize) -> String {
    let inner = trimmed(cell);
    let begins_blank = !cell.starts_with(inner) || inner.is_empty();
    match inner.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).filter(|_| begins_blank) {
        Some(quoted) => {
            *spaced += 1;
            trimmed(&quoted.replace("\"\"", "\"")).to_owned()
        }
        None => inner.to_owned(),
    }
}

/// Which line a byte is on, asked in ascending order. A line ends with `\n`, `\r\n` or `\r`.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of the first byte from `byte` on that is no line break.
    fn line_at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(&this) = self.text.get(self.at) {
            let breaks = matches!(this, b'\n' | b'\r');
            if self.at >= byte && !breaks {
                break;
            }
            let halfway = this == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(breaks && !halfway);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, delimiter: Option<char>, needed: &[&str]) -> Result<TextTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        TextTable::read(&path, delimiter, needed)
    }

    fn cells(table: &TextTable) -> Vec<(u64, String)> {
        table.rows.iter().map(|row| (row.line, row.cells().join("|"))).collect()
    }

    fn row(line: u64, cells: &str) -> (u64, String) {
        (line, cells.to_owned())
    }

    #[test]
    fn the_delimiter_is_found_where_it_is_not_the_one_expected() {
        for (text, delimiter, noted) in [
            ("file,label\na.jpg,oak\n", b',', false),
            ("file;label\na.jpg;oak\n", b';', true),
            ("\u{feff}file\tlabel\na.jpg\toak\n", b'\t', true),
            ("file|label\na.jpg|oak\n", b'|', true),
            ("remark, any;file;label\nx;a.jpg;oak\n", b';', true),
        ] {
            let table = read(text, Some(','), &["file", "label"]).unwrap();
            assert_eq!((table.delimiter, !table.notes.is_empty()), (delimiter, noted), "{text}");
            assert_eq!(table.rows.len(), 1);
        }
        // What is set is taken where it fits, and without names to look for the widest header decides.
        assert_eq!(read("a b\n1 2\n", Some(' '), &["a"]).unwrap().delimiter, b' ');
        assert_eq!(read("a;b, c;d\n", None, &[]).unwrap().delimiter, b';');
        assert_eq!(read("a\n1\n", None, &[]).unwrap().delimiter, b',');
        assert!(read("a\n", Some('é'), &[]).unwrap_err().to_string().contains("ASCII"));
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["file,label", "a,1", "", "b,\"x", "y\"", "c,3", " ", "d,4", ""].join(end);
            let table = read(&text, None, &["file"]).unwrap();
            let inner = format!("b|x{end}y");
            assert_eq!(cells(&table), [row(2, "a|1"), row(4, &inner), row(6, "c|3"), row(8, "d|4")], "{end:?}");
            assert_eq!(table.notes, [format!("{}: 1 blank rows were passed over", table.path.display())]);
        }
    }

    #[test]
    fn blanks_and_quotes_around_cells_go() {
        let text = "file , label\n a.jpg,\u{a0}oak \n\"b.jpg\", \"red \"\"x\"\" oak\"\n\"c, d.jpg\" ,\"\"\"e\"\"\"\n,,,\nf,g,,\n";
        let table = read(text, None, &["file", "label"]).unwrap();
        let expected = [row(2, "a.jpg|oak"), row(3, "b.jpg|red \"x\" oak"), row(4, "c, d.jpg|\"e\""), row(6, "f|g")];
        assert_eq!(cells(&table), expected);
        assert_eq!(table.notes.len(), 3, "{:?}", table.notes);
    }

    #[test]
    fn rows_that_cannot_be_read_are_told_by_their_line() {
        let table = read("file,label\r\na,1\r\nb\r\nc,2,3\r\nd, \"x, y\"\r\n", None, &["file"]).unwrap();
        let faults: Vec<_> = table.faults.iter().map(|(line, what)| format!("{line} {what}")).collect();
        assert_eq!(faults[..2], ["3 has 1 cells where the header has 2", "4 has 3 cells where the header has 2"]);
        assert!(faults[2].starts_with("5 has 3 cells") && faults[2].contains("quote"), "{faults:?}");
        for text in ["file,label\na,\"oak\nb,2\nc,3\n", "file,label\n\"a,oak\nb,2\n"] {
            let message = read(text, None, &["file"]).unwrap_err().to_string();
            assert!(message.contains("t.csv: line 2 opens a quote that is never closed"), "{message}");
        }
        for text in ["", "\n\n", " \n"] {
            assert!(read(text, None, &[]).unwrap_err().to_string().contains("is empty"), "{text:?}");
        }
    }

    #[test]
    fn columns_by_name() {
        let table = read("File,label,label\n", None, &[]).unwrap();
        let message = table.needed("file", "`data.columns.file`").unwrap_err().to_string();
        assert!(message.contains("has no column `file` (`data.columns.file`)"), "{message}");
        assert!(message.contains("File, label, label; did you mean `File`?"), "{message}");
        assert!(table.column("label").unwrap_err().to_string().contains("two columns `label`"));
        assert_eq!((table.column("File").unwrap(), table.column("x").unwrap()), (Some(0), None));
    }
}
