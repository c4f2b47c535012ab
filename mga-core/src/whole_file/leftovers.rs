//! Files that killed processes left half written, and their removal: the next process that writes into the folder,
//! once, where the name is exactly one of ours; and whoever asks for a folder of our own, where 0.1.0's names go too.
//!
//! What is being written is locked, and stays.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use super::names::{TEMPORARY, TEMPORARY_FOLDER};

/// Where locks cannot be asked, what nobody wrote to for this long is nobody's: a file is written in far less.
const OLD: Duration = Duration::from_secs(600);

/// Removes what killed processes left of files half written in `folder`, which has to be one of our own: other programs
/// call their temporary files alike. What is being written is locked, and stays.
///
/// # Errors
/// The folder cannot be listed.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    // The last two are what version 0.1.0 called them.
    let ours = |name: &str| {
        name.starts_with(TEMPORARY) || name.starts_with('.') && name.ends_with(".tmp") || name.starts_with(".state-")
    };
    remove_where(folder, ours).map(drop)
}

/// Removes the files in `folder` whose names are `ours` and that nobody writes; says how many.
fn remove_where(folder: &Path, ours: impl Fn(&str) -> bool) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let named = ours(&entry.file_name().to_string_lossy());
        if named && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            removed += usize::from(taken(&path).is_some_and(|_lock| fs::remove_file(&path).is_ok()));
        }
    }
    Ok(removed)
}

/// Removes files and folders in `folder` that have exactly the names that [`super::write`] and [`super::write_folder`] give
/// them, in whatever folder that is; says how many. What cannot be listed or removed stays: nothing depends on it.
pub fn remove_exact(folder: &Path) -> usize {
    let removed = remove_where(folder, |name| is_exact(name, TEMPORARY)).unwrap_or(0);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| {
        is_exact(&entry.file_name().to_string_lossy(), TEMPORARY_FOLDER)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    let remove = |path: PathBuf| taken(&path).is_some_and(|_lock| fs::remove_dir_all(&path).is_ok());
    removed + folders.filter(|entry| remove(entry.path())).count()
}

/// [`remove_exact`] in the folder of `path`, once in the life of the process.
pub(super) fn remove_once(path: &Path) {
    static SEEN: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf()) {
        remove_exact(folder);
    }
}

/// `PREFIX-HASH-WRITER`, and nothing else.
fn is_exact(name: &str, prefix: &str) -> bool {
    let parts = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(hash, writer)| {
        hash.len() == 16
            && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && (1..=3).contains(&writer.len())
            && writer.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The temporary file or folder at `path`, locked, where nobody writes it: it may be removed while the lock is held.
fn taken(path: &Path) -> Option<File> {
    // What cannot be opened, or is gone meanwhile, is not ours to remove.
    let file = File::open(path).ok()?;
    let left = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // A file system without locks: what is new may be under way.
        Err(TryLockError::Error(_)) => is_old(path),
    };
    left.then_some(file)
}

/// Returns whether nobody has written to `path`, a file, a link or a folder, for ten minutes.
pub fn is_old(path: &Path) -> bool {
    let age = fs::symlink_metadata(path).and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > OLD)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::tests::{killed, names, put};
    use super::super::{begin, open_file, open_folder, write};
    use super::*;

    #[test]
    fn leftovers_go_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".tmpAb12Cd", ".last.safetensors.4711.tmp", ".state-Ab12Cd", "kept.tmp", ".hidden"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        killed(&folder.path().join("a.txt"));
        put(&folder.path().join("b.txt"), "b").unwrap();
        let under_way = write(&folder.path().join("c.txt"), |file, _| {
            remove_leftovers(folder.path())?;
            file.write_all(b"c")
        });
        under_way.unwrap();
        assert_eq!(names(folder.path()), [".hidden", "b.txt", "c.txt", "kept.tmp"]);
    }

    #[test]
    fn the_first_file_written_into_a_folder_clears_what_has_our_exact_names() {
        let folder = tempfile::tempdir().unwrap();
        let (path, in_folder) = (folder.path().join("a.txt"), |name: &str| folder.path().join(name));
        // Two writers of one file were killed, and one of a folder; another is at it.
        let two = (begin(&path, TEMPORARY, open_file).unwrap(), begin(&path, TEMPORARY, open_file).unwrap());
        drop(two);
        let (lock, half) = begin(&in_folder("made"), TEMPORARY_FOLDER, open_folder).unwrap();
        fs::write(half.join("model"), "").unwrap();
        drop(lock);
        let alive = begin(&in_folder("alive.txt"), TEMPORARY, open_file).unwrap();
        let theirs = [".tmp-notes", ".tmpAb12Cd", ".tmp-0123456789abcdef-x", ".export-Ab12Cd", "b.tmp"];
        theirs.iter().for_each(|name| fs::write(in_folder(name), "").unwrap());
        assert_eq!(names(folder.path()).len(), 9);
        put(&in_folder("other.txt"), "b").unwrap();
        let mut expected: Vec<String> = theirs.iter().map(|name| (*name).to_owned()).collect();
        expected.push(alive.1.file_name().unwrap().to_string_lossy().into_owned());
        expected.push("other.txt".to_owned());
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }
}
