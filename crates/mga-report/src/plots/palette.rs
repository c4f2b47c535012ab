//! Colours of plots, in a light and a dark scheme.

/// Series that have colours of their own; further ones begin anew with another dash.
pub const COLOURS: usize = 8;

/// The colours of one scheme.
struct Scheme {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    grid: &'static str,
    series: [&'static str; COLOURS],
}

/// After Okabe and Ito (2008), told apart with every common colour blindness; the pale ones darkened for white paper.
const LIGHT: Scheme = Scheme {
    paper: "#ffffff",
    ink: "#1c2126",
    faint: "#565f69",
    grid: "#dfe3e8",
    series: ["#0072b2", "#d55e00", "#008a63", "#b25a93", "#9a6a00", "#3d9bd1", "#555555", "#7a1f4a"],
};

/// The same hues, lightened for a dark ground.
const DARK: Scheme = Scheme {
    paper: "#14171a",
    ink: "#e6e9ec",
    faint: "#a3adb7",
    grid: "#323940",
    series: ["#5ab4f0", "#ff8a47", "#2cc79a", "#e59cc9", "#e6b33c", "#a9dcff", "#bdbdbd", "#d0587f"],
};

/// Returns the style sheet of plots: light, and dark where the reader's system asks for it.
#[must_use]
pub fn styles() -> String {
    format!("{SHAPES}{}@media (prefers-color-scheme: dark) {{\n{}}}\n", rules(&LIGHT), rules(&DARK))
}

/// What is the same in both schemes.
const SHAPES: &str = "\
.plot { font-family: system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; font-size: 12px; }
.plot .title { font-size: 14px; font-weight: 600; }
.plot .value { font-variant-numeric: tabular-nums; }
.plot .small { font-size: 10px; }
.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.plot .band { stroke: none; fill-opacity: 0.13; }
.plot .mean { stroke-width: 3; }
.plot .thin { stroke-width: 1.25; stroke-opacity: 0.75; }
.plot .spot { stroke-width: 1; }
.plot .cloud { fill-opacity: 0.45; stroke: none; }
.plot .bar { fill-opacity: 0.55; stroke-width: 1; }
.plot .rule { stroke-width: 1; fill: none; }
.plot .grid { stroke-width: 1; fill: none; }
.plot .dashed { stroke-dasharray: 5 4; }
.plot .dotted { stroke-dasharray: 1.5 4; }
";

fn rules(scheme: &Scheme) -> String {
    let Scheme { paper, ink, faint, grid, series } = scheme;
    let mut text = format!(
        ".plot .paper {{ fill: {paper}; }}\n.plot text {{ fill: {ink}; }}\n.plot text.faint {{ fill: {faint}; }}\n\
         .plot text.inverse {{ fill: {paper}; }}\n.plot .grid {{ stroke: {grid}; }}\n.plot .rule {{ stroke: {faint}; }}\n\
         .plot .heat {{ fill: {}; }}\n.plot .spot {{ stroke: {paper}; }}\n",
        series[0]
    );
    for (index, colour) in series.iter().enumerate() {
        text += &format!(
            ".plot .s{index}.line, .plot .s{index}.bar {{ stroke: {colour}; }}\n\
             .plot .s{index}.band, .plot .s{index}.spot, .plot .s{index}.bar, .plot .s{index}.cloud {{ fill: {colour}; }}\n"
        );
    }
    text
}

/// The classes of a series: its colour, and its dash where its colour is another's too.
#[must_use]
pub(super) fn classes(series: usize) -> String {
    let dash = match series / COLOURS % 3 {
        0 => "",
        1 => " dashed",
        _ => " dotted",
    };
    format!("s{}{dash}", series % COLOURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn everything_can_be_seen() {
        for scheme in [LIGHT, DARK] {
            for text in [scheme.ink, scheme.faint] {
                assert!(contrast(text, scheme.paper) >= 4.5, "{text}");
            }
            for colour in scheme.series {
                assert!(contrast(colour, scheme.paper) >= 3.0, "{colour}: {}", contrast(colour, scheme.paper));
            }
        }
    }

    #[test]
    fn series_of_one_colour_have_different_dashes() {
        assert_eq!([0, 8, 16].map(classes), ["s0", "s0 dashed", "s0 dotted"]);
    }
}
