//! What lies in the folder: images by class, groups and parts, sizes and masks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_data::dataset::{Dataset, Origin, Record};
use mga_data::masks::MaskSources;
use mga_data::recognition::{MaskPlace, Recognised, RecognisedMasks};
use mga_data::{Split, decode};
use mga_experiment::{Components, Overrides, load_text};
use mga_train::data_set::open_dataset;

use super::toml_text::data_table;

/// With fewer images than these, one test set says little: every image is tested once.
pub(super) const FOLDED: usize = 2000;
/// Images whose size is looked at.
const MEASURED: usize = 300;

/// An image that has a class.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// Its number in the data set.
    pub(super) index: usize,
    pub(super) file: PathBuf,
    pub(super) class: String,
    pub(super) group: Option<String>,
    pub(super) split: Option<Split>,
    pub(super) mask: Option<PathBuf>,
}

/// Images that look alike, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct KeptTogether {
    /// The groups before images that look alike were joined to them.
    pub(super) groups: usize,
    /// What is said of them.
    pub(super) line: String,
}

/// Everything that decisions rest on.
pub(super) struct Looked {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) images: Vec<Image>,
    /// Images of each class.
    pub(super) classes: BTreeMap<String, usize>,
    /// Least, median and greatest of the images' shorter sides.
    pub(super) sides: [usize; 3],
    /// The masks that the data set does not bring, and their source.
    pub(super) found_masks: Option<(String, RecognisedMasks)>,
    /// What the data set says of itself.
    pub(super) warnings: Vec<String>,
    /// Why the parts that the data bring are not kept: all images are then split anew.
    pub(super) pooled: Option<String>,
    /// What was done about images that look alike, where folds are made.
    pub(super) alike: Option<KeptTogether>,
}

impl Looked {
    /// Opens the data set as it recognises the folder, and looks at its images.
    pub(super) fn of(
        folder: &Path,
        dataset: &str,
        recognised: &Recognised,
        components: &Components,
    ) -> anyhow::Result<Self> {
        let text = format!(
            "task = \"classification\"\n{}\n[data.split]\ntest = 0.25\n[model]\nbackbone = \"conv4\"\n\
             attention = \"none\"\nmask_guidance = false\n[schedule]\nepochs = 1\n\
             [eval]\nselect_on = \"last\"\n",
            data_table(folder, dataset, recognised)
        );
        let loaded = load_text(&text, &Overrides::default(), components)?;
        let opened = open_dataset(&loaded, components)?;
        let source = recognised.masks.as_ref().and_then(|masks| masks.value.as_str());
        let mut images: Vec<Image> = opened
            .records()
            .iter()
            .enumerate()
            .filter_map(|(index, record)| image(opened.as_ref(), index, record, source))
            .collect();
        let mut found_masks = None;
        if recognised.masks.is_none() {
            let files: Vec<PathBuf> = images.iter().map(|image| image.file.clone()).collect();
            found_masks = masks_of(&MaskPlace { folder, images: &files }, components)?;
            let masks = found_masks.as_ref().and_then(|(_, found)| found.files.clone()).unwrap_or_default();
            images.iter_mut().zip(masks).for_each(|(image, mask)| image.mask = mask);
        }
        let mut classes = BTreeMap::new();
        images.iter().for_each(|image| *classes.entry(image.class.clone()).or_default() += 1);
        let step = images.len().div_ceil(MEASURED).max(1);
        let mut sides: Vec<usize> = images
            .iter()
            .step_by(step)
            .filter_map(|image| decode::size(&image.file).ok())
            .map(|(width, height)| width.min(height))
            .collect();
        sides.sort_unstable();
        let at = |part: usize| sides.get((sides.len().saturating_sub(1)) * part / 2).copied().unwrap_or_default();
        let (sides, warnings) = ([at(0), at(1), at(2)], opened.warnings().to_vec());
        let (pooled, alike) = (None, None);
        let looked = Self { dataset: opened, sides, classes, images, found_masks, warnings, pooled, alike };
        Ok(Self { pooled: looked.why_pooled(), ..looked })
    }

    /// Distinct groups, of images that have one.
    pub(super) fn groups(&self) -> usize {
        self.images.iter().filter_map(|image| image.group.as_ref()).collect::<BTreeSet<_>>().len()
    }

    /// Whether the data set brings both training and test images.
    pub(super) fn brings_test(&self) -> bool {
        let has = |split| self.images.iter().any(|image| image.split == Some(split));
        has(Split::Train) && has(Split::Test)
    }

    /// Whether it brings parts, but not both training and test images.
    fn brings_other_parts(&self) -> bool {
        !self.brings_test() && self.images.iter().any(|image| image.split.is_some())
    }

    fn why_pooled(&self) -> Option<String> {
        match (self.torn_groups(), self.brings_other_parts()) {
            (0, false) => None,
            (0, true) => Some("the data bring parts, but not both training and test images".to_owned()),
            (torn, _) => Some(format!("{torn} groups have images in several of the data's own parts")),
        }
    }

    /// Whether every image is tested once, in folds.
    pub(super) fn is_folded(&self) -> bool {
        self.pooled.is_some() || !self.brings_test() && self.images.len() < FOLDED
    }

    /// Groups of which images lie in several parts that the data set brings.
    fn torn_groups(&self) -> usize {
        let mut parts: BTreeMap<&String, BTreeSet<Option<Split>>> = BTreeMap::new();
        for image in &self.images {
            if let Some(group) = &image.group {
                parts.entry(group).or_default().insert(image.split);
            }
        }
        parts.values().filter(|parts| parts.len() > 1).count()
    }

    /// Whether it brings validation images.
    pub(super) fn brings_validation(&self) -> bool {
        self.images.iter().any(|image| image.split == Some(Split::Validation))
    }

    /// The fewest groups, or images without groups, of any class.
    pub(super) fn fewest_units(&self) -> usize {
        let mut units: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (number, image) in self.images.iter().enumerate() {
            let unit = image.group.clone().unwrap_or_else(|| format!("\0{number}"));
            units.entry(&image.class).or_default().insert(unit);
        }
        units.values().map(BTreeSet::len).min().unwrap_or_default()
    }
}

/// The masks of the source that has those of most images, by what each says itself.
fn masks_of(place: &MaskPlace<'_>, components: &Components) -> anyhow::Result<Option<(String, RecognisedMasks)>> {
    let mut most: Option<(String, RecognisedMasks)> = None;
    for entry in components.kinds.all::<MaskSources>() {
        let found = entry.item.recognise(place)?;
        let before = most.as_ref().map_or(0, |(_, known)| known.images);
        if let Some(found) = found.filter(|found| most.is_none() || found.images > before) {
            most = Some((entry.name.clone(), found));
        }
    }
    Ok(most)
}

/// An image with its class, if it has a file and a class.
fn image(dataset: &dyn Dataset, index: usize, record: &Record, masks: Option<&str>) -> Option<Image> {
    let Origin::File(file) = dataset.origin(index) else { return None };
    let class = dataset.classes().get(record.label?)?.clone();
    let mask = masks.and_then(|source| match dataset.mask_origin(index, source) {
        Origin::File(path) => Some(path),
        _ => None,
    });
    Some(Image { index, file, class, group: record.group.clone(), split: record.split, mask })
}
