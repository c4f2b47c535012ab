//! A confusion matrix: counts, coloured by their share of the row.

use super::drawing::{Anchor, Drawing, Plot};
use super::frame::heading;
use super::markup::coordinate;
use super::text_width::{shortened, text_width};

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

/// Steps of the colour: a matrix of 200 classes is a path a step, not 40,000 boxes.
const LEVELS: usize = 20;

/// Pixels of the matrix.
const SIDE: f64 = 340.0;

/// Pixels of the longest name.
const NAMES: f64 = 110.0;

impl HeatMap {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let n = self.classes.len().max(1);
        let cell = (SIDE / n as f64).min(56.0);
        let named = cell >= 12.0;
        let mut drawing = Drawing::new();
        let names = self.classes.iter().map(|name| text_width(name, 12.0)).fold(0.0, f64::max).min(NAMES);
        let left = if named { names + 32.0 } else { 24.0 };
        let side = cell * n as f64;
        let width = (left + side + 66.0).max(260.0);
        let top = heading(&mut drawing, &self.title, width) + 4.0;
        let bottom = top + side;
        self.cells(&mut drawing, (left, top), cell);
        drawing.path("rule", &square((left, top), side));
        drawing.rising_text("faint", (13.0, top + side / 2.0), Anchor::Middle, &self.row_name);
        let mut below = bottom + 6.0;
        if named {
            for (index, name) in self.classes.iter().enumerate() {
                let at = cell * (index as f64 + 0.5);
                let short = shortened(name, 12.0, NAMES);
                drawing.named_text("", (left - 6.0, top + at + 4.0), Anchor::End, &short, name);
                drawing.rising_text("", (left + at + 4.0, below), Anchor::End, &short);
            }
            below += names + 6.0;
        }
        below += 14.0;
        drawing.text("faint", (left + side / 2.0, below), Anchor::Middle, &self.column_name);
        key(&mut drawing, (left + side + 18.0, top), side.min(160.0));
        drawing.finish((width, below + 8.0), self.described())
    }

    fn cells(&self, drawing: &mut Drawing, (left, top): (f64, f64), cell: f64) {
        let mut levels = vec![String::new(); LEVELS + 1];
        let mut written = vec![];
        for (row, counts) in self.counts.iter().enumerate() {
            let sum: u64 = counts.iter().sum();
            for (column, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let share = count as f64 / sum as f64;
                // What is there at all is to be seen.
                let level = ((share * LEVELS as f64).round() as usize).max(1);
                let (x, y) = (left + cell * column as f64, top + cell * row as f64);
                levels[level] += &square((x, y), cell);
                written.push((x, y, count, share));
            }
        }
        for (level, shape) in levels.iter().enumerate().filter(|(_, shape)| !shape.is_empty()) {
            drawing.tinted("heat", level as f64 / LEVELS as f64, shape);
        }
        for (x, y, count, share) in written {
            let text = count.to_string();
            let size = if text_width(&text, 12.0) < cell - 4.0 { 12.0 } else { 10.0 };
            if cell >= 14.0 && text_width(&text, size) < cell - 2.0 {
                let (tone, small) = (if share > 0.6 { "value inverse" } else { "value" }, size < 12.0);
                let class = if small { format!("{tone} small") } else { tone.to_owned() };
                drawing.text(&class, (x + cell / 2.0, y + cell / 2.0 + 4.0), Anchor::Middle, &text);
            }
        }
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

fn square((x, y): (f64, f64), side: f64) -> String {
    let [x, y, side] = [x, y, side].map(coordinate);
    format!("M{x} {y}h{side}v{side}h-{side}z")
}

/// What the colours mean: a strip from none to all of a row.
fn key(drawing: &mut Drawing, (left, top): (f64, f64), height: f64) {
    let step = height / LEVELS as f64;
    for level in 1..=LEVELS {
        let y = top + height - step * level as f64;
        let shape = format!("M{} {}h10v{}h-10z", coordinate(left), coordinate(y), coordinate(step));
        drawing.tinted("heat", level as f64 / LEVELS as f64, &shape);
    }
    for (share, text) in [(0.0, "0"), (0.5, "50"), (1.0, "100 %")] {
        drawing.text("value small", (left + 14.0, top + height * (1.0 - share) + 4.0), Anchor::Start, text);
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
