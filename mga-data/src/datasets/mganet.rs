//! The layout of the MGANet authors' data sets (soybean, btf, hainan leaf).
//!
//! ```text
//! ROOT/train/0001.jpg    ROOT/l2_mask/0001.png    ROOT/labels.pkl: {1: 3, 2: 1, ...}
//! ROOT/test/0002.jpg     ROOT/l2_mask/0002.png    or ROOT/labels.csv: file,label
//! ```
//!
//! Labels count from 1, and label `n` is class index `n - 1` even where labels between are not used, as in the authors'
//! program: their weights stay usable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_core::wording::counted;
use mga_registry::Entry;
use serde_json::Value;

use crate::background::{self, Background};
use crate::dataset::{Dataset, Record, Split};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::{FileEntry, FileSet, FileSetBuilder, relative};
use crate::datasets::labels::{self, LabelKey};
use crate::datasets::listing::Listing;
use crate::error::{Error, Result};
use crate::masks::{MaskFinder, png_or_same};
use crate::spelling::composed;

/// Settings of the `mganet` data set: the MGANet authors' layout.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MgaNetSettings {
    /// Folder of the masks below the root: `STEM.png`, or the image's own file name.
    #[schemars(extend("x-path" = "place"))]
    pub mask_folder: PathBuf,
    /// What masks are called instead: "{stem}_mask.png", where {stem} is the image's name without extension and {name} with
    /// it.
    #[schemars(extend("x-path" = "place"))]
    pub mask_name: Option<String>,
    /// File of the labels below the root, `.pkl` or `.csv`. Left out: `labels.pkl`, or else `labels.csv`.
    #[schemars(extend("x-path" = "place"))]
    pub labels: Option<PathBuf>,
    /// The background of transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
    pub background: Background,
    /// Seed of the cluttered backgrounds.
    pub background_seed: u64,
    /// Read the header of every image and mask when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for MgaNetSettings {
    fn default() -> Self {
        Self {
            mask_folder: PathBuf::from("l2_mask"),
            mask_name: None,
            labels: None,
            background: Background::default(),
            background_seed: 0,
            check_files: true,
        }
    }
}

/// Returns `mganet` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "the MGANet authors' layout: train/, test/, l2_mask/ and labels.pkl or labels.csv";
    let entry = Entry::<Datasets>::new("mganet", about, Arc::new(MgaNet));
    entry.with_settings(schemars::schema_for!(MgaNetSettings)).with_conditions(&[background::CONDITION])
}

struct MgaNet;

