use std::path::Path;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage};

use super::*;
use crate::datasets::file_set::FileSet;
use crate::datasets::image_folder::{self, ImageFolderSettings};
use crate::datasets::testing::{grey_png, rgb_jpeg};
use crate::error::Result;
use crate::masks::MaskOrientation;
use crate::registry::OpenContext;

/// A folder of images of 4 x 2 pixels in one class, each with a mask.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where the mask of a new image called `name` goes.
    fn mask_of(&self, name: &str) -> std::path::PathBuf {
        rgb_jpeg(&self.0.path().join(format!("a/{name}.jpg")), 4, 2);
        let mask = self.0.path().join(format!("masks/a/{name}.png"));
        std::fs::create_dir_all(mask.parent().unwrap()).unwrap();
        mask
    }

    /// A grey mask of these numbers, again and again.
    fn grey(&self, name: &str, numbers: &[u8]) {
        grey_png(&self.mask_of(name), 4, 2, |x, y| numbers[(y * 4 + x) as usize % numbers.len()]);
    }

    fn palette(&self, name: &str, colours: &[[u8; 3]]) {
        let file = std::fs::File::create(self.mask_of(name)).unwrap();
        let mut encoder = png::Encoder::new(file, 4, 2);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(colours.concat());
        encoder.write_header().unwrap().write_image_data(&[0, 1, 2, 0, 1, 2, 0, 1]).unwrap();
    }

    fn open(&self, reading: &MaskReading) -> Result<FileSet> {
        let masks = reading.clone();
        let context = OpenContext { root: Some(self.0.path().to_path_buf()), masks, ..OpenContext::default() };
        let settings = ImageFolderSettings { mask_root: Some("masks".into()), ..ImageFolderSettings::default() };
        image_folder::open(&settings, &context)
    }

    fn survey(&self, reading: &MaskReading) -> MaskSurvey {
        let set = self.open(reading).unwrap_or_else(|error| panic!("{error}"));
        survey(&set, "folder", &(0..set.len()).collect::<Vec<_>>(), reading)
    }
}

fn lists(foreground: &[u16], background: &[u16], ignore: &[u16]) -> MaskReading {
    let [foreground, background, ignore] = [foreground, background, ignore].map(<[u16]>::to_vec);
    MaskReading { foreground, background, ignore, ..MaskReading::default() }
}

fn says(lines: &[String], parts: &[&str]) {
    let text = lines.join("\n");
    parts.iter().for_each(|part| assert!(text.contains(part), "no {part} in:\n{text}"));
}

#[test]
fn plain_masks_are_counted_and_nothing_is_said() {
    let folder = Folder::new();
    folder.grey("1", &[0, 255]);
    folder.grey("2", &[255]);
    folder.grey("3", &[0]);
    let survey = folder.survey(&MaskReading::default());
    assert_eq!((survey.files, survey.of), (3, 3));
    assert_eq!((&survey.problems[..], &survey.notes[..]), (&[][..], &[][..]));
    let lines = survey.lines();
    says(&lines, &["2 PNG, 8-bit grey: 0, 255 (first: a/1.jpg)", "1 PNG, 8-bit grey: 0 (first: a/3.jpg)"]);
}

#[test]
fn a_trimap_and_class_numbers_are_pointed_out() {
    for numbers in [&[1, 2, 3][..], &[0, 1, 255], &[0, 7, 12]] {
        let folder = Folder::new();
        folder.grey("1", numbers);
        let survey = folder.survey(&MaskReading::default());
        let listed = numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        says(
            &survey.notes,
            &["1 mask with only a few whole numbers", &listed, "a/1.jpg", "data.masks.foreground = [..]"],
        );
        assert!(survey.problems.is_empty());
    }
    // Said what they mean, nothing is left to say but what is not named.
    let folder = Folder::new();
    folder.grey("1", &[1, 2, 3]);
    assert_eq!(folder.survey(&lists(&[1], &[2], &[3])).notes, Vec::<String>::new());
    says(&folder.survey(&lists(&[1], &[], &[])).notes, &["does not name are background: 2, 3"]);
    says(&folder.survey(&lists(&[1, 9], &[], &[])).notes, &["data.masks.foreground names 9, which no mask holds"]);
    says(&folder.survey(&lists(&[255], &[], &[])).problems, &["foreground names 255", "they hold 1, 2, 3"]);
    let unlisted = folder.survey(&lists(&[1], &[2], &[]));
    assert_eq!((unlisted.files, unlisted.of), (0, 1));
    says(&unlisted.unreadable, &["masks/a/1.png", "the value 3"]);
}

#[test]
fn nearly_black_masks_and_mixed_kinds_are_pointed_out() {
    let folder = Folder::new();
    folder.grey("1", &[0, 60]);
    says(&folder.survey(&MaskReading::default()).notes, &["nearly black: 1 mask", "60 of 255"]);
    let deep = ImageBuffer::<Luma<u16>, _>::from_fn(4, 2, |x, _| Luma([if x < 2 { 4095 } else { 0 }]));
    deep.save(folder.mask_of("2")).unwrap();
    let colours = RgbImage::from_fn(4, 2, |x, _| if x < 2 { Rgb([255, 0, 0]) } else { Rgb([0; 3]) });
    colours.save(folder.mask_of("3")).unwrap();
    folder.grey("4", &[0, 1]);
    let survey = folder.survey(&MaskReading::default());
    says(&survey.notes, &["4095 of 65535, twelve bits in sixteen", "masks are of 4 kinds", "1 mask in colour"]);
    says(&survey.lines(), &["1 PNG, 16-bit grey: 0, 4095", "1 PNG, 8-bit colour: 0, 255", "1 PNG, 8-bit grey: 0, 1"]);
}

