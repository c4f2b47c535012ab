//! The application of a segmenter to a picture of any size: in tiles that overlap, at several scales, and mirrored.

use candle_core::{DType, Device, Tensor};
use mga_data::error::{Error, Result};
use mga_data::transforms::{Interpolation, resize_mask, resize_picture};
use mga_data::{Mask, Picture};
use mga_models::Segmenter;

/// The variants of an image that are averaged into one mask.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Side of the square tiles that larger pictures are cut into; 0: the whole picture.
    pub tile: usize,
    /// Pixels that neighbouring tiles share at least.
    pub overlap: usize,
    /// Sizes relative to the picture's.
    pub scales: Vec<f64>,
    /// Whether the mirror image counts too.
    pub flip: bool,
}

impl View {
    /// Views the picture as it is.
    #[must_use]
    pub fn whole() -> Self {
        Self { tile: 0, overlap: 0, scales: vec![1.0], flip: false }
    }

    /// Returns the mean over scales and mirror images of the segmenter's masks, of the picture's size.
    ///
    /// # Errors
    /// What the segmenter refuses.
    pub fn mask(&self, segmenter: &dyn Segmenter, picture: &Picture, device: &Device) -> Result<Mask> {
        let (width, height) = (picture.width(), picture.height());
        let mut sum = vec![0f64; width * height];
        let mut count = 0f64;
        let mut add = |mask: Mask| {
            let mask = resize_mask(mask, height, width);
            sum.iter_mut().zip(mask.values()).for_each(|(sum, value)| *sum += f64::from(*value));
            count += 1.0;
        };
        for scale in &self.scales {
            let side = |length: usize| ((length as f64 * scale).round() as usize).max(1);
            let scaled = resize_picture(picture.clone(), side(height), side(width), Interpolation::Bilinear);
            add(self.tiled(segmenter, &scaled, device)?);
            if self.flip {
                let mut mask = self.tiled(segmenter, &mirrored(scaled), device)?;
                let width = mask.width();
                mask.values_mut().chunks_exact_mut(width).for_each(<[f32]>::reverse);
                add(mask);
            }
        }
        let values = sum.iter().map(|sum| (sum / count.max(1.0)).clamp(0.0, 1.0) as f32).collect();
        Mask::new(width, height, values).ok_or_else(|| Error::settings("the picture has no pixels"))
    }

    /// The mask put together from tiles, which weigh less towards their edges where they overlap.
    fn tiled(&self, segmenter: &dyn Segmenter, picture: &Picture, device: &Device) -> Result<Mask> {
        let (width, height) = (picture.width(), picture.height());
        let (rows, columns) = (self.starts(height), self.starts(width));
        if rows.len() * columns.len() == 1 {
            return apply(segmenter, picture, device);
        }
        let (tile_height, tile_width) = (height.min(self.tile), width.min(self.tile));
        let (mut sums, mut weights) = (vec![0f64; width * height], vec![0f64; width * height]);
        for &top in &rows {
            for &left in &columns {
                let window = picture.window((top, left), (tile_height, tile_width));
                let window = window.ok_or_else(|| Error::settings("a tile reaches outside its picture"))?;
                let mask = apply(segmenter, &window, device)?;
                for (y, row) in mask.values().chunks_exact(tile_width).enumerate() {
                    for (x, value) in row.iter().enumerate() {
                        let weight = self.ramp(y, tile_height) * self.ramp(x, tile_width);
                        let place = (top + y) * width + left + x;
                        sums[place] += weight * f64::from(*value);
                        weights[place] += weight;
                    }
                }
            }
        }
        let values = sums.iter().zip(&weights).map(|(sum, weight)| (sum / weight) as f32).collect();
        Mask::new(width, height, values).ok_or_else(|| Error::settings("the picture has no pixels"))
    }

    /// Where tiles begin along a side: evenly spread, the last one ending with the side.
    fn starts(&self, length: usize) -> Vec<usize> {
        if self.tile == 0 || length <= self.tile {
            return vec![0];
        }
        let step = self.tile.saturating_sub(self.overlap).max(1);
        let tiles = 1 + (length - self.tile).div_ceil(step);
        (0..tiles).map(|tile| tile * (length - self.tile) / (tiles - 1).max(1)).collect()
    }

    /// The weight of a place within a tile's side: rising over the overlap, never 0.
    fn ramp(&self, place: usize, length: usize) -> f64 {
        (place + 1).min(length - place).min(self.overlap + 1) as f64
    }
}

