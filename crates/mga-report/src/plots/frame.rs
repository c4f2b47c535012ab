//! The paper of a plot with two axes: title, names of the axes, ticks, grid.

use super::drawing::{Anchor, Drawing};
use super::scale::Scale;
use super::text_width::{text_width, wrapped};

/// Where the values go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// Draws the axes on paper of a width, the values on a height. The name of the vertical axis stands above it, where it
    /// is read without turning one's head.
    pub(super) fn draw(
        drawing: &mut Drawing,
        title: &str,
        (width, height): (f64, f64),
        (x_name, x): (&str, &Scale),
        (y_name, y): (&str, &Scale),
    ) -> Self {
        let labels = y.ticks.iter().map(|tick| text_width(&tick.label, 12.0)).fold(0.0, f64::max);
        let mut top = heading(drawing, title, width);
        for line in wrapped(y_name, 12.0, width, 2) {
            drawing.text("faint", (0.0, top + 12.0), Anchor::Start, &line);
            top += 16.0;
        }
        top += 10.0;
        let frame = Self { left: labels + 8.0, right: width - 14.0, top, bottom: top + height };
        for tick in &y.ticks {
            let at = frame.y(y, tick.value);
            drawing.line("grid", (frame.left, at), (frame.right, at));
            drawing.text("value", (frame.left - 6.0, at + 4.0), Anchor::End, &tick.label);
        }
        drawing.line("rule", (frame.left, frame.bottom), (frame.right, frame.bottom));
        for tick in &x.ticks {
            let at = frame.x(x, tick.value);
            drawing.line("rule", (at, frame.bottom), (at, frame.bottom + 4.0));
            drawing.text("value", (at, frame.bottom + 17.0), Anchor::Middle, &tick.label);
        }
        let middle = (frame.left + frame.right) / 2.0;
        drawing.text("faint", (middle, frame.bottom + 34.0), Anchor::Middle, x_name);
        frame
    }

    /// The place of a value on the horizontal axis.
    pub(super) fn x(&self, scale: &Scale, value: f64) -> f64 {
        scale.place(value, self.left, self.right)
    }

    /// The place of a value on the vertical axis.
    pub(super) fn y(&self, scale: &Scale, value: f64) -> f64 {
        scale.place(value, self.bottom, self.top)
    }

    /// Where what stands below the axes begins.
    pub(super) fn below(&self) -> f64 {
        self.bottom + 42.0
    }
}

/// Draws a title, in several lines where it is long; where what stands below it begins. Without a title there is no room
/// for one.
pub(super) fn heading(drawing: &mut Drawing, title: &str, width: f64) -> f64 {
    if title.is_empty() {
        return 0.0;
    }
    let lines = wrapped(title, 14.6, width, 3);
    let cut = lines.iter().any(|line| line.ends_with('…'));
    let mut top = 8.0;
    for line in &lines {
        drawing.named_text("title", (0.0, top + 7.0), Anchor::Start, line, if cut { title } else { line });
        top += 18.0;
    }
    top
}
