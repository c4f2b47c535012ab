//! `leaves`: the embedded data set, drawn from a seed; nothing is stored.
//!
//! Its classes are cultivars that differ in nothing but their leaves' venation: the angle between midrib and secondary
//! veins, their number, their curvature, and how densely cross veins branch between them. Outline, colour, light,
//! pose, shadow and the cluttered ground vary from image to image, out of random streams that are given the image's
//! number and never its class; the share of the blade that is vein is the same for all cultivars. So a classifier has
//! to look at the veins, of which the exact mask is known: what mask guided attention is about, in miniature.
//!
//! Results on different versions of this generator cannot be compared: it is fixed, apart from faults.

mod colour;
mod ground;
mod noise;
mod outline;
mod render;
mod venation;

use std::sync::Arc;

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::render::{Leaf, Streams, mask};
use self::venation::Venation;
use crate::dataset::{Dataset, Origin, Record, Split};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, settings};
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// Returns `leaves` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "embedded: drawn leaves of cultivars that differ in venation alone, with exact vein masks";
    let entry = Entry::<Datasets>::new(NAME, about, Arc::new(Drawn));
    entry.with_settings(schemars::schema_for!(LeavesSettings))
}

const NAME: &str = "leaves";

struct Drawn;

impl RegisteredDataset for Drawn {
    fn open(&self, own: &Value, _: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(Leaves::new(settings(NAME, own)?)?))
    }

    fn masks(&self) -> &[OfferedMasks] {
        &[
            OfferedMasks { name: VEINS, about: "the exact veins", in_files: false },
            OfferedMasks { name: SILHOUETTE, about: "the exact outline", in_files: false },
        ]
    }

    fn may_have_validation(&self) -> bool {
        false
    }

    fn has_one_size(&self) -> bool {
        true
    }
}

/// Settings of `leaves`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeavesSettings {
    /// Number of cultivars, the classes: 10 to 200.
    #[schemars(range(min = 10, max = 200))]
    pub cultivars: usize,
    /// Training images of every cultivar. More of them leave the earlier ones as they are.
    #[schemars(range(min = 1, max = 100_000))]
    pub train_per_class: usize,
    /// Test images of every cultivar.
    #[schemars(range(min = 0, max = 100_000))]
    pub test_per_class: usize,
    /// Width and height of the images, pixels.
    #[schemars(range(min = 16, max = 2048))]
    pub size: usize,
    /// How close the cultivars are to each other against the variation within one, and how faint their veins: from 0
    /// (plain to see) to 1 (cultivars overlap).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub difficulty: f64,
    /// How far leaves are turned to either side of upright, degrees: 0 to 180.
    #[schemars(range(min = 0.0, max = 180.0))]
    pub rotation: f64,
    /// Seed of the cultivars and of the training images.
    pub seed: u64,
    /// Seed of the test images: other individuals of the same cultivars.
    pub test_seed: u64,
}

impl Default for LeavesSettings {
    fn default() -> Self {
        Self {
            cultivars: 10,
            train_per_class: 100,
            test_per_class: 20,
            size: 128,
            difficulty: 0.0,
            rotation: 30.0,
            seed: 1,
            test_seed: 1001,
        }
    }
}

impl LeavesSettings {
    /// Says everything that is out of range.
    fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        let mut within = |key: &str, value: f64, low: f64, high: f64| {
            if !(low..=high).contains(&value) {
                wrong.push(format!("data set `leaves`: `{key}` is {value}; expected {low} to {high}"));
            }
        };
        within("cultivars", self.cultivars as f64, 10.0, 200.0);
        within("train_per_class", self.train_per_class as f64, 1.0, 1e5);
        within("test_per_class", self.test_per_class as f64, 0.0, 1e5);
        within("size", self.size as f64, 16.0, 2048.0);
        within("difficulty", self.difficulty, 0.0, 1.0);
        within("rotation", self.rotation, 0.0, 180.0);
        if wrong.is_empty() { Ok(()) } else { Err(Error::Many(wrong)) }
    }
}

/// Raised where the same settings give other pixels than before.
const VERSION: u32 = 1;

const VEINS: &str = "veins";
const SILHOUETTE: &str = "silhouette";

