//! Masks in files that are named after the images, whatever the data set: what `mga masks` writes.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use image::ExtendedColorType;

use super::finder::{MaskFinder, MaskLayout};
use super::{MaskContents, MaskReading, MaskSupply};
use crate::dataset::{Dataset, Origin};
use crate::decode;
use crate::error::{Error, Result};
use crate::export::write_png;
use crate::picture::Mask;

/// Returns the path of the mask of the image called `id`, relative to the folder of masks: its id with the extension
/// `.png`. The path is never outside the folder.
pub fn mask_place(id: &str) -> PathBuf {
    place(id, "png")
}

/// `id` as a relative path with another extension, which is put behind what is no image's extension.
pub(crate) fn place(id: &str, extension: &str) -> PathBuf {
    with_extension(&inside(id), extension)
}

/// `id` as a relative path, never outside the folder it is put below.
pub(crate) fn inside(id: &str) -> PathBuf {
    let id = id.replace('\\', "/");
    let mut place = PathBuf::new();
    for part in Path::new(&id).components() {
        match part {
            Component::Normal(part) => place.push(part),
            Component::ParentDir => place.push("up"),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    if place.as_os_str().is_empty() {
        place.push("image");
    }
    place
}

fn with_extension(place: &Path, extension: &str) -> PathBuf {
    if decode::is_image_path(place) {
        return place.with_extension(extension);
    }
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    place.with_file_name(format!("{name}.{extension}"))
}

/// Writes a mask as an 8-bit grey PNG, by rename, and gives it back as it will be read.
///
/// A file whose largest value is 1 of 255 would be read as a mask of zeros and ones, so such a faint trace is written as 0.
///
/// # Errors
/// The file or its folder cannot be written; a mask with ignored pixels, which a file of masks has no place for.
pub fn write_mask(path: &Path, mask: &Mask) -> Result<Mask> {
    if mask.has_ignored() {
        let what = "cannot be written: a mask with ignored pixels (data.masks.ignore) has no place for them in a file";
        return Err(Error::file(path, what));
    }
    let written = as_written(mask);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    write_png(path, written.values(), (mask.width(), mask.height()), ExtendedColorType::L8)?;
    Ok(written)
}

/// A mask as 8 bits a pixel hold it.
pub(super) fn as_written(mask: &Mask) -> Mask {
    let mut written = mask.clone();
    written.values_mut().iter_mut().for_each(|v| *v = ((v.clamp(0.0, 1.0) * 255.0 + 0.5).floor()) / 255.0);
    if written.values().iter().all(|&v| v < 1.5 / 255.0) {
        written.values_mut().fill(0.0);
    }
    written
}

/// Masks of a data set in a folder of their own, named by [`mask_place`] or by a pattern.
#[derive(Debug)]
pub struct MaskFiles {
    files: Vec<Option<PathBuf>>,
    places: Vec<PathBuf>,
    finder: MaskFinder,
    reading: MaskReading,
}

impl MaskFiles {
    /// Looks for the masks of `dataset` in `folder`, of which not every image need have one; by `name`, a pattern with
    /// `{stem}` or `{name}` in it, where there is one.
    ///
    /// # Errors
    /// No such folder, no mask in it for any image, a pattern that cannot be used, or two images with one mask.
    pub fn find(
        dataset: &dyn Dataset,
        folder: &Path,
        (name, layout): (Option<&str>, Option<MaskLayout>),
        reading: MaskReading,
    ) -> Result<Self> {
        if !folder.is_dir() {
            let what =
                "there is no such folder of masks; `mga masks EXPERIMENT --segmenter NAME --out FOLDER` makes one";
            return Err(Error::file(folder, what));
        }
        let usual = |place: &Path| vec![with_extension(Path::new(place.file_name().unwrap_or_default()), "png")];
        let mut finder = MaskFinder::new(folder, "data.masks.", (name, layout), usual)?;
        let records = dataset.records();
        let places: Vec<PathBuf> = records.iter().map(|record| inside(&record.id)).collect();
        let files = places.iter().map(|place| finder.find(place)).collect::<Result<Vec<_>>>()?;
        let mut taken: BTreeMap<&Path, &str> = BTreeMap::new();
        for (record, file) in records.iter().zip(&files) {
            if let Some(file) = file
                && let Some(other) = taken.insert(file, &record.id)
            {
                return Err(Error::settings(format!(
                    "the masks of `{other}` and `{}` would both be {}; rename one of the images",
                    record.id,
                    file.display()
                )));
            }
        }
        if let (true, Some(place)) = (files.iter().all(Option::is_none), places.first()) {
            let what = format!("holds no mask of any image of the data set; of the first, {}", finder.missing(place));
            return Err(Error::file(folder, what));
        }
        Ok(Self { files, places, finder, reading })
    }
}

impl MaskSupply for MaskFiles {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn has(&self, index: usize) -> bool {
        self.files.get(index).is_some_and(Option::is_some)
    }

    fn origin(&self, index: usize) -> Origin {
        self.files.get(index).cloned().flatten().map_or(Origin::Absent, Origin::File)
    }

    fn mask(&self, index: usize, dataset: &dyn Dataset, _: Option<&crate::Picture>) -> Result<Option<Mask>> {
        let image = dataset.records().get(index).and_then(|record| record.path.as_deref());
        let file = self.files.get(index).and_then(Option::as_deref);
        file.map(|file| self.reading.mask_of(file, image)).transpose()
    }

    fn contents(&self, index: usize) -> Result<Option<MaskContents>> {
        let file = self.files.get(index).and_then(Option::as_deref);
        file.map(|file| self.reading.contents(&decode::read(file)?, file)).transpose()
    }

    fn missing(&self, index: usize) -> String {
        self.places.get(index).map_or_else(String::new, |place| self.finder.missing(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_ids_and_stay_inside() {
        let found = ["test/c 1/0001", "a/b.jpg", "plant.7/leaf.1", "../x.PNG", "/etc/passwd", "", "c:\\d.tif"];
        let expected = [
            "test/c 1/0001.png",
            "a/b.png",
            "plant.7/leaf.1.png",
            "up/x.png",
            "etc/passwd.png",
            "image.png",
            "c:/d.png",
        ];
        assert_eq!(found.map(|id| mask_place(id).display().to_string()), expected);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.png");
        for values in [[0.0, 0.3, 0.999], [0.0, 0.004, 0.002], [0.0, 0.008, 0.0], [1.0, 1.0, 1.0]] {
            let written = write_mask(&path, &Mask::new(3, 1, values.to_vec()).unwrap()).unwrap();
            let read = decode::mask(&path).unwrap();
            assert_eq!(read.values(), written.values(), "{values:?}");
            // What rounds to the first level may be dropped.
            assert!(written.values().iter().zip(values).all(|(a, b)| (a - b).abs() <= 1.5 / 255.0));
        }
        // Nothing but the result is left.
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        let ignoring = Mask::new(1, 1, vec![f32::NAN]).unwrap();
        assert!(write_mask(&path, &ignoring).unwrap_err().to_string().contains("ignored pixels"));
    }
}
