//! Masks made by a segmenter while an experiment runs, each once: on disk by image content, and by all that makes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::write_mask;
use super::supplied::MaskSupply;
use crate::content_hash::content_hash;
use crate::dataset::{Dataset, Origin};
use crate::decode;
use crate::error::Result;
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
pub struct CachedMasks {
    maker: Arc<dyn MaskMaker>,
    folder: PathBuf,
}

impl CachedMasks {
    /// Keeps masks below `cache`, in a folder of the maker's identity.
    pub fn new(maker: Arc<dyn MaskMaker>, cache: &Path) -> Self {
        let folder = cache.join(format!("{}-{}", maker.name(), maker.identity()));
        Self { maker, folder }
    }

    /// Where the masks of this maker lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The mask of a picture: from the disk where it is there, else made and kept. Either way it is what the file holds,
    /// 8 bits a pixel, so that the first run sees what later ones see. A file that cannot be read is made anew.
    ///
    /// # Errors
    /// What the segmenter cannot do; a folder that cannot be written to.
    pub fn of(&self, picture: &Picture) -> Result<Mask> {
        let hash = content_hash(picture);
        // Two levels: some file systems slow down with a hundred thousand files in one folder.
        let path = self.folder.join(hash.get(..2).unwrap_or_default()).join(format!("{hash}.png"));
        if path.is_file()
            && let Ok(mask) = decode::mask(&path)
            && (mask.width(), mask.height()) == (picture.width(), picture.height())
        {
            return Ok(mask);
        }
        write_mask(&path, &self.maker.make(picture)?)
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
    fn a_damaged_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let maker = Arc::new(Red(AtomicUsize::new(0), "1234"));
        let cache = CachedMasks::new(Arc::<Red>::clone(&maker), folder.path());
        let picture = Picture::filled(3, 2, 0.5);
        let mask = cache.of(&picture).unwrap();
        let hash = content_hash(&picture);
        let path = cache.folder().join(&hash[..2]).join(format!("{hash}.png"));
        for contents in [&b""[..], &std::fs::read(&path).unwrap()[..20]] {
            std::fs::write(&path, contents).unwrap();
            assert_eq!(cache.of(&picture).unwrap(), mask);
        }
        assert_eq!(maker.0.load(Ordering::SeqCst), 3);
    }
}
