//! Two-dimensional convolution (cross-correlation, as every deep-learning library has it).

use candle_core::Tensor;

use super::taps::Taps;
use crate::element::{Element, read, tensor, with_element, written, zeros};
use crate::error::{Error, Result};
use crate::kernels::affine::Affine;
use crate::kernels::batch_norm::{Planes, apply_in_place};
use crate::kernels::convolution;
use crate::kernels::depthwise;
use crate::kernels::maps::Maps;
use crate::kernels::shape::ConvShape;
use crate::recorder::{Attributes, Operator};
use crate::tape::{Gradient, Gradients, Slot, Tape, Value};

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

impl Conv2dSettings {
    pub(super) fn attributes(self) -> Attributes {
        vec![
            ("stride", self.stride.into()),
            ("padding", self.padding.into()),
            ("dilation", self.dilation.into()),
            ("groups", self.groups.into()),
        ]
    }
}

impl Default for Conv2dSettings {
    fn default() -> Self {
        Self { stride: 1, padding: (0, 0), dilation: 1, groups: 1 }
    }
}

/// Convolves `x` `[N, C, H, W]` with `weight` `[O, C / groups, kh, kw]`, giving `[N, O, OH, OW]` with
/// `OH = floor((H + 2 ph - dilation (kh - 1) - 1) / stride) + 1`.
///
/// f32 and f64 on the CPU: im2col and matrix products, or a direct kernel where depthwise. Otherwise candle's
/// convolution forward (groups: as backward), and matrix products over shifted views backward, one a tap of the kernel;
/// depthwise, products of shifted views. `f16` and `bf16`: products are rounded, sums over taps `f32`. With the feature
/// `cudnn` the forward pass of one group is cuDNN's, which may round `f32` to TF32 and adds `f16` in `f16`.
pub fn conv2d(tape: &mut Tape, x: Value, weight: Value, settings: Conv2dSettings) -> Result<Value> {
    let shape = conv2d_shape(&x, &weight, settings)?;
    let attributes = || settings.attributes();
    let operator = Operator::with("conv2d", &attributes);
    if tape.kernels(x.tensor()) && shape.has_kernel() {
        let y = with_element!(x.tensor(), T => output_of::<T>(&shape, x.tensor(), weight.tensor(), None)?);
        let operands = Operands::new(&shape, &x, &weight);
        return Ok(
            tape.record(operator, &[&x, &weight], y, move |dy, gradients| operands.backward(dy.tensor(), gradients))
        );
    }
    let y = Taps::new(&shape).convolve(x.tensor(), weight.tensor())?;
    let operands = Operands::new(&shape, &x, &weight);
    Ok(tape.record(operator, &[&x, &weight], y, move |dy, gradients| {
        let taps = Taps::new(&shape);
        if let Some(x) = &operands.x {
            gradients.add(operands.w_slot, Gradient::new(taps.weight_gradient(x, dy.tensor())?))?;
        }
        if let Some(w) = &operands.w {
            gradients.add(operands.x_slot, Gradient::new(taps.input_gradient(w, dy.tensor())?))?;
        }
        Ok(())
    }))
}

/// What the way back needs: each operand for the other's gradient only.
pub(super) struct Operands {
    shape: ConvShape,
    x: Option<Tensor>,
    w: Option<Tensor>,
    x_slot: Option<Slot>,
    w_slot: Option<Slot>,
}

impl Operands {
    pub(super) fn new(shape: &ConvShape, x: &Value, weight: &Value) -> Self {
        let (x_slot, w_slot) = (x.slot(), weight.slot());
        let (x, w) = (w_slot.map(|_| x.tensor().clone()), x_slot.map(|_| weight.tensor().clone()));
        Self { shape: *shape, x, w, x_slot, w_slot }
    }

