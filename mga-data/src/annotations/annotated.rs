//! The images of a data set with their label maps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::settings::{AnnotationKind, AnnotationSettings};
use crate::area_resize::resize_area;
use crate::dataset::{Dataset, Origin};
use crate::decode::{self, Header};
use crate::error::{Error, Result};
use crate::label_map::read_label_map;
use crate::labelme::{LabelMeSettings, read_labelme};
use crate::masks::files::{inside, place};
use crate::masks::{MaskFinder, MaskOrientation, turned_as};
use crate::picture::{Mask, Picture};
use crate::source::Source;

/// The images of a data set with their label maps.
pub struct Annotated {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) settings: AnnotationSettings,
    /// The source of masks, for `masks`.
    pub(super) masks: String,
    /// The file of every image that has one, for the other kinds.
    files: Vec<Option<PathBuf>>,
}

impl Annotated {
    /// Looks for the annotations of `dataset`; `masks` is the name of its mask source, for [`AnnotationKind::Masks`].
    ///
    /// # Errors
    /// No such folder, settings that cannot be used, or not a single annotated image.
    pub fn open(dataset: Arc<dyn Dataset>, settings: AnnotationSettings, masks: &str) -> Result<Self> {
        if settings.classes.len() < 2 || settings.classes.len() > 255 {
            let found = settings.classes.len();
            return Err(Error::setting("data.annotations.classes", format!("expected 2 to 255 names, found {found}")));
        }
        let extension = match settings.source {
            AnnotationKind::Masks if settings.classes.len() != 2 => {
                let what = format!("masks tell two classes apart, and {} are named", settings.classes.len());
                return Err(Error::setting("data.annotations.classes", what));
            }
            AnnotationKind::Masks => None,
            AnnotationKind::Labelme => Some("json"),
            AnnotationKind::IndexPng => Some("png"),
        };
        if let Some(root) = settings.root.as_deref().filter(|root| extension.is_some() && !root.is_dir()) {
            return Err(Error::file(root, "there is no such folder; check data.annotations.root"));
        }
        let file = |record: &crate::Record| {
            let extension = extension?;
            let path = match (&settings.root, &record.path) {
                (Some(root), _) => root.join(place(&record.id, extension)),
                (None, Some(image)) => image.with_extension(extension),
                (None, None) => return None,
            };
            // An image is no label map of itself.
            (path.is_file() && record.path.as_deref() != Some(path.as_path())).then_some(path)
        };
        let files = dataset.records().iter().map(file).collect();
        let annotated = Self { dataset, settings, masks: masks.to_owned(), files };
        if !(0..annotated.dataset.len()).any(|index| annotated.has(index)) {
            return Err(Error::settings(annotated.none_found()));
        }
        Ok(annotated)
    }

    fn none_found(&self) -> String {
        let (AnnotationSettings { source, root, .. }, records) = (&self.settings, self.dataset.records());
        let example = records.first().map(|record| match (source, root, &record.path) {
            (AnnotationKind::Masks, ..) => format!("a mask from `{}` for {}", self.masks, record.id),
            (kind, root, path) => {
                let extension = if *kind == AnnotationKind::Labelme { "json" } else { "png" };
                match (root, path) {
                    (Some(root), _) => root.join(place(&record.id, extension)).display().to_string(),
                    (None, Some(path)) => path.with_extension(extension).display().to_string(),
                    (None, None) => "data.annotations.root, since the images lie in no files".to_owned(),
                }
            }
        });
        let near = self.near().map_or_else(String::new, |near| format!("; there is {}", near.display()));
        format!(
            "no image is annotated; expected {} for example{near}",
            example.unwrap_or_else(|| "an image".to_owned())
        )
    }

    /// A file that may be the first image's annotation, by another name.
    fn near(&self) -> Option<PathBuf> {
        let record = self.dataset.records().first().filter(|_| self.settings.source == AnnotationKind::IndexPng)?;
        let root = self.settings.root.as_deref()?;
        let usual = |place: &Path| vec![place.with_extension("png").file_name().unwrap_or_default().into()];
        MaskFinder::new(root, "", (None, None), usual).ok()?.near(&inside(&record.id)).map(|(path, _)| path)
    }

    /// Returns whether image `index` is annotated.
    pub fn has(&self, index: usize) -> bool {
        match self.settings.source {
            AnnotationKind::Masks => self.dataset.has_mask(index, &self.masks),
            _ => self.files.get(index).is_some_and(Option::is_some),
        }
    }

    /// Returns the origin of the label map of image `index`, apart from settings and the image's size.
    pub fn origin(&self, index: usize) -> Origin {
        match self.settings.source {
            AnnotationKind::Masks => self.dataset.mask_origin(index, &self.masks),
            _ => self.files.get(index).cloned().flatten().map_or(Origin::Absent, Origin::File),
        }
    }

    /// Returns the class names.
    pub fn classes(&self) -> &[String] {
        &self.settings.classes
    }

