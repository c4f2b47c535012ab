//! Decoded images, kept for the next epoch: transforms still run on each.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mga_core::wording::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Origin, Record};
use crate::error::{Error, Result};
use crate::masks::MaskContents;
use crate::picture::{Mask, Picture};

/// Where decoded images are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// Nowhere: every image is decoded each time it is read.
    #[default]
    None,
    /// In the memory of the process.
    Memory,
    /// In a temporary file, which goes with the process; the system keeps in memory what it has room for.
    Disk,
}

impl Cache {
    /// Returns whether nothing is kept.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

const GIB: f64 = (1u64 << 30) as f64;

/// Images that are decoded when the cache is opened, to tell how much all of them take.
const LOOKED_AT: usize = 8;

/// A data set whose images are decoded once and then kept, as far as the limit allows. What it gives is the same to the
/// bit.
pub struct CachedDataset {
    inner: Arc<dyn Dataset>,
    store: Store,
    /// Bytes that may be kept, and that are.
    limit: u64,
    used: AtomicU64,
    warnings: Vec<String>,
}

enum Store {
    Memory(Vec<OnceLock<Picture>>),
    Disk { file: Mutex<File>, places: Vec<OnceLock<Place>> },
}

/// Where an image lies in the file.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    width: usize,
    height: usize,
    /// One byte a number, or else four.
    bytes: bool,
}

impl Place {
    fn length(&self) -> usize {
        self.width * self.height * 3 * if self.bytes { 1 } else { 4 }
    }
}

/// The bytes that a decoded image takes.
fn size_of(picture: &Picture) -> u64 {
    (picture.width() * picture.height() * 3 * if picture.bytes().is_some() { 1 } else { 4 }) as u64
}

impl CachedDataset {
    /// Creates a cache of the images of `inner`; `None` where none is wanted. It keeps `limit` GiB at most, and what comes
    /// later is decoded each time.
    ///
    /// # Errors
    /// A limit that is not above 0; a temporary file that cannot be made.
    pub fn new(inner: Arc<dyn Dataset>, cache: Cache, limit: f64) -> Result<Option<Self>> {
        let fits = limit.is_finite() && limit > 0.0;
        let store = match cache {
            Cache::None => return Ok(None),
            _ if !fits => {
                return Err(Error::setting(
                    "data.cache_limit",
                    format!("is {limit}, expected a number of GiB above 0"),
                ));
            }
            Cache::Memory => Store::Memory((0..inner.len()).map(|_| OnceLock::new()).collect()),
            Cache::Disk => {
                let file = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
                Store::Disk { file: Mutex::new(file), places: (0..inner.len()).map(|_| OnceLock::new()).collect() }
            }
        };
        let mut cached =
            Self { warnings: Vec::new(), store, limit: (limit * GIB) as u64, used: AtomicU64::new(0), inner };
        cached.warnings = [cached.inner.warnings(), &[cached.note(limit)]].concat();
        Ok(Some(cached))
    }

    /// How much all images take, told by some of them.
    fn note(&self, limit: f64) -> String {
        let (count, step) = (self.inner.len(), self.inner.len().div_ceil(LOOKED_AT).max(1));
        let sizes = (0..count).step_by(step).filter_map(|index| Some(size_of(&self.image(index).ok()?)));
        let sizes: Vec<u64> = sizes.collect();
        let each = sizes.iter().sum::<u64>() as f64 / sizes.len().max(1) as f64;
        let all = each * count as f64;
        let place = if matches!(self.store, Store::Memory(_)) { "in memory" } else { "in a temporary file" };
        let images = counted(count, "decoded image is kept", "decoded images are kept");
        let mut note = format!("{images} {place}: about {:.2} GiB, the limit is {limit} GiB", all / GIB);
        if all > self.limit as f64 {
            let kept = (self.limit as f64 / each) as usize;
            note += &format!("; about {kept} fit, and the others are decoded each time (data.cache_limit)");
        }
        note
    }

