//! The meaning of the numbers in mask files: as brightness, or by lists that say what each number means.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aspect::same_aspect;
use super::contents::MaskContents;
use super::orientation::{MaskOrientation, turned_as};
use crate::decode::stored::{Form, Stored};
use crate::decode::{self, Header};
use crate::error::{Error, Result};
use crate::picture::Mask;

/// How mask files are read. The default is brightness: grey, or the strongest channel of a coloured file, over its full
/// scale; a largest number of 1 means 0 and 1, and in 16 bits one of 255 means 0 to 255.
///
/// Where a list is given, numbers mean what it says: indices in files with a coloured palette, grey values otherwise. With
/// `foreground` alone all other numbers are background, with `background` alone all others are foreground; with both, a
/// number in no list is an error; with `ignore` alone the others are read as brightness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskReading {
    /// Numbers in mask files that mean 1: indices in files with a palette of colours, grey values otherwise. With this list
    /// alone all others mean 0; without any list, brightness counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-older-releases" = []))]
    pub foreground: Vec<u16>,
    /// Numbers in mask files that mean 0; alone, all others mean 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-older-releases" = []))]
    pub background: Vec<u16>,
    /// Numbers in mask files of pixels that are ignored: they have no share in the attention's target and loss.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-older-releases" = []))]
    pub ignore: Vec<u16>,
    /// Which pixels of photographs that EXIF turns the mask files were drawn on: `upright` as they are shown, `stored` as
    /// they are stored; left out: upright, and how many there are that nothing shows is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-older-releases" = "upright"))]
    pub orientation: Option<MaskOrientation>,
    /// Stretch masks of another aspect to their images, as the square outputs of some segmenters need; otherwise they are
    /// errors.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-older-releases" = false))]
    pub stretch: bool,
}

impl MaskReading {
    /// Returns every setting, including those that are left out, for records and hashes of masks. This text must not
    /// change, because hashes of data in existing runs include it.
    #[must_use]
    pub fn written_out(&self) -> serde_json::Value {
        let Self { foreground, background, ignore, orientation, stretch } = self;
        serde_json::json!({
            "foreground": foreground,
            "background": background,
            "ignore": ignore,
            "orientation": orientation,
            "stretch": stretch,
        })
    }

    /// Returns whether a list says what numbers mean.
    pub fn lists_numbers(&self) -> bool {
        !(self.foreground.is_empty() && self.background.is_empty() && self.ignore.is_empty())
    }

    /// Whether masks lie as the pixels of their image are stored.
    pub(crate) fn as_stored(&self) -> bool {
        self.orientation == Some(MaskOrientation::Stored)
    }

    /// Whether a mask of that size belongs to an image of that header, or is stretched to it.
    pub(crate) fn fits(&self, image: &Header, mask: (usize, usize)) -> bool {
        let expected = if self.as_stored() { image.stored } else { image.upright() };
        self.stretch || same_aspect(expected, mask)
    }

    /// Returns a number that two lists name, with the lists.
    pub fn named_twice(&self) -> Option<(u16, &'static str, &'static str)> {
        let lists = [("foreground", &self.foreground), ("background", &self.background), ("ignore", &self.ignore)];
        lists.iter().enumerate().find_map(|(at, (name, list))| {
            let mut others = lists.iter().skip(at + 1);
            others.find_map(|(other, more)| list.iter().find(|n| more.contains(n)).map(|&n| (n, *name, *other)))
        })
    }

    /// Returns the mask in the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be decoded; numbers that no list names, or colours where there are lists.
    pub fn mask(&self, path: &Path) -> Result<Mask> {
        self.mask_from_bytes(&decode::read(path)?, path)
    }

    /// The mask in the file at `path`, of the image at `image`, upright.
    ///
    /// # Errors
    /// As [`MaskReading::mask`]; an image whose header cannot be read.
    pub(crate) fn mask_of(&self, path: &Path, image: Option<&Path>) -> Result<Mask> {
        let mask = self.mask(path)?;
        match image.filter(|_| self.as_stored()) {
            Some(image) => Ok(turned_as(&mask, decode::header(image)?.orientation)),
            None => Ok(mask),
        }
    }

    /// [`MaskReading::mask`] of a file already in memory; `path` is for messages.
    pub(crate) fn mask_from_bytes(&self, bytes: &[u8], path: &Path) -> Result<Mask> {
        if !self.lists_numbers() {
            return decode::mask_from_bytes(bytes, path);
        }
        self.read(&Stored::read(bytes, path)?, path)
    }

