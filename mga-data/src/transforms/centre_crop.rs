//! The window in the middle. Draws: none.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation};
use super::registered::Transforms;
use super::size::Size;
use super::window::Window;
use crate::picture::{Mask, Picture};

/// Cuts out the centre; where the picture is smaller it is padded on both sides with zeros (after normalisation), the
/// odd pixel right and bottom, as torchvision does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CentreCrop {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
}

/// Where a window of `length` starts within `extent`: rounded half to even where it is cut, down where it is padded.
fn start(extent: usize, length: usize) -> isize {
    if length > extent {
        -(((length - extent) / 2) as isize)
    } else {
        ((extent - length) as f64 / 2.0).round_ties_even() as isize
    }
}

/// Returns `centre-crop` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<CentreCrop>(
        "centre-crop",
        "Cuts out the centre; pads on all sides where the picture is smaller.",
    )
}

impl Operation for CentreCrop {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let (height, width) = self.size.sides();
        let window =
            Window { top: start(picture.height(), height), left: start(picture.width(), width), height, width };
        window.cut(&picture, mask, context.fill)
    }

    fn size_after(&self, _height: usize, _width: usize) -> (usize, usize) {
        self.size.sides()
    }

    fn fixed_size(&self) -> Option<(usize, usize)> {
        Some(self.size.sides())
    }

    fn view(&self, height: usize, width: usize) -> f64 {
        let (h, w) = self.size.sides();
        (h.min(height) * w.min(width)) as f64 / (height * width) as f64
    }

    fn problems(&self) -> Vec<String> {
        self.size.problem("size").into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_middle_is_kept() {
        let (picture, mask) = run(&CentreCrop { size: Size::Sides([2, 1]) }, coordinates(3, 4), 0);
        assert_eq!(origins(&picture), [Some((1, 1)), Some((1, 2))]);
        assert!(aligned(&picture, &mask));
    }

    #[test]
    fn a_small_picture_is_padded_all_round() {
        let (picture, mask) = run(&CentreCrop { size: Size::Sides([3, 4]) }, coordinates(1, 1), 0);
        let mut expected = vec![None; 12];
        expected[5] = Some((0, 0));
        assert_eq!(origins(&picture), expected);
        assert!(aligned(&picture, &mask));
    }
}
