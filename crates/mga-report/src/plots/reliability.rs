//! A reliability diagram: how often predictions of a confidence are right, and how many there are.

use super::drawing::{Drawing, Plot};
use super::frame::Frame;
use super::scale::Scale;

/// Predictions of like confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// The low end of their confidence, in 0 to 1.
    pub low: f64,
    /// The high end.
    pub high: f64,
    /// The number of predictions.
    pub count: u64,
    /// The share of them that is right; `None` of an empty bin.
    pub accuracy: Option<f64>,
    /// Their mean confidence; `None` of an empty bin.
    pub confidence: Option<f64>,
}

/// A reliability diagram.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    /// The title, the name of the arm.
    pub title: String,
    /// The number of the series among all series.
    pub series: usize,
    /// The expected calibration error in words: `ECE 4.2 %`.
    pub error: String,
    /// The bins, from low to high.
    pub bins: Vec<ReliabilityBin>,
}

/// Pixels of paper across, and of the vertical axis.
const SIZE: (f64, f64) = (276.0, 214.0);

/// Pixels of the highest bar of counts.
const COUNTS: f64 = 34.0;

impl Reliability {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let scale = Scale::over([0.0, 100.0], 4);
        let title = &self.title;
        let y_name = format!("right (%), {}", self.error);
        let frame = Frame::draw(&mut drawing, title, SIZE, ("confidence (%)", &scale), (&y_name, &scale));
        let (x, y) = (|share: f64| frame.x(&scale, 100.0 * share), |share: f64| frame.y(&scale, 100.0 * share));
        let most = self.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f64;
        for bin in self.bins.iter().filter(|bin| bin.count > 0) {
            let (left, width) = (x(bin.low) + 0.5, x(bin.high) - x(bin.low) - 1.0);
            let Some((accuracy, confidence)) = bin.accuracy.zip(bin.confidence) else { continue };
            let said = format!(
                "{} predictions of {:.1} % confidence, {:.1} % right",
                bin.count,
                100.0 * confidence,
                100.0 * accuracy
            );
            // A bin with few predictions says little: its bar is pale, and its mark is small.
            let opacity = 0.12 + 0.73 * (bin.count as f64 / most).sqrt();
            drawing.bar(self.series, opacity, (left, y(accuracy)), (width, frame.bottom - y(accuracy)), &said);
            let size = 2.0 + 2.5 * (bin.count as f64 / most).sqrt();
            drawing.mark(self.series, (x(confidence), y(accuracy)), size, &said);
        }
        drawing.line("rule dashed", (x(0.0), y(0.0)), (x(1.0), y(1.0)));
        let top = frame.below() + 6.0;
        let floor = top + COUNTS;
        for bin in self.bins.iter().filter(|bin| bin.count > 0) {
            let height = (COUNTS * bin.count as f64 / most).max(1.0);
            let (left, width) = (x(bin.low) + 0.5, x(bin.high) - x(bin.low) - 1.0);
            let said = format!("{} predictions", bin.count);
            drawing.bar(self.series, 0.55, (left, floor - height), (width, height), &said);
        }
        drawing.line("rule", (frame.left, floor), (frame.right, floor));
        let all: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let counted = format!("number of predictions (all: {all})");
        let middle = (frame.left + frame.right) / 2.0;
        drawing.text("faint", (middle, floor + 16.0), super::drawing::Anchor::Middle, &counted);
        drawing.finish((SIZE.0, floor + 24.0), self.described(all))
    }

    fn described(&self, all: u64) -> String {
        let bins = self.bins.iter().filter_map(|bin| {
            let (accuracy, confidence) = bin.accuracy.zip(bin.confidence)?;
            Some(format!("{:.0} % confident, {:.0} % right", 100.0 * confidence, 100.0 * accuracy))
        });
        format!(
            "Calibration of {}, {}, {all} predictions: {}",
            self.title,
            self.error,
            bins.collect::<Vec<_>>().join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bins_are_left_out() {
        let bin = |index: usize, count: u64| ReliabilityBin {
            low: index as f64 / 4.0,
            high: (index + 1) as f64 / 4.0,
            count,
            accuracy: (count > 0).then_some(0.5),
            confidence: (count > 0).then_some(0.6),
        };
        let plot = Reliability {
            title: "mga".to_owned(),
            series: 2,
            error: "ECE 10.0 %".to_owned(),
            bins: vec![bin(0, 0), bin(1, 3), bin(2, 30), bin(3, 0)],
        };
        let text = plot.draw().inline();
        assert_eq!(text.matches("s2 bar").count(), 4);
        // The bar of 30 predictions, that of 3, and the two of the counts below.
        assert_eq!(["0.85", "0.35", "0.55"].map(|o| text.matches(&format!(" opacity=\"{o}\"")).count()), [1, 1, 2]);
        assert!(text.contains("(all: 33)") && text.contains("right (%), ECE 10.0 %"));
        let none = Reliability { bins: vec![], ..plot };
        assert!(!none.draw().inline().contains("NaN"));
    }
}
