//! Masks that were half written when their process was killed, in folders of masks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mga_core::whole_file;

/// Removes them from `folder` and the folders in it, those of release 0.1.0 too; says how many. Their names are exactly
/// those that mga gives them. What is being written stays, and so does what cannot be removed: nothing depends on it.
pub fn remove_half_written(folder: &Path) -> usize {
    let inner = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    remove_here(folder) + folders.map(|entry| remove_half_written(&entry.path())).sum::<usize>()
}

/// The same in one folder.
fn remove_here(folder: &Path) -> usize {
    let old = |entry: &std::fs::DirEntry| {
        // 0.1.0 locked nothing: only its age says that nobody writes it.
        is_of_0_1_0(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && whole_file::is_old(&entry.path())
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().filter(old);
    let removed = entries.filter(|entry| std::fs::remove_file(entry.path()).is_ok()).count();
    removed + whole_file::remove_exact(folder)
}

/// `NAME.png.PROCESS-NUMBER.partial`, and nothing else.
fn is_of_0_1_0(name: &str) -> bool {
    let parts = name.strip_suffix(".partial").and_then(|rest| rest.rsplit_once('.'));
    let Some((mask, (process, number))) = parts.and_then(|(mask, own)| Some((mask, own.split_once('-')?))) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    mask.len() > 4 && mask.ends_with(".png") && is_number(process) && is_number(number)
}

/// Folders that were cleared, each once in the life of its owner.
#[derive(Default)]
pub(super) struct Cleared(Mutex<BTreeSet<PathBuf>>);

impl Cleared {
    /// Clears `folder` itself, where that was not done yet.
    pub(super) fn clear(&self, folder: &Path) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf()) {
            remove_here(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::*;

    fn leave(path: &Path, age: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        File::create(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn exactly_what_mga_leaves_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let kept = [
            "1.png",
            "1.png.partial",
            "1.jpg.12-0.partial",
            "1.png.12.partial",
            "1.png.12-a.partial",
            ".png.12-0.partial",
            "1.png.12-0.partial.txt",
            ".tmpAb12Cd",
        ];
        kept.iter().for_each(|name| leave(&at("a").join(name), 86400));
        for name in ["a/1.png.12-0.partial", "a/b/c.d.png.4711-13.partial", "2.png.1-1.partial"] {
            leave(&at(name), 86400);
        }
        leave(&at("a/.tmp-0123456789abcdef-0"), 0);
        // Another process of 0.1.0 may be writing this one.
        leave(&at("a/new.png.12-1.partial"), 0);
        assert_eq!(remove_half_written(folder.path()), 4);
        let names: BTreeSet<String> =
            fs::read_dir(at("a")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let expected = kept.iter().copied().chain(["b", "new.png.12-1.partial"]).map(str::to_owned);
        assert_eq!(names, expected.collect());
        assert_eq!(fs::read_dir(at("a/b")).unwrap().count(), 0);
    }
}
