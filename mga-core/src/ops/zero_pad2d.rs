//! Zeros around an image, as many on each side as asked for.

use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// The number of rows and columns of zeros on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Margins {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

/// Returns the margins of TensorFlow's "SAME" padding along one side of `size`: the output has `ceil(size / stride)`
/// places, and an odd rest goes to the end.
///
/// Returns (before, after).
pub fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let stride = stride.max(1);
    let reach = (size.div_ceil(stride).max(1) - 1) * stride + kernel;
    let total = reach.saturating_sub(size);
    (total / 2, total - total / 2)
}

/// Pads `[N, C, H, W]` with zeros to `[N, C, top + H + bottom, left + W + right]`. It is composed on every device,
/// because it only copies.
pub fn zero_pad2d(tape: &mut Tape, x: Value, margins: Margins) -> Result<Value> {
    let (_, _, height, width) = x.dims4()?;
    if margins == Margins::default() {
        return Ok(x);
    }
    if height == 0 || width == 0 {
        return Err(Error::shape("zero_pad2d", format!("an empty image, {:?}", x.dims())));
    }
    let rows = x.tensor().pad_with_zeros(2, margins.top, margins.bottom)?;
    let y = rows.pad_with_zeros(3, margins.left, margins.right)?.contiguous()?;
    let attributes = || vec![("margins", [margins.top, margins.bottom, margins.left, margins.right][..].into())];
    let slot = x.slot();
    Ok(tape.record(Operator::with("zero_pad2d", &attributes), &[&x], y, move |dy, gradients| {
        if slot.is_none() {
            return Ok(());
        }
        let inside = dy.tensor().narrow(2, margins.top, height)?.narrow(3, margins.left, width)?;
        // A copy, never a view: the slot may change it in place.
        gradients.add(slot, Gradient::new(inside.copy()?.contiguous()?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use crate::ops::{Conv2dSettings, conv2d};

    #[test]
    fn gradients_are_right() {
        for (top, bottom, left, right) in [(0, 1, 0, 1), (1, 2, 0, 0), (0, 0, 3, 1), (0, 0, 0, 0)] {
            let margins = Margins { top, bottom, left, right };
            check(&[&[2, 3, 4, 5]], |tape, v| zero_pad2d(tape, v[0].clone(), margins));
            check_half(&[&[2, 3, 4, 5]], |tape, v| zero_pad2d(tape, v[0].clone(), margins));
        }
    }

    #[test]
    fn a_convolution_behind_it_has_right_gradients() {
        for groups in [1, 2] {
            let settings = Conv2dSettings { stride: 2, groups, ..Conv2dSettings::default() };
            check(&[&[1, 2, 6, 5], &[2, 2 / groups, 3, 3]], |tape, v| {
                let padded = zero_pad2d(tape, v[0].clone(), Margins { bottom: 1, right: 1, ..Margins::default() })?;
                conv2d(tape, padded, v[1].clone(), settings)
            });
        }
    }

    #[test]
    fn same_padding_is_tensorflows() {
        // Even sizes at stride 2 are padded at the end alone; odd ones, and stride 1, evenly.
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(7, 3, 2), (1, 1));
        assert_eq!(same_padding(56, 5, 2), (1, 2));
        assert_eq!(same_padding(9, 5, 1), (2, 2));
        assert_eq!(same_padding(4, 1, 1), (0, 0));
        assert_eq!(same_padding(5, 1, 2), (0, 0));
    }
}