    /// What a file in memory holds, for a look over all of them. Errors as [`MaskReading::mask`].
    pub(crate) fn contents(&self, bytes: &[u8], path: &Path) -> Result<MaskContents> {
        let stored = Stored::read(bytes, path)?;
        let mask = if stored.form == Form::Floats && !self.lists_numbers() {
            decode::mask_from_bytes(bytes, path)?
        } else {
            self.read(&stored, path)?
        };
        Ok(MaskContents::new(&stored, &mask, decode::header_from_bytes(bytes, path)?.orientation))
    }

    fn read(&self, stored: &Stored, path: &Path) -> Result<Mask> {
        if self.lists_numbers() && matches!(stored.form, Form::Colours | Form::Floats) {
            let what = if stored.form == Form::Floats { "floating point numbers" } else { "colours without a palette" };
            return Err(Error::file(
                path,
                format!(
                    "holds {what}, and data.masks.foreground, background and ignore name whole numbers: save it in grey \
                     or as PNG with a palette"
                ),
            ));
        }
        let by_brightness = self.foreground.is_empty() && self.background.is_empty();
        let unit = if by_brightness { self.unit(stored) } else { 1.0 };
        let mut values = Vec::with_capacity(stored.numbers.len());
        for (at, &number) in stored.numbers.iter().enumerate() {
            let value = if self.ignore.contains(&number) {
                f32::NAN
            } else if by_brightness {
                (stored.brightness(number) * unit).min(1.0)
            } else if self.foreground.contains(&number) {
                1.0
            } else if self.background.is_empty() || self.background.contains(&number) {
                0.0
            } else if self.foreground.is_empty() {
                1.0
            } else {
                return Err(self.unlisted(stored, at, number, path));
            };
            // What is ignored stays so, however transparent.
            values.push(stored.alpha.as_ref().and_then(|alpha| alpha.get(at)).map_or(value, |alpha| value * alpha));
        }
        Mask::new(stored.width, stored.height, values).ok_or_else(|| Error::file(path, "has no pixels"))
    }

    /// What brightness is multiplied by: files of 0 and 1, and of 0 to 255 in 16 bits, reach 1.
    fn unit(&self, stored: &Stored) -> f32 {
        let full = f32::from(stored.full);
        let counts = stored.numbers.iter().filter(|number| !self.ignore.contains(number));
        match (counts.map(|&n| (stored.brightness(n) * full).round()).fold(0.0, f32::max)) as u16 {
            1 => full,
            255 => full / 255.0,
            _ => 1.0,
        }
    }

