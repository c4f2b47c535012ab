//! The colours, dashes and marks of series.

use super::drawing::{Anchor, Drawing};
use super::palette::classes;
use super::text_width::{shortened, text_width};

/// Pixels from one line of entries to the next.
const LINE: f64 = 18.0;

/// What stands before a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// A line.
    Line,
    /// A mark.
    Mark,
}

/// Draws the entries, which wrap within a width, from a point downwards; their height. A single one needs no legend.
pub(super) fn legend(
    drawing: &mut Drawing,
    (left, top): (f64, f64),
    width: f64,
    sample: Sample,
    entries: &[(usize, &str)],
) -> f64 {
    if entries.len() < 2 {
        return 0.0;
    }
    let (mut x, mut y) = (left, top + 12.0);
    for &(series, name) in entries {
        let short = shortened(name, 12.0, width - 30.0);
        let room = 28.0 + text_width(&short, 12.0) + 14.0;
        if x > left && x + room > left + width {
            (x, y) = (left, y + LINE);
        }
        drawing.begin_series(series);
        match sample {
            Sample::Line => drawing.line(&format!("{} line", classes(series)), (x, y - 4.0), (x + 20.0, y - 4.0)),
            Sample::Mark => drawing.mark(series, (x + 12.0, y - 4.0), 4.5, ""),
        }
        drawing.named_text("", (x + 26.0, y), Anchor::Start, &short, name);
        drawing.end_series();
        x += room;
    }
    y - top + 8.0
}
