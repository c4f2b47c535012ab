//! Values in a shell script: quoted unless the template says otherwise.

use std::fmt;

/// Quotes what a template puts into a script, so that the shell takes it as one word whatever is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shell;

impl askama::filters::Escaper for Shell {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        dest.write_char('\'')?;
        for (index, part) in text.split('\'').enumerate() {
            if index > 0 {
                dest.write_str("'\\''")?;
            }
            dest.write_str(part)?;
        }
        dest.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper;

    use super::*;

    #[test]
    fn a_value_is_one_word_of_the_shell() {
        let quoted = |text: &str| {
            let mut quoted = String::new();
            Shell.write_escaped_str(&mut quoted, text).unwrap();
            quoted
        };
        assert_eq!(quoted("/a folder/b"), "'/a folder/b'");
        assert_eq!(quoted("it's $(rm -r /) `x`"), "'it'\\''s $(rm -r /) `x`'");
    }
}