fn mirrored(mut picture: Picture) -> Picture {
    let width = picture.width();
    for row in picture.values_mut().chunks_exact_mut(3 * width) {
        for x in 0..width / 2 {
            (0..3).for_each(|channel| row.swap(3 * x + channel, 3 * (width - 1 - x) + channel));
        }
    }
    picture
}

fn apply(segmenter: &dyn Segmenter, picture: &Picture, device: &Device) -> Result<Mask> {
    let (width, height) = (picture.width(), picture.height());
    let planes: Vec<f32> =
        (0..3).flat_map(|channel| picture.pixels().iter().skip(channel).step_by(3).copied()).collect();
    let image = Tensor::from_vec(planes, (1, 3, height, width), &Device::Cpu)?.to_device(device)?;
    let mask = segmenter.masks(&image).map_err(|e| Error::settings(e.to_string()))?;
    if mask.dims() != [1, 1, height, width] {
        let what = format!("a segmenter gave {:?} for an image of {width} x {height}", mask.dims());
        return Err(Error::settings(what));
    }
    let values = mask.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    if let Some(value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(Error::settings(format!(
            "a segmenter gave the mask value {value}; expected 0 to 1: its weights are bad"
        )));
    }
    Mask::new(width, height, values).ok_or_else(|| Error::settings("the picture has no pixels"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Its mask is the red channel plus a hundredth for every call; it notes the sizes it is shown.
    #[derive(Default)]
    struct Red {
        seen: Mutex<Vec<(usize, usize)>>,
        drift: f64,
    }

    impl Segmenter for Red {
        fn masks(&self, images: &Tensor) -> mga_models::Result<Tensor> {
            let (_, _, height, width) = images.dims4()?;
            let mut seen = self.seen.lock().unwrap();
            seen.push((width, height));
            Ok((images.narrow(1, 0, 1)? + self.drift * (seen.len() - 1) as f64)?)
        }
    }

    fn picture(width: usize, height: usize) -> Picture {
        let pixels = (0..width * height).flat_map(|i| [(i % 13) as f32 / 26.0, 0.9, 0.9]).collect();
        Picture::new(width, height, pixels).unwrap()
    }

    fn red(picture: &Picture) -> Vec<f32> {
        picture.pixels().iter().step_by(3).copied().collect()
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn tiles_and_mirrors_of_a_pointwise_rule_change_nothing() {
        for (width, height) in [(20, 7), (7, 20), (33, 21), (4, 4), (9, 8)] {
            let picture = picture(width, height);
            let view = View { tile: 8, overlap: 3, scales: vec![1.0], flip: true };
            let segmenter = Red::default();
            let mask = view.mask(&segmenter, &picture, &Device::Cpu).unwrap();
            assert!(close(mask.values(), &red(&picture)), "{width} x {height}");
            assert!(segmenter.seen.lock().unwrap().iter().all(|&(w, h)| w == width.min(8) && h == height.min(8)));
        }
    }

    #[test]
    fn neighbouring_tiles_share_their_overlap_and_are_blended() {
        let view = View { tile: 8, overlap: 2, scales: vec![1.0], flip: false };
        assert_eq!(
            (view.starts(8), view.starts(9), view.starts(14), view.starts(20)),
            (vec![0], vec![0, 1], vec![0, 6], vec![0, 6, 12])
        );
        let flat = Picture::filled(14, 8, 0.5);
        let mask = view.mask(&Red { drift: 0.2, ..Red::default() }, &flat, &Device::Cpu).unwrap();
        // The first tile says 0.5, the second, from column 6 on, 0.7. Weights 2 and 1 against 1 and 2 in columns 6 and 7.
        let row = &mask.values()[..14];
        let expected = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 + 0.2 / 3.0, 0.5 + 0.4 / 3.0, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7];
        assert!(close(row, &expected), "{row:?}");
    }

    #[test]
    fn scales_are_looked_at_and_averaged() {
        let view = View { scales: vec![0.5, 1.0, 2.0], flip: true, ..View::whole() };
        let segmenter = Red::default();
        let mask = view.mask(&segmenter, &Picture::filled(6, 4, 0.25), &Device::Cpu).unwrap();
        assert!(close(mask.values(), &[0.25; 24]));
        assert_eq!(*segmenter.seen.lock().unwrap(), [(3, 2), (3, 2), (6, 4), (6, 4), (12, 8), (12, 8)]);
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        let error =
            View::whole().mask(&Red { drift: 0.0, ..Red::default() }, &Picture::filled(2, 2, 1.5), &Device::Cpu);
        assert!(error.unwrap_err().to_string().contains("1.5"));
    }
}
