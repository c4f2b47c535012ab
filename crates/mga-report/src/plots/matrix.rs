//! The paper of a square of classes by predicted classes: its size, its names, and squares in steps of a colour.

use super::drawing::{Anchor, Drawing};
use super::frame::heading;
use super::labels::Labels;
use super::markup::coordinate;
use super::text_width::text_width;

/// Steps of a colour: a matrix of 200 classes is a path a step, not 40,000 boxes.
pub(super) const LEVELS: usize = 20;

/// Pixels of the matrix, if its names allow it.
const SIDE: f64 = 340.0;

/// Pixels of the smallest cell that has a name beside it.
const NAMED: f64 = 12.0;

/// Pixels of the largest matrix with names.
const LARGEST: f64 = 760.0;

/// Pixels of the longest name.
const NAMES: f64 = 300.0;

/// Pixels at the right, for what the colours mean.
const KEY: f64 = 66.0;

/// Where the cells go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) cell: f64,
    pub(super) side: f64,
    /// The size of the paper.
    pub(super) size: (f64, f64),
}

impl Matrix {
    /// Draws the names and the frame.
    pub(super) fn draw(
        drawing: &mut Drawing,
        title: &str,
        classes: &[String],
        (row_name, column_name): (&str, &str),
    ) -> Self {
        let n = classes.len().max(1) as f64;
        let cell = match (SIDE / n).min(56.0) {
            small if small < NAMED && NAMED * n <= LARGEST => NAMED,
            cell => cell,
        };
        let (named, side) = (cell >= NAMED, cell * n);
        let (class, size) = if cell < 15.0 { ("small", 10.0) } else { ("", 12.0) };
        let labels = Labels::within(if named { classes } else { &[] }, size, NAMES);
        let names = labels.width();
        let left = if named { names + 32.0 } else { 24.0 };
        let width = (left + side + KEY).max(260.0);
        let top = heading(drawing, title, width);
        let top = labels.say(drawing, top, width) + 4.0;
        let mut below = top + side + 6.0;
        drawing.path("rule", &square((left, top), side));
        let order = if named { "" } else { ", in the data set's order" };
        let (row_name, column_name) = (format!("{row_name}{order}"), format!("{column_name}{order}"));
        drawing.rising_text("faint", (13.0, top + side / 2.0), Anchor::Middle, &row_name);
        for (index, (short, whole)) in labels.shown.iter().zip(classes).enumerate() {
            let at = cell * (index as f64 + 0.5);
            drawing.named_text(class, (left - 6.0, top + at + size / 3.0), Anchor::End, short, whole);
            drawing.rising_text(class, (left + at + size / 3.0, below), Anchor::End, short);
        }
        if named {
            below += names + 6.0;
        }
        below += 14.0;
        // Short of room below few classes, it begins at their left.
        let fits = text_width(&column_name, 12.0) <= side;
        let (x, anchor) = if fits { (left + side / 2.0, Anchor::Middle) } else { (left, Anchor::Start) };
        drawing.text("faint", (x, below), anchor, &column_name);
        Self { left, top, cell, side, size: (width, below + 8.0) }
    }

    /// The upper left corner of a cell.
    pub(super) fn at(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + self.cell * column as f64, self.top + self.cell * row as f64)
    }

    /// Fills cells in steps of a colour, each by its strength in 0 to 1. What is there at all is to be seen.
    pub(super) fn fill(
        &self,
        drawing: &mut Drawing,
        class: &str,
        cells: impl IntoIterator<Item = (usize, usize, f64)>,
    ) {
        let mut levels = vec![String::new(); LEVELS + 1];
        for (row, column, strength) in cells {
            let level = ((strength * LEVELS as f64).round() as usize).clamp(1, LEVELS);
            levels[level] += &square(self.at(row, column), self.cell);
        }
        for (level, shape) in levels.iter().enumerate().filter(|(_, shape)| !shape.is_empty()) {
            drawing.tinted(class, level as f64 / LEVELS as f64, shape);
        }
    }

    /// Writes into cells, each with its strength, if all of it fits: without the large numbers the small ones would mislead.
    /// A strong cell has pale letters.
    pub(super) fn write(&self, drawing: &mut Drawing, cells: &[(usize, usize, f64, String)]) {
        let fits = |size: f64, rim: f64| cells.iter().all(|(.., text)| text_width(text, size) < self.cell - rim);
        let small = match (fits(12.0, 4.0), fits(10.0, 2.0)) {
            _ if self.cell < 14.0 => return,
            (true, _) => "",
            (false, true) => " small",
            (false, false) => return,
        };
        for (row, column, strength, text) in cells {
            let tone = if *strength > 0.6 { "value inverse" } else { "value" };
            let (x, y) = self.at(*row, *column);
            let place = (x + self.cell / 2.0, y + self.cell / 2.0 + 4.0);
            drawing.text(&format!("{tone}{small}"), place, Anchor::Middle, text);
        }
    }

    /// Draws what the colours mean: strips of a colour with a value at some of their heights, from 0 below to 1 above.
    pub(super) fn key(&self, drawing: &mut Drawing, strips: &[(&str, f64, f64)], values: &[(f64, &str)]) {
        let (left, height) = (self.left + self.side + 18.0, self.side.min(160.0));
        let place = |share: f64| self.top + height * (1.0 - share);
        for &(class, none, full) in strips {
            for level in 1..=LEVELS {
                let end = |level: usize| place(none + (full - none) * level as f64 / LEVELS as f64);
                let (y, other) = (end(level).min(end(level - 1)), end(level).max(end(level - 1)));
                let shape = format!("M{} {}h10v{}h-10z", coordinate(left), coordinate(y), coordinate(other - y));
                drawing.tinted(class, level as f64 / LEVELS as f64, &shape);
            }
        }
        for &(share, text) in values {
            drawing.text("value small", (left + 14.0, place(share) + 4.0), Anchor::Start, text);
        }
    }
}

fn square((x, y): (f64, f64), side: f64) -> String {
    let [x, y, side] = [x, y, side].map(coordinate);
    format!("M{x} {y}h{side}v{side}h-{side}z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(classes: &[String]) -> (Matrix, String) {
        let mut drawing = Drawing::new();
        let matrix = Matrix::draw(&mut drawing, "mga", classes, ("class", "predicted class"));
        (matrix, drawing.finish(matrix.size, String::new()).inline())
    }

    #[test]
    fn names_are_whole_and_as_wide_as_they_need() {
        let oaks: Vec<String> = ["robur", "petraea subsp. iberica", "pubescens subsp. crispata"]
            .iter()
            .map(|kind| format!("Quercus {kind}"))
            .collect();
        let (matrix, text) = drawn(&oaks);
        assert!(oaks.iter().all(|oak| text.matches(&format!(">{oak}<")).count() == 2), "{text}");
        assert!(matrix.left > text_width("Quercus pubescens", 12.0) && !text.contains('…'));
    }

    #[test]
    fn some_dozens_of_classes_have_names_and_hundreds_have_none() {
        let classes = |n: usize| (0..n).map(|index| format!("class {index}")).collect::<Vec<_>>();
        let (some, text) = drawn(&classes(60));
        assert!(text.contains(">class 59<") && some.cell == NAMED, "{some:?}");
        let (many, text) = drawn(&classes(200));
        assert!(!text.contains(">class 59<") && (many.side - SIDE).abs() < 1e-9);
        assert!(text.contains(">predicted class, in the data set&#39;s order<"), "{text}");
    }
}
