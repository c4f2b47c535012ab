//! The interface of a transform, and the checks of its settings.

use mga_core::random::Generator;

use super::interpolation::{Interpolation, Rounding};
use super::resample::{resize_bytes, resize_picture};
use super::scene::Scene;
use crate::picture::{Mask, Picture};

/// The context of a transform, besides image and mask.
#[derive(Debug)]
pub struct Context<'a> {
    /// The random numbers of this image in this epoch.
    pub generator: &'a mut Generator,
    /// The colour, in `0..=1`, that normalisation turns into zero: the mean.
    pub fill: [f32; 3],
    /// The rounding of the values of resized images.
    pub rounding: Rounding,
}

impl Context<'_> {
    /// The picture resampled to another size.
    pub(super) fn resized(
        &self,
        picture: Picture,
        height: usize,
        width: usize,
        interpolation: Interpolation,
    ) -> Picture {
        match self.rounding {
            Rounding::None => resize_picture(picture, height, width, interpolation),
            Rounding::EightBit => resize_bytes(picture, height, width, interpolation),
        }
    }
}

/// A transform of an image and its mask.
pub trait Operation: std::fmt::Debug + Send + Sync {
    /// Transforms image and mask, which have one size, before and after.
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>);

    /// Transforms an image with all that belongs to it. A transform that gives other views of the image, or writes down
    /// what it did, does so here; by default image and mask are transformed and nothing is added. The masks that attention
    /// is measured against go through [`Self::apply`] alone, with the same random numbers.
    fn transform(&self, scene: Scene, context: &mut Context<'_>) -> Scene {
        let Scene { picture, mask, views, record } = scene;
        let (picture, mask) = self.apply(picture, mask, context);
        Scene { picture, mask, views, record }
    }

    /// Height and width that come out where `height` and `width` go in.
    fn size_after(&self, height: usize, width: usize) -> (usize, usize) {
        (height, width)
    }

    /// Height and width that come out whatever goes in.
    fn fixed_size(&self) -> Option<(usize, usize)> {
        None
    }

    /// The least fraction of the incoming area that is still seen afterwards.
    fn view(&self, _height: usize, _width: usize) -> f64 {
        1.0
    }

    /// Whether it resamples the image, so that `data.resize_rounding` counts.
    fn resamples(&self) -> bool {
        false
    }

    /// Settings out of range, a line each: what, and what was expected.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A line where `value` is outside `low..=high` or not a number.
pub(super) fn out_of_range(key: &str, value: f64, low: f64, high: f64) -> Option<String> {
    (!(low..=high).contains(&value)).then(|| format!("`{key}` is {value}, expected {low} to {high}"))
}

/// A line where `range` is not ascending within `low..=high`.
pub(super) fn bad_interval(key: &str, range: [f64; 2], low: f64, high: f64) -> Option<String> {
    let [from, to] = range;
    (!(low <= from && from <= to && to <= high))
        .then(|| format!("`{key}` is [{from}, {to}], expected [from, to] with {low} <= from <= to <= {high}"))
}
