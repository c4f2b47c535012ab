//! Images of 16 bits that fill fewer: nearly black, unless it is said what is white in them.

use rayon::prelude::*;

use crate::dataset::Dataset;
use crate::decode;
use crate::error::Result;

/// Images that are decoded at most.
const DECODED: usize = 24;

/// The largest number of fourteen bits: below, cameras and microscopes have not filled sixteen.
const FOURTEEN_BITS: f32 = 16383.0;

/// Returns a note on 16-bit images among these if none of them uses more than fourteen bits. The data set has no white
/// point.
///
/// # Errors
/// A file that cannot be read.
pub fn nearly_black(dataset: &dyn Dataset, images: &[usize]) -> Result<Option<String>> {
    let is_deep = |&&index: &&usize| {
        let path = dataset.records().get(index).and_then(|record| record.path.as_deref());
        // Where there is no file, the pixels tell.
        path.is_none_or(|path| decode::header(path).is_ok_and(|header| header.deep))
    };
    let deep: Vec<usize> = images.iter().filter(is_deep).take(DECODED).copied().collect();
    let brightest = |&index: &usize| -> Result<Option<(usize, f32)>> {
        let picture = dataset.image(index)?;
        let largest = picture.pixels().iter().copied().fold(0.0, f32::max);
        Ok(picture.bytes().is_none().then_some((index, (largest * 65535.0).round())))
    };
    let found = deep.par_iter().map(brightest).collect::<Result<Vec<_>>>()?;
    let found: Vec<(usize, f32)> = found.into_iter().flatten().collect();
    let top = found.iter().map(|(_, largest)| *largest).fold(0.0, f32::max);
    let Some((first, _)) = found.first().filter(|_| top <= FOURTEEN_BITS && top > 0.0) else { return Ok(None) };
    let bits = (8..=14).find(|bits| top < f32::from(1u16 << bits)).unwrap_or(14);
    Ok(Some(format!(
        "images of 16 bits are nearly black: the brightest value is {top} of 65535 in the {} looked at (first: {}), as of \
         {bits} bits; data.white_point = {} says what is white",
        found.len(),
        dataset.records().get(*first).map_or("", |record| record.id.as_str()),
        (1u16 << bits) - 1
    )))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::{ImageBuffer, Luma};

    use super::*;
    use crate::datasets::image_folder::{self, ImageFolderSettings};
    use crate::datasets::testing::grey_png;
    use crate::registry::OpenContext;

    fn deep_png(path: &Path, value: u16) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        ImageBuffer::<Luma<u16>, _>::from_pixel(4, 4, Luma([value])).save(path).unwrap();
    }

    #[test]
    fn twelve_bits_in_sixteen_are_told_with_the_white_point() {
        let folder = tempfile::tempdir().unwrap();
        let open = |white_point| {
            let context =
                OpenContext { root: Some(folder.path().to_path_buf()), white_point, ..OpenContext::default() };
            image_folder::open(&ImageFolderSettings::default(), &context).unwrap()
        };
        grey_png(&folder.path().join("a/1.png"), 4, 4, |_, _| 3);
        assert_eq!(nearly_black(&open(None), &[0]).unwrap(), None, "eight bits may be dark");
        deep_png(&folder.path().join("b/2.png"), 4000);
        deep_png(&folder.path().join("b/3.png"), 17);
        let told = nearly_black(&open(None), &[0, 1, 2]).unwrap().unwrap();
        for part in ["4000 of 65535", "2 looked at", "12 bits", "data.white_point = 4095", "b/2.png"] {
            assert!(told.contains(part), "{told}");
        }
        let white = open(Some(4095)).image(1).unwrap();
        assert!((white.pixels()[0] - 4000.0 / 4095.0).abs() < 1e-5);
        deep_png(&folder.path().join("b/4.png"), 40000);
        assert_eq!(nearly_black(&open(None), &[0, 1, 2, 3]).unwrap(), None);
    }
}