    fn unlisted(&self, stored: &Stored, at: usize, number: u16, path: &Path) -> Error {
        let (x, y) = (at % stored.width.max(1), at / stored.width.max(1));
        let kind = match stored.form {
            Form::ColourPalette | Form::ColourPaletteShown => {
                let colour = stored.palette.get(usize::from(number)).copied().unwrap_or_default();
                format!("index {number} of its palette (the colour {colour:?})")
            }
            Form::GreyPalette => format!("the grey {number}, by its palette"),
            _ => format!("the value {number}"),
        };
        Error::file(
            path,
            format!(
                "holds {kind} at column {x} of row {y}, which none of data.masks.foreground {:?}, background {:?} and \
                 ignore {:?} names: add it to one of them, or leave out background, and all that is not named is",
                self.foreground, self.background, self.ignore
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, GrayImage, ImageFormat};

    use super::*;

    fn grey(values: &[u8]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let image = GrayImage::from_raw(values.len() as u32, 1, values.to_vec()).unwrap();
        DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn palette(indices: &[u8], colours: &[[u8; 3]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, indices.len() as u32, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(colours.concat());
        encoder.write_header().unwrap().write_image_data(indices).unwrap();
        bytes
    }

    fn lists(foreground: &[u16], background: &[u16], ignore: &[u16]) -> MaskReading {
        let [foreground, background, ignore] = [foreground, background, ignore].map(<[u16]>::to_vec);
        MaskReading { foreground, background, ignore, ..MaskReading::default() }
    }

    fn read(reading: &MaskReading, bytes: &[u8]) -> Vec<f32> {
        let mask = reading.mask_from_bytes(bytes, Path::new("m.png")).unwrap_or_else(|error| panic!("{error}"));
        mask.values().iter().map(|value| if value.is_nan() { -1.0 } else { *value }).collect()
    }

    #[test]
    fn a_trimap_means_what_the_lists_say() {
        // Of the Oxford pets: 1 the animal, 2 the background, 3 the border between.
        let trimap = grey(&[1, 2, 3]);
        assert_eq!(read(&MaskReading::default(), &trimap), [1.0 / 255.0, 2.0 / 255.0, 3.0 / 255.0]);
        assert_eq!(read(&lists(&[1], &[], &[]), &trimap), [1.0, 0.0, 0.0]);
        assert_eq!(read(&lists(&[1], &[2], &[3]), &trimap), [1.0, 0.0, -1.0]);
        assert_eq!(read(&lists(&[], &[2], &[3]), &trimap), [1.0, 0.0, -1.0]);
        assert_eq!(read(&lists(&[], &[2], &[]), &trimap), [1.0, 0.0, 1.0]);
        // Read as brightness, without what is ignored: 0 and 1.
        assert_eq!(read(&lists(&[], &[], &[255]), &grey(&[0, 1, 255])), [0.0, 1.0, -1.0]);
        let message = lists(&[1], &[2], &[]).mask_from_bytes(&trimap, Path::new("m.png")).unwrap_err().to_string();
        for part in ["m.png", "the value 3 at column 2 of row 0", "data.masks.foreground [1]", "background [2]"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn palettes_count_by_index_where_they_hold_colours_and_by_grey_where_not() {
        let coloured = palette(&[0, 1, 2], &[[0, 0, 0], [128, 0, 0], [224, 224, 192]]);
        assert_eq!(read(&lists(&[1], &[], &[2]), &coloured), [0.0, 1.0, -1.0]);
        assert_eq!(read(&lists(&[128], &[], &[]), &coloured), [0.0; 3]);
        // As of old without lists: the strongest channel.
        assert_eq!(read(&MaskReading::default(), &coloured)[1], 128.0 / 255.0);
        let greys = palette(&[0, 1, 2], &[[0, 0, 0], [255, 255, 255], [51, 51, 51]]);
        assert_eq!(read(&MaskReading::default(), &greys), [0.0, 1.0, 0.2]);
        assert_eq!(read(&lists(&[255], &[0], &[51]), &greys), [0.0, 1.0, -1.0]);
        // A file of few colours of a palette that holds more: its numbers are the same classes as its neighbours'.
        let car = palette(&[0, 7, 7], &[[0, 0, 0], [1, 0, 0], [0; 3], [0; 3], [0; 3], [0; 3], [0; 3], [128, 128, 128]]);
        assert_eq!(read(&lists(&[7], &[0], &[]), &car), [0.0, 1.0, 1.0]);
        let message = lists(&[1], &[0], &[]).mask_from_bytes(&coloured, Path::new("m.png")).unwrap_err().to_string();
        assert!(message.contains("index 2") && message.contains("[224, 224, 192]"), "{message}");
    }

    #[test]
    fn colours_without_a_palette_have_no_number() {
        let mut bytes = Cursor::new(Vec::new());
        let image = image::RgbImage::from_raw(2, 1, vec![255, 0, 0, 0, 0, 0]).unwrap();
        DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
        let bytes = bytes.into_inner();
        assert_eq!(read(&MaskReading::default(), &bytes), [1.0, 0.0]);
        let message = lists(&[1], &[], &[]).mask_from_bytes(&bytes, Path::new("m.png")).unwrap_err().to_string();
        assert!(message.contains("colours without a palette"), "{message}");
        // Three channels that agree are grey.
        let mut bytes = Cursor::new(Vec::new());
        let image = image::RgbImage::from_raw(2, 1, vec![1, 1, 1, 2, 2, 2]).unwrap();
        DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
        assert_eq!(read(&lists(&[1], &[], &[]), bytes.get_ref()), [1.0, 0.0]);
    }

    #[test]
    fn hashes_of_masks_hold_every_setting() {
        let reading = MaskReading { orientation: Some(MaskOrientation::Stored), ..lists(&[1], &[], &[3]) };
        assert_eq!(
            reading.written_out().to_string(),
            r#"{"foreground":[1],"background":[],"ignore":[3],"orientation":"stored","stretch":false}"#
        );
    }

    #[test]
    fn a_number_has_one_meaning() {
        assert_eq!(lists(&[1, 2], &[0, 2], &[]).named_twice(), Some((2, "foreground", "background")));
        assert_eq!(lists(&[1], &[0], &[0]).named_twice(), Some((0, "background", "ignore")));
        assert_eq!(lists(&[1], &[0], &[2]).named_twice(), None);
    }
}
