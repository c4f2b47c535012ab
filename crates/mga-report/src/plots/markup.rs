//! Foreign text and numbers inside HTML and SVG.

use askama::filters::{Escaper, Html};

/// Escapes text for HTML and XML, in elements and in quoted attributes, so that nothing in it is markup. Plots are
/// drawn shape by shape, so their text is escaped here, by the escaper of the page's templates.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // Writing into a string cannot fail.
    let _ = Html.write_escaped_str(&mut escaped, &without_controls(text));
    escaped
}

/// Replaces characters that XML cannot hold, and those that change the direction of text, by spaces.
#[must_use]
pub fn without_controls(text: &str) -> String {
    let replaced = |c| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => ' ',
        c if char::is_control(c) => ' ',
        c => c,
    };
    text.chars().map(replaced).collect()
}

/// A coordinate in pixels: at most two digits behind the point, none that say nothing.
#[must_use]
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_is_markup() {
        assert_eq!(escape("<script>alert('a & \"b\"')</script>").find(['<', '>', '"', '\'']), None);
        assert_eq!(escape("a<b & c"), "a&#60;b &#38; c");
        assert_eq!(escape("a\0b\u{1b}[1m\u{202e}c\n"), "a b [1m c\n");
        assert_eq!(escape("Ahorn, 楓"), "Ahorn, 楓");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([1.0, 0.125, -0.001, 10.5, 100.0].map(coordinate), ["1", "0.12", "0", "10.5", "100"]);
    }
}
