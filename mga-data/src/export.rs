//! Writes any data set as a tree of PNG files, which `image-folder` reads again.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mga_core::whole_file;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::dataset::{Dataset, Record, Split};
use crate::error::{Error, Result};

/// The file in an exported folder that says that images are still missing.
pub const UNFINISHED: &str = ".unfinished-export";

/// The result of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Number of images.
    pub images: usize,
    /// Number of masks: fewer than images where some have none.
    pub masks: usize,
}

/// Writes every image of `dataset` to `TO/{train,val,test}/CLASS/NAME.png`, and its mask from `mask_source`, where one
/// is named, to the same place below `TO/masks`. Values are rounded to 8 bits.
///
/// A data set that leaves the splits to the experiment is written to `TO/images/CLASS/NAME.png` instead.
///
/// Each file is written under another name and renamed, so none is ever half there. Until all are, the folder holds the
/// file [`UNFINISHED`]: an export that was ended goes on where it was, and writes no image twice. `progress` is called from
/// several threads, after each image, with the number of images written and of all.
///
/// # Errors
/// `to` exists and is neither empty nor an unfinished export of this very data set, or another process exports to it; an
/// image without label, or without split where others have one; whatever the data set or the disk reports.
pub fn export(
    dataset: &dyn Dataset,
    mask_source: Option<&str>,
    to: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Exported> {
    if let Some(source) = mask_source
        && !dataset.mask_sources().contains(&source)
    {
        let sources = dataset.mask_sources().join("`, `");
        let has = if sources.is_empty() { "it carries none".into() } else { format!("it has `{sources}`") };
        return Err(Error::settings(format!("the data set has no mask source `{source}` to export; {has}")));
    }
    let places = places(dataset)?;
    let mark = Mark::set(to, &identity(dataset, mask_source, &places))?;
    let folders: BTreeSet<&Path> = places.iter().filter_map(|place| place.parent()).collect();
    for folder in folders {
        make_folder(&to.join(folder))?;
        if mask_source.is_some() {
            make_folder(&to.join("masks").join(folder))?;
        }
    }
    let (done, masks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    places.par_iter().enumerate().try_for_each(|(index, place)| -> Result<()> {
        // The mask is written first: where the image is, nothing is missing.
        let (image_file, mask_file) = (to.join(place), to.join("masks").join(place));
        if image_file.is_file() {
            if mask_source.is_some() && mask_file.is_file() {
                masks.fetch_add(1, Ordering::Relaxed);
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, places.len());
            return Ok(());
        }
        let (picture, mask) = match mask_source {
            Some(source) => dataset.image_and_mask(index, source)?,
            None => (dataset.image(index)?, None),
        };
        if let Some(mask) = mask {
            let size = (mask.width(), mask.height());
            write_png(&mask_file, mask.values(), size, ExtendedColorType::L8)?;
            masks.fetch_add(1, Ordering::Relaxed);
        }
        let size = (picture.width(), picture.height());
        write_png(&image_file, picture.pixels(), size, ExtendedColorType::Rgb8)?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, places.len());
        Ok(())
    })?;
    mark.remove()?;
    Ok(Exported { images: places.len(), masks: masks.into_inner() })
}

/// What an export writes, in a hash: the images by what they are made of, their places, and their masks.
fn identity(dataset: &dyn Dataset, mask_source: Option<&str>, places: &[PathBuf]) -> String {
    let mut digest = Sha256::new();
    for (index, place) in places.iter().enumerate() {
        let mask = mask_source.map(|source| (source, dataset.mask_origin(index, source)));
        digest.update(format!("{place:?} {:?} {mask:?}\n", dataset.origin(index)));
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The file that says that an export is not finished, locked by the process that is at it.
struct Mark(File, PathBuf);

impl Mark {
    /// Makes the folder `to` and sets the mark, or takes over that of the same export.
    fn set(to: &Path, identity: &str) -> Result<Self> {
        let path = to.join(UNFINISHED);
        if !path.is_file() {
            refuse_occupied(to)?;
            make_folder(to)?;
        }
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = file.map_err(Error::io(&path))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::file(to, "another process writes a data set here; wait for it, or name another folder"));
        }
        let mut written = String::new();
        file.read_to_string(&mut written).map_err(Error::io(&path))?;
        if !written.is_empty() && written.trim() != identity {
            return Err(Error::file(
                to,
                "holds the beginning of another data set, or of this one with other settings; remove it, or name another folder",
            ));
        }
        if written.is_empty() {
            file.write_all(identity.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::io(&path))?;
        }
        Ok(Self(file, path))
    }

    fn remove(self) -> Result<()> {
        let Self(lock, path) = self;
        fs::remove_file(&path).map_err(Error::io(&path))?;
        drop(lock);
        Ok(())
    }
}

/// Where every image goes, relative to the target; no two at one place.
fn places(dataset: &dyn Dataset) -> Result<Vec<PathBuf>> {
    let splits = dataset.records().iter().any(|record| record.split.is_some());
    let mut taken = BTreeSet::new();
    let mut places = Vec::with_capacity(dataset.len());
    for record in dataset.records() {
        let class = record.label.and_then(|label| dataset.classes().get(label)).ok_or_else(|| {
            Error::settings(format!("{}: has no label, so there is no class folder to export it to", record.id))
        })?;
        let split = match record.split {
            Some(Split::Train) => "train",
            Some(Split::Validation) => "val",
            Some(Split::Test) => "test",
            None if !splits => "images",
            None => {
                let id = &record.id;
                return Err(Error::settings(format!("{id}: is in no split while others are; it cannot be exported")));
            }
        };
        let folder = Path::new(split).join(file_name(class));
        let name = file_name(&own_name(record, class));
        let mut place = folder.join(format!("{name}.png"));
        let mut copy = 2;
        // Compared without case, for file systems that do not tell upper from lower case.
        while !taken.insert(place.to_string_lossy().to_lowercase()) {
            place = folder.join(format!("{name}-{copy}.png"));
            copy += 1;
        }
        places.push(place);
    }
    Ok(places)
}

/// The part of a record's id that its split and class folders do not say already, without an image's extension.
fn own_name(record: &Record, class: &str) -> String {
    let mut parts: Vec<&str> = record.id.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let known = |part: &str| part == class || matches!(part, "train" | "val" | "validation" | "test" | "images");
    while parts.len() > 1 && parts.first().is_some_and(|part| known(part)) {
        parts.remove(0);
    }
    let name = parts.join("_");
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty() && extension.len() <= 4 && extension.chars().all(char::is_alphanumeric) =>
        {
            stem.to_owned()
        }
        _ => name,
    }
}

