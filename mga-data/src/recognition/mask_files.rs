//! Mask files beside images, by the names that they have as downloaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::datasets::listing::{Listing, folders};
use crate::error::{Error, Result};
use crate::masks::{MaskFinder, MaskLayout, png_or_same};

/// What folders of masks are called, in small letters.
const MASKS: [&str; 11] = [
    "mask",
    "masks",
    "seg",
    "segmentation",
    "segmentations",
    "segmented",
    "annotations",
    "gt",
    "ground_truth",
    "groundtruth",
    "labels",
];
/// What the folder of the images is called beside one of masks.
const IMAGES: [&str; 6] = ["images", "image", "imgs", "img", "photos", "pictures"];
/// What stands behind the name of an image in that of its mask, in small letters.
const ENDS: [&str; 7] = ["_mask", "-mask", "_masks", "_segmentation", "_seg", "_gt", "_groundtruth"];
/// What masks in a folder of their own may be called.
const NAMES: [&str; 4] = ["{stem}_mask.png", "{stem}-mask.png", "{stem}_segmentation.png", "{stem}_seg.png"];
/// Files of a folder that are looked at before it is taken for one of masks.
const LOOKED_AT: usize = 5;

/// Masks that were found.
pub(crate) struct Masks {
    pub(crate) folder: PathBuf,
    /// What they are called, where not as usual.
    pub(crate) name: Option<String>,
    pub(crate) layout: Option<MaskLayout>,
    /// Images that have one.
    pub(crate) count: usize,
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Whether a folder is called as one of masks.
pub(crate) fn called_masks(path: &Path) -> bool {
    let name = name_of(path);
    MASKS.contains(&name.as_str()) || name.ends_with("_masks") || name.ends_with("-masks")
}

/// The folder of the images, and that of masks where there is one whose files look like masks.
///
/// # Errors
/// Folders that cannot be listed.
pub(crate) fn trees(folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let inside = folders(folder)?;
    let mut masks = None;
    for path in inside.iter().filter(|path| called_masks(path)) {
        if looks_like_masks(path)? {
            masks = Some(path.clone());
            break;
        }
    }
    let images = inside.iter().find(|path| IMAGES.contains(&name_of(path).as_str()));
    let images = images.filter(|_| masks.is_some() || inside.len() == 1);
    Ok((images.cloned().unwrap_or_else(|| folder.to_path_buf()), masks))
}

/// Refuses folders of masks within other folders than the one of all masks: they would be taken for classes or images.
///
/// # Errors
/// There is one.
pub(crate) fn refuse_inner(images: &[PathBuf], base: &Path, masks: Option<&Path>) -> Result<()> {
    let inner = |path: &PathBuf| {
        let parent = path.parent()?;
        let inside = parent != base && masks != Some(parent) && parent.parent() != Some(base);
        (inside && called_masks(parent)).then(|| parent.to_path_buf())
    };
    for folder in images.iter().filter_map(inner).collect::<BTreeSet<_>>() {
        if looks_like_masks(&folder)? {
            let what =
                "masks lie within the folders of images: move them to one folder `masks` beside those, laid out alike";
            return Err(Error::file(folder, what));
        }
    }
    Ok(())
}

/// Whether some files of a folder have few colours, are nearly black and white, or are grey and half of that.
fn looks_like_masks(folder: &Path) -> Result<bool> {
    Ok(look_like_masks(&Listing::read(folder, true, None)?.images))
}

fn look_like_masks<P: AsRef<Path>>(files: &[P]) -> bool {
    let step = files.len().div_ceil(LOOKED_AT).max(1);
    !files.is_empty() && files.iter().step_by(step).all(|path| looks_like_mask(path.as_ref()))
}

fn looks_like_mask(path: &Path) -> bool {
    let Ok(picture) = image::open(path) else { return false };
    let picture = picture.to_rgb8();
    let count = picture.pixels().len();
    let step = (count / 4096).max(1);
    let pixels: Vec<[u8; 3]> = picture.pixels().step_by(step).map(|pixel| pixel.0).collect();
    let colours: BTreeSet<[u8; 3]> = pixels.iter().copied().collect();
    let extreme = |pixel: &&[u8; 3]| {
        let [r, g, b] = **pixel;
        r == g && g == b && !(32..224).contains(&r)
    };
    // Small masks of thin structures have many greys at their edges, and photographs are seldom grey all over.
    let grey = pixels.iter().all(|[r, g, b]| r == g && g == b);
    let tenths = if grey { 5 } else { 9 };
    colours.len() <= 32 || pixels.iter().filter(extreme).count() * 10 >= pixels.len() * tenths
}

/// The masks in a folder of them; `None`: under half of the images have one.
pub(crate) fn in_folder(images: &[PathBuf], base: &Path, folder: &Path) -> Result<Option<Masks>> {
    for layout in [None, Some(MaskLayout::Flat)] {
        for name in std::iter::once(None).chain(NAMES.into_iter().map(Some)) {
            let mut finder = MaskFinder::new(folder, "data.", (name, layout), png_or_same)?;
            let mut count = 0;
            // A whole path would lead from any folder to the image itself.
            for image in images.iter().filter_map(|image| image.strip_prefix(base).ok()) {
                count += usize::from(finder.find(image)?.is_some());
            }
            if count > 0 && count * 2 >= images.len() {
                let (folder, name) = (folder.to_path_buf(), name.map(str::to_owned));
                return Ok(Some(Masks { folder, name, layout, count }));
            }
        }
    }
    Ok(None)
}

/// Masks that lie in the folders of their images, and those images alone. Files that are called as masks and do not look
/// like them are images.
///
/// # Errors
/// Masks that are called in several ways.
pub(crate) fn beside(all: &[PathBuf], base: &Path) -> Result<Option<(Masks, Vec<PathBuf>)>> {
    let place = |path: &PathBuf| {
        (path.parent().map(Path::to_path_buf), path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()))
    };
    let stems: BTreeSet<_> = all.iter().map(place).collect();
    // By what stands behind the name of the image.
    let mut masks: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for path in all {
        let (parent, Some(stem)) = place(path) else { continue };
        let Some(image) = ENDS.iter().find_map(|end| stem.strip_suffix(end)) else { continue };
        if stems.contains(&(parent, Some(image.to_owned()))) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(end) = name.get(image.len()..).filter(|end| !end.is_empty()) else { continue };
            masks.entry(end.to_owned()).or_default().push(path);
        }
    }
    masks.retain(|_, files| look_like_masks(files));
    let names: Vec<&String> = masks.keys().collect();
    let (Some(&end), 1) = (names.first(), names.len()) else {
        if let [first, .., last] = names.as_slice() {
            let what = format!(
                "masks lie beside images and are called in several ways, such as `*{first}` and `*{last}`: rename them alike"
            );
            return Err(Error::file(base, what));
        }
        return Ok(None);
    };
    let of: BTreeSet<&PathBuf> = masks.values().flatten().copied().collect();
    let images: Vec<PathBuf> = all.iter().filter(|path| !of.contains(path)).cloned().collect();
    let name = Some(format!("{{stem}}{end}"));
    Ok(Some((Masks { folder: base.to_path_buf(), name, layout: None, count: of.len() }, images)))
}

/// The mask file of each of these images, found in a folder of masks below `folder`; `None`: there is no such folder, or under
/// half of the images have one.
///
/// # Errors
/// A folder that cannot be listed.
pub fn mask_files(folder: &Path, images: &[PathBuf]) -> Result<Option<Vec<Option<PathBuf>>>> {
    // Images may be named by whole paths where the folder is not, or the other way round.
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (folder, images) = (whole(folder), images.iter().map(|image| whole(image)).collect::<Vec<_>>());
    let (base, Some(masks)) = trees(&folder)? else { return Ok(None) };
    for base in [base.as_path(), &folder] {
        let Some(found) = in_folder(&images, base, &masks)? else { continue };
        let how = (found.name.as_deref(), found.layout);
        let mut finder = MaskFinder::new(&masks, "data.", how, png_or_same)?;
        let one = |image: &PathBuf| image.strip_prefix(base).map_or(Ok(None), |image| finder.find(image));
        return images.iter().map(one).collect::<Result<_>>().map(Some);
    }
    Ok(None)
}
