//! Decoded images and masks in memory.

/// An RGB picture, values in `0..=1`, row-major and interleaved: `[height, width, 3]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
}

/// A mask, values in `0..=1` (1: what the attention should look at), row-major: `[height, width]`. Or a label map
/// ([`Mask::label_map`]): the number of each pixel's class, which transforms sample by the nearest pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<f32>,
    labels: bool,
}

macro_rules! plane {
    ($name:ident, $field:ident, $channels:expr, { $($more:ident: $value:expr),* }) => {
        impl $name {
            /// Takes the values over; `None` where their number does not fit the size or a side is zero.
            pub fn new(width: usize, height: usize, $field: Vec<f32>) -> Option<Self> {
                (width > 0 && height > 0 && $field.len() == width * height * $channels).then_some(Self {
                    width,
                    height,
                    $field,
                    $($more: $value,)*
                })
            }

            /// Every value `value`.
            pub fn filled(width: usize, height: usize, value: f32) -> Self {
                let (width, height) = (width.max(1), height.max(1));
                Self { width, height, $field: vec![value; width * height * $channels], $($more: $value,)* }
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

plane!(Picture, pixels, 3, {});
plane!(Mask, values, 1, { labels: false });

impl Mask {
    /// The label of pixels that count nowhere: not annotated, or moved in from outside the picture.
    pub const IGNORE: u8 = 255;

    /// A label map: the class of every pixel, or [`Mask::IGNORE`], row by row; `None` where their number does not fit the
    /// size.
    pub fn label_map(width: usize, height: usize, labels: &[u8]) -> Option<Self> {
        let mask = Self::new(width, height, labels.iter().map(|&label| f32::from(label)).collect())?;
        Some(Self { labels: true, ..mask })
    }

    /// Whether the values are class numbers.
    pub fn is_label_map(&self) -> bool {
        self.labels
    }

    /// What transforms put where nothing is known: 0, or [`Mask::IGNORE`] in a label map.
    pub fn outside(&self) -> f32 {
        if self.labels { f32::from(Self::IGNORE) } else { 0.0 }
    }

    /// One of the same kind and another size, [`Mask::outside`] everywhere.
    pub fn blank(&self, width: usize, height: usize) -> Self {
        Self { labels: self.labels, ..Self::filled(width, height, self.outside()) }
    }

    /// The window of `height` x `width` pixels from (`top`, `left`); `None` where it reaches outside.
    pub fn window(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Option<Self> {
        let values = rows(&self.values, self.width, (top, left), (height, width));
        Self::new(width, height, values).map(|mask| Self { labels: self.labels, ..mask })
    }
}

impl Picture {
    /// The window of `height` x `width` pixels from (`top`, `left`); `None` where it reaches outside.
    pub fn window(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Option<Self> {
        Self::new(width, height, rows(&self.pixels, self.width * 3, (top, left * 3), (height, width * 3)))
    }
}

/// Rows `top..top + height` of lines of `line` numbers, each from `left` on.
fn rows(values: &[f32], line: usize, (top, left): (usize, usize), (height, width): (usize, usize)) -> Vec<f32> {
    let lines = values.chunks_exact(line.max(1)).skip(top).take(height);
    lines.filter_map(|values| values.get(left..left + width)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_out_or_refused() {
        let mask = Mask::label_map(3, 2, &[0, 1, 2, 3, 4, 255]).unwrap();
        let cut = mask.window((0, 1), (2, 2)).unwrap();
        assert_eq!((cut.values(), cut.is_label_map(), cut.outside()), (&[1.0, 2.0, 4.0, 255.0][..], true, 255.0));
        assert!(mask.window((1, 1), (2, 2)).is_none() && mask.window((0, 2), (1, 2)).is_none());
        let picture = Picture::new(2, 1, vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).unwrap();
        assert_eq!(picture.window((0, 1), (1, 1)).unwrap().pixels(), [0.3, 0.4, 0.5]);
        assert_eq!(mask.blank(1, 2).values(), [255.0, 255.0]);
    }
}