/// A name that every file system takes and that cannot lead out of its folder.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c };
    let name: String = name.trim().chars().map(safe).collect();
    match name.trim_start_matches('.') {
        "" => "_".to_owned(),
        kept => kept.to_owned(),
    }
}

fn refuse_occupied(to: &Path) -> Result<()> {
    if !to.exists() {
        return Ok(());
    }
    if !to.is_dir() {
        return Err(Error::file(to, "is a file; name a new or an empty folder to export to"));
    }
    if fs::read_dir(to).map_err(Error::io(to))?.next().is_some() {
        return Err(Error::file(
            to,
            "is not empty; nothing is overwritten: name a new or an empty folder to export to",
        ));
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(folder))
}

/// Writes values in `0..=1` as an 8-bit PNG, by rename.
pub(crate) fn write_png(
    path: &Path,
    values: &[f32],
    (width, height): (usize, usize),
    colour: ExtendedColorType,
) -> Result<()> {
    let bytes: Vec<u8> = values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8).collect();
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&bytes, width as u32, height as u32, colour)
        .map_err(|e| Error::file(path, format!("cannot be encoded as PNG: {e}")))?;
    write_whole(path, &png)
}

/// Writes a PNG file so that it is never half there.
pub(crate) fn write_whole(path: &Path, png: &[u8]) -> Result<()> {
    whole_file::write(path, |file, _| file.write_all(png)).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::leaves::{Leaves, LeavesSettings};
    use crate::picture::{Mask, Picture};

    /// Records with the given ids and splits, all of class `a/b`; image i is grey i.
    struct Named(Vec<Record>, Vec<String>);

    impl Named {
        fn new(records: &[(&str, Option<Split>)]) -> Self {
            let record = |(id, split): &(&str, Option<Split>)| Record {
                id: (*id).to_owned(),
                path: None,
                label: Some(0),
                group: None,
                split: *split,
            };
            Self(records.iter().map(record).collect(), vec!["a/b".to_owned()])
        }
    }

    impl Dataset for Named {
        fn classes(&self) -> &[String] {
            &self.1
        }
        fn records(&self) -> &[Record] {
            &self.0
        }
        fn image(&self, index: usize) -> Result<Picture> {
            Ok(Picture::filled(3, 2, index as f32 / 255.0))
        }
        fn mask_sources(&self) -> &[&'static str] {
            &["odd"]
        }
        fn mask(&self, index: usize, _: &str) -> Result<Option<Mask>> {
            Ok((index % 2 == 1).then(|| Mask::filled(3, 2, 1.0)))
        }
    }

    #[test]
    fn exported_leaves_hold_the_very_same_pixels() {
        let settings = LeavesSettings { size: 32, train_per_class: 2, test_per_class: 1, ..Default::default() };
        let leaves = Leaves::new(settings).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new");
        let calls = AtomicUsize::new(0);
        let count = |done: usize, all: usize| {
            assert!(done <= all && all == 30);
            calls.fetch_add(1, Ordering::Relaxed);
        };
        let exported = export(&leaves, Some("veins"), &to, &count).unwrap();
        assert_eq!((exported, calls.into_inner()), (Exported { images: 30, masks: 30 }, 30));
        for (index, place) in [(5, "train/cultivar-02/0001.png"), (27, "test/cultivar-07/0000.png")] {
            let (picture, mask) = leaves.image_and_mask(index, "veins").unwrap();
            let read = image::open(to.join(place)).unwrap().into_rgb8();
            let values: Vec<f32> = read.into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect();
            assert_eq!(values, picture.pixels());
            let read = image::open(to.join("masks").join(place)).unwrap().into_luma8();
            let values: Vec<f32> = read.into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect();
            assert_eq!(Some(values.as_slice()), mask.as_ref().map(Mask::values));
        }
        let again = export(&leaves, None, &to, &|_, _| ()).unwrap_err().to_string();
        assert!(again.contains("is not empty"), "{again}");
    }

    /// A data set that fails from one image on, as a full disk or a killed process ends an export.
    struct Failing<'a>(&'a Named, usize);

    impl Dataset for Failing<'_> {
        fn classes(&self) -> &[String] {
            self.0.classes()
        }
        fn records(&self) -> &[Record] {
            self.0.records()
        }
        fn image(&self, index: usize) -> Result<Picture> {
            if index < self.1 { self.0.image(index) } else { Err(Error::settings("ended")) }
        }
        fn mask_sources(&self) -> &[&'static str] {
            self.0.mask_sources()
        }
        fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
            self.0.mask(index, source)
        }
    }

    #[test]
    fn an_export_that_was_ended_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new");
        let named = Named::new(&[("1", None), ("2", None), ("3", None), ("4", None)]);
        assert!(export(&Failing(&named, 2), Some("odd"), &to, &|_, _| ()).is_err());
        assert!(to.join(UNFINISHED).is_file());
        // What is there is not written again: it would be black.
        let there: Vec<PathBuf> =
            (1..=2).map(|n| to.join(format!("images/a_b/{n}.png"))).filter(|path| path.is_file()).collect();
        there.iter().for_each(|path| fs::write(path, "kept").unwrap());
        let other = export(&named, None, &to, &|_, _| ()).unwrap_err().to_string();
        assert!(other.contains("other settings"), "{other}");
        let exported = export(&named, Some("odd"), &to, &|_, _| ()).unwrap();
        assert_eq!(exported, Exported { images: 4, masks: 2 });
        assert!(there.iter().all(|path| fs::read(path).unwrap() == b"kept"));
        let mut names: Vec<_> = fs::read_dir(to.join("images/a_b")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["1.png", "2.png", "3.png", "4.png"]);
        assert!(to.join("masks/images/a_b/4.png").is_file() && !to.join(UNFINISHED).exists());
        // Finished, it is a folder like any other.
        assert!(export(&named, Some("odd"), &to, &|_, _| ()).unwrap_err().to_string().contains("is not empty"));
    }

    #[test]
    fn names_stay_apart_and_inside_the_folder() {
        let named = Named::new(&[
            ("x/1.jpg", Some(Split::Train)),
            ("x/1.png", Some(Split::Train)),
            ("X/1.png", Some(Split::Train)),
            ("../../etc/passwd", Some(Split::Test)),
            ("val/7.5 cm", Some(Split::Validation)),
        ]);
        let found: Vec<String> = places(&named).unwrap().iter().map(|p| p.display().to_string()).collect();
        let expected =
            ["train/a_b/x_1.png", "train/a_b/x_1-2.png", "train/a_b/X_1-3.png", "test/a_b/_.._etc_passwd.png"];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4], "val/a_b/7.5 cm.png");
    }

    #[test]
    fn a_set_without_splits_is_one_tree_and_masks_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let named = Named::new(&[("1", None), ("2", None), ("3", None)]);
        let exported = export(&named, Some("odd"), folder.path(), &|_, _| ()).unwrap();
        assert_eq!(exported, Exported { images: 3, masks: 1 });
        assert!(folder.path().join("images/a_b/3.png").is_file());
        assert!(folder.path().join("masks/images/a_b/2.png").is_file());
        assert!(!folder.path().join("masks/images/a_b/1.png").exists());
    }

    #[test]
    fn what_cannot_be_exported_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new");
        let mixed = Named::new(&[("1", None), ("2", Some(Split::Test))]);
        let message = export(&mixed, None, &to, &|_, _| ()).unwrap_err().to_string();
        assert!(message.contains("1: is in no split"), "{message}");
        let mut unlabelled = Named::new(&[("1", None)]);
        unlabelled.0[0].label = None;
        let message = export(&unlabelled, None, &to, &|_, _| ()).unwrap_err().to_string();
        assert!(message.contains("has no label"), "{message}");
        let message = export(&Named::new(&[]), Some("folder"), &to, &|_, _| ()).unwrap_err().to_string();
        assert!(message.contains("it has `odd`"), "{message}");
        assert!(!to.exists());
        std::fs::write(&to, "a file").unwrap();
        let message = export(&Named::new(&[("1", None)]), None, &to, &|_, _| ()).unwrap_err().to_string();
        assert!(message.contains("is a file"), "{message}");
    }
}
