//! What the program writes: standard output that may be a pipe somebody closes, and files that are whole or not there.

use std::io::{self, Write};
use std::path::Path;

use crate::terminal_text::visible;

/// Writes text to standard output at once, nothing in it that a terminal would obey ([`visible`]).
///
/// # Errors
/// The output cannot be written to; where a reader closed its pipe, the program ends quietly.
pub fn print(text: impl AsRef<str>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(visible(text.as_ref()).as_bytes())?;
    stdout.flush()
}

/// Writes a file by rename, so that a reader finds the old contents or the new, whenever the program ends.
///
/// # Errors
/// The folder is not there or cannot be written to.
pub fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    write_file_through(TEMPORARY, path, contents)
}

/// How the names of temporary files begin.
pub const TEMPORARY: &str = ".tmp";

/// [`write_file`] by a temporary file whose name begins with `prefix`: for one that others must not take for theirs.
///
/// # Errors
/// The folder is not there or cannot be written to.
pub fn write_file_through(prefix: &str, path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    // A temporary file is for its owner alone; the result is a file like any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
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
