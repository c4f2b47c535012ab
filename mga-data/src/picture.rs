//! Decoded images and masks in memory.

/// An RGB picture, values in `0..=1`, row-major and interleaved: `[height, width, 3]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
}

/// A mask, values in `0..=1` (1: what the attention should look at), row-major: `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

macro_rules! plane {
    ($name:ident, $field:ident, $channels:expr) => {
        impl $name {
            /// Takes the values over; `None` where their number does not fit the size or a side is zero.
            pub fn new(width: usize, height: usize, $field: Vec<f32>) -> Option<Self> {
                (width > 0 && height > 0 && $field.len() == width * height * $channels).then_some(Self {
                    width,
                    height,
                    $field,
                })
            }

            /// Every value `value`.
            pub fn filled(width: usize, height: usize, value: f32) -> Self {
                let (width, height) = (width.max(1), height.max(1));
                Self { width, height, $field: vec![value; width * height * $channels] }
            }

            /// Pixels from left to right.
            pub fn width(&self) -> usize {
                self.width
            }

            /// Pixels from top to bottom.
            pub fn height(&self) -> usize {
                self.height
            }

            /// The values, row by row.
            pub fn $field(&self) -> &[f32] {
                &self.$field
            }

            /// The values, row by row, to change in place.
            pub fn values_mut(&mut self) -> &mut [f32] {
                &mut self.$field
            }
        }
    };
}

plane!(Picture, pixels, 3);
plane!(Mask, values, 1);