/// The data set: definitions of the cultivars, and a list of the images that can be drawn.
#[derive(Debug)]
pub struct Leaves {
    settings: LeavesSettings,
    cultivars: Vec<Venation>,
    classes: Vec<String>,
    records: Vec<Record>,
}

impl Leaves {
    /// Draws the cultivars and lists the images: `train/cultivar-00/0000` and so on, then those of `test`.
    pub fn new(settings: LeavesSettings) -> Result<Self> {
        settings.check()?;
        let classes: Vec<String> = (0..settings.cultivars).map(|class| format!("cultivar-{class:02}")).collect();
        let mut records = Vec::new();
        for (split, name, per_class) in
            [(Split::Train, "train", settings.train_per_class), (Split::Test, "test", settings.test_per_class)]
        {
            for (label, class) in classes.iter().enumerate() {
                records.extend((0..per_class).map(|number| Record {
                    id: format!("{name}/{class}/{number:04}"),
                    path: None,
                    label: Some(label),
                    group: None,
                    split: Some(split),
                }));
            }
        }
        let cultivars = Venation::cultivars(settings.seed, settings.cultivars, settings.difficulty);
        Ok(Self { settings, cultivars, classes, records })
    }

    /// The leaf of image `index`, not yet drawn, and the streams to draw it with.
    fn leaf(&self, index: usize) -> Result<(Leaf, Streams<'static>)> {
        let s = &self.settings;
        let train = s.cultivars * s.train_per_class;
        let (seed, split, position, per_class) = if index < train {
            (s.seed, "train", index, s.train_per_class)
        } else {
            (s.test_seed, "test", index - train, s.test_per_class)
        };
        let (class, number) = (position / per_class.max(1), position % per_class.max(1));
        let cultivar = self.cultivars.get(class).ok_or_else(|| {
            Error::settings(format!("data set `leaves` has {} images; there is no image {index}", self.records.len()))
        })?;
        // Numbered round robin through the cultivars, so that a larger set begins with the smaller one's images.
        let streams = Streams { seed, split, number: (number * s.cultivars + class) as u64 };
        Ok((Leaf::grow(cultivar, &streams, s.size, s.rotation as f32, s.difficulty), streams))
    }
}

fn known(source: &str) -> Result<()> {
    match source {
        VEINS | SILHOUETTE => Ok(()),
        other => Err(Error::settings(format!(
            "data set `leaves` has no mask source `{other}`; it gives `{VEINS}` and `{SILHOUETTE}`"
        ))),
    }
}

impl Dataset for Leaves {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        let (leaf, streams) = self.leaf(index)?;
        let blade = leaf.blade();
        let veins = leaf.veins(&blade);
        Ok(leaf.picture(&blade, &veins, &streams, self.settings.difficulty))
    }

    fn origin(&self, index: usize) -> Origin {
        let s = &self.settings;
        let test = index >= s.cultivars * s.train_per_class;
        let seeds = if test { format!("{} {}", s.seed, s.test_seed) } else { s.seed.to_string() };
        Origin::Rule(format!("leaves {VERSION}: {} {} {} {} {seeds}", s.cultivars, s.size, s.difficulty, s.rotation))
    }

    fn mask_origin(&self, _: usize, source: &str) -> Origin {
        if known(source).is_ok() { Origin::Rule(format!("leaves {VERSION}: {source}")) } else { Origin::Absent }
    }

    fn mask_sources(&self) -> &[&'static str] {
        &[VEINS, SILHOUETTE]
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        known(source)?;
        let (leaf, _) = self.leaf(index)?;
        let blade = leaf.blade();
        let coverage = if source == VEINS { leaf.veins(&blade) } else { blade };
        Ok(Some(mask(self.settings.size, coverage)))
    }

    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        known(source)?;
        let (leaf, streams) = self.leaf(index)?;
        let blade = leaf.blade();
        let veins = leaf.veins(&blade);
        let picture = leaf.picture(&blade, &veins, &streams, self.settings.difficulty);
        let coverage = if source == VEINS { veins } else { blade };
        Ok((picture, Some(mask(self.settings.size, coverage))))
    }
}
