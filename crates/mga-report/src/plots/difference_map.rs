//! The difference of two confusion matrices: what one side predicts more often than the other, and what less often.

use super::drawing::{Drawing, Plot};
use super::matrix::Matrix;

/// Shares of each class by predicted class, one side minus the other.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceMap {
    /// The title.
    pub title: String,
    /// The name of the rows.
    pub row_name: String,
    /// The name of the columns.
    pub column_name: String,
    /// The classes.
    pub classes: Vec<String>,
    /// `[class][predicted class]`: the difference of two shares of the class; `None` where a side has nothing of it.
    pub differences: Vec<Vec<Option<f64>>>,
    /// The difference that has the full colour.
    pub full: f64,
}

impl DifferenceMap {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let names = (self.row_name.as_str(), self.column_name.as_str());
        let matrix = Matrix::draw(&mut drawing, &self.title, &self.classes, names);
        // Less than a hundredth of the full colour is shown as nothing.
        let full = self.full.max(1e-9);
        let strengths = || self.cells().map(|(row, column, share)| (row, column, share / full));
        let seen = |strength: f64| strength.abs() >= 0.01;
        for (class, sign) in [("heat", 1.0), ("fall", -1.0)] {
            let of_sign = strengths().filter(|cell| seen(cell.2) && cell.2.signum() == sign);
            matrix.fill(
                &mut drawing,
                class,
                of_sign.map(|(row, column, strength)| (row, column, strength.abs().min(1.0))),
            );
        }
        let written = self.cells().filter(|cell| seen(cell.2 / full));
        let written = written.map(|(row, column, share)| (row, column, share.abs() / full, points(share)));
        matrix.write(&mut drawing, &written.collect::<Vec<_>>());
        let ends = [points(self.full), points(-self.full)];
        let values = [(1.0, ends[0].as_str()), (0.5, "0"), (0.0, ends[1].as_str())];
        matrix.key(&mut drawing, &[("heat", 0.5, 1.0), ("fall", 0.5, 0.0)], &values);
        drawing.finish(matrix.size, self.described())
    }

    fn cells(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let cells = self.differences.iter().enumerate().flat_map(|(row, differences)| {
            differences.iter().enumerate().map(move |(column, share)| (row, column, *share))
        });
        cells.filter_map(|(row, column, share)| Some((row, column, share?)))
    }

    fn described(&self) -> String {
        let mut cells: Vec<_> = self.cells().filter(|cell| cell.2 != 0.0).collect();
        cells.sort_by(|one, other| other.2.abs().total_cmp(&one.2.abs()));
        let largest = cells.iter().take(5).map(|&(row, column, share)| {
            format!("{} predicted as {}: {} points", self.classes[row], self.classes[column], points(share))
        });
        format!("{}. Largest: {}", self.title, largest.collect::<Vec<_>>().join("; "))
    }
}

/// A difference of shares in percentage points: `+4`, `−12`.
fn points(share: f64) -> String {
    let points = 100.0 * share;
    let text =
        if points.abs() < 9.95 && points.fract() != 0.0 { format!("{points:+.1}") } else { format!("{points:+.0}") };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_and_less_have_colours_of_their_own() {
        let map = DifferenceMap {
            title: "mga minus plain".to_owned(),
            row_name: "class".to_owned(),
            column_name: "predicted class".to_owned(),
            classes: ["a", "<b>"].map(str::to_owned).to_vec(),
            differences: vec![vec![Some(0.2), Some(-0.2)], vec![None, Some(0.0)]],
            full: 0.2,
        };
        let text = map.draw().inline();
        assert!(text.contains(">+20<") && text.contains(">\u{2212}20<") && !text.contains("NaN"));
        // Twenty steps of the key each, and a cell each.
        assert_eq!([text.matches("\"heat\"").count(), text.matches("\"fall\"").count()], [21, 21]);
        assert!(text.contains("a predicted as &#60;b&#62;: \u{2212}20 points"));
        let none = DifferenceMap { differences: vec![vec![Some(0.0); 2]; 2], full: 0.0, ..map };
        assert!(!none.draw().inline().contains("NaN"));
    }

    #[test]
    fn points_are_short() {
        assert_eq!([0.2, -0.125, 0.004, -0.0199].map(points), ["+20", "\u{2212}12", "+0.4", "\u{2212}2.0"]);
    }
}
