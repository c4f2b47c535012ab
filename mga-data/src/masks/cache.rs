//! Masks made by a segmenter while an experiment runs, each once: on disk by image content, and by all that makes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mga_core::wording::counted;

use super::files::as_written;
use super::leftovers::Cleared;
use super::proven;
use super::supplied::MaskSupply;
use crate::content_hash::content_hash;
use crate::dataset::{Dataset, Origin};
use crate::decode;
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// Makes masks of pictures: the same picture gives the same mask, on any thread, every time.
pub trait MaskMaker: Send + Sync {
    /// The name it has in `data.masks.source`.
    fn name(&self) -> &'static str;

    /// Hexadecimal digits that change with everything the masks depend on beside the picture: segmenter, weights,
    /// settings.
    fn identity(&self) -> &str;

    /// The mask of a picture, of its size.
    ///
    /// # Errors
    /// What the segmenter cannot do.
    fn make(&self, picture: &Picture) -> Result<Mask>;
}

/// A [`MaskMaker`]'s masks, kept in a folder.
///
/// Each file carries a hash over its image's content and its pixels, so that a picture put in its place, another image's
/// mask or a damaged one is not taken for what was made. Files of mga 0.1.0 carry none: they are taken as they are, which
/// is told.
pub struct CachedMasks {
    maker: Arc<dyn MaskMaker>,
    folder: PathBuf,
    noticed: Mutex<Noticed>,
    cleared: Cleared,
}

/// Files that people should know of.
#[derive(Default)]
struct Noticed {
    /// Made by mga 0.1.0, without a hash.
    unproven: BTreeSet<PathBuf>,
    /// Not what was written, and made anew.
    changed: BTreeSet<PathBuf>,
}

impl CachedMasks {
    /// Keeps masks below `cache`, in a folder of the maker's identity.
    pub fn new(maker: Arc<dyn MaskMaker>, cache: &Path) -> Self {
        let folder = cache.join(format!("{}-{}", maker.name(), maker.identity()));
        Self { maker, folder, noticed: Mutex::default(), cleared: Cleared::default() }
    }

    /// Returns the folder of this maker's masks.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the mask of a picture: from the disk where it is there as it was written, else made and kept. Either way
    /// it is what the file holds, 8 bits a pixel, so that the first run sees what later ones see.
    ///
    /// # Errors
    /// What the segmenter cannot do; a folder that cannot be written to.
    pub fn of(&self, picture: &Picture) -> Result<Mask> {
        let hash = content_hash(picture);
        // Two levels: some file systems slow down with a hundred thousand files in one folder.
        let folder = self.folder.join(hash.get(..2).unwrap_or_default());
        let (path, old) = (folder.join(format!("{hash}.mask.png")), folder.join(format!("{hash}.png")));
        let fits = |mask: &Mask| (mask.width(), mask.height()) == (picture.width(), picture.height());
        if path.is_file() {
            if let Some(mask) = proven::read(&path, &hash).filter(fits) {
                return Ok(mask);
            }
            self.noticed().changed.insert(path.clone());
        } else if old.is_file() {
            if let Some(mask) = decode::mask(&old).ok().filter(fits) {
                self.noticed().unproven.insert(old);
                return Ok(mask);
            }
            self.noticed().changed.insert(old);
        }
        let mask = as_written(&self.maker.make(picture)?);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        // Whoever was killed over a mask did not finish it: it is made now, here.
        self.cleared.clear(&folder);
        proven::write(&path, &hash, &mask)?;
        Ok(mask)
    }

    fn noticed(&self) -> MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MaskSupply for CachedMasks {
    fn name(&self) -> &'static str {
        self.maker.name()
    }

    fn has(&self, _: usize) -> bool {
        true
    }

    fn origin(&self, _: usize) -> Origin {
        Origin::Rule(format!("{} {}", self.maker.name(), self.maker.identity()))
    }

    fn mask(&self, index: usize, dataset: &dyn Dataset, picture: Option<&Picture>) -> Result<Option<Mask>> {
        match picture {
            Some(picture) => self.of(picture).map(Some),
            None => self.of(&dataset.image(index)?).map(Some),
        }
    }

