//! A data set: a list of images with their labels, and pictures by index. This one draws them; one of files would open them.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use mga_core::random::Generator;
use mga_data::dataset::Origin;
use mga_data::registry::{Datasets, OpenContext, RegisteredDataset, settings};
use mga_data::{Dataset, Error, Mask, Picture, Record, Result, Split};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Returns the data set that an experiment selects with `dataset = "gratings"`.
pub fn entry() -> Entry<Datasets> {
    let about = "drawn: stripes, whose classes differ in their direction";
    Entry::<Datasets>::new("gratings", about, Arc::new(Drawn)).with_settings(schemars::schema_for!(GratingsSettings))
}

struct Drawn;

/// What is known before it is open. By default a data set reads no folder and has no masks.
impl RegisteredDataset for Drawn {
    fn open(&self, own: &Value, _: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(Gratings::new(settings("gratings", own)?)))
    }

    fn may_have_validation(&self) -> bool {
        false
    }

    fn has_one_size(&self) -> bool {
        true
    }
}

/// The settings, which stand beside `dataset` in `[data]`. Their bounds are checked as the experiment is loaded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct GratingsSettings {
    /// Directions, the classes.
    #[schemars(range(min = 2, max = 16))]
    directions: usize,
    /// Training images of every class.
    #[schemars(range(min = 1))]
    train_per_class: usize,
    /// Test images of every class.
    test_per_class: usize,
    /// Width and height, pixels.
    #[schemars(range(min = 8))]
    size: usize,
}

impl Default for GratingsSettings {
    fn default() -> Self {
        Self { directions: 4, train_per_class: 40, test_per_class: 10, size: 32 }
    }
}

struct Gratings {
    settings: GratingsSettings,
    classes: Vec<String>,
    records: Vec<Record>,
}

impl Gratings {
    fn new(settings: GratingsSettings) -> Self {
        let classes: Vec<String> = (0..settings.directions).map(|class| format!("direction-{class:02}")).collect();
        let mut records = Vec::new();
        for (split, per_class) in [(Split::Train, settings.train_per_class), (Split::Test, settings.test_per_class)] {
            for (label, class) in classes.iter().enumerate() {
                records.extend((0..per_class).map(|number| Record {
                    id: format!("{}/{class}/{number:04}", split.name()),
                    path: None,
                    label: Some(label),
                    group: None,
                    split: Some(split),
                }));
            }
        }
        Self { settings, classes, records }
    }
}

impl Dataset for Gratings {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    /// The same index gives the same picture, on any thread: it is drawn from a generator of its own.
    fn image(&self, index: usize) -> Result<Picture> {
        let record = self.records.get(index).ok_or_else(|| Error::settings(format!("no image {index}")))?;
        let (size, class) = (self.settings.size, record.label.unwrap_or_default() as f64);
        let mut generator = Generator::new(1, "gratings", &[index as u64]);
        let angle = PI * (class + generator.uniform_in(-0.2, 0.2)) / self.classes.len() as f64;
        let (period, phase) = (generator.uniform_in(5.0, 8.0), generator.uniform_in(0.0, TAU));
        let mut pixels = Vec::with_capacity(3 * size * size);
        for (y, x) in (0..size).flat_map(|y| (0..size).map(move |x| (y as f64, x as f64))) {
            let stripes = (TAU * (x * angle.cos() + y * angle.sin()) / period + phase).sin();
            let value = 0.5 + 0.3 * stripes + 0.05 * generator.normal();
            pixels.extend([value.clamp(0.0, 1.0) as f32; 3]);
        }
        Picture::new(size, size, pixels).ok_or_else(|| Error::settings("a picture of no size"))
    }

    fn mask_sources(&self) -> &[&'static str] {
        &[]
    }

    fn mask(&self, _: usize, _: &str) -> Result<Option<Mask>> {
        Ok(None)
    }

    /// All that the pixels depend on: so nothing is decoded to tell whether the data are still the same.
    fn origin(&self, index: usize) -> Origin {
        let GratingsSettings { directions, size, .. } = self.settings;
        let label = self.records.get(index).and_then(|record| record.label);
        Origin::Rule(format!("gratings 1: image {index} of class {label:?}, {directions} directions, {size} pixels"))
    }
}
