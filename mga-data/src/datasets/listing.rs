//! Image files of a folder, in an order that depends on their names alone.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::decode;
use crate::error::{Error, Result};
use crate::system_files::is_passed_over;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Image files, sorted by path.
    pub(crate) images: Vec<PathBuf>,
    /// Pictures in formats that cannot be read, with the format's name.
    pub(crate) unsupported: Vec<(PathBuf, &'static str)>,
    /// Files that are no images.
    pub(crate) others: Vec<PathBuf>,
}

impl Listing {
    /// Lists `folder`, down to its sub-folders where `deep`. Links are followed; passed over is what
    /// [`is_passed_over`] says, and the folder `except`.
    ///
    /// # Errors
    /// A folder that cannot be read, or links that go in circles.
    pub(crate) fn read(folder: &Path, deep: bool, except: Option<&Path>) -> Result<Self> {
        let mut listing = Self::default();
        let walk = WalkDir::new(folder).follow_links(true).max_depth(if deep { usize::MAX } else { 1 }).into_iter();
        let wanted = |entry: &walkdir::DirEntry| {
            entry.depth() == 0
                || !is_passed_over(entry.path()) && except.is_none_or(|path| !same_place(entry.path(), path))
        };
        for entry in walk.filter_entry(wanted) {
            let entry = entry.map_err(|e| {
                let path = e.path().unwrap_or(folder).to_path_buf();
                Error::file(path, format!("cannot be listed: {e}"))
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.into_path();
            match decode::unsupported_format(&path) {
                Some(name) => listing.unsupported.push((path, name)),
                None if decode::is_image_path(&path) => listing.images.push(path),
                None => listing.others.push(path),
            }
        }
        listing.images.sort();
        listing.unsupported.sort();
        listing.others.sort();
        Ok(listing)
    }
}

/// The folders directly in `folder`, sorted, without those that [`is_passed_over`].
pub(crate) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() && !is_passed_over(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether both paths lead to one place, however they are written.
pub(crate) fn same_place(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::testing::rgb_jpeg;

    #[test]
    fn thumbnails_and_copies_of_systems_are_no_images() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["a/1.jpg", "a/@eaDir/1.jpg", "a/.thumbnails/1.jpg", "a/._1.jpg", "__MACOSX/a/1.jpg", "@eadir/2.jpg"]
        {
            rgb_jpeg(&folder.path().join(name), 5, 4);
        }
        for name in ["Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt"] {
            std::fs::write(folder.path().join("a").join(name), "").unwrap();
        }
        let listing = Listing::read(folder.path(), true, None).unwrap();
        assert_eq!(listing.images, [folder.path().join("a/1.jpg")]);
        assert_eq!(listing.others, [folder.path().join("a/notes.txt")]);
        assert_eq!(folders(folder.path()).unwrap(), [folder.path().join("a")]);
    }
}