    /// Image and label map of `index`, of one size, not yet cut.
    fn whole(&self, index: usize) -> Result<(Picture, Mask)> {
        let id = || self.id(index).to_owned();
        if self.settings.source == AnnotationKind::Masks {
            let (picture, mask) = self.dataset.image_and_mask(index, &self.masks)?;
            let mask = mask.ok_or_else(|| Error::Image { id: id(), what: "has no mask to be annotated by".into() })?;
            let mask = resize_area(&mask, picture.width(), picture.height());
            let class = |v: f32| u8::from(f64::from(v) >= self.settings.threshold);
            let label = |v: &f32| if v.is_nan() { Mask::IGNORE } else { class(*v) };
            let labels: Vec<u8> = mask.values().iter().map(label).collect();
            let map = Mask::label_map(mask.width(), mask.height(), &labels);
            return Ok((picture, map.ok_or_else(|| Error::Image { id: id(), what: "has no pixels".into() })?));
        }
        let Some(path) = self.files.get(index).and_then(Option::as_deref) else {
            return Err(Error::Image { id: id(), what: "is not annotated".to_owned() });
        };
        let picture = self.dataset.image(index)?;
        let size = (picture.width(), picture.height());
        let image = self.dataset.records().get(index).and_then(|record| record.path.as_deref());
        let header = image.map(decode::header).transpose()?;
        let stored = header.filter(|_| self.settings.orientation == Some(MaskOrientation::Stored));
        let map = self.read(path, stored.map_or(size, |header| header.stored))?;
        let map = stored.map_or_else(|| map.clone(), |header| turned_as(&map, header.orientation));
        if (map.width(), map.height()) != size {
            return Err(other_size(path, &map, size, header));
        }
        Ok((picture, map))
    }

    fn read(&self, path: &Path, size: (usize, usize)) -> Result<Mask> {
        let AnnotationSettings { classes, line_width, region, .. } = &self.settings;
        if self.settings.source == AnnotationKind::IndexPng {
            return read_label_map(path, classes.len());
        }
        let settings = LabelMeSettings { classes: classes.clone(), line_width: *line_width, region: region.clone() };
        read_labelme(path, size, &settings)
    }
}

impl Source for Annotated {
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        let (picture, map) = self.whole(index)?;
        if !self.settings.crop {
            return Ok((picture, Some(map)));
        }
        let Some((place, size)) = bounds(&map) else {
            let what = "has no pixel that is annotated: all count nowhere".to_owned();
            return Err(Error::Image { id: self.id(index).to_owned(), what });
        };
        // The bounds lie inside, so both windows are there.
        match (picture.window(place, size), map.window(place, size)) {
            (Some(picture), Some(map)) => Ok((picture, Some(map))),
            _ => Ok((picture, Some(map))),
        }
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.dataset.records().get(index).and_then(|record| record.label)
    }

    fn id(&self, index: usize) -> &str {
        self.dataset.records().get(index).map_or("", |record| &record.id)
    }
}

fn other_size(path: &Path, map: &Mask, size: (usize, usize), header: Option<Header>) -> Error {
    let ((w, h), found) = (size, (map.width(), map.height()));
    let turned = header.is_some_and(|header| header.stored != header.upright() && header.stored == found);
    let hint = if turned {
        "; it fits the pixels as they are stored, before EXIF turns them: data.annotations.orientation = \"stored\" takes it \
         so"
    } else {
        ""
    };
    let (mw, mh) = found;
    Error::file(path, format!("is a label map of {mw} x {mh} for an image of {w} x {h}: expected its size{hint}"))
}

