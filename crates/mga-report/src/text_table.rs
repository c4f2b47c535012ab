//! A table as text, which every form sets in its own way.

/// A table as text: a header, and rows of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// The marks of the flags behind each row's first cell, such as `a b`; none of a table without flags.
    pub(super) marks: Vec<String>,
    /// Whether a column is of numbers, which stand to the right.
    pub(super) numbers: Vec<bool>,
    /// Cells that begin with the best mean of their column, by row and column.
    pub(super) best: Vec<(usize, usize)>,
}

impl Cells {
    /// With so many columns of words, then numbers.
    pub(super) fn new(header: Vec<String>, words: usize) -> Self {
        let numbers = (0..header.len()).map(|column| column >= words).collect();
        Self { header, rows: vec![], marks: vec![], numbers, best: vec![] }
    }

    /// The rows, each cell, the best means in it and its row's marks written in a form's own way.
    pub(super) fn written(
        &self,
        cell: impl Fn(&str) -> String,
        marks: impl Fn(&str) -> String,
        best: impl Fn(&str) -> String,
    ) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
        for &(row, column) in &self.best {
            let (mean, rest) = mean_first(&self.rows[row][column]);
            rows[row][column] = best(&cell(mean)) + &cell(rest);
        }
        for (row, text) in rows.iter_mut().zip(&self.marks).filter(|(_, text)| !text.is_empty()) {
            row[0] += &marks(text);
        }
        rows
    }
}

/// The mean that a cell begins with, and the rest of it.
pub(super) fn mean_first(cell: &str) -> (&str, &str) {
    cell.split_at(cell.find(' ').unwrap_or(cell.len()))
}
