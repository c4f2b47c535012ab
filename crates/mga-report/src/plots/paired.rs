//! Two runs of one replicate joined by a line: an arm against its baseline, a panel an arm.

use super::drawing::{Anchor, Drawing, Plot};
use super::frame::heading;
use super::labels::Labels;
use super::palette::classes;
use super::scale::Scale;
use super::text_width::text_width;

/// The comparison of one arm with its baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedPanel {
    /// The arm.
    pub name: String,
    /// The number of the arm's series among all series.
    pub series: usize,
    /// The baseline.
    pub against: String,
    /// The number of the baseline's series among all series.
    pub against_series: usize,
    /// The pairs: the replicate, the score of the baseline and the score of the arm.
    pub pairs: Vec<(String, f64, f64)>,
}

/// Panels on one vertical axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// The title.
    pub title: String,
    /// The name of the vertical axis, with its unit.
    pub y_name: String,
    /// The vertical axis.
    pub y: Scale,
    /// The panels.
    pub panels: Vec<PairedPanel>,
}

/// Pixels of a panel across, if its names need no more, and if they do.
const ACROSS: (f64, f64) = (150.0, 300.0);

/// Pixels of a panel's axis.
const HEIGHT: f64 = 200.0;

/// Pixels of all panels side by side.
const LINE: f64 = 660.0;

/// Pixels below a panel's axis, for its names.
const NAMES: f64 = 46.0;

impl Paired {
    /// Draws the plot.
    #[must_use]
    pub fn draw(&self) -> Plot {
        let mut drawing = Drawing::new();
        let labels = self.y.ticks.iter().map(|tick| text_width(&tick.label, 12.0)).fold(0.0, f64::max) + 8.0;
        let names: Vec<String> =
            self.panels.iter().flat_map(|panel| [panel.against.clone(), panel.name.clone()]).collect();
        let beside = text_width("from ", 12.0) + 18.0;
        let names = Labels::within(&names, 12.0, ACROSS.1 - beside);
        let across = (names.width() + beside).clamp(ACROSS.0, ACROSS.1);
        let per_line = (LINE / across) as usize;
        let columns = self.panels.len().clamp(1, per_line);
        let width = (labels + across * columns as f64).max(420.0);
        let top = heading(&mut drawing, &self.title, width);
        let mut top = names.say(&mut drawing, top, width);
        drawing.text("faint", (0.0, top + 12.0), Anchor::Start, &self.y_name);
        top += 26.0;
        let panels: Vec<(&PairedPanel, &[String])> = self.panels.iter().zip(names.shown.chunks(2)).collect();
        for line in panels.chunks(per_line) {
            let bottom = top + HEIGHT;
            for tick in &self.y.ticks {
                let at = self.y.place(tick.value, bottom, top);
                drawing.line("grid", (labels, at), (labels + across * line.len() as f64 - 10.0, at));
                drawing.text("value", (labels - 6.0, at + 4.0), Anchor::End, &tick.label);
            }
            for (index, &(panel, names)) in line.iter().enumerate() {
                let left = labels + across * index as f64;
                self.panel(&mut drawing, (panel, names), (left, across), (top, bottom));
            }
            top = bottom + NAMES + 14.0;
        }
        drawing.finish((width, top - 14.0), self.described())
    }

    /// Draws a panel with the names of the baseline and of the arm as they are shown.
    fn panel(
        &self,
        drawing: &mut Drawing,
        (panel, names): (&PairedPanel, &[String]),
        (left, across): (f64, f64),
        (top, bottom): (f64, f64),
    ) {
        let (from, to) = (left + 0.24 * across, left + 0.7 * across);
        let y = |value: f64| self.y.place(value, bottom, top);
        drawing.begin_series(panel.series);
        drawing.line("rule", (left + 4.0, bottom), (left + across - 10.0, bottom));
        for (replicate, baseline, arm) in &panel.pairs {
            let said = format!("{replicate}: {baseline:.2} to {arm:.2}");
            drawing.line(&format!("{} line thin", classes(panel.series)), (from, y(*baseline)), (to, y(*arm)));
            drawing.mark(panel.against_series, (from, y(*baseline)), 4.0, &said);
            drawing.mark(panel.series, (to, y(*arm)), 4.0, &said);
        }
        let n = panel.pairs.len() as f64;
        if n > 0.0 {
            let mean = |of: fn(&(String, f64, f64)) -> f64| y(panel.pairs.iter().map(of).sum::<f64>() / n);
            let (baseline, arm) = (mean(|pair| pair.1), mean(|pair| pair.2));
            let bar = |series: usize| format!("{} line mean", classes(series));
            drawing.line(&bar(panel.against_series), (from - 19.0, baseline), (from - 9.0, baseline));
            drawing.line(&bar(panel.series), (to + 9.0, arm), (to + 19.0, arm));
        }
        // The two names below each other: side by side long ones would meet.
        let ends = [("faint", "from", &panel.against), ("", "to", &panel.name)];
        for (line, ((class, way, whole), short)) in ends.into_iter().zip(names).enumerate() {
            let at = (left + 4.0, bottom + 18.0 + 17.0 * line as f64);
            drawing.named_text(class, at, Anchor::Start, &format!("{way} {short}"), &format!("{way} {whole}"));
        }
        drawing.end_series();
    }

    fn described(&self) -> String {
        let panels = self.panels.iter().map(|panel| {
            let pairs = panel.pairs.iter().map(|(which, from, to)| format!("{which} {from:.2} to {to:.2}"));
            format!("{} to {}: {}", panel.against, panel.name, pairs.collect::<Vec<_>>().join(", "))
        });
        format!("{}, {}. {}", self.title, self.y_name, panels.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_a_line_and_two_marks() {
        let panel = |series: usize| PairedPanel {
            name: format!("arm {series}"),
            series,
            against: "plain".to_owned(),
            against_series: 0,
            pairs: vec![("seed 1".to_owned(), 60.0, 70.0), ("seed 2".to_owned(), 62.0, 61.0)],
        };
        let paired = |panels: Vec<PairedPanel>| Paired {
            title: "Pairs".to_owned(),
            y_name: "top-1 accuracy (%)".to_owned(),
            y: Scale::over([60.0, 70.0], 4),
            panels,
        };
        let text = paired(vec![panel(1)]).draw().inline();
        assert_eq!(text.matches("s1 line thin").count(), 2);
        assert_eq!((text.matches("s0 spot").count(), text.matches("s1 spot").count()), (2, 2));
        assert!(text.contains("seed 1: 60.00 to 70.00"));
        let (few, many) = (paired((1..=4).map(panel).collect()).draw(), paired((1..=5).map(panel).collect()).draw());
        assert!(many.height > few.height && many.width == few.width, "the fifth panel begins a second line");
        assert!(paired(vec![]).draw().height > 0.0);
        let long = PairedPanel { name: "attention = residual, guided".to_owned(), ..panel(1) };
        let text = paired(vec![long.clone(), long]).draw().inline();
        assert_eq!((text.matches(">to attention = residual, guided<").count(), text.matches('…').count()), (2, 0));
        let named = |arm: &str| format!("backbone = efficientnet_lite0, attention = {arm}");
        let longer = PairedPanel { name: named("residual"), against: named("none"), ..panel(1) };
        let text = paired(vec![longer]).draw().inline();
        assert!(
            text.contains("to residual</text>") && text.contains("from none</text>") && !text.contains('…'),
            "{text}"
        );
        assert!(text.contains("All names begin with"), "{text}");
    }
}
