//! A confusion matrix: counts, coloured by their share of the row.

use super::drawing::{Drawing, Plot};
use super::matrix::Matrix;

/// Counts by class (rows) and predicted class (columns).
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// The title.
    pub title: String,
    /// The name of the rows.
    pub row_name: String,
    /// The name of the columns.
    pub column_name: String,
    /// The classes.
    pub classes: Vec<String>,
    /// `[class][predicted class]`.
    pub counts: Vec<Vec<u64>>,
}

impl HeatMap {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let names = (self.row_name.as_str(), self.column_name.as_str());
        let matrix = Matrix::draw(&mut drawing, &self.title, &self.classes, names);
        let mut cells = vec![];
        for (row, counts) in self.counts.iter().enumerate() {
            let sum: u64 = counts.iter().sum();
            let some = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            cells.extend(some.map(|(column, &count)| (row, column, count, count as f64 / sum as f64)));
        }
        matrix.fill(&mut drawing, "heat", cells.iter().map(|&(row, column, _, share)| (row, column, share)));
        let written = cells.iter().map(|&(row, column, count, share)| (row, column, share, count.to_string()));
        matrix.write(&mut drawing, &written.collect::<Vec<_>>());
        matrix.key(&mut drawing, &[("heat", 0.0, 1.0)], &[(0.0, "0"), (0.5, "50"), (1.0, "100 %")]);
        drawing.finish(matrix.size, self.described())
    }

    fn described(&self) -> String {
        let right: u64 = self.counts.iter().enumerate().filter_map(|(index, row)| row.get(index)).sum();
        let all: u64 = self.counts.iter().flatten().sum();
        let n = self.classes.len();
        format!(
            "{}: {right} of {all} on the diagonal, {n} classes. {}, {}",
            self.title, self.row_name, self.column_name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(n: usize) -> HeatMap {
        HeatMap {
            title: "Confusion".to_owned(),
            row_name: "class".to_owned(),
            column_name: "predicted".to_owned(),
            classes: (0..n).map(|index| format!("<class {index}>")).collect(),
            counts: (0..n)
                .map(|row| (0..n).map(|column| if row == column { 9 } else { u64::from(column == 0) }).collect())
                .collect(),
        }
    }

    #[test]
    fn counts_and_names_are_written_where_there_is_room() {
        let text = map(3).draw().inline();
        assert_eq!(text.matches(">9<").count(), 3);
        assert_eq!(text.matches(">1<").count(), 2);
        assert!(text.contains("&#60;class 2&#62;") && text.contains("27 of 29 on the diagonal"));
        let mut large = map(20);
        large.counts[0][0] = 8000;
        let text = large.draw().inline();
        assert!(!text.contains(">9<") && !text.contains(">8000<"), "one does not fit, so that none is written");
        let many = map(200).draw().inline();
        assert!(!many.contains("class 7") && many.len() < 20_000, "{}", many.len());
    }

    #[test]
    fn rows_without_counts_are_empty() {
        let mut map = map(2);
        map.counts = vec![vec![0, 0], vec![0, 0]];
        assert!(!map.draw().inline().contains("NaN"));
    }
}
