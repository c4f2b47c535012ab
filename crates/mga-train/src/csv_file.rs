//! CSV files that people open in spreadsheets, where a cell that begins like a formula would be one.
//!
//! A class may be called `=HYPERLINK(...)`. Such a cell is written with an apostrophe before it, by which spreadsheets take
//! it for text; [`bared`] takes that off again where mga reads its own files. Numbers, below zero too, stay as they are.

use std::borrow::Cow;

use serde::Serialize;

/// Writes a CSV file whose cells are no formulas.
#[derive(Debug)]
pub struct CsvFile(csv::Writer<Vec<u8>>);

impl CsvFile {
    /// Creates an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(csv::Writer::from_writer(vec![]))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Rows of different lengths.
    pub fn row<T: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = T>) -> csv::Result<()> {
        self.0.write_record(cells)
    }

    /// Writes a value's fields as a row, below a row of their names.
    ///
    /// # Errors
    /// A value that is no row.
    pub fn value(&mut self, value: impl Serialize) -> csv::Result<()> {
        self.0.serialize(value)
    }

    /// Returns the file.
    ///
    /// # Errors
    /// A cell that is no text.
    pub fn text(self) -> anyhow::Result<String> {
        let text = String::from_utf8(self.0.into_inner()?)?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
        if rows.iter().flatten().all(|cell| matches!(shielded(cell), Cow::Borrowed(_))) {
            return Ok(text);
        }
        let mut safe = Self::new().0;
        for row in &rows {
            safe.write_record(row.iter().map(|cell| shielded(cell).into_owned()))?;
        }
        Ok(String::from_utf8(safe.into_inner()?)?)
    }
}

impl Default for CsvFile {
    fn default() -> Self {
        Self::new()
    }
}

/// A cell as it is written: with an apostrophe where a spreadsheet would calculate, or where the name itself begins as one
/// that was written so.
fn shielded(cell: &str) -> Cow<'_, str> {
    // With `＝` and its like too, which some spreadsheets take for `=`.
    let formula = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let number = cell.parse::<f64>().is_ok_and(f64::is_finite);
    // A dash alone stands for what is missing.
    if formula(cell.trim_start_matches('\'')) && !number && cell != "-" {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Returns the cell that was written so: the inverse of what [`CsvFile`] does, and of files without apostrophes the
/// cell itself.
#[must_use]
pub fn bared(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|bare| shielded(bare) == cell).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_is_a_formula_and_all_of_it_comes_back() {
        let names = [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2+3",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "＝1",
            "'=1",
            "''=1",
            "'quoted'",
            "a=b",
            "-1.5",
            "-1e-7",
            "+3",
            "-inf",
            "",
            "-",
            "- x",
            "plain, with \"quotes\"",
        ];
        let mut file = CsvFile::new();
        file.row(names).unwrap();
        file.row(names.map(str::to_uppercase)).unwrap();
        let text = file.text().unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        for (cell, name) in row.iter().zip(names) {
            assert_eq!(bared(cell), name);
            let number = cell.parse::<f64>().is_ok_and(f64::is_finite) || cell == "-";
            assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']), "{cell}");
        }
        assert_eq!((&row[11], &row[12], &row[9]), ("-1.5", "-1e-7", "'quoted'"));
    }

    #[test]
    fn what_is_harmless_is_written_as_it_was() {
        #[derive(Serialize)]
        struct Row {
            path: &'static str,
            confidence: f64,
            correct: bool,
        }
        let mut file = CsvFile::new();
        file.value(Row { path: "a, b.png", confidence: 1.0, correct: true }).unwrap();
        file.value(Row { path: "c", confidence: 1e-7, correct: false }).unwrap();
        assert_eq!(file.text().unwrap(), "path,confidence,correct\n\"a, b.png\",1.0,true\nc,1e-7,false\n");
    }
}
