//! Temporary folders that go with their process: the next one clears what a killed process left, for nothing else does
//! before the machine is started again.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

/// How they are called, in the system's folder of temporary files.
const PREFIX: &str = "mga-scratch-";

/// Between making a folder and locking it passes far less.
const NEW: Duration = Duration::from_secs(60);

/// Where locks cannot be asked: no process works that long.
const OLD: Duration = Duration::from_secs(7 * 86400);

/// A temporary folder, removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Locked as long as the process lives.
    _lock: Option<File>,
}

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    /// The system's folder of temporary files cannot be written to.
    pub fn new() -> io::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> io::Result<Self> {
        clear(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // Without locks its age alone says whether it is left over.
        let lock = File::open(folder.path()).ok().filter(|folder| folder.try_lock().is_ok());
        Ok(Self { folder, _lock: lock })
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that nobody holds. Those of other users cannot be removed, and stay.
fn clear(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        let ours = random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric());
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        let longest = match folder.try_lock() {
            Ok(()) => NEW,
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(_)) => OLD,
        };
        let time = folder.metadata().and_then(|data| data.modified()).ok();
        if time.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > longest) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_nobody_holds_is_cleared_by_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str, age: u64| {
            let folder = parent.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("half"), "").unwrap();
            File::open(&folder).unwrap().set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            folder
        };
        let alive = Scratch::below(parent.path()).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        File::open(alive.path()).unwrap().set_modified(long_ago).unwrap();
        let (left, new) = (make("mga-scratch-Ab12Cd", 3600), make("mga-scratch-Ef34Gh", 0));
        let theirs = make("mga-scratch-of-mine", 3600);
        let next = Scratch::below(parent.path()).unwrap();
        assert!(!left.exists() && new.exists() && theirs.exists() && alive.path().exists());
        let (path, _) = (next.path().to_path_buf(), drop(next));
        assert!(!path.exists());
    }
}
