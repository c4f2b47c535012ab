//! Shapes put down on paper.

use super::markup::{coordinate, escape};
use super::palette::{COLOURS, classes, styles_of};

/// Where text stands to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A plot being drawn. Places are in pixels from the upper left corner.
#[derive(Debug)]
pub(super) struct Drawing {
    body: String,
}

impl Drawing {
    pub(super) fn new() -> Self {
        Self { body: String::new() }
    }

    /// Begins what belongs to a series, so that a page can hide it.
    pub(super) fn begin_series(&mut self, series: usize) {
        self.body += &format!("<g data-series=\"{series}\">");
    }

    pub(super) fn end_series(&mut self) {
        self.body += "</g>\n";
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.path(class, &format!("M{} {}L{} {}", coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2)));
    }

    pub(super) fn path(&mut self, class: &str, shape: &str) {
        self.body += &format!("<path class=\"{class}\" d=\"{shape}\"/>\n");
    }

    /// A path, a share of it opaque.
    pub(super) fn tinted(&mut self, class: &str, opacity: f64, shape: &str) {
        let opacity = coordinate(opacity);
        self.body += &format!("<path class=\"{class}\" fill-opacity=\"{opacity}\" d=\"{shape}\"/>\n");
    }

    /// A bar of a series, a share of it opaque, with what is said when a pointer rests on it.
    pub(super) fn bar(
        &mut self,
        series: usize,
        opacity: f64,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        said: &str,
    ) {
        let [opacity, x, y, width, height] = [opacity, x, y, width, height].map(coordinate);
        let (class, said) = (classes(series), tip(said));
        self.body += &format!(
            "<rect class=\"{class} bar\" opacity=\"{opacity}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\">{said}</rect>\n"
        );
    }

    /// A mark of a series at a point: its shape tells series apart as well as its colour does.
    pub(super) fn mark(&mut self, series: usize, (x, y): (f64, f64), size: f64, said: &str) {
        let (c, r) = (coordinate, size);
        let shape = match (series + series / COLOURS) % 4 {
            0 => format!("M{} {}a{r} {r} 0 1 0 {} 0a{r} {r} 0 1 0 {} 0z", c(x - r), c(y), c(2.0 * r), c(-2.0 * r)),
            1 => format!("M{} {}h{}v{}h{}z", c(x - 0.9 * r), c(y - 0.9 * r), c(1.8 * r), c(1.8 * r), c(-1.8 * r)),
            2 => format!("M{} {}l{} {}h{}z", c(x), c(y - 1.2 * r), c(1.15 * r), c(2.1 * r), c(-2.3 * r)),
            _ => format!(
                "M{} {}l{} {}l{} {}l{} {}z",
                c(x),
                c(y - 1.3 * r),
                c(1.3 * r),
                c(1.3 * r),
                c(-1.3 * r),
                c(1.3 * r),
                c(-1.3 * r),
                c(-1.3 * r)
            ),
        };
        self.body += &format!("<path class=\"{} spot\" d=\"{shape}\">{}</path>\n", classes(series), tip(said));
    }

    /// A small disc without a rim: one of a cloud.
    pub(super) fn speck(&mut self, series: usize, (x, y): (f64, f64), said: &str) {
        let (class, x, y) = (classes(series), coordinate(x), coordinate(y));
        self.body += &format!("<circle class=\"{class} cloud\" cx=\"{x}\" cy=\"{y}\" r=\"3\">{}</circle>\n", tip(said));
    }

    /// Text with its baseline at a point.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.named_text(class, (x, y), anchor, text, "");
    }

    /// Text, and what is said when a pointer rests on it: the whole of what it shortens.
    pub(super) fn named_text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str, whole: &str) {
        let (x, y, anchor) = (coordinate(x), coordinate(y), anchor.word());
        let said = if text == whole { String::new() } else { tip(whole) };
        let text = escape(text);
        self.body +=
            &format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{said}{text}</text>\n");
    }

    /// Text that runs upwards from a point.
    pub(super) fn rising_text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (x, y, anchor, text) = (coordinate(x), coordinate(y), anchor.word(), escape(text));
        self.body += &format!(
            "<text class=\"{class}\" text-anchor=\"{anchor}\" transform=\"translate({x} {y}) rotate(-90)\">{text}</text>\n"
        );
    }

    /// The plot. `described` says what it shows to those who cannot see it.
    pub(super) fn finish(self, (width, height): (f64, f64), described: String) -> Plot {
        Plot { width: width.ceil(), height: height.ceil(), described, body: self.body }
    }
}

fn tip(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("<title>{}</title>", escape(said)) }
}

/// A finished plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The width in pixels.
    pub width: f64,
    /// The height in pixels.
    pub height: f64,
    described: String,
    body: String,
}

impl Plot {
    /// Returns the element for an HTML page that has the styles of plots in it.
    #[must_use]
    pub fn inline(&self) -> String {
        self.element("")
    }

    /// Returns a complete SVG file with its own background.
    #[must_use]
    pub fn standalone(&self) -> String {
        let used = |series: usize| self.body.contains(&format!("class=\"s{series} "));
        let styles = styles_of(used);
        let paper = format!("<style>\n{styles}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n");
        let element = self.element(&paper).replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{element}\n")
    }

    fn element(&self, first: &str) -> String {
        let (width, height, described) = (coordinate(self.width), coordinate(self.height), escape(&self.described));
        format!(
            "<svg class=\"plot\" role=\"img\" aria-label=\"{described}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n{first}{}</svg>",
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_escaped_everywhere() {
        let mut drawing = Drawing::new();
        let evil = "</text><script>alert(1)</script>";
        drawing.text("value", (1.0, 2.5), Anchor::End, evil);
        drawing.named_text("value", (1.0, 2.5), Anchor::Start, "short", evil);
        drawing.rising_text("value", (0.0, 0.0), Anchor::Middle, evil);
        drawing.bar(0, 0.5, (0.0, 0.0), (1.0, 1.0), evil);
        drawing.mark(1, (0.0, 0.0), 3.0, evil);
        drawing.speck(1, (0.0, 0.0), evil);
        let plot = drawing.finish((10.2, 20.0), "\"><script>".to_owned());
        for text in [plot.inline(), plot.standalone()] {
            assert!(!text.contains("<script"), "{text}");
            assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
        }
        assert!(plot.inline().contains("viewBox=\"0 0 11 20\""));
        assert!(plot.standalone().contains("xmlns=") && plot.standalone().contains("prefers-color-scheme: dark"));
    }
}
