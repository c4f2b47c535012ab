//! Files and folders that are whole or not there, whenever the program ends: written under another name and renamed.
//!
//! The other name follows from the file's own, and is locked while it is written to. So what a killed process left behind
//! is known as such, for the lock went with it, and is taken over by whoever writes the file next, or cleared by whoever writes
//! into the folder; and the name is short however long the file's own is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

mod leftovers;
mod names;

pub use leftovers::{is_old, remove_exact, remove_leftovers};
pub use names::TEMPORARY;
use names::TEMPORARY_FOLDER;

/// Writers of one file at one time, each under a name of its own, before somebody has to be at fault.
const WRITERS: usize = 1000;

/// Writes the file at `path`: `write` is given an empty file and its name, and what it wrote is synced and renamed.
///
/// # Errors
/// What `write` says; a folder that is not there or cannot be written to. Then nothing is left behind.
pub fn write<E: From<io::Error>>(path: &Path, write: impl FnOnce(&mut File, &Path) -> Result<(), E>) -> Result<(), E> {
    let (mut file, temporary) = begin(path, TEMPORARY, open_file)?;
    leftovers::remove_once(path);
    let written = write(&mut file, &temporary).and_then(|()| {
        file.sync_all()?;
        Ok(fs::rename(&temporary, path)?)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Writes a file with these contents by rename, so that a reader finds the old ones or the new, whenever the program ends.
///
/// # Errors
/// The folder is not there or cannot be written to.
pub fn write_all(path: &Path, contents: &[u8]) -> io::Result<()> {
    write(path, |file, _| io::Write::write_all(file, contents))
}

/// Writes the folder at `path`, which may be there if it is empty: `write` is given an empty folder, which is then renamed.
///
/// # Errors
/// What `write` says; a folder above that cannot be written to. Then nothing is left behind.
pub fn write_folder<E: From<io::Error>>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let (lock, temporary) = begin(path, TEMPORARY_FOLDER, open_folder)?;
    leftovers::remove_once(path);
    let written = write(&temporary).and_then(|()| {
        if path.exists() {
            fs::remove_dir(path)?;
        }
        Ok(fs::rename(&temporary, path)?)
    });
    if written.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    drop(lock);
    written
}

/// Makes sure that a rename in `folder` survives a power cut.
///
/// # Errors
/// What the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only Unix opens folders as files.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// An empty file or folder beside `path`, locked, with its name.
fn begin(path: &Path, prefix: &str, open: fn(&Path) -> io::Result<File>) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "names no file"))?;
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    for writer in 0..WRITERS {
        let temporary = path.with_file_name(format!("{prefix}-{:016x}-{writer}", hash.finish()));
        // Whoever removes leftovers may take it away before it is locked.
        for _ in 0..10 {
            let file = open(&temporary)?;
            match file.try_lock() {
                // Another writes the same file just now.
                Err(TryLockError::WouldBlock) => break,
                // A file system without locks: then only one process at a time is safe, as ever.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            if is_at(&file, &temporary) {
                empty(&file, &temporary)?;
                return Ok((file, temporary));
            }
        }
    }
    Err(io::Error::other(format!("{}: is being written by {WRITERS} others", path.display())))
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

fn open_folder(path: &Path) -> io::Result<File> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(path)
}

/// Takes away what an earlier writer left.
fn empty(file: &File, path: &Path) -> io::Result<()> {
    if !file.metadata()?.is_dir() {
        return file.set_len(0);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

/// Whether `path` still leads to the open file: its last writer may have renamed it between opening and locking.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |data: fs::Metadata| (data.dev(), data.ino());
    file.metadata().map(place).ok().is_some_and(|own| fs::metadata(path).map(place).is_ok_and(|there| there == own))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    pub(super) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
        write(path, |file, _| file.write_all(text.as_bytes()))
    }

    /// As a process leaves it that is killed in the middle: neither renamed nor locked any more.
    pub(super) fn killed(path: &Path) {
        let (mut file, _) = begin(path, TEMPORARY, open_file).unwrap();
        file.write_all(b"half of a much longer text").unwrap();
    }

    #[test]
    fn a_file_is_replaced_and_what_a_killed_writer_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        put(&path, "one").unwrap();
        killed(&path);
        assert_eq!((names(folder.path()).len(), fs::read_to_string(&path).unwrap().as_str()), (2, "one"));
        put(&path, "two").unwrap();
        assert_eq!(
            (names(folder.path()), fs::read_to_string(&path).unwrap().as_str()),
            (vec!["a.txt".to_owned()], "two")
        );
        let refused = write(&path, |file, _| {
            file.write_all(b"three")?;
            Err(io::Error::other("no more room"))
        });
        assert!(refused.is_err());
        assert_eq!(
            (names(folder.path()), fs::read_to_string(&path).unwrap().as_str()),
            (vec!["a.txt".to_owned()], "two")
        );
    }

    #[test]
    fn the_longest_names_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let name = "x".repeat(255);
        put(&folder.path().join(&name), "one").unwrap();
        let long = folder.path().join("y".repeat(255));
        write_folder(&long, |at| fs::write(at.join("z"), "")).unwrap();
        assert_eq!(names(folder.path()), [name, "y".repeat(255)]);
        assert!(put(&folder.path().join("no/such/folder"), "").is_err() && put(Path::new("/"), "").is_err());
    }

    #[test]
    fn writers_of_one_file_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let texts: Vec<String> = (0..8).map(|writer| writer.to_string().repeat(10_000)).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..20).for_each(|_| put(&path, text).unwrap()));
            }
        });
        assert!(texts.contains(&fs::read_to_string(&path).unwrap()));
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made");
        drop(begin(&path, TEMPORARY_FOLDER, open_folder).map(|(_, at)| fs::write(at.join("half"), "")).unwrap());
        assert_eq!(names(folder.path()).len(), 1);
        let failed = write_folder(&path, |at| fs::write(at.join("x"), "").and(Err(io::Error::other("full"))));
        assert!(failed.is_err() && names(folder.path()).is_empty());
        fs::create_dir(&path).unwrap();
        write_folder(&path, |at| fs::write(at.join("x"), "")).unwrap();
        assert_eq!((names(folder.path()), names(&path)), (vec!["made".to_owned()], vec!["x".to_owned()]));
    }
}
