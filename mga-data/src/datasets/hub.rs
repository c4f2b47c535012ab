//! `hub`: a data set of the Hugging Face hub in parquet files, or such files in a local folder.
//!
//! A row is an image: a column with the bytes of an image file (`image.bytes`, as the hub's own viewer writes them), one
//! with its label (a number, or the class's name), and where there are any the class's name, the split, a group, and a
//! mask. Only the small columns are read when opening; images are read by row group, and the groups read last stay in
//! memory.

mod columns;
mod files;
mod groups;
mod settings;

use std::sync::Arc;

use mga_registry::Entry;
use serde_json::Value;

use self::columns::Labels;
use self::files::{Kind, Table};
use self::groups::Groups;
pub use self::settings::HubSettings;
use crate::background::{self, Backdrop};
use crate::dataset::{Dataset, Origin, Record};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::decode;
use crate::error::{Error, Result};
use crate::masks::{MaskContents, MaskReading, turned_as};
use crate::picture::{Mask, Picture};

/// Returns `hub` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "a data set of the Hugging Face hub in parquet files (`repo`), or such files in data.root";
    let entry = Entry::<Datasets>::new("hub", about, Arc::new(Hub));
    entry.with_settings(schemars::schema_for!(HubSettings)).with_conditions(&[background::CONDITION])
}

struct Hub;

impl RegisteredDataset for Hub {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(&settings("hub", own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Optional
    }

    fn masks(&self) -> &[OfferedMasks] {
        &[OfferedMasks { name: "column", about: "the column of masks", in_files: true }]
    }
}

/// Where an image lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    table: usize,
    group: usize,
    row: usize,
}

/// The open data set.
struct HubSet {
    classes: Vec<String>,
    records: Vec<Record>,
    places: Vec<Place>,
    tables: Vec<Table>,
    groups: Groups,
    backdrop: Backdrop,
    reading: MaskReading,
    image: String,
    mask: Option<String>,
}

/// Opens it: finds the files, downloading those that are not in the cache, and reads all columns but images and masks.
///
/// # Errors
/// No such repository, no parquet files in it, columns that are not there or hold something else, an unknown split. Rows
/// without an image show only when they are asked for: `data.on_error` says what then.
fn open(own: &HubSettings, context: &OpenContext) -> Result<HubSet> {
    let tables = files::find(own, context)?;
    let Some(first) = tables.first() else { return Err(Error::setting("data.files", "no parquet file is left")) };
    let image = match &own.image_column {
        Some(name) => name.clone(),
        None => columns::image_column(first)?,
    };
    let label = match &own.label_column {
        Some(name) => Some(name.clone()),
        None => ["label", "labels", "fine_label"].into_iter().find(|name| first.has(name)).map(str::to_owned),
    };
    let mut set = HubSet {
        classes: vec![],
        records: vec![],
        places: vec![],
        groups: Groups::default(),
        backdrop: context.backdrop(&own.background, own.background_seed),
        reading: context.masks.clone(),
        image,
        mask: own.mask_column.clone(),
        tables: vec![],
    };
    let mut labels = Labels::default();
    for (index, table) in tables.iter().enumerate() {
        table.require(&set.image, "data.image_column", Kind::Bytes)?;
        if let Some(mask) = &set.mask {
            table.require(mask, "data.mask_column", Kind::Bytes)?;
        }
        let texts = |name: &Option<String>, key: &str| -> Result<Option<Vec<Option<String>>>> {
            name.as_deref().map(|name| table.texts(name, key)).transpose()
        };
        labels.add(texts(&label, "data.label_column")?, texts(&own.class_column, "data.class_column")?, table.rows());
        let (splits, groups) =
            (texts(&own.split_column, "data.split_column")?, texts(&own.group_column, "data.group_column")?);
        let mut row = 0;
        for (group, rows) in table.group_rows().into_iter().enumerate() {
            for inner in 0..rows {
                let said = splits.as_ref().map(|splits| splits.get(row).cloned().flatten());
                let split = match said {
                    None => table.split,
                    Some(None) => None,
                    Some(Some(text)) => Some(files::split_named(&text).ok_or_else(|| {
                        let what = format!("row {row} is of split `{text}`; expected train, validation or test");
                        Error::file(&table.path, what)
                    })?),
                };
                set.records.push(Record {
                    id: format!("{}#{row}", table.name),
                    path: None,
                    label: None,
                    group: groups.as_ref().and_then(|groups| groups.get(row).cloned().flatten()),
                    split,
                });
                set.places.push(Place { table: index, group, row: inner });
                row += 1;
            }
        }
    }
    let named = first.class_labels(label.as_deref());
    let (classes, indices) = labels.finish(named)?;
    set.classes = classes;
    set.records.iter_mut().zip(indices).for_each(|(record, label)| record.label = label);
    set.tables = tables;
    Ok(set)
}

