//! The search for the mask file of an image: beside its place in a tree, or in one flat folder, by a pattern of its
//! name.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode;
use crate::error::{Error, Result, shown};
use crate::system_files::is_passed_over;

/// How a folder of masks is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MaskLayout {
    /// In sub-folders as the images.
    Tree,
    /// All in the one folder.
    Flat,
}

/// Finds masks below a folder by the places of their images.
#[derive(Debug)]
pub struct MaskFinder {
    folder: PathBuf,
    /// The key of the settings that name the pattern and the layout, for messages: `data.` or `data.masks.`.
    key: &'static str,
    name: Option<String>,
    flat: bool,
    /// Whether a setting could say otherwise.
    layouts: bool,
    /// Names tried where there is no pattern.
    usual: fn(&Path) -> Vec<PathBuf>,
    /// Image files by folder, listed when first asked for.
    listed: BTreeMap<PathBuf, Vec<PathBuf>>,
}

/// `STEM.png`, or the image's own name.
pub(crate) fn png_or_same(image: &Path) -> Vec<PathBuf> {
    let name = PathBuf::from(image.file_name().unwrap_or_default());
    vec![name.with_extension("png"), name.with_extension("PNG"), name]
}

impl MaskFinder {
    /// Masks below `folder`; `key` is where its settings stand. `usual` are the names tried where no pattern is given.
    ///
    /// # Errors
    /// A pattern that gives every image one mask, or leads out of the folder.
    pub(crate) fn new(
        folder: &Path,
        key: &'static str,
        (name, layout): (Option<&str>, Option<MaskLayout>),
        usual: fn(&Path) -> Vec<PathBuf>,
    ) -> Result<Self> {
        if let Some(name) = name {
            let told = |what: &str| Err(Error::setting(format!("{key}mask_name"), format!("\"{name}\": {what}")));
            if !name.contains("{stem}") && !name.contains("{name}") {
                return told("expected {stem} in it, which stands for the image's name without extension, or {name}");
            }
            if Path::new(name).components().any(|part| !matches!(part, Component::Normal(_))) {
                return told("expected a name, or a path below the folder of masks");
            }
        }
        let (folder, name) = (folder.to_path_buf(), name.map(str::to_owned));
        let flat = layout == Some(MaskLayout::Flat);
        Ok(Self { folder, key, name, flat, layouts: true, usual, listed: BTreeMap::new() })
    }

    /// The same for a folder that is flat by its data set's layout.
    pub(crate) fn always_flat(self) -> Self {
        Self { flat: true, layouts: false, ..self }
    }

    /// Whether images of one name would have one mask.
    pub(crate) fn is_flat(&self) -> bool {
        self.flat
    }

    /// The mask of the image at `place`, relative to the root of the images.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) fn find(&mut self, place: &Path) -> Result<Option<PathBuf>> {
        for path in self.tried(place) {
            let folder = path.parent().unwrap_or(&self.folder).to_path_buf();
            if !self.listed.contains_key(&folder) {
                let files = images_in(&folder)?;
                self.listed.insert(folder.clone(), files);
            }
            if self.listed.get(&folder).is_some_and(|files| files.binary_search(&path).is_ok()) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Every image file in the folder itself.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        images_in(&self.folder)
    }

