//! Pictures for print: the part of the original image that the network saw, at a size of one's own.
//!
//! A network sees 224 pixels where the photograph has 4000. For print the image itself is cut out of the original, and maps
//! are laid over it. Which part the network saw is found by showing the evaluation's transforms an image whose colours are
//! its own coordinates.

use std::sync::Arc;

use anyhow::Context;
use mga_core::random::Generator;
use mga_data::transforms::{Interpolation, Pipeline, resize_mask, resize_picture};
use mga_data::{Mask, Picture, Source};

/// Originals, and what to make of them.
#[derive(Clone)]
pub struct PrintSource {
    /// The images with their masks, as files have them.
    pub source: Arc<dyn Source>,
    /// The transforms of evaluation, not rounded to bytes.
    pub pipeline: Pipeline,
    /// The longer side of a picture, in pixels.
    pub side: usize,
}

/// An image and its mask for print.
#[derive(Debug, Clone, PartialEq)]
pub struct Print {
    /// The part of the image that the network saw.
    pub picture: Picture,
    /// The mask of that part, if there is one.
    pub mask: Option<Mask>,
}

/// The part of an image that a network saw: the edges, in pixels of the original; outside of it where the image was padded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct View {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl PrintSource {
    /// Returns the part of image `index` that the network saw.
    ///
    /// # Errors
    /// An image that cannot be read; transforms that do more than to cut and to resize.
    pub fn print(&self, index: usize) -> anyhow::Result<Print> {
        let (picture, mask) = self.source.load(index)?;
        let (width, height) = (picture.width(), picture.height());
        let view = seen(&self.pipeline, width, height).with_context(|| {
            format!(
                "{}: the transforms of [data.eval] do more than to cut out a part and to resize it, so the part of the \
                 original that the network saw is not known; leave out --size",
                self.source.id(index)
            )
        })?;
        let (across, down) = (view.right - view.left, view.bottom - view.top);
        let scale = self.side as f64 / across.max(down);
        let to = |length: f64| ((length * scale).round() as usize).max(1);
        let (to_width, to_height) = (to(across), to(down));
        let cut = cut(&picture, view);
        let picture = resize_picture(cut, to_height, to_width, Interpolation::Bilinear);
        let mask = mask.map(|mask| resize_mask(cut_mask(&mask, view), to_height, to_width));
        Ok(Print { picture, mask })
    }
}

/// Finds what part of an image of this size is seen. `None`: it is turned, mirrored or bent.
fn seen(pipeline: &Pipeline, width: usize, height: usize) -> Option<View> {
    let at = |x: usize, side: usize| (x as f32 + 0.5) / side as f32;
    let pixels = (0..width * height).flat_map(|i| [at(i % width, width), at(i / width, height), 1.0]);
    let coordinates = Picture::new(width, height, pixels.collect())?;
    // Padding is told by its blue.
    let fill = [0.0, 0.0, -1.0];
    let mut generator = Generator::new(0, "augment", &[0, 0]);
    let shown = pipeline.transform(coordinates, None, &mut generator, fill).picture;
    let (columns, rows) = (shown.width(), shown.height());
    let value = |x: usize, y: usize, channel: usize| f64::from(shown.pixels()[3 * (y * columns + x) + channel]);
    // The edges of a resized image repeat its outermost pixels, so the inner ones are looked at.
    let inside = |x: usize, y: usize| value(x, y, 2) > 0.999;
    let middle = (columns / 2, rows / 2);
    let line = |length: usize, whole: &dyn Fn(usize) -> bool, read: &dyn Fn(usize) -> f64| {
        let kept: Vec<usize> = (0..length).filter(|&i| whole(i)).collect();
        let margin = if kept.len() > 8 { kept.len() / 8 } else { 0 };
        let (first, last) = (*kept.get(margin)?, *kept.get(kept.len().checked_sub(1 + margin)?)?);
        if last <= first {
            return None;
        }
        let slope = (read(last) - read(first)) / (last - first) as f64;
        // The same step from pixel to pixel, within a fifth of one: else it is no plain resize.
        let straight = (first..=last)
            .all(|i| (read(i) - read(first) - slope * (i - first) as f64).abs() < 0.2 * slope.abs() + 1e-4);
        let start = read(first) - slope * (first as f64 + 0.5);
        (slope > 0.0 && straight).then_some((start, start + slope * length as f64))
    };
    let horizontal = line(columns, &|x| inside(x, middle.1), &|x| value(x, middle.1, 0))?;
    let vertical = line(rows, &|y| inside(middle.0, y), &|y| value(middle.0, y, 1))?;
    // A column of the view is a column of the image, and so for rows: nothing is turned.
    let (quarter_x, quarter_y) = (columns / 4, rows / 4);
    let upright =
        !inside(middle.0, quarter_y) || (value(middle.0, quarter_y, 0) - value(middle.0, middle.1, 0)).abs() < 2e-3;
    let level =
        !inside(quarter_x, middle.1) || (value(quarter_x, middle.1, 1) - value(middle.0, middle.1, 1)).abs() < 2e-3;
    (upright && level).then_some(View {
        left: horizontal.0 * width as f64,
        right: horizontal.1 * width as f64,
        top: vertical.0 * height as f64,
        bottom: vertical.1 * height as f64,
    })
}

