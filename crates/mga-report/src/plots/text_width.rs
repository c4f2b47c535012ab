//! The width of text, without a font: wide enough for the sans-serif fonts that readers have.

/// An upper estimate of the width of text in pixels at a font size in pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// A character's width in em, as in DejaVu Sans, the widest of the usual ones.
fn em(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '\'' => 0.3,
        'f' | 'r' | 't' | 'I' | ' ' | '.' | ',' | ':' | ';' | '|' | '!' | '(' | ')' | '[' | ']' | '-' | '/' => 0.41,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.98,
        'A'..='Z' | '=' | '+' | '<' | '>' | '±' => 0.78,
        c if (c as u32) < 0x2e80 => 0.63,
        _ => 1.05,
    }
}

/// Text that is no wider than that, cut at its end where it has to be.
pub(super) fn shortened(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let (mut cut, mut left) = (String::new(), width / size - em('…'));
    for character in text.chars() {
        left -= em(character);
        if left < 0.0 {
            break;
        }
        cut.push(character);
    }
    cut.trim_end().to_owned() + "…"
}

/// Text in lines that are no wider than that, broken between words; what is left after so many lines is cut.
pub(super) fn wrapped(text: &str, size: f64, width: f64, most: usize) -> Vec<String> {
    let (mut lines, mut line) = (vec![], String::new());
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || lines.len() + 1 == most || text_width(&longer, size) <= width {
            line = longer;
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines.iter().map(|line| shortened(line, size, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_its_room() {
        assert_eq!(shortened("acer", 12.0, 100.0), "acer");
        let cut = shortened("a very long name of a class", 12.0, 100.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 100.0, "{cut}");
        assert_eq!(shortened("楓", 12.0, 3.0), "…");
    }

    #[test]
    fn lines_break_between_words() {
        let text = "attention = residual, mask_guidance = true";
        assert_eq!(wrapped(text, 12.0, 400.0, 3), [text]);
        assert_eq!(wrapped(text, 12.0, 170.0, 3), ["attention = residual,", "mask_guidance = true"]);
        let cut = wrapped(text, 12.0, 100.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert_eq!(wrapped("", 12.0, 100.0, 2), [""]);
    }
}
