//! Values of named rows along a horizontal axis: a mark, the range around it, and the single values behind it.

use super::drawing::{Anchor, Drawing, Plot};
use super::frame::heading;
use super::labels::Labels;
use super::legend::{Sample, legend};
use super::palette::classes;
use super::scale::Scale;
use super::text_width::text_width;

/// The value of one series in one row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spot {
    /// The mark.
    pub value: Option<f64>,
    /// The range around it.
    pub range: Option<(f64, f64)>,
    /// The single values behind it, and what each is.
    pub cloud: Vec<(f64, String)>,
    /// The text shown when the pointer rests on the mark.
    pub said: String,
    /// The number of the series that the spot is of, if each row of [`Dots`] is a series of its own.
    pub series: Option<usize>,
}

/// A series: one spot in every row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dots {
    /// The name of the series.
    pub name: String,
    /// The number of the series among all series, which selects its colour.
    pub series: usize,
    /// Parallel to [`DotRows::rows`].
    pub spots: Vec<Spot>,
}

/// Rows of dots.
#[derive(Debug, Clone, PartialEq)]
pub struct DotRows {
    /// The title.
    pub title: String,
    /// The name of the horizontal axis, with its unit.
    pub x_name: String,
    /// The horizontal axis.
    pub x: Scale,
    /// The names of the rows, from above.
    pub rows: Vec<String>,
    /// The notes at the right of each row: empty, or parallel to the rows.
    pub notes: Vec<String>,
    /// The series.
    pub dots: Vec<Dots>,
    /// A value with a line through all rows, such as 0 of differences.
    pub reference: Option<f64>,
}

/// Pixels of paper across.
const WIDTH: f64 = 640.0;

/// Pixels that values have at least, whatever the names of the rows take.
const VALUES: f64 = 270.0;

impl DotRows {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let notes = self.notes.iter().map(|note| text_width(note, 12.0)).fold(0.0, f64::max);
        let right = WIDTH - if notes > 0.0 { notes + 12.0 } else { 14.0 };
        let names = Labels::within(&self.rows, 12.0, (right - VALUES).max(120.0));
        let left = names.width() + 12.0;
        let top = heading(&mut drawing, &self.title, WIDTH);
        let top = names.say(&mut drawing, top, WIDTH) + 4.0;
        let row = (8.0 * self.dots.len() as f64 + 8.0).max(24.0);
        let bottom = top + row * self.rows.len() as f64;
        let place = |value: f64| self.x.place(value, left, right);

        for tick in &self.x.ticks {
            drawing.line("grid", (place(tick.value), top), (place(tick.value), bottom));
            drawing.text("value", (place(tick.value), bottom + 17.0), Anchor::Middle, &tick.label);
        }
        for (index, (name, short)) in self.rows.iter().zip(&names.shown).enumerate() {
            let middle = top + row * (index as f64 + 0.5);
            drawing.named_text("", (left - 10.0, middle + 4.0), Anchor::End, short, name);
            if let Some(note) = self.notes.get(index) {
                drawing.text("value", (right + 10.0, middle + 4.0), Anchor::Start, note);
            }
            if index > 0 && self.dots.len() > 1 {
                drawing.line("grid", (left, middle - row / 2.0), (right, middle - row / 2.0));
            }
        }
        drawing.line("rule", (left, bottom), (right, bottom));
        if let Some(reference) = self.reference {
            drawing.line("rule dashed", (place(reference), top), (place(reference), bottom));
        }
        for (at, dots) in self.dots.iter().enumerate() {
            for (index, spot) in dots.spots.iter().enumerate() {
                let y = top + row * index as f64 + (row - 8.0 * self.dots.len() as f64) / 2.0 + 8.0 * (at as f64 + 0.5);
                let series = spot.series.unwrap_or(dots.series);
                drawing.begin_series(series);
                self.spot(&mut drawing, series, spot, y, &place);
                drawing.end_series();
            }
        }
        drawing.text("faint", ((left + right) / 2.0, bottom + 34.0), Anchor::Middle, &self.x_name);
        let entries: Vec<(usize, &str)> = self.dots.iter().map(|dots| (dots.series, dots.name.as_str())).collect();
        let below = bottom + 42.0;
        let height = below + legend(&mut drawing, (0.0, below), WIDTH, Sample::Mark, &entries);
        drawing.finish((WIDTH, height), self.described())
    }

    fn spot(&self, drawing: &mut Drawing, series: usize, spot: &Spot, y: f64, place: &impl Fn(f64) -> f64) {
        for (value, said) in spot.cloud.iter().filter(|(value, _)| value.is_finite()) {
            drawing.speck(series, (place(*value), y), said);
        }
        if let Some((low, high)) = spot.range {
            drawing.line(&format!("{} line", classes(series)), (place(low), y), (place(high), y));
        }
        if let Some(value) = spot.value.filter(|value| value.is_finite()) {
            drawing.mark(series, (place(value), y), if self.dots.len() > 1 { 3.6 } else { 5.0 }, &spot.said);
        }
    }

    fn described(&self) -> String {
        let mut parts = vec![];
        for (index, row) in self.rows.iter().enumerate().take(30) {
            let of_row = self.dots.iter().filter_map(|dots| {
                let value = dots.spots.get(index)?.value?;
                Some(if self.dots.len() > 1 { format!("{} {value:.2}", dots.name) } else { format!("{value:.2}") })
            });
            parts.push(format!("{row}: {}", of_row.collect::<Vec<_>>().join(", ")));
        }
        format!("{}, {}. {}", self.title, self.x_name, parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(series: usize) -> DotRows {
        let spot = |value: f64| Spot {
            value: Some(value),
            range: Some((value - 1.0, value + 1.0)),
            cloud: vec![(value - 0.5, "seed 1".to_owned())],
            said: format!("{value}"),
            series: None,
        };
        DotRows {
            title: "Difference".to_owned(),
            x_name: "points".to_owned(),
            x: Scale::over([-2.0, 4.0], 5),
            rows: vec![
                "<b>".to_owned(),
                "a name that is much too long for the room that it has, however much of the paper it may take"
                    .to_owned(),
            ],
            notes: vec!["+1.0".to_owned(), "+2.0".to_owned()],
            dots: (0..series)
                .map(|s| Dots { name: format!("arm {s}"), series: s, spots: vec![spot(1.0), spot(2.0)] })
                .collect(),
            reference: Some(0.0),
        }
    }

    #[test]
    fn rows_have_names_marks_and_notes() {
        let text = rows(1).draw().inline();
        assert_eq!((text.matches("s0 spot").count(), text.matches("s0 cloud").count()), (2, 2));
        assert!(text.contains("&#60;b&#62;") && text.contains("…</text>") && text.contains(">+2.0<"));
        assert!(text.contains("rule dashed") && !text.contains(">arm 0<"), "one series needs no legend");
    }

    #[test]
    fn a_row_can_have_a_colour_of_its_own() {
        let mut rows = rows(1);
        rows.dots[0].spots[1].series = Some(4);
        let text = rows.draw().inline();
        assert_eq!((text.matches("s0 spot").count(), text.matches("s4 spot").count()), (1, 1));
        assert!(text.contains("data-series=\"4\""));
    }

    #[test]
    fn several_series_lie_below_each_other() {
        let (one, three) = (rows(1).draw(), rows(3).draw());
        assert!(three.height > one.height && three.inline().contains(">arm 2<"));
    }
}
