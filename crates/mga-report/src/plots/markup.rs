//! Foreign text and numbers inside HTML and SVG.

/// Text as it reads in HTML and XML, in elements and in quoted attributes: nothing in it is markup.
///
/// Characters that XML cannot hold, and those that turn the direction of what follows, become spaces.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(character),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
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
        assert_eq!(escape("a<b & c"), "a&lt;b &amp; c");
        assert_eq!(escape("a\0b\u{1b}[1m\u{202e}c\n"), "a b [1m c\n");
        assert_eq!(escape("Ahorn, 楓"), "Ahorn, 楓");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([1.0, 0.125, -0.001, 10.5, 100.0].map(coordinate), ["1", "0.12", "0", "10.5", "100"]);
    }
}