/// The smallest window, (top, left) and (height, width), that holds every pixel that counts.
fn bounds(map: &Mask) -> Option<((usize, usize), (usize, usize))> {
    let width = map.width();
    let counts = |(_, value): &(usize, &f32)| **value != f32::from(Mask::IGNORE);
    let places: Vec<usize> = map.values().iter().enumerate().filter(counts).map(|(place, _)| place).collect();
    let (top, bottom) = (places.first()? / width, places.last()? / width);
    let columns = || places.iter().map(|place| place % width);
    let (left, right) = (columns().min()?, columns().max()?);
    Some(((top, left), (bottom - top + 1, right - left + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::image_folder::{self, ImageFolderSettings};
    use crate::datasets::leaves::{Leaves, LeavesSettings};
    use crate::datasets::testing::{grey_png, rgb_jpeg};
    use crate::registry::OpenContext;

    fn leaves() -> Arc<dyn Dataset> {
        let settings = LeavesSettings { size: 32, train_per_class: 1, test_per_class: 1, ..Default::default() };
        Arc::new(Leaves::new(settings).unwrap())
    }

    #[test]
    fn masks_become_two_classes() {
        let leaves = leaves();
        let annotated = Annotated::open(Arc::clone(&leaves), AnnotationSettings::default(), "veins").unwrap();
        let (picture, map) = annotated.load(3).unwrap();
        let (expected, mask) = leaves.image_and_mask(3, "veins").unwrap();
        assert_eq!(picture, expected);
        let labels: Vec<f32> = mask.unwrap().values().iter().map(|v| f32::from(u8::from(*v >= 0.5))).collect();
        assert_eq!(map.unwrap().values(), labels);
        assert!(labels.contains(&1.0) && labels.contains(&0.0));
        let more = AnnotationSettings { classes: ["a", "b", "c"].map(str::to_owned).to_vec(), ..Default::default() };
        assert!(Annotated::open(leaves, more, "veins").err().unwrap().to_string().contains("two classes"));
    }

    fn folder_of_images() -> (tempfile::TempDir, Arc<dyn Dataset>) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["train/a/1.jpg", "train/a/2.jpg", "test/a/3.jpg"] {
            rgb_jpeg(&folder.path().join("images").join(name), 6, 4);
        }
        let context = OpenContext { root: Some(folder.path().join("images")), ..OpenContext::default() };
        let set = image_folder::open(&ImageFolderSettings::default(), &context).unwrap();
        (folder, Arc::new(set))
    }

    #[test]
    fn label_maps_lie_in_their_folder_and_images_are_cut_to_them() {
        let (folder, set) = folder_of_images();
        let root = folder.path().join("labels");
        // Annotated: columns 1 to 3 of rows 1 and 2.
        let label = |x, y| if (1..4).contains(&x) && (1..3).contains(&y) { (x - 1) as u8 } else { 255 };
        grey_png(&root.join("train/a/2.png"), 6, 4, label);
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let settings =
            AnnotationSettings { source: AnnotationKind::IndexPng, root: Some(root), classes, ..Default::default() };
        let annotated = Annotated::open(Arc::clone(&set), settings.clone(), "none").unwrap();
        let ids: Vec<&str> = (0..3).filter(|&i| annotated.has(i)).map(|i| annotated.id(i)).collect();
        assert_eq!(ids, ["train/a/2.jpg"]);
        let index = (0..3).find(|&i| annotated.has(i)).unwrap();
        let (picture, map) = annotated.load(index).unwrap();
        assert_eq!((picture.width(), picture.height()), (6, 4));
        assert_eq!(map.unwrap().values()[6..12], [255.0, 0.0, 1.0, 2.0, 255.0, 255.0]);
        let cut = Annotated::open(set, AnnotationSettings { crop: true, ..settings }, "none").unwrap();
        let (picture, map) = cut.load(index).unwrap();
        assert_eq!((picture.width(), picture.height()), (3, 2));
        assert_eq!(map.unwrap().values(), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn labelme_files_lie_beside_the_images() {
        let (folder, set) = folder_of_images();
        let settings = AnnotationSettings { source: AnnotationKind::Labelme, line_width: 1.0, ..Default::default() };
        let none = Annotated::open(Arc::clone(&set), settings.clone(), "none").err().unwrap().to_string();
        assert!(none.contains("no image is annotated") && none.contains(".json"), "{none}");
        let json = r#"{"imageWidth": 6, "imageHeight": 4,
            "shapes": [{"label": "foreground", "shape_type": "line", "points": [[0.5, 1.5], [2.5, 1.5]]}]}"#;
        std::fs::write(folder.path().join("images/train/a/1.json"), json).unwrap();
        let annotated = Annotated::open(set, settings, "none").unwrap();
        let index = (0..3).find(|&i| annotated.has(i)).unwrap();
        let (_, map) = annotated.load(index).unwrap();
        let map = map.unwrap();
        assert_eq!(map.values().iter().sum::<f32>(), 3.0);
        assert_eq!(map.values()[6..10], [1.0, 1.0, 1.0, 0.0]);
        let other = (0..3).find(|&i| !annotated.has(i)).unwrap();
        assert!(annotated.load(other).unwrap_err().to_string().contains("not annotated"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (folder, set) = folder_of_images();
        let root = folder.path().join("labels");
        let settings =
            AnnotationSettings { source: AnnotationKind::IndexPng, root: Some(root.clone()), ..Default::default() };
        let open = |settings: &AnnotationSettings| Annotated::open(Arc::clone(&set), settings.clone(), "none");
        assert!(open(&settings).err().unwrap().to_string().contains("no such folder"));
        grey_png(&root.join("test/a/3.png"), 5, 4, |_, _| 0);
        let annotated = open(&settings).unwrap();
        let index = (0..3).find(|&i| annotated.has(i)).unwrap();
        let error = annotated.load(index).unwrap_err().to_string();
        assert!(error.contains("5 x 4 for an image of 6 x 4"), "{error}");
        grey_png(&root.join("test/a/3.png"), 6, 4, |_, _| 255);
        let all_ignored = open(&AnnotationSettings { crop: true, ..settings }).unwrap();
        assert!(all_ignored.load(index).unwrap_err().to_string().contains("no pixel that is annotated"));
    }
}
