//! The output of the program: standard output that may be a pipe somebody closes, and files that are whole or not
//! there.

use std::io::{self, Write};

pub use mga_core::whole_file::write_all as write_file;

use crate::terminal_text::visible;

/// Nobody reads standard output any more: the reader closed its pipe, which is no fault.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed by its reader")]
pub struct Closed;

/// Writes text to standard output at once, nothing in it that a terminal would obey ([`visible`]).
///
/// # Errors
/// The output cannot be written to. Where a reader closed its pipe the error holds [`Closed`], and the program ends quietly:
/// pipes and connections elsewhere may break too, and those are told.
pub fn print(text: impl AsRef<str>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(visible(text.as_ref()).as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        match error.kind() {
            io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Closed),
            _ => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_file(&folder.path().join("no/such/folder"), b"").is_err());
    }
}
