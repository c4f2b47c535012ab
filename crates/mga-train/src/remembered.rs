//! Facts about contents that are remembered in the user's cache: texts by keys that are hashes of everything they
//! depend on. A file that cannot be read or written costs time and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mga_core::whole_file::write_all;
use sha2::{Digest, Sha256};

use crate::file_hashes::{hex, user_cache};

/// Texts by key, a line each in a file: key, blank, text.
#[derive(Debug, Default)]
pub struct Remembered {
    file: Option<PathBuf>,
    known: BTreeMap<String, String>,
    fresh: Mutex<BTreeMap<String, String>>,
}

impl Remembered {
    /// Opens the user's notes on `subject`, under the settings in `settings`.
    #[must_use]
    pub fn of_user(subject: &str, settings: &str) -> Self {
        Self::in_folder(user_cache(), subject, settings)
    }

    /// Opens the notes of another cache; with `None` nothing is remembered.
    #[must_use]
    pub fn in_folder(cache: Option<PathBuf>, subject: &str, settings: &str) -> Self {
        let file = cache.map(|cache| cache.join(subject).join(format!("{}.txt", key(&[settings]))));
        let known = file.as_deref().map(read).unwrap_or_default();
        Self { file, known, fresh: Mutex::default() }
    }

    /// Returns the note on `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.known.get(key).map(String::as_str)
    }

    /// Notes a text without line breaks; [`Remembered::keep`] writes it.
    pub fn note(&self, key: String, text: &str) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(key, text.to_owned());
    }

    /// Writes what is new. Another program may have written meanwhile: what it knows is kept too.
    pub fn keep(&self) {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(file) = self.file.as_deref().filter(|_| !fresh.is_empty()) else { return };
        let mut all = read(file);
        all.extend(fresh);
        let text: String = all.iter().map(|(key, text)| format!("{key} {text}\n")).collect();
        if let Some(folder) = file.parent()
            && std::fs::create_dir_all(folder).is_ok()
        {
            let _ = write_all(file, text.as_bytes());
        }
    }
}

/// Returns a key of everything that something depends on.
#[must_use]
pub fn key(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize()[..16])
}

fn read(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let entries = text.lines().filter_map(|line| line.split_once(' '));
    entries.map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_programs_find_out_is_known_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let open = |settings| Remembered::in_folder(Some(folder.path().to_path_buf()), "seen", settings);
        let (one, other) = (open("a"), open("a"));
        one.note(key(&["x", "y"]), "fine");
        other.note(key(&["xy", ""]), "fine too");
        one.keep();
        other.keep();
        let next = open("a");
        assert_eq!((next.get(&key(&["x", "y"])), next.get(&key(&["xy", ""]))), (Some("fine"), Some("fine too")));
        assert_eq!(open("b").get(&key(&["x", "y"])), None);
        assert_eq!(Remembered::in_folder(None, "seen", "a").get("x"), None);
    }
}