    /// Returns how many images are kept, and their bytes.
    #[must_use]
    pub fn kept(&self) -> (usize, u64) {
        let count = match &self.store {
            Store::Memory(pictures) => pictures.iter().filter(|slot| slot.get().is_some()).count(),
            Store::Disk { places, .. } => places.iter().filter(|slot| slot.get().is_some()).count(),
        };
        (count, self.used.load(Ordering::Relaxed))
    }

    fn find(&self, index: usize) -> Result<Option<Picture>> {
        match &self.store {
            Store::Memory(pictures) => Ok(pictures.get(index).and_then(OnceLock::get).cloned()),
            Store::Disk { file, places } => {
                let Some(place) = places.get(index).and_then(OnceLock::get) else { return Ok(None) };
                let mut bytes = vec![0; place.length()];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let read = file.seek(SeekFrom::Start(place.start)).and_then(|_| file.read_exact(&mut bytes));
                drop(file);
                read.map_err(on_disk)?;
                if place.bytes {
                    return Ok(Picture::from_bytes(place.width, place.height, bytes));
                }
                let numbers = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                Ok(Picture::new(place.width, place.height, numbers))
            }
        }
    }

    /// Keeps an image where there is room for it.
    fn keep(&self, index: usize, picture: &Picture) -> Result<()> {
        let size = size_of(picture);
        let room = |used: u64| used.checked_add(size).filter(|&used| used <= self.limit);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return Ok(());
        }
        let kept = match &self.store {
            Store::Memory(pictures) => pictures.get(index).is_some_and(|slot| slot.set(picture.clone()).is_ok()),
            Store::Disk { file, places } => {
                let Some(slot) = places.get(index) else { return Ok(()) };
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                // Another thread may have decoded it meanwhile.
                if slot.get().is_some() {
                    false
                } else {
                    let start = file.seek(SeekFrom::End(0)).map_err(on_disk)?;
                    match picture.bytes() {
                        Some(bytes) => file.write_all(bytes),
                        None => {
                            let numbers: Vec<u8> = picture.pixels().iter().flat_map(|v| v.to_le_bytes()).collect();
                            file.write_all(&numbers)
                        }
                    }
                    .map_err(on_disk)?;
                    let (width, height, bytes) = (picture.width(), picture.height(), picture.bytes().is_some());
                    slot.set(Place { start, width, height, bytes }).is_ok()
                }
            }
        };
        if !kept {
            self.used.fetch_sub(size, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn on_disk(cause: std::io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::file(
        folder,
        format!("decoded images cannot be kept here: {cause}; lower data.cache_limit, or set data.cache"),
    )
}

impl Dataset for CachedDataset {
    fn classes(&self) -> &[String] {
        self.inner.classes()
    }

    fn records(&self) -> &[Record] {
        self.inner.records()
    }

    fn image(&self, index: usize) -> Result<Picture> {
        if let Some(picture) = self.find(index)? {
            return Ok(picture);
        }
        let picture = self.inner.image(index)?;
        self.keep(index, &picture)?;
        Ok(picture)
    }

    fn mask_sources(&self) -> &[&'static str] {
        self.inner.mask_sources()
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        self.inner.mask(index, source)
    }

    fn has_mask(&self, index: usize, source: &str) -> bool {
        self.inner.has_mask(index, source)
    }

    fn origin(&self, index: usize) -> Origin {
        self.inner.origin(index)
    }

    fn mask_origin(&self, index: usize, source: &str) -> Origin {
        self.inner.mask_origin(index, source)
    }

    fn mask_contents(&self, index: usize, source: &str) -> Result<Option<MaskContents>> {
        self.inner.mask_contents(index, source)
    }

    fn missing_mask(&self, index: usize, source: &str) -> String {
        self.inner.missing_mask(index, source)
    }

    fn mask_notes(&self) -> Vec<String> {
        self.inner.mask_notes()
    }

    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        if let Some(picture) = self.find(index)? {
            return Ok((picture, self.inner.mask(index, source)?));
        }
        let (picture, mask) = self.inner.image_and_mask(index, source)?;
        self.keep(index, &picture)?;
        Ok((picture, mask))
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Pictures of bytes and of numbers in turn, and a count of how often one is decoded.
    struct Counted {
        records: Vec<Record>,
        decoded: AtomicUsize,
    }

    impl Counted {
        fn new(count: usize) -> Arc<Self> {
            let record = |i| Record { id: format!("{i}"), path: None, label: Some(0), group: None, split: None };
            Arc::new(Self { records: (0..count).map(record).collect(), decoded: AtomicUsize::new(0) })
        }
    }

    impl Dataset for Counted {
        fn classes(&self) -> &[String] {
            &[]
        }

        fn records(&self) -> &[Record] {
            &self.records
        }

        fn image(&self, index: usize) -> Result<Picture> {
            self.decoded.fetch_add(1, Ordering::Relaxed);
            let picture = match index % 2 {
                0 => Picture::from_bytes(4, 2, (0..24).map(|i| i + index as u8).collect()),
                _ => Picture::new(2, 4, (0..24).map(|i| (i + index) as f32 / 77.0).collect()),
            };
            Ok(picture.unwrap())
        }

        fn mask_sources(&self) -> &[&'static str] {
            &["folder"]
        }

        fn mask(&self, index: usize, _: &str) -> Result<Option<Mask>> {
            Ok(Mask::new(1, 1, vec![index as f32 / 100.0]))
        }
    }

    fn cached(inner: &Arc<Counted>, cache: Cache, bytes: u64) -> CachedDataset {
        let limit = bytes as f64 / GIB;
        CachedDataset::new(Arc::clone(inner) as Arc<dyn Dataset>, cache, limit).unwrap().unwrap()
    }

    #[test]
    fn an_image_is_decoded_once_and_stays_the_same() {
        for cache in [Cache::Memory, Cache::Disk] {
            let inner = Counted::new(40);
            let set = cached(&inner, cache, 1 << 20);
            // From several threads at once.
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..40).for_each(|index| assert_eq!(set.image(index).unwrap(), inner.image(index).unwrap()))
                    });
                }
            });
            assert_eq!(set.kept(), (40, 20 * 24 + 20 * 96), "{cache:?}");
            let before = inner.decoded.load(Ordering::Relaxed);
            for index in 0..40 {
                let (picture, mask) = set.image_and_mask(index, "folder").unwrap();
                assert_eq!((picture.bytes().is_some(), mask), (index % 2 == 0, inner.mask(index, "").unwrap()));
            }
            assert_eq!(inner.decoded.load(Ordering::Relaxed), before, "nothing is decoded again");
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_decoded_each_time_and_told() {
        for cache in [Cache::Memory, Cache::Disk] {
            let inner = Counted::new(40);
            let set = cached(&inner, cache, 500);
            for _ in 0..2 {
                (0..40).for_each(|index| assert_eq!(set.image(index).unwrap(), inner.image(index).unwrap()));
            }
            let (count, bytes) = set.kept();
            assert!(count < 40 && bytes <= 500 && bytes > 400, "{count} {bytes}");
            let note = set.warnings().last().unwrap();
            assert!(note.contains("40 decoded images are kept") && note.contains("fit, and the others"), "{note}");
        }
    }

    #[test]
    fn without_a_cache_there_is_none_and_a_bad_limit_is_told() {
        let inner: Arc<dyn Dataset> = Counted::new(1);
        assert!(CachedDataset::new(Arc::clone(&inner), Cache::None, 0.0).unwrap().is_none());
        let error = CachedDataset::new(inner, Cache::Memory, 0.0).err().unwrap();
        assert_eq!(error.invalid_setting().unwrap().key, "data.cache_limit");
    }
}