impl RegisteredDataset for MgaNet {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(&settings("mganet", own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES
    }

    fn may_have_validation(&self) -> bool {
        false
    }
}

/// More classes than this is a label gone wrong.
const MOST_CLASSES: usize = 100_000;

/// Opens the data set at `data.root`.
///
/// # Errors
/// No root or labels; and, all in one message, every label without image, image without label, unreadable header, and
/// mask of another aspect. With `skip_errors` those images are left out instead.
pub fn open(settings: &MgaNetSettings, context: &OpenContext) -> Result<FileSet> {
    let root = context.root.as_deref().ok_or_else(|| {
        Error::settings("data set `mganet` needs `data.root`: the folder that holds train/, test/ and labels.pkl")
    })?;
    let mut set = FileSetBuilder {
        backdrop: context.backdrop(&settings.background, settings.background_seed),
        reading: context.masks.clone(),
        check_files: settings.check_files,
        mask_files: true,
        skip_errors: context.skip_errors,
        ..FileSetBuilder::default()
    };
    let images = list_images(root, &mut set)?;
    let label_file = label_file(root, settings.labels.as_deref())?;
    let labelled = assign_labels(&images, &label_file, &mut set)?;
    set.classes = classes(&labelled, &label_file, &mut set)?;

    let folder = root.join(&settings.mask_folder);
    let how = (settings.mask_name.as_deref(), None);
    let mut finder = MaskFinder::new(&folder, "data.", how, png_or_same)?.always_flat();
    if !folder.is_dir() {
        set.warnings.push(format!("{}: there is no folder of masks here", folder.display()));
    }
    let mut used = std::collections::BTreeSet::new();
    for (path, split) in images {
        let mask = finder.find(path.strip_prefix(root).unwrap_or(&path))?;
        used.extend(mask.clone());
        let Some(label) = labelled.get(&path).and_then(|l| set.classes.iter().position(|c| c == l)) else { continue };
        let id = relative(&path, root);
        let record = Record { id, path: None, label: Some(label), group: None, split: Some(split) };
        set.entries.push(FileEntry { record, path, mask, listed: None });
    }
    let unused: Vec<PathBuf> = finder.files()?.into_iter().filter(|path| !used.contains(path)).collect();
    if let Some(first) = unused.first() {
        let masks = counted(unused.len(), "mask", "masks");
        set.warnings.push(format!("{masks} without an image (first: {})", first.display()));
    }
    set.finder = folder.is_dir().then_some(finder);
    set.finish(root)
}

/// Images of train and then of test, each sorted by name.
fn list_images(root: &Path, set: &mut FileSetBuilder) -> Result<Vec<(PathBuf, Split)>> {
    let mut images = Vec::new();
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (name, split) in [("train", Split::Train), ("test", Split::Test)] {
        let folder = root.join(name);
        if !folder.is_dir() {
            set.problem(&folder, "there is no such folder: `mganet` expects train/ and test/ in `data.root`");
            continue;
        }
        let listing = Listing::read(&folder, false, None)?;
        for path in set.images_of(listing) {
            // Labels and masks go by name, so one name must mean one image.
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match seen.get(&stem) {
                Some(first) => set.problem(
                    &path,
                    format!("has the name of {}, and labels and masks go by name: rename one", first.display()),
                ),
                None => {
                    seen.insert(stem, path.clone());
                    images.push((path, split));
                }
            }
        }
    }
    Ok(images)
}

fn label_file(root: &Path, set: Option<&Path>) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match set {
        Some(path) => vec![root.join(path)],
        None => vec![root.join("labels.pkl"), root.join("labels.csv")],
    };
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| match set {
        Some(path) => Error::file(root.join(path), "there is no such file, which `data.labels` names"),
        None => Error::file(root, "holds neither labels.pkl nor labels.csv; is `data.root` right?"),
    })
}

/// The label of every image that has one, by path.
fn assign_labels(
    images: &[(PathBuf, Split)],
    file: &Path,
    set: &mut FileSetBuilder,
) -> Result<BTreeMap<PathBuf, String>> {
    let is_csv = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let mut unused: BTreeMap<LabelKey, String> = BTreeMap::new();
    for (key, label) in if is_csv { labels::read_csv(file)? } else { super::label_pickle::read_pickle(file)? } {
        if let Some(first) = unused.insert(key.clone(), label.clone())
            && first != label
        {
            return Err(Error::file(file, format!("gives {key} two labels, {first} and {label}: keep one")));
        }
    }
    let mut labelled = BTreeMap::new();
    let mut used = std::collections::BTreeSet::new();
    for (path, _) in images {
        let text = |part: Option<&std::ffi::OsStr>| composed(&part.unwrap_or_default().to_string_lossy());
        let (name, stem) = (text(path.file_name()), text(path.file_stem()));
        let keys = [Some(LabelKey::Name(name)), stem.parse().ok().map(LabelKey::Number), Some(LabelKey::Name(stem))];
        match keys.into_iter().flatten().find_map(|key| unused.get(&key).map(|label| (key, label.clone()))) {
            Some((key, label)) => {
                used.insert(key);
                labelled.insert(path.clone(), label);
            }
            None => {
                set.problem_of("images without a label", path, format!("has no label in {}", file.display()));
            }
        }
    }
    for key in unused.keys().filter(|key| !used.contains(key)) {
        let what = format!("has a label for {key}, but train/ and test/ hold no such image");
        set.problem_of("labels without an image", file, what);
    }
    Ok(labelled)
}

