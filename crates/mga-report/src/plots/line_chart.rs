//! Lines over a horizontal axis, each with a band or with the thin lines that it is the mean of.

use super::drawing::{Drawing, Plot};
use super::frame::Frame;
use super::legend::{Sample, legend};
use super::markup::coordinate;
use super::palette::classes;
use super::scale::Scale;

/// A point of a line, and how far its band reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandPoint {
    /// The position along the horizontal axis.
    pub x: f64,
    /// The value.
    pub value: f64,
    /// The low end of the band.
    pub low: f64,
    /// The high end of the band.
    pub high: f64,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSeries {
    /// The name of the series.
    pub name: String,
    /// The number of the series among all series, which selects its colour.
    pub series: usize,
    /// The points, from left to right.
    pub points: Vec<BandPoint>,
    /// The single lines that this one is the mean of, each from left to right.
    pub singles: Vec<Vec<(f64, f64)>>,
}

/// Lines with bands or with the single lines behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// The title.
    pub title: String,
    /// The name of the horizontal axis, with its unit.
    pub x_name: String,
    /// The horizontal axis.
    pub x: Scale,
    /// The name of the vertical axis, with its unit.
    pub y_name: String,
    /// The vertical axis.
    pub y: Scale,
    /// The lines, the first drawn first.
    pub lines: Vec<LineSeries>,
}

/// Pixels of paper across, and of the vertical axis.
const SIZE: (f64, f64) = (560.0, 270.0);

impl LineChart {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let frame = Frame::draw(&mut drawing, &self.title, SIZE, (&self.x_name, &self.x), (&self.y_name, &self.y));
        // Bands lie below all lines, and single lines below all means.
        for line in &self.lines {
            let has_band = line.points.iter().any(|point| point.high > point.low);
            if has_band && line.points.len() > 1 {
                drawing.begin_series(line.series);
                drawing.path(&format!("{} band", classes(line.series)), &self.band(&frame, line));
                drawing.end_series();
            }
        }
        for line in self.lines.iter().filter(|line| line.singles.len() > 1) {
            drawing.begin_series(line.series);
            for single in line.singles.iter().filter(|single| single.len() > 1) {
                let places = single.iter().map(|&(x, y)| self.place(&frame, x, y));
                drawing.path(&format!("{} line single", classes(line.series)), &joined(places));
            }
            drawing.end_series();
        }
        for line in &self.lines {
            drawing.begin_series(line.series);
            let weight = if line.singles.len() > 1 { " mean" } else { "" };
            let class = format!("{} line{weight}", classes(line.series));
            let places = line.points.iter().map(|point| self.place(&frame, point.x, point.value));
            drawing.path(&class, &joined(places));
            if let [only] = line.points[..] {
                drawing.mark(line.series, self.place(&frame, only.x, only.value), 3.5, &line.name);
            }
            drawing.end_series();
        }
        let entries: Vec<(usize, &str)> = self.lines.iter().map(|line| (line.series, line.name.as_str())).collect();
        let below = frame.below();
        let height = below + legend(&mut drawing, (0.0, below), SIZE.0, Sample::Line, &entries);
        drawing.finish((SIZE.0, height), self.described())
    }

    fn place(&self, frame: &Frame, x: f64, y: f64) -> (f64, f64) {
        (frame.x(&self.x, x), frame.y(&self.y, y))
    }

    fn band(&self, frame: &Frame, line: &LineSeries) -> String {
        let high = line.points.iter().map(|point| self.place(frame, point.x, point.high));
        let low = line.points.iter().rev().map(|point| self.place(frame, point.x, point.low));
        joined(high.chain(low)) + "z"
    }

    fn described(&self) -> String {
        let ends = self.lines.iter().filter_map(|line| Some((line, line.points.last()?)));
        let ends: Vec<String> = ends.map(|(line, last)| format!("{} ends at {:.4}", line.name, last.value)).collect();
        format!("{}: {} by {}. {}", self.title, self.y_name, self.x_name, ends.join("; "))
    }
}

fn joined(places: impl Iterator<Item = (f64, f64)>) -> String {
    places
        .enumerate()
        .map(|(index, (x, y))| format!("{}{} {}", if index == 0 { "M" } else { "L" }, coordinate(x), coordinate(y)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> LineChart {
        let points = values.iter().enumerate().map(|(index, &value)| BandPoint {
            x: index as f64 + 1.0,
            value,
            low: value - 1.0,
            high: value + 1.0,
        });
        LineChart {
            title: "Validation".to_owned(),
            x_name: "epoch".to_owned(),
            x: Scale::whole(1, 3, 5),
            y_name: "top-1 accuracy (%)".to_owned(),
            y: Scale::over([0.0, 100.0], 5),
            lines: vec![
                LineSeries { name: "a <b>".to_owned(), series: 0, points: points.collect(), singles: vec![] },
                LineSeries { name: "none".to_owned(), series: 1, points: vec![], singles: vec![] },
            ],
        }
    }

    #[test]
    fn lines_bands_and_names_are_there() {
        let plot = chart(&[0.0, 50.0, 100.0]).draw();
        let text = plot.inline();
        assert!(text.contains("class=\"s0 band\"") && text.contains("class=\"s0 line\"") && !text.contains("s1 band"));
        assert!(text.contains("a &#60;b&#62;") && text.contains(">top-1 accuracy (%)<") && text.contains(">epoch<"));
        assert!(
            text.contains("aria-label=\"Validation: top-1 accuracy (%) by epoch. a &#60;b&#62; ends at 100.0000\"")
        );
        // From the lower left corner of the axes to the upper right one.
        let line = text.split("class=\"s0 line\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(line.starts_with('M') && line.contains("546 52"), "{line}");
    }

    #[test]
    fn the_mean_lies_on_top_of_the_single_lines() {
        let mut chart = chart(&[0.0, 50.0, 100.0]);
        let single = |shift: f64| vec![(1.0, shift), (2.0, 50.0 + shift)];
        chart.lines[0].singles = vec![single(1.0), single(2.0)];
        chart.lines[1].singles = vec![single(3.0), single(4.0)];
        let text = chart.draw().inline();
        assert_eq!(
            ["s0 line single", "s1 line single", "s0 line mean"].map(|class| text.matches(class).count()),
            [2, 2, 1]
        );
        assert!(text.rfind("line single") < text.find("s0 line mean"), "{text}");
        chart.lines[0].singles.truncate(1);
        assert!(!chart.draw().inline().contains("s0 line single"), "of one run the mean is the line");
    }

    #[test]
    fn one_epoch_is_a_mark() {
        assert!(chart(&[40.0]).draw().inline().contains("s0 spot"));
        assert!(!chart(&[]).draw().inline().contains("s0 spot"));
    }
}