impl HubSet {
    fn within(&self, index: usize) -> Origin {
        let table = self.places.get(index).and_then(|place| self.tables.get(place.table));
        table.map_or(Origin::Absent, |table| Origin::Within(table.path.clone(), index))
    }

    fn bytes(&self, index: usize, column: &str) -> Result<Option<parquet::data_type::ByteArray>> {
        let place = self.places.get(index).copied();
        let table = place.and_then(|place| self.tables.get(place.table));
        let (Some(place), Some(table)) = (place, table) else {
            return Err(Error::settings(format!("there is no image {index}; there are {}", self.places.len())));
        };
        let cells = self.groups.get((place.table, place.group, column), || table.cells(place.group, column))?;
        Ok(cells.get(place.row).cloned().flatten())
    }
}

impl Dataset for HubSet {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        let id = self.records.get(index).map_or("", |record| record.id.as_str());
        let missing = || Error::Image { id: id.to_owned(), what: format!("no bytes in column `{}`", self.image) };
        let bytes = self.bytes(index, &self.image)?.ok_or_else(missing)?;
        Ok(decode::picture_and_alpha_from_bytes(bytes.data(), id.as_ref(), &self.backdrop, id)?.0)
    }

    fn origin(&self, index: usize) -> Origin {
        self.within(index)
    }

    fn mask_origin(&self, index: usize, _: &str) -> Origin {
        self.within(index)
    }

    fn mask_sources(&self) -> &[&'static str] {
        if self.mask.is_some() { &["column"] } else { &[] }
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        let Some(column) = self.mask.as_deref().filter(|_| source == "column") else { return Ok(None) };
        let id = self.records.get(index).map_or("", |record| record.id.as_str());
        match self.bytes(index, column)? {
            Some(bytes) => {
                let mask = self.reading.mask_from_bytes(bytes.data(), id.as_ref())?;
                // The image is only needed where the mask lies as it is stored.
                if !self.reading.as_stored() {
                    return Ok(Some(mask));
                }
                let image = self.bytes(index, &self.image)?;
                let turned = image.map(|image| decode::header_from_bytes(image.data(), id.as_ref())).transpose()?;
                Ok(Some(turned.map_or_else(|| mask.clone(), |image| turned_as(&mask, image.orientation))))
            }
            None => Ok(None),
        }
    }

    fn mask_contents(&self, index: usize, source: &str) -> Result<Option<MaskContents>> {
        let Some(column) = self.mask.as_deref().filter(|_| source == "column") else { return Ok(None) };
        let id = self.records.get(index).map_or("", |record| record.id.as_str());
        let bytes = self.bytes(index, column)?;
        bytes.map(|bytes| self.reading.contents(bytes.data(), id.as_ref())).transpose()
    }

    fn has_mask(&self, index: usize, source: &str) -> bool {
        let column = self.mask.as_deref().filter(|_| source == "column");
        column.is_some_and(|column| matches!(self.bytes(index, column), Ok(Some(_))))
    }
}

#[cfg(test)]
mod tests;
