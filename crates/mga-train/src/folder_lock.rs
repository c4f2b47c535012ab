//! The lock that lets one process at a time work in a folder: a lock that the system takes back when its holder dies,
//! however it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

/// The file that is locked. It stays when the lock is gone: to remove it would let two in.
pub const FILE: &str = "lock";

/// A held lock. The file says who holds it, for people.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

/// The result of asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// It is held now.
    Held(FolderLock),
    /// Another process holds it; who, as far as it says.
    Taken(String),
}

impl FolderLock {
    /// Asks for the lock of `folder`, which has to be there, without waiting.
    ///
    /// # Errors
    /// A folder that cannot be written to; a file system without locks.
    pub fn ask(folder: &Path) -> anyhow::Result<Asked> {
        let path = folder.join(FILE);
        let failed = || format!("{}: cannot be locked", path.display());
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).with_context(failed)?;
        let mut locked = file.try_lock();
        for _ in 0..5 {
            // Somebody may only be looking who holds it.
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {
                let mut lock = Self { file };
                lock.say(&format!("process {} on {}\n", std::process::id(), host())).with_context(failed)?;
                Ok(Asked::Held(lock))
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().to_owned();
                Ok(Asked::Taken(if holder.is_empty() { "another process".to_owned() } else { holder }))
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(failed),
        }
    }

    /// Takes the lock like [`FolderLock::ask`]. If it is already taken, the error says by whom. `what` describes the
    /// work, in words.
    ///
    /// # Errors
    /// The lock is taken, or cannot be had.
    pub fn take(folder: &Path, what: &str) -> anyhow::Result<Self> {
        match Self::ask(folder)? {
            Asked::Held(lock) => Ok(lock),
            Asked::Taken(holder) => anyhow::bail!(
                "{}: {holder} {what} here already; wait for it, or end it, and try again",
                folder.display()
            ),
        }
    }

    /// Returns whether somebody holds the lock of `folder`; who, as far as it says.
    #[must_use]
    pub fn holder(folder: &Path) -> Option<String> {
        let path: PathBuf = folder.join(FILE);
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                Some(holder.trim().to_owned())
            }
            _ => None,
        }
    }

    /// Returns whether the lock of `folder` was held once and is free now. Where that cannot be asked, it is not known
    /// to be.
    #[must_use]
    pub fn is_free(folder: &Path) -> bool {
        File::open(folder.join(FILE)).is_ok_and(|file| file.try_lock_shared().is_ok())
    }

    fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The lock itself goes with the file.
        let _ = self.say("");
    }
}

/// Returns the machine's name, where the system tells.
#[must_use]
pub fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let known = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    known.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_says_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FolderLock::holder(folder.path()), None);
        let lock = FolderLock::take(folder.path(), "trains").unwrap();
        // Locks are of open files, so a second one in this process is refused as another's would be.
        let refused = FolderLock::take(folder.path(), "trains").unwrap_err().to_string();
        assert!(refused.contains(&format!("process {} on ", std::process::id())), "{refused}");
        assert!(refused.contains("trains here already"), "{refused}");
        assert!(FolderLock::holder(folder.path()).is_some_and(|holder| holder.starts_with("process ")));
        drop(lock);
        assert_eq!(FolderLock::holder(folder.path()), None);
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "");
        drop(FolderLock::take(folder.path(), "trains").unwrap());
    }
}
