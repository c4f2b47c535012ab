//! Masks of photographs that EXIF turns.

use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
use image::metadata::Orientation;
use image::{ImageBuffer, Luma};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::picture::Mask;

/// Which pixels of a photograph that EXIF turns its mask was drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MaskOrientation {
    /// The picture as it is shown, upright.
    Upright,
    /// The pixels as they are stored: the mask is turned with them.
    Stored,
}

/// The mask, or label map, of stored pixels turned as they are.
pub(crate) fn turned_as(mask: &Mask, orientation: Orientation) -> Mask {
    let (width, height) = (mask.width() as u32, mask.height() as u32);
    let Some(from) = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, mask.values().to_vec()) else {
        return mask.clone();
    };
    let to = match orientation {
        Orientation::NoTransforms => from,
        Orientation::Rotate90 => rotate90(&from),
        Orientation::Rotate180 => rotate180(&from),
        Orientation::Rotate270 => rotate270(&from),
        Orientation::FlipHorizontal => flip_horizontal(&from),
        Orientation::FlipVertical => flip_vertical(&from),
        Orientation::Rotate90FlipH => flip_horizontal(&rotate90(&from)),
        Orientation::Rotate270FlipH => flip_horizontal(&rotate270(&from)),
    };
    let mut turned = mask.blank(to.width() as usize, to.height() as usize);
    turned.values_mut().copy_from_slice(&to);
    turned
}

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::*;

    #[test]
    fn masks_are_turned_as_their_images_are() {
        let grey: Vec<u8> = vec![1, 2, 3, 4, 5, 6];
        let mask = Mask::label_map(3, 2, &grey).unwrap();
        for number in 1..=8 {
            let orientation = Orientation::from_exif(number).unwrap();
            let mut image = DynamicImage::ImageLuma8(image::GrayImage::from_raw(3, 2, grey.clone()).unwrap());
            image.apply_orientation(orientation);
            let expected: Vec<f32> = image.to_luma8().into_raw().into_iter().map(f32::from).collect();
            let turned = turned_as(&mask, orientation);
            assert_eq!((turned.values(), turned.width()), (&expected[..], image.width() as usize), "{number}");
            assert!(turned.is_label_map());
        }
    }
}
