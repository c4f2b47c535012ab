//! Text that somebody else wrote (names of arms, classes, files) inside Markdown and LaTeX.

/// Escapes text for Markdown, table cells included, so that nothing in it is markup and it stays on one line.
#[must_use]
pub fn markdown(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut escaped = String::with_capacity(text.len());
    for (index, &character) in characters.iter().enumerate() {
        let word = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|c| c.is_alphanumeric());
        match character {
            // Within a word an underscore is none of Markdown's business.
            '_' if word(index.checked_sub(1)) && word(Some(index + 1)) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => escaped.extend(['\\', character]),
            '#' | '>' if index == 0 => escaped.extend(['\\', character]),
            // A list, but neither a sign nor a dash for want of a number.
            '+' | '-' if index == 0 && characters.get(1) == Some(&' ') => escaped.extend(['\\', character]),
            '<' => escaped += "&lt;",
            '&' => escaped += "&amp;",
            c if is_unseen(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Controls, and marks that turn the direction of what follows.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes text for LaTeX with T1 fonts, so that nothing in it is a command and a table row can begin with it. Signs of
/// numbers become minus signs, and a space before a percent sign becomes a thin space.
#[must_use]
pub fn latex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let characters: Vec<char> = text.chars().collect();
    for (index, &character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| characters[at]);
        let next = characters.get(index + 1);
        match character {
            ' ' if next == Some(&'%') => escaped += r"\,",
            '-' if before.is_none_or(|c| c == ' ' || c == '(') && next.is_some_and(char::is_ascii_digit) => {
                escaped += "$-$"
            }
            // Two would be one dash.
            '-' if before == Some('-') => escaped += "{-}",
            '\\' => escaped += r"\textbackslash{}",
            '~' => escaped += r"\textasciitilde{}",
            '^' => escaped += r"\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '±' => escaped += r"$\pm$",
            '"' => escaped += r"\textquotedbl{}",
            // Behind `\\` an opening bracket begins an option.
            '[' => escaped += "{[}",
            // It would be a quotation mark.
            '`' => escaped += r"\textasciigrave{}",
            c if is_unseen(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_shown_as_it_was_written() {
        assert_eq!(markdown("mask_guidance = true"), "mask_guidance = true");
        assert_eq!(markdown("a|b *c* _d_ [e](f) `g`"), r"a\|b \*c\* \_d\_ \[e\](f) \`g\`");
        assert_eq!(markdown("$x$ \u{202e}a\x1b[31m"), r"\$x\$  a \[31m");
        assert_eq!(markdown("<b>&amp;</b>\n# x"), "&lt;b>&amp;amp;&lt;/b> # x");
        assert_eq!([markdown("# x"), markdown("- x"), markdown("-0.4"), markdown("")], [r"\# x", r"\- x", "-0.4", ""]);
    }

    #[test]
    fn latex_is_shown_as_it_was_written() {
        assert_eq!(latex("mask_iou & 50% of $5 {#1}"), r"mask\_iou \& 50\% of \$5 \{\#1\}");
        assert_eq!(latex(r"C:\a^b~c"), r"C:\textbackslash{}a\textasciicircum{}b\textasciitilde{}c");
        assert_eq!(latex("[a] p < 0.001, 93.5 ± 1.2\n"), r"{[}a] p $<$ 0.001, 93.5 $\pm$ 1.2 ");
        assert_eq!(latex("a--b, top-1 -0.4 to (-2) %, -"), r"a-{-}b, top-1 $-$0.4 to ($-$2)\,\%, -");
    }
}
