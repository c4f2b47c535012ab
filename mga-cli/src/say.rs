//! Lines on standard error.

use std::io::Write;

use crate::terminal_text::visible;

/// Says a line on standard error, as `eprintln!` does; one that cannot be written is lost, and nothing else: a run does not
/// end because nobody listens any more (`2>&1 | head`, a closed terminal), or because the disk of its log is full.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::say::line(&format!($($argument)*))
    };
}

/// What `say!` does; nothing goes out that a terminal would obey.
pub(crate) fn line(text: &str) {
    let mut all = visible(text).into_owned();
    all.push('\n');
    let _ = std::io::stderr().lock().write_all(all.as_bytes());
}