#[test]
fn coloured_palettes_need_the_indices_and_both_readings_are_shown() {
    let folder = Folder::new();
    folder.palette("1", &[[0, 0, 0], [128, 0, 0], [224, 224, 192]]);
    let survey = folder.survey(&MaskReading::default());
    says(&survey.problems, &["index 1 is the colour [128, 0, 0], as brightness 0.50", "data.masks.foreground = [..]"]);
    says(&survey.lines(), &["1 PNG, palette of colours: 0, 1, 2"]);
    let listed = folder.survey(&lists(&[1], &[], &[2]));
    assert!(listed.problems.is_empty(), "{:?}", listed.problems);
    let greys = Folder::new();
    greys.palette("1", &[[0, 0, 0], [255, 255, 255], [128, 128, 128]]);
    assert!(greys.survey(&MaskReading::default()).problems.is_empty());
    says(&greys.survey(&MaskReading::default()).lines(), &["1 PNG, palette of greys: 0, 128, 255"]);
}

#[test]
fn a_truncated_mask_is_told_by_path() {
    let folder = Folder::new();
    let noise = RgbImage::from_fn(4, 2, |x, y| Rgb([(x * 37 + y * 91) as u8, (x * 13) as u8, y as u8]));
    noise.save(folder.mask_of("1")).unwrap();
    folder.grey("2", &[0, 255]);
    let path = folder.mask_of("1");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let survey = folder.survey(&MaskReading::default());
    assert_eq!((survey.files, survey.of), (1, 2));
    says(&survey.unreadable, &["masks/a/1.png"]);
}

/// A JPEG of 16 x 8 stored pixels that EXIF turns.
fn turned_jpeg(path: &Path, orientation: u8) {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(16, 8)).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    std::fs::write(path, [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()).unwrap();
}

#[test]
fn masks_of_stored_pixels_are_turned_with_their_photographs() {
    let folder = Folder::new();
    let image = |name: &str| folder.0.path().join(format!("a/{name}.jpg"));
    // The upper left of what is stored: turned clockwise it is the upper right, by a half turn the lower right.
    let mark = |x: u32, y: u32| if x < 2 && y < 2 { 255 } else { 0 };
    for (name, orientation) in [("1", 6), ("2", 3)] {
        grey_png(&folder.mask_of(name), 16, 8, mark);
        turned_jpeg(&image(name), orientation);
    }
    // On its side it fits the stored pixels alone, which the error says.
    let message = folder.open(&MaskReading::default()).unwrap_err().to_string();
    assert!(message.contains("masks/a/1.png") && message.contains("data.masks.orientation = \"stored\""), "{message}");
    let stored = MaskReading { orientation: Some(MaskOrientation::Stored), ..MaskReading::default() };
    let set = folder.open(&stored).unwrap();
    let (quarter, half) = (set.mask(0, "folder").unwrap().unwrap(), set.mask(1, "folder").unwrap().unwrap());
    assert_eq!((quarter.width(), quarter.height(), half.width()), (8, 16, 16));
    assert_eq!((quarter.values()[7], quarter.values()[0], half.values()[127], half.values()[0]), (1.0, 0.0, 1.0, 0.0));
    assert_eq!(folder.survey(&stored).notes, Vec::<String>::new());
    // A half turn shows in no shape: it is said how many there are, until somebody decides.
    for file in [image("1"), folder.mask_of("1"), image("1")] {
        let _ = std::fs::remove_file(file);
    }
    says(&folder.survey(&MaskReading::default()).notes, &["EXIF turns or mirrors 1 photograph in", "a/2.jpg"]);
    let upright = MaskReading { orientation: Some(MaskOrientation::Upright), ..MaskReading::default() };
    assert_eq!(folder.survey(&upright).notes, Vec::<String>::new());
}

#[test]
fn squeezed_masks_are_stretched_where_that_is_said() {
    let folder = Folder::new();
    grey_png(&folder.mask_of("1"), 2, 2, |x, _| if x == 0 { 255 } else { 0 });
    let message = folder.open(&MaskReading::default()).unwrap_err().to_string();
    assert!(message.contains("2 x 2") && message.contains("data.masks.stretch = true"), "{message}");
    let stretch = MaskReading { stretch: true, ..MaskReading::default() };
    assert!(folder.survey(&stretch).unreadable.is_empty());
    let set = std::sync::Arc::new(folder.open(&stretch).unwrap());
    let settings = crate::MaskSettings { reading: stretch, ..crate::MaskSettings::default() };
    let (_, mask) = crate::MaskSource::new(settings, set, &crate::registry::builtin()).unwrap().load(0).unwrap();
    assert_eq!(mask.unwrap().values()[..4], [1.0, 1.0, 0.0, 0.0]);
}