/// `1`, `2`, ... up to the largest label where all are numbers; the labels themselves, sorted, where they are names.
fn classes(labelled: &BTreeMap<PathBuf, String>, file: &Path, set: &mut FileSetBuilder) -> Result<Vec<String>> {
    let names = labels::class_names(labelled.values().map(String::as_str));
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    let Some(numbers) = numbers else { return Ok(names) };
    let largest = numbers.last().copied().unwrap_or(0);
    if numbers.first().is_some_and(|&smallest| smallest < 1) {
        return Err(Error::file(file, format!("has the label {}: labels count from 1", numbers[0])));
    }
    let largest = usize::try_from(largest).ok().filter(|&n| n <= MOST_CLASSES).ok_or_else(|| {
        Error::file(file, format!("has the label {largest}: expected at most {MOST_CLASSES} classes, counted from 1"))
    })?;
    if names.len() < largest {
        let missing = largest - names.len();
        set.warnings.push(format!("{}: {missing} of the labels 1 to {largest} have no image", file.display()));
    }
    Ok((1..=largest).map(|n| n.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::datasets::testing::{grey_png, rgb_jpeg};
    use crate::masks::{MaskSettings, MaskSource};
    use crate::registry::builtin;

    /// Two training images (one a JPEG), one test image, masks for two.
    fn layout() -> (tempfile::TempDir, OpenContext) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        rgb_jpeg(&root.join("train/0002.jpg"), 8, 6);
        rgb_jpeg(&root.join("train/0010.jpg"), 8, 6);
        grey_png(&root.join("test/0001.png"), 8, 6, |_, _| 128);
        grey_png(&root.join("l2_mask/0002.png"), 8, 6, |x, _| if x < 4 { 255 } else { 0 });
        grey_png(&root.join("l2_mask/0001.png"), 4, 3, |_, _| 1);
        std::fs::write(root.join("labels.csv"), "file,label\n0002,1\n10,3\n0001.png,1\n").unwrap();
        let context = OpenContext { root: Some(root), skip_errors: false, ..OpenContext::default() };
        (folder, context)
    }

    fn opened(context: &OpenContext) -> Result<FileSet> {
        open(&MgaNetSettings::default(), context)
    }

    #[test]
    fn files_labels_and_masks_meet_by_name() {
        let (_folder, context) = layout();
        let set = opened(&context).unwrap();
        let rows: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label, r.split)).collect();
        assert_eq!(
            rows,
            [
                ("train/0002.jpg", Some(0), Some(Split::Train)),
                ("train/0010.jpg", Some(2), Some(Split::Train)),
                ("test/0001.png", Some(0), Some(Split::Test)),
            ]
        );
        assert_eq!(set.classes(), ["1", "2", "3"]);
        assert!(set.warnings().iter().any(|w| w.contains("1 of the labels 1 to 3")), "{:?}", set.warnings());
        let (picture, mask) = set.image_and_mask(0, "folder").unwrap();
        let mask = mask.unwrap();
        assert_eq!((picture.width(), mask.width()), (8, 8));
        assert_eq!(mask.values()[..8], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(set.mask(1, "folder").unwrap().is_none());
        assert!(set.has_mask(0, "folder") && !set.has_mask(1, "folder"));
        assert!(set.image(3).is_err() && set.mask(0, "veins").is_err());
    }

    #[test]
    fn every_control_works_on_the_authors_layout() {
        let (folder, context) = layout();
        let root = folder.path();
        grey_png(&root.join("l2_mask/0010.png"), 8, 6, |x, y| if x == y && y < 3 { 255 } else { 0 });
        let set: std::sync::Arc<dyn Dataset> = std::sync::Arc::new(opened(&context).unwrap());
        let load = |source: &str, index: usize| {
            let settings = MaskSettings::of_source(source);
            MaskSource::new(settings, set.clone(), &builtin()).unwrap().load(index).unwrap().1.unwrap()
        };
        for control in ["ones", "shuffled", "inverted", "centre", "silhouette"] {
            for index in 0..3 {
                let mask = load(control, index);
                assert_eq!((mask.width(), mask.height()), (8, 6), "{control}");
                assert!(mask == load(control, index) && mask.values().iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
        // Never one's own, and train takes of train.
        let own: Vec<_> = (0..3).map(|index| load("folder", index)).collect();
        assert_eq!((load("shuffled", 0), load("shuffled", 1)), (own[1].clone(), own[0].clone()));
        assert!(load("shuffled", 2) != own[2] || own[2] == own[0]);
        assert_eq!(load("silhouette", 0), own[0], "half of the image is its own hull");
        assert_eq!(load("silhouette", 1).values().iter().filter(|v| **v == 1.0).count(), 3, "a line is its own hull");
    }

    #[test]
    fn a_label_finds_its_file_however_letters_are_composed() {
        let (folder, context) = layout();
        rgb_jpeg(&folder.path().join("train/e\u{301}rable.jpg"), 8, 6);
        let csv = "file;label\r\n2;1\r\n10;3\r\n1;1\r\n\u{e9}rable.jpg;2\r\n";
        std::fs::write(folder.path().join("labels.csv"), csv).unwrap();
        let set = opened(&context).unwrap();
        let labels: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label)).collect();
        assert_eq!(labels[2], ("train/e\u{301}rable.jpg", Some(1)));
    }

    #[test]
    fn pickled_labels_win_over_csv() {
        let (folder, context) = layout();
        std::fs::write(folder.path().join("labels.pkl"), b"(dI2\nI1\nsI10\nI1\nsV0001.png\nI2\ns.").unwrap();
        let labels: Vec<_> = opened(&context).unwrap().records().iter().map(|r| r.label).collect();
        assert_eq!(labels, [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn every_mismatch_is_told_in_one_pass_or_skipped() {
        let (folder, mut context) = layout();
        let root = folder.path();
        rgb_jpeg(&root.join("train/0003.jpg"), 8, 6);
        std::fs::write(root.join("train/0004.jpg"), "no image").unwrap();
        std::fs::write(root.join("train/0005.heic"), "").unwrap();
        rgb_jpeg(&root.join("test/0002.jpg"), 8, 6);
        grey_png(&root.join("l2_mask/0010.png"), 8, 8, |_, _| 255);
        std::fs::write(root.join("labels.csv"), "file,label\n2,1\n10,2\n1,1\n4,1\n77,2\n").unwrap();
        let message = opened(&context).unwrap_err().to_string();
        for part in [
            "train/0003.jpg: has no label",
            "has a label for 77",
            "train/0004.jpg: is no image",
            "train/0005.heic: is HEIC",
            "test/0002.jpg: has the name of",
            "l2_mask/0010.png: is a mask of 8 x 8",
        ] {
            assert!(message.contains(part), "{part} in:\n{message}");
        }
        assert_eq!(message.lines().count(), 6, "{message}");

        context.skip_errors = true;
        let set = opened(&context).unwrap();
        let ids: Vec<_> = set.records().iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["train/0002.jpg", "test/0001.png"]);
        assert_eq!(set.warnings().iter().filter(|w| w.starts_with("left out: ")).count(), 6);
    }

    #[test]
    fn labels_that_cannot_be_classes_are_errors() {
        for (csv, part) in [
            ("file,label\n2,0\n10,1\n1,1\n", "count from 1"),
            ("file,label\n2,1\n10,999999999\n1,1\n", "at most"),
            ("file,label\n2,1\n2,2\n10,1\n1,1\n", "two labels"),
        ] {
            let (folder, context) = layout();
            std::fs::write(folder.path().join("labels.csv"), csv).unwrap();
            let message = opened(&context).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("labels.csv"), "{message}");
        }
        let (folder, context) = layout();
        std::fs::remove_file(folder.path().join("labels.csv")).unwrap();
        assert!(opened(&context).unwrap_err().to_string().contains("neither labels.pkl"));
        assert!(
            open(&MgaNetSettings::default(), &OpenContext::default()).unwrap_err().to_string().contains("data.root")
        );
    }
}