    /// Where the mask of the image at `place` is looked for.
    pub(crate) fn tried(&self, place: &Path) -> Vec<PathBuf> {
        let folder = self.folder_of(place, self.flat);
        let names = match &self.name {
            Some(name) => vec![PathBuf::from(filled(name, place))],
            None => (self.usual)(place),
        };
        let mut paths = Vec::new();
        for path in names.into_iter().map(|name| folder.join(name)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    fn folder_of(&self, place: &Path, flat: bool) -> PathBuf {
        if flat { self.folder.clone() } else { self.folder.join(place.parent().unwrap_or(Path::new(""))) }
    }

    /// What to say where the image at `place` has no mask: every place that was tried, and what lies near, with the settings
    /// that take it.
    pub(crate) fn missing(&self, place: &Path) -> String {
        let tried: Vec<String> = self.tried(place).iter().map(|path| shown(path)).collect();
        let mut text = format!("looked for {}", tried.join(" and "));
        if let Some((path, settings)) = self.near(place) {
            text += &format!("; there is {}", shown(&path));
            text += &if settings.is_empty() { ", by another spelling".to_owned() } else { format!(": {settings}") };
        }
        text
    }

    /// A file that may be the mask of the image at `place`, and the settings that take it.
    pub(crate) fn near(&self, place: &Path) -> Option<(PathBuf, String)> {
        let stem = &stem_of(place);
        for flat in [self.flat, !self.flat].into_iter().take(if self.layouts { 2 } else { 1 }) {
            let folder = self.folder_of(place, flat);
            let files = images_in(&folder).unwrap_or_default();
            let score = |path: &&PathBuf| likeness(path, stem);
            let best = files.iter().filter(|path| score(path).is_some()).min_by_key(score);
            let Some(path) = best else { continue };
            let mut settings = Vec::new();
            if !self.tried_in(&folder, place).contains(path)
                && let Some(pattern) = pattern_of(path, stem)
            {
                settings.push(format!("{}mask_name = \"{pattern}\"", self.key));
            }
            if flat != self.flat {
                settings.push(format!("{}mask_layout = \"{}\"", self.key, if flat { "flat" } else { "tree" }));
            }
            let takes = if settings.is_empty() { String::new() } else { settings.join(" and ") + " would take it" };
            return Some((path.clone(), takes));
        }
        None
    }

    /// The places tried, were `folder` the one.
    fn tried_in(&self, folder: &Path, place: &Path) -> Vec<PathBuf> {
        self.tried(place).iter().filter_map(|path| path.file_name()).map(|name| folder.join(name)).collect()
    }
}

/// How like the name of a mask for `stem` a file's name is, less is more; `None`: not at all.
fn likeness(path: &Path, stem: &str) -> Option<usize> {
    let name = path.file_stem()?.to_str()?;
    if name == stem {
        return Some(0);
    }
    if name.eq_ignore_ascii_case(stem) {
        return Some(1);
    }
    // More behind it or before it, but not the digits of another number.
    let apart = |rest: &str, next: Option<char>| (!next?.is_alphanumeric()).then_some(1 + rest.len());
    let behind = name.strip_prefix(stem).and_then(|rest| apart(rest, rest.chars().next()));
    behind.or_else(|| name.strip_suffix(stem).and_then(|rest| apart(rest, rest.chars().next_back())))
}

/// The pattern that gives the name of `path` for images called `stem`.
fn pattern_of(path: &Path, stem: &str) -> Option<String> {
    let (name, extension) = (path.file_stem()?.to_str()?, path.extension()?.to_str()?);
    let behind = name.strip_prefix(stem).map(|rest| format!("{{stem}}{rest}"));
    let pattern = behind.or_else(|| name.strip_suffix(stem).map(|rest| format!("{rest}{{stem}}")))?;
    Some(format!("{pattern}.{extension}"))
}

/// The image's name without its extension, where it has an image's.
fn stem_of(place: &Path) -> String {
    let stem = if decode::is_image_path(place) { place.file_stem() } else { place.file_name() };
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

fn filled(pattern: &str, place: &Path) -> String {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    pattern.replace("{stem}", &stem_of(place)).replace("{name}", &name)
}

/// The image files of one folder, sorted; none where there is no such folder.
fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths = entries.map(|entry| entry.map(|e| e.path()).map_err(Error::io(folder)));
    let wanted = |path: &PathBuf| decode::is_image_path(path) && !is_passed_over(path);
    let images = paths.filter(|path| path.as_ref().map_or(true, wanted));
    let mut images = images.collect::<Result<Vec<_>>>()?;
    images.sort();
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(folder: &Path, name: Option<&str>, layout: Option<MaskLayout>) -> MaskFinder {
        MaskFinder::new(folder, "data.", (name, layout), png_or_same).unwrap()
    }

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), "").unwrap();
        }
    }

    #[test]
    fn masks_are_found_by_pattern_and_layout() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        touch(folder.path(), &["a/1.png", "a/2.jpg", "a/3_segmentation.png", "4_segmentation.png", "a/5/mask.png"]);
        let find = |name, layout, place: &str| finder(folder.path(), name, layout).find(Path::new(place)).unwrap();
        assert_eq!(find(None, None, "a/1.jpg"), Some(at("a/1.png")));
        assert_eq!(find(None, None, "a/2.jpg"), Some(at("a/2.jpg")));
        let pattern = Some("{stem}_segmentation.png");
        assert_eq!(find(pattern, None, "a/3.jpg"), Some(at("a/3_segmentation.png")));
        assert_eq!(find(pattern, None, "a/1.jpg"), None);
        assert_eq!(find(pattern, Some(MaskLayout::Flat), "a/4.jpg"), Some(at("4_segmentation.png")));
        assert_eq!(find(Some("{stem}/mask.png"), None, "a/5.jpg"), Some(at("a/5/mask.png")));
        assert_eq!(find(Some("{name}"), None, "a/2.jpg"), Some(at("a/2.jpg")));
    }

    #[test]
    fn every_place_tried_is_named_and_near_ones_are_offered() {
        let folder = tempfile::tempdir().unwrap();
        touch(
            folder.path(),
            &["a/1_mask.png", "a/11_mask.png", "a/2.bmp", "3.png", "4_mask.png", "a/Img5.png", "a/mask_k.png"],
        );
        let said = |place: &str| finder(folder.path(), None, None).missing(Path::new(place));
        let says = |place: &str, parts: &[&str]| {
            let text = said(place);
            parts.iter().for_each(|part| assert!(text.contains(part), "no {part} in: {text}"));
        };
        says("a/1.jpg", &["a/1.png", "a/1.PNG", "a/1.jpg", "a/1_mask.png", "data.mask_name = \"{stem}_mask.png\""]);
        says("a/2.jpg", &["a/2.bmp", "data.mask_name = \"{stem}.bmp\""]);
        says("a/3.jpg", &["3.png: data.mask_layout = \"flat\" would take it"]);
        says("a/4.jpg", &["4_mask.png", "{stem}_mask.png\" and data.mask_layout = \"flat\""]);
        says("a/k.jpg", &["data.mask_name = \"mask_{stem}.png\""]);
        says("a/img5.jpg", &["Img5.png, by another spelling"]);
        assert!(!said("a/6.jpg").contains("there is"), "{}", said("a/6.jpg"));
        let flat = finder(folder.path(), None, Some(MaskLayout::Flat)).missing(Path::new("a/2.jpg"));
        assert!(flat.contains("data.mask_layout = \"tree\""), "{flat}");
    }

    #[test]
    fn a_pattern_tells_images_apart_and_stays_inside() {
        for (name, part) in [("mask.png", "{stem}"), ("../{stem}.png", "below the folder"), ("/{stem}", "below")] {
            let error = MaskFinder::new(Path::new("m"), "data.", (Some(name), None), png_or_same).unwrap_err();
            assert!(error.to_string().contains(part) && error.to_string().contains("data.mask_name"), "{error}");
        }
    }
}
