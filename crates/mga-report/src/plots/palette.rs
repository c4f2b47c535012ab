//! Colours of plots, in a light and a dark scheme.

/// Series that have colours of their own; further ones begin anew with another dash and another mark.
pub const COLOURS: usize = 24;

/// The dashes, of which each goes with every colour. Two series look alike only beyond colours times dashes.
const DASHES: [&str; 6] = ["", " dashed", " dotted", " dash-dotted", " long-dashed", " wide-dotted"];

/// The colours of one scheme.
struct Scheme {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    grid: &'static str,
    series: [&'static str; COLOURS],
}

/// The first eight after Okabe and Ito (2008), told apart with every common colour blindness, the pale ones darkened for white
/// paper. Each further one is the colour of enough contrast that lies farthest from all before it in Oklab.
const LIGHT: Scheme = Scheme {
    paper: "#ffffff",
    ink: "#1c2126",
    faint: "#565f69",
    grid: "#dfe3e8",
    series: [
        "#0072b2", "#d55e00", "#008a63", "#b25a93", "#9a6a00", "#3d9bd1", "#555555", "#7a1f4a", "#000f96", "#8700ff",
        "#ff00ff", "#001eff", "#003c00", "#a578ff", "#ff0069", "#5a2da5", "#2d2d4b", "#b40f00", "#c300c3", "#5aa500",
        "#4b69ff", "#5a2d00", "#968787", "#006900",
    ],
};

/// The same hues, lightened for a dark ground, and further ones found like those of the light scheme.
const DARK: Scheme = Scheme {
    paper: "#14171a",
    ink: "#e6e9ec",
    faint: "#a3adb7",
    grid: "#323940",
    series: [
        "#5ab4f0", "#ff8a47", "#2cc79a", "#e59cc9", "#e6b33c", "#a9dcff", "#bdbdbd", "#d0587f", "#782dff", "#007800",
        "#ff00ff", "#87ff00", "#4b6996", "#965a00", "#b400b4", "#a578f0", "#879600", "#0078ff", "#0fffd2", "#009687",
        "#ffe1b4", "#00d200", "#ff0000", "#968796",
    ],
};

/// Returns the style sheet of plots: light, and dark where the reader's system asks for it.
#[must_use]
pub fn styles() -> String {
    styles_of(|_| true)
}

/// The style sheet with the colours of some series alone, for a file of one plot.
pub(super) fn styles_of(used: impl Fn(usize) -> bool) -> String {
    let (light, dark) = (rules(&LIGHT, &used), rules(&DARK, &used));
    format!("{SHAPES}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
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
.plot .single { stroke-width: 1; stroke-opacity: 0.45; }
.plot .spot { stroke-width: 1; }
.plot .cloud { fill-opacity: 0.45; stroke: none; }
.plot .bar { stroke-width: 1; }
.plot .rule { stroke-width: 1; fill: none; }
.plot .grid { stroke-width: 1; fill: none; }
.plot .dashed { stroke-dasharray: 5 4; }
.plot .dotted { stroke-dasharray: 1.5 4; }
.plot .dash-dotted { stroke-dasharray: 7 3.5 1.5 3.5; }
.plot .long-dashed { stroke-dasharray: 12 4; }
.plot .wide-dotted { stroke-dasharray: 1.5 8; }
";

fn rules(scheme: &Scheme, used: &impl Fn(usize) -> bool) -> String {
    let Scheme { paper, ink, faint, grid, series } = scheme;
    let mut text = format!(
        ".plot .paper {{ fill: {paper}; }}\n.plot text {{ fill: {ink}; }}\n.plot text.faint {{ fill: {faint}; }}\n\
         .plot text.inverse {{ fill: {paper}; }}\n.plot .grid {{ stroke: {grid}; }}\n.plot .rule {{ stroke: {faint}; }}\n\
         .plot .heat {{ fill: {}; }}\n.plot .fall {{ fill: {}; }}\n.plot .spot {{ stroke: {paper}; }}\n",
        series[0], series[1]
    );
    for (index, colour) in series.iter().enumerate().filter(|(index, _)| used(*index)) {
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
    format!("s{}{}", series % COLOURS, DASHES[series / COLOURS % DASHES.len()])
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

    /// A colour in Oklab (Ottosson 2020), where equal distances look equally different.
    fn oklab(colour: &str) -> [f64; 3] {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let (r, g, b) = (channel(1), channel(3), channel(5));
        let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
        let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
        let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    #[test]
    fn no_two_colours_look_alike() {
        for scheme in [LIGHT, DARK] {
            for (index, one) in scheme.series.iter().enumerate() {
                for other in &scheme.series[..index] {
                    let (a, b) = (oklab(one), oklab(other));
                    let distance = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
                    assert!(distance > 0.1, "{one} and {other}: {distance}");
                }
            }
        }
    }

    #[test]
    fn no_two_series_have_the_same_colour_and_dash() {
        assert_eq!([0, 24, 49].map(classes), ["s0", "s0 dashed", "s1 dotted"]);
        let all: std::collections::BTreeSet<String> = (0..COLOURS * DASHES.len()).map(classes).collect();
        assert_eq!(all.len(), 144);
        assert!(DASHES.iter().all(|dash| dash.is_empty() || SHAPES.contains(&format!(".{} ", dash.trim()))));
    }

    #[test]
    fn a_file_carries_the_colours_of_its_series_alone() {
        let text = styles_of(|series| series == 3);
        assert!(text.contains(".s3.line") && !text.contains(".s2.line") && styles().contains(".s2.line"));
    }
}
