//! Text that is safe to show: names of files, classes and settings may hold anything, and a terminal obeys what it is sent.

use std::borrow::Cow;
use std::io::{self, Write};

use indicatif::ProgressBar;

/// Spells out every character that a terminal would obey or that changes the direction of text, such as `\u001b` for an
/// escape. Line ends and tabs stay, and Windows' line ends become single characters.
///
/// Inside a string of JSON such a spelling stands for the character itself: JSON says the same before and after.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            character if is_obeyed(character) => shown += &format!("\\u{:04x}", u32::from(character)),
            character => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Controls of both sets (an escape, a carriage return, the one-byte beginnings of sequences), line ends of Unicode's own,
/// and marks of direction (Boucher and Anderson 2021, *Trojan Source*).
fn is_obeyed(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        character => character.is_control(),
    }
}

/// Prints what is wrong with a command line, in clap's colours; without them where an argument holds what a terminal would
/// obey, for clap shows arguments as they came.
///
/// # Errors
/// The output cannot be written to.
pub fn print_usage(error: &clap::Error) -> io::Result<()> {
    let hostile = std::env::args_os().any(|argument| argument.to_string_lossy().contains(is_obeyed));
    if !hostile {
        return error.print();
    }
    let text = error.to_string();
    let text = visible(&text);
    if error.use_stderr() { io::stderr().write_all(text.as_bytes()) } else { io::stdout().write_all(text.as_bytes()) }
}

/// Foreign text on a bar, made [`visible`]: the only way to it, for clippy forbids the bar's own.
pub trait VisibleText {
    /// A line above the bar.
    fn say(&self, line: &str);
    /// The text behind it.
    fn tell(&self, message: &str);
    /// The text before it.
    fn name(&self, prefix: &str);
}

#[expect(clippy::disallowed_methods, reason = "this is where it is made visible")]
impl VisibleText for ProgressBar {
    fn say(&self, line: &str) {
        self.println(visible(line));
    }

    fn tell(&self, message: &str) {
        self.set_message(visible(message).into_owned());
    }

    fn name(&self, prefix: &str) {
        self.set_prefix(visible(prefix).into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_spelt_out() {
        assert_eq!(visible("\x1b]0;title\x07\x1b[2J"), "\\u001b]0;title\\u0007\\u001b[2J");
        assert_eq!(visible("a\rb\u{9b}31m\x7f\0"), "a\\u000db\\u009b31m\\u007f\\u0000");
        assert_eq!(visible("leaf_\u{202e}gnp.exe"), "leaf_\\u202egnp.exe");
        assert_eq!(visible("two\r\nlines\t"), "two\nlines\t");
        for plain in ["Quercus robur, 楓, Ä, 🍁\n", "", "\\u001b"] {
            assert!(matches!(visible(plain), Cow::Borrowed(shown) if shown == plain), "{plain}");
        }
    }

    #[test]
    fn json_says_the_same() {
        let names = serde_json::json!({ "class\x1b[31m": "a\u{9b}0m\u{202e}\u{2028}\x7f", "n": 0.1 });
        for text in [names.to_string(), serde_json::to_string_pretty(&names).unwrap()] {
            let shown = visible(&text);
            assert!(!shown.contains(is_obeyed), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), names);
        }
    }
}