    /// With kernels.
    pub(super) fn backward(&self, dy: &Tensor, gradients: &mut Gradients) -> Result<()> {
        with_element!(dy, T => {
            if let (Some(slot), Some(x)) = (self.w_slot, &self.x) {
                backward_weight::<T>(&self.shape, x, dy, slot, gradients)?;
            }
            if let (Some(slot), Some(w)) = (self.x_slot, &self.w) {
                backward_input::<T>(&self.shape, w, dy, slot, gradients)?;
            }
            Ok(())
        })
    }
}

pub(super) fn conv2d_shape(x: &Value, weight: &Value, s: Conv2dSettings) -> Result<ConvShape> {
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

impl ConvShape {
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input.0 && self.groups == self.output.0
    }

    /// Whether the CPU kernels serve these sizes.
    pub(super) fn has_kernel(&self) -> bool {
        self.is_depthwise() || convolution::serves(self)
    }
}

fn input<'a, T>(s: &ConvShape, x: &'a [T]) -> Maps<'a, T> {
    Maps::whole(x, s.input.0, s.input.1 * s.input.2)
}

fn output<'a, T>(s: &ConvShape, y: &'a [T]) -> Maps<'a, T> {
    Maps::whole(y, s.output.0, s.output.1 * s.output.2)
}

/// The output, each number changed by `finish` once it is there.
pub(super) fn output_of<T: Element>(
    s: &ConvShape,
    x: &Tensor,
    w: &Tensor,
    finish: Option<Affine<'_, T>>,
) -> Result<Tensor> {
    let count = s.n * s.output.0 * s.out_area();
    let y = read::<T, _>(x, |x| {
        read::<T, _>(w, |w| {
            if s.is_depthwise() {
                let mut y = zeros::<T>(count);
                depthwise::forward(s, x, w, &mut y);
                if let Some(finish) = finish {
                    let planes = Planes { n: s.n, c: s.output.0, area: s.out_area(), of: s.output.0 };
                    apply_in_place(planes, finish, &mut y);
                }
                return y;
            }
            // SAFETY: the blocks of the product cover every output, and are stored, not added.
            let forward = |y: &mut [T]| convolution::forward(s, input(s, x), w, finish, y, s.output.0 * s.out_area());
            unsafe { written(count, forward) }.0
        })
    })??;
    tensor(y, (s.n, s.output.0, s.output.1, s.output.2))
}

fn backward_weight<T: Element>(
    s: &ConvShape,
    x: &Tensor,
    dy: &Tensor,
    slot: Slot,
    gradients: &mut Gradients,
) -> Result<()> {
    let dims = [s.output.0, s.input.0 / s.groups, s.kernel.0, s.kernel.1];
    read::<T, _>(x, |x| {
        read::<T, _>(dy, |dy| {
            gradients.accumulate::<T>(slot, &dims, |dw, _| {
                if s.is_depthwise() {
                    depthwise::backward_weight(s, x, dy, dw);
                } else {
                    convolution::backward_weight(s, input(s, x), output(s, dy), dw);
                }
            })
        })
    })??
}

fn backward_input<T: Element>(
    s: &ConvShape,
    w: &Tensor,
    dy: &Tensor,
    slot: Slot,
    gradients: &mut Gradients,
) -> Result<()> {
    let dims = [s.n, s.input.0, s.input.1, s.input.2];
    read::<T, _>(w, |w| {
        read::<T, _>(dy, |dy| {
            gradients.accumulate_in::<T>(slot, &dims, |dx| {
                let fill = |dx: &mut [T], add: bool| {
                    if s.is_depthwise() {
                        depthwise::backward_input(s, w, dy, dx);
                    } else {
                        convolution::backward_input(s, w, output(s, dy), dx, add);
                    }
                };
                let count = dims.iter().product();
                match dx {
                    Some(dx) => {
                        fill(dx, true);
                        None
                    }
                    // SAFETY: at stride 1 the blocks of the product cover every input, and are stored, not added.
                    None if s.stride == 1 && !s.is_depthwise() => {
                        Some(unsafe { written(count, |dx| fill(dx, false)) }.0)
                    }
                    None => {
                        let mut dx = zeros::<T>(count);
                        fill(&mut dx, true);
                        Some(dx)
                    }
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
