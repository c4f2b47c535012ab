//! Two-dimensional convolution (cross-correlation, as every deep-learning library has it).

use candle_core::Tensor;

use super::taps::Taps;
use crate::element::{Element, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::kernels::convolution::{self, ConvShape};
use crate::kernels::{batched_convolution, depthwise};
use crate::tape::{Gradient, Gradients, Tape, Value};

/// Stride, padding, dilation and groups of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dSettings {
    /// Step, the same both ways.
    pub stride: usize,
    /// Zeros added above and below, left and right.
    pub padding: (usize, usize),
    /// Distance between kernel taps.
    pub dilation: usize,
    /// Groups of channels that see only each other; as many as channels: depthwise.
    pub groups: usize,
}

impl Default for Conv2dSettings {
    fn default() -> Self {
        Self { stride: 1, padding: (0, 0), dilation: 1, groups: 1 }
    }
}

/// `x` `[N, C, H, W]`, `weight` `[O, C / groups, kh, kw]` to `[N, O, OH, OW]`, with
/// `OH = floor((H + 2 ph - dilation (kh - 1) - 1) / stride) + 1`.
///
/// f32 and f64 on the CPU: im2col and matrix products, or a direct kernel where depthwise. Otherwise candle's
/// convolution forward (groups: as backward), and matrix products over shifted views backward, one a tap of the kernel;
/// depthwise, products of shifted views. `f16` and `bf16`: products are rounded, sums over taps `f32`. With the feature
/// `cudnn` the forward pass of one group is cuDNN's, which may round `f32` to TF32 and adds `f16` in `f16`.
pub fn conv2d(tape: &mut Tape, x: Value, weight: Value, settings: Conv2dSettings) -> Result<Value> {
    let shape = conv_shape(&x, &weight, settings)?;
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => forward::<T>(&shape, x.tensor(), weight.tensor())?)
    } else {
        Taps::new(&shape).convolve(x.tensor(), weight.tensor())?
    };
    let (x_slot, w_slot) = (x.slot(), weight.slot());
    // Each operand is needed for the other's gradient only.
    let saved_x = w_slot.map(|_| x.tensor().clone());
    let saved_w = x_slot.map(|_| weight.tensor().clone());
    Ok(tape.record(&[&x, &weight], y, move |dy, gradients| {
        if kernels {
            return with_element!(dy.tensor(), T => {
                if let (Some(slot), Some(x)) = (w_slot, &saved_x) {
                    backward_weight::<T>(&shape, x, dy.tensor(), slot, gradients)?;
                }
                if let (Some(slot), Some(w)) = (x_slot, &saved_w) {
                    backward_input::<T>(&shape, w, dy.tensor(), slot, gradients)?;
                }
                Ok(())
            });
        }
        let taps = Taps::new(&shape);
        if let Some(x) = &saved_x {
            gradients.add(w_slot, Gradient::new(taps.weight_gradient(x, dy.tensor())?))?;
        }
        if let Some(w) = &saved_w {
            gradients.add(x_slot, Gradient::new(taps.input_gradient(w, dy.tensor())?))?;
        }
        Ok(())
    }))
}

fn conv_shape(x: &Value, weight: &Value, s: Conv2dSettings) -> Result<ConvShape> {
    let (n, c, h, w) = x.dims4()?;
    let (o, per_group, kh, kw) = weight.dims4()?;
    let wrong = |what: &str| {
        Err(Error::shape("conv2d", format!("{what}: x {:?}, weight {:?}, {s:?}", x.dims(), weight.dims())))
    };
    if s.stride == 0 || s.dilation == 0 || s.groups == 0 || kh == 0 || kw == 0 {
        return wrong("stride, dilation, groups and kernel must be at least 1");
    }
    if c % s.groups != 0 || o % s.groups != 0 || c / s.groups != per_group {
        return wrong("channels do not fit the weight and the groups");
    }
    let out = |size: usize, kernel: usize, padding: usize| {
        (size + 2 * padding).checked_sub(s.dilation * (kernel - 1) + 1).map(|room| room / s.stride + 1)
    };
    let (Some(oh), Some(ow)) = (out(h, kh, s.padding.0), out(w, kw, s.padding.1)) else {
        return wrong("the image is smaller than the kernel");
    };
    Ok(ConvShape {
        n,
        input: (c, h, w),
        output: (o, oh, ow),
        kernel: (kh, kw),
        stride: s.stride,
        padding: s.padding,
        dilation: s.dilation,
        groups: s.groups,
    })
}

