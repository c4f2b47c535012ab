//! Images named on the command line: files, and folders of files, without labels or masks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mga_data::background::Backdrop;
use mga_data::decode::{self, is_image_path, unsupported_format};
use mga_data::error::{Error, Result, shown};
use mga_data::system_files::is_passed_over;
use mga_data::{Mask, Picture, Source};
use mga_experiment::Data;

/// Image files in the order they were named, those of folders sorted.
#[derive(Debug)]
pub struct ImageFiles {
    files: Vec<(PathBuf, String)>,
    backdrop: Backdrop,
    /// Notes on files that were passed over, one line each.
    pub notes: Vec<String>,
}

impl ImageFiles {
    /// Finds the images among `paths`; of folders all that lie in them, at any depth. What is transparent shows the
    /// background that `data` sets, where it sets one.
    ///
    /// # Errors
    /// Paths that are not there, all of them in one message, and folders without any image.
    pub fn find(paths: &[PathBuf], data: &Data) -> Result<Self> {
        let (mut found, mut notes, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            if path.is_dir() {
                let before = found.len();
                collect(path, &mut found, &mut notes)?;
                if found.len() == before {
                    wrong.push(format!("{}: there is no image in this folder", path.display()));
                }
            } else if path.is_file() {
                found.push(path.clone());
            } else {
                wrong.push(format!("{}: no such file or folder", path.display()));
            }
        }
        if !wrong.is_empty() {
            return Err(Error::Many(wrong));
        }
        let mut seen = BTreeSet::new();
        found.retain(|path| seen.insert(path.clone()));
        let files = found.into_iter().map(|path| (path.clone(), shown(&path))).collect();
        Ok(Self { files, backdrop: backdrop(data), notes })
    }

    /// Returns the number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Source for ImageFiles {
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        let Some((path, id)) = self.files.get(index) else {
            return Err(Error::settings(format!("there is no image {index}")));
        };
        Ok((decode::picture(path, &self.backdrop, id)?, None))
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }

    fn id(&self, index: usize) -> &str {
        self.files.get(index).map_or("", |(_, id)| id)
    }
}

/// The settings `background` and `background_seed` that data sets of files share, and the white point.
fn backdrop(data: &Data) -> Backdrop {
    let background = data.settings.get("background").and_then(|value| serde_json::from_value(value.clone()).ok());
    let seed = data.settings.get("background_seed").and_then(serde_json::Value::as_u64);
    Backdrop { background: background.unwrap_or_default(), seed: seed.unwrap_or(0), white_point: data.white_point }
}

/// Returns the images below `folder`, sorted by name; hidden files and those of systems are passed over, and links to
/// folders, which could lead back.
pub fn collect(folder: &Path, found: &mut Vec<PathBuf>, notes: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut entries = entries.collect::<std::io::Result<Vec<_>>>().map_err(Error::io(folder))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if is_passed_over(&path) {
            continue;
        }
        if entry.file_type().map_err(Error::io(&path))?.is_dir() {
            collect(&path, found, notes)?;
        } else if is_image_path(&path) && path.is_file() {
            found.push(path);
        } else if let Some(format) = unsupported_format(&path) {
            notes
                .push(format!("{}: passed over, {format} is not supported; convert it to PNG or JPEG", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(more: &str) -> Data {
        toml::from_str(&format!("dataset = \"image-folder\"\n{more}")).unwrap()
    }

    fn png(path: &Path, alpha: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbaImage::from_pixel(3, 2, image::Rgba([255, 0, 0, alpha])).save(path).unwrap();
    }

    #[test]
    fn folders_are_walked_and_nothing_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.png", "a/z.png", ".hidden.png", "c/d/e.png"] {
            png(&at(name), 255);
        }
        std::fs::write(at("notes.txt"), "").unwrap();
        std::fs::write(at("raw.HEIC"), "").unwrap();
        let files = ImageFiles::find(&[at("c/d/e.png"), folder.path().to_path_buf()], &data("")).unwrap();
        let ids: Vec<PathBuf> = (0..files.len()).map(|i| PathBuf::from(files.id(i))).collect();
        assert_eq!(ids, [at("c/d/e.png"), at("a/z.png"), at("b.png")]);
        assert!(files.notes.len() == 1 && files.notes[0].contains("HEIC"), "{:?}", files.notes);
        assert_eq!(files.load(0).unwrap().0.pixels()[..3], [1.0, 0.0, 0.0]);
        assert!(files.load(3).is_err() && files.label(0).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_stay_apart_and_thumbnails_are_no_images() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("@eaDir/1.png/SYNOPHOTO_THUMB_M.png"), 255);
        for bytes in [&b"\xe8.png"[..], b"\xe9.png"] {
            png(&folder.path().join(std::ffi::OsStr::from_bytes(bytes)), 255);
        }
        let files = ImageFiles::find(&[folder.path().to_path_buf()], &data("")).unwrap();
        let ids: Vec<String> = (0..files.len()).map(|i| files.id(i).to_owned()).collect();
        let root = folder.path().display();
        assert_eq!(ids, [format!("$'{root}/\\xe8.png'"), format!("$'{root}/\\xe9.png'")]);
    }

    #[test]
    fn what_is_not_there_is_named_all_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("x.png"), folder.path().to_path_buf()];
        let message = ImageFiles::find(&paths, &data("")).unwrap_err().to_string();
        assert!(message.contains("x.png: no such file") && message.contains("no image in this folder"), "{message}");
    }

    #[test]
    fn transparent_parts_show_the_background_that_was_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        png(&path, 0);
        let pixel =
            |more| ImageFiles::find(std::slice::from_ref(&path), &data(more)).unwrap().load(0).unwrap().0.pixels()[0];
        assert_eq!(pixel(""), 1.0);
        assert_eq!(pixel("background = \"black\""), 0.0);
        image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(2, 2, image::Luma([4095])).save(&path).unwrap();
        let close = |value: f32, expected: f32| (value - expected).abs() < 1e-6;
        assert!(close(pixel("white_point = 4095"), 1.0) && close(pixel("white_point = 8190"), 0.5));
    }
}
