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

/// Prints the notes of the libraries as lines of their own.
struct Notes;

impl log::Log for Notes {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("mga")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            line(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Has the notes of the libraries said. A program that has a logger of its own keeps it.
pub(crate) fn listen_to_notes() {
    if log::set_logger(&Notes).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}