fn is_depthwise(s: &ConvShape) -> bool {
    s.groups > 1 && s.groups == s.input.0 && s.groups == s.output.0
}

fn forward<T: Element>(s: &ConvShape, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let mut y = zeros::<T>(s.n * s.output.0 * s.output.1 * s.output.2);
    read::<T, _>(x, |x| {
        read::<T, _>(w, |w| {
            if is_depthwise(s) {
                depthwise::forward(s, x, w, &mut y);
            } else if batched_convolution::serves(s) {
                batched_convolution::forward(s, x, w, &mut y);
            } else {
                convolution::forward(s, x, w, &mut y);
            }
        })
    })??;
    tensor(y, (s.n, s.output.0, s.output.1, s.output.2))
}

fn backward_weight<T: Element>(
    s: &ConvShape,
    x: &Tensor,
    dy: &Tensor,
    slot: crate::tape::Slot,
    gradients: &mut Gradients,
) -> Result<()> {
    let dims = [s.output.0, s.input.0 / s.groups, s.kernel.0, s.kernel.1];
    read::<T, _>(x, |x| {
        read::<T, _>(dy, |dy| {
            gradients.accumulate::<T>(slot, &dims, |dw, _| {
                if is_depthwise(s) {
                    depthwise::backward_weight(s, x, dy, dw);
                } else if batched_convolution::serves(s) {
                    batched_convolution::backward_weight(s, x, dy, dw);
                } else {
                    convolution::backward_weight(s, x, dy, dw);
                }
            })
        })
    })??
}

fn backward_input<T: Element>(
    s: &ConvShape,
    w: &Tensor,
    dy: &Tensor,
    slot: crate::tape::Slot,
    gradients: &mut Gradients,
) -> Result<()> {
    let dims = [s.n, s.input.0, s.input.1, s.input.2];
    read::<T, _>(w, |w| {
        read::<T, _>(dy, |dy| {
            gradients.accumulate::<T>(slot, &dims, |dx, _| {
                if is_depthwise(s) {
                    depthwise::backward_input(s, w, dy, dx);
                } else if batched_convolution::serves(s) {
                    batched_convolution::backward_input(s, w, dy, dx);
                } else {
                    convolution::backward_input(s, w, dy, dx);
                }
            })
        })
    })??
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        // (x, weight, stride, padding, dilation, groups)
        let cases = [
            ([2, 3, 5, 7], [4, 3, 3, 3], 1, (1, 1), 1, 1),
            ([1, 3, 9, 6], [2, 3, 3, 3], 2, (1, 1), 1, 1),
            ([2, 4, 5, 3], [6, 4, 1, 1], 1, (0, 0), 1, 1),
            ([1, 4, 5, 7], [6, 2, 1, 1], 2, (0, 0), 1, 2),
            ([2, 3, 7, 8], [3, 1, 3, 3], 1, (1, 1), 1, 3),
            ([1, 3, 8, 7], [3, 1, 3, 3], 2, (1, 1), 1, 3),
            ([1, 2, 9, 8], [2, 2, 3, 2], 1, (2, 1), 2, 1),
            ([1, 4, 6, 5], [8, 2, 3, 3], 1, (1, 1), 1, 2),
            ([1, 2, 6, 9], [3, 2, 1, 7], 1, (0, 3), 1, 1),
            ([1, 2, 12, 9], [3, 2, 5, 5], 3, (2, 2), 1, 1),
        ];
        for (x, w, stride, padding, dilation, groups) in cases {
            let settings = Conv2dSettings { stride, padding, dilation, groups };
            check(&[&x, &w], |tape, v| conv2d(tape, v[0].clone(), v[1].clone(), settings));
            check_half(&[&x, &w], |tape, v| conv2d(tape, v[0].clone(), v[1].clone(), settings));
        }
    }

    #[test]
    fn a_shape_that_does_not_fit_is_an_error() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::zeros((1, 3, 4, 4), candle_core::DType::F32, &candle_core::Device::Cpu)?)?;
        for dims in [(2, 4, 3, 3), (2, 3, 5, 5)] {
            let w = tape.constant(&Tensor::zeros(dims, candle_core::DType::F32, &candle_core::Device::Cpu)?)?;
            let error = conv2d(&mut tape, x.clone(), w, Conv2dSettings::default()).unwrap_err().to_string();
            assert!(error.contains("conv2d") && error.contains("[1, 3, 4, 4]"), "{error}");
        }
        Ok(())
    }
}