/// The pixels of a side that a view has, the nearest whole ones.
fn span(from: f64, to: f64) -> std::ops::Range<i64> {
    let (from, to) = (from.round() as i64, to.round() as i64);
    from..to.max(from + 1)
}

/// Cuts out a view; grey where there is no image.
fn cut(picture: &Picture, view: View) -> Picture {
    let (columns, rows) = (span(view.left, view.right), span(view.top, view.bottom));
    let mut result = Picture::filled(columns.clone().count(), rows.clone().count(), 0.5);
    let place = |x: i64, y: i64| inside(x, y, picture.width(), picture.height());
    let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    for (pixel, (x, y)) in result.values_mut().chunks_exact_mut(3).zip(places) {
        if let Some(at) = place(x, y) {
            pixel.copy_from_slice(&picture.pixels()[3 * at..3 * at + 3]);
        }
    }
    result
}

/// Cuts a view out of a mask; 0 where there is no image.
fn cut_mask(mask: &Mask, view: View) -> Mask {
    let (columns, rows) = (span(view.left, view.right), span(view.top, view.bottom));
    let mut result = Mask::filled(columns.clone().count(), rows.clone().count(), 0.0);
    let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    for (value, (x, y)) in result.values_mut().iter_mut().zip(places) {
        if let Some(at) = inside(x, y, mask.width(), mask.height()) {
            *value = mask.values()[at];
        }
    }
    result
}

/// The index of a pixel; `None` outside.
fn inside(x: i64, y: i64, width: usize, height: usize) -> Option<usize> {
    let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
    (x < width && y < height).then_some(y * width + x)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(value: serde_json::Value) -> Pipeline {
        Pipeline::read(value.as_array().unwrap(), &mga_data::registry::builtin()).unwrap()
    }

    fn view(value: serde_json::Value, width: usize, height: usize) -> Option<[i64; 4]> {
        let view = seen(&pipeline(value), width, height)?;
        Some([view.left, view.top, view.right, view.bottom].map(|edge| edge.round() as i64))
    }

    #[test]
    fn the_part_that_is_seen_is_found() {
        assert_eq!(view(json!([]), 40, 30), Some([0, 0, 40, 30]));
        assert_eq!(view(json!([{"op": "resize", "size": [24, 24]}]), 400, 300), Some([0, 0, 400, 300]));
        // The shorter side to 32 of 300, and the middle 28 x 28 of it: 262.5 pixels about the centre.
        let cropped = json!([{"op": "shorter-side", "size": 32}, {"op": "centre-crop", "size": 28}]);
        let found = view(cropped, 400, 300).unwrap();
        assert!(found.iter().zip([69, 19, 331, 281]).all(|(a, b)| (a - b).abs() <= 5), "{found:?}");
        // Padding: the image is in the middle of more.
        let padded = view(json!([{"op": "centre-crop", "size": 60}]), 40, 30).unwrap();
        assert_eq!(padded, [-10, -15, 50, 45]);
        // Mirrored and turned images are not cut-outs.
        assert_eq!(view(json!([{"op": "horizontal-flip", "p": 1.0}]), 40, 30), None);
    }

    #[test]
    fn cut_outs_show_what_was_there() {
        let picture = Picture::new(2, 1, vec![0.1, 0.1, 0.1, 0.9, 0.9, 0.9]).unwrap();
        let view = View { left: 1.0, top: 0.0, right: 3.0, bottom: 1.0 };
        assert_eq!(cut(&picture, view).pixels(), [0.9, 0.9, 0.9, 0.5, 0.5, 0.5]);
        assert_eq!(cut_mask(&Mask::new(2, 1, vec![0.2, 0.8]).unwrap(), view).values(), [0.8, 0.0]);
    }
}