    fn notes(&self) -> Vec<String> {
        let noticed = self.noticed();
        let mut notes = Vec::new();
        if let Some(first) = noticed.changed.first() {
            notes.push(format!(
                "{} of the cache did not belong to the image, or had been changed or damaged: made anew (first: {})",
                counted(noticed.changed.len(), "mask", "masks"),
                first.display()
            ));
        }
        if !noticed.unproven.is_empty() {
            notes.push(format!(
                "{} of the cache from mga 0.1.0, without a hash that would show a change: used as they are; delete {} to \
                 make them anew",
                counted(noticed.unproven.len(), "mask", "masks"),
                self.folder.display()
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Red(AtomicUsize, &'static str);

    impl MaskMaker for Red {
        fn name(&self) -> &'static str {
            "red"
        }
        fn identity(&self) -> &str {
            self.1
        }
        fn make(&self, picture: &Picture) -> Result<Mask> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let red = picture.pixels().iter().step_by(3).copied().collect();
            Ok(Mask::new(picture.width(), picture.height(), red).unwrap())
        }
    }

    #[test]
    fn each_picture_is_segmented_once_and_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Arc::new(Red(AtomicUsize::new(0), "1234"));
        let made = || maker.0.load(Ordering::SeqCst);
        let cache = CachedMasks::new(Arc::<Red>::clone(&maker), folder.path());
        let pictures = [0.3, 0.7].map(|value| Picture::filled(3, 2, value));
        let first = pictures.each_ref().map(|picture| cache.of(picture).unwrap());
        assert_eq!((made(), first[0].values()[0]), (2, 77.0 / 255.0));
        // Another process reads what the first one made.
        let again = CachedMasks::new(Arc::<Red>::clone(&maker), folder.path());
        assert_eq!(pictures.each_ref().map(|picture| again.of(picture).unwrap()), first);
        assert_eq!(made(), 2);
        // Another identity makes its own.
        let other = CachedMasks::new(Arc::new(Red(AtomicUsize::new(0), "5678")), folder.path());
        other.of(&pictures[0]).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_was_not_made_for_the_image_is_made_anew_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Arc::new(Red(AtomicUsize::new(0), "1234"));
        let cache = CachedMasks::new(Arc::<Red>::clone(&maker), folder.path());
        let (picture, other) = (Picture::filled(3, 2, 0.5), Picture::filled(3, 2, 0.25));
        let mask = cache.of(&picture).unwrap();
        cache.of(&other).unwrap();
        assert!(cache.notes().is_empty());
        let path = |picture: &Picture| {
            let hash = content_hash(picture);
            cache.folder().join(&hash[..2]).join(format!("{hash}.mask.png"))
        };
        let mut foreign = Vec::new();
        let grey = image::GrayImage::from_pixel(3, 2, image::Luma([9]));
        grey.write_to(&mut std::io::Cursor::new(&mut foreign), image::ImageFormat::Png).unwrap();
        let whole = std::fs::read(path(&picture)).unwrap();
        // Empty, cut short, another picture, the mask of another image.
        for contents in [vec![], whole[..whole.len() / 2].to_vec(), foreign, std::fs::read(path(&other)).unwrap()] {
            let made = maker.0.load(Ordering::SeqCst);
            std::fs::write(path(&picture), contents).unwrap();
            assert_eq!(cache.of(&picture).unwrap(), mask);
            assert_eq!(maker.0.load(Ordering::SeqCst), made + 1);
            assert_eq!(std::fs::read(path(&picture)).unwrap(), whole);
        }
        let notes = cache.notes();
        assert!(notes.len() == 1 && notes[0].starts_with("1 mask of the cache did not belong"), "{notes:?}");
    }

    #[test]
    fn masks_of_the_first_release_are_taken_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Arc::new(Red(AtomicUsize::new(0), "1234"));
        let cache = CachedMasks::new(Arc::<Red>::clone(&maker), folder.path());
        let picture = Picture::filled(3, 2, 0.5);
        let hash = content_hash(&picture);
        let old = cache.folder().join(&hash[..2]).join(format!("{hash}.png"));
        let mask = super::super::write_mask(&old, &Mask::filled(3, 2, 0.2)).unwrap();
        assert_eq!((cache.of(&picture).unwrap(), cache.of(&picture).unwrap()), (mask.clone(), mask));
        assert_eq!(maker.0.load(Ordering::SeqCst), 0);
        let notes = cache.notes();
        assert!(notes.len() == 1 && notes[0].contains("1 mask of the cache from mga 0.1.0"), "{notes:?}");
        // One that cannot be read is made anew, beside it, and what 0.1.0 left half written goes.
        std::fs::write(&old, b"torn").unwrap();
        let left = old.with_extension("png.77-0.partial");
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(86400);
        std::fs::File::create(&left).unwrap().set_modified(time).unwrap();
        cache.of(&picture).unwrap();
        assert_eq!((maker.0.load(Ordering::SeqCst), left.exists()), (1, false));
    }
}
