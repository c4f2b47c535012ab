//! Convolution and pooling composed of candle's operators, tap by tap.
//!
//! A tap is one place of the kernel: the input shifted to it, one element for every output element. The number of
//! operations grows with the kernel's area, never with channels or groups. Sums over taps of `f16` and `bf16` are taken
//! in `f32`.

use candle_core::{D, DType, Tensor};

use super::precision::{channel_sums, matmul, widened};
use crate::error::Result;
use crate::kernels::shape::ConvShape;

/// The shifted views of one convolution or pooling.
pub(crate) struct Taps<'a>(&'a ConvShape);

impl<'a> Taps<'a> {
    pub(crate) fn new(shape: &'a ConvShape) -> Self {
        Self(shape)
    }

    /// Every tap, `(ky, kx)`.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (kh, kw) = self.0.kernel;
        (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (ky, kx)))
    }

    /// The padded extent each tap's view is cut from: the padded input, or more where the last step needs it.
    fn extent(size: usize, out: usize, kernel: usize, padding: usize, s: &ConvShape) -> usize {
        (size + 2 * padding).max((kernel - 1) * s.dilation + out * s.stride)
    }

    /// `x` `[N, C, H, W]` padded with `fill` so that every tap has `stride * OUT` elements.
    pub(crate) fn pad(&self, x: &Tensor, fill: f64) -> Result<Tensor> {
        let s = self.0;
        let height = Self::extent(s.input.1, s.output.1, s.kernel.0, s.padding.0, s);
        let width = Self::extent(s.input.2, s.output.2, s.kernel.1, s.padding.1, s);
        let (bottom, right) = (height - s.input.1 - s.padding.0, width - s.input.2 - s.padding.1);
        if fill == 0.0 {
            let x = x.pad_with_zeros(2, s.padding.0, bottom)?;
            return Ok(x.pad_with_zeros(3, s.padding.1, right)?);
        }
        let x = pad_with(x, 2, s.padding.0, bottom, fill)?;
        pad_with(&x, 3, s.padding.1, right, fill)
    }

    /// The view `[N, C, OH, OW]` of a padded input that one tap sees.
    pub(crate) fn view(&self, padded: &Tensor, (ky, kx): (usize, usize)) -> Result<Tensor> {
        let s = self.0;
        let rows = padded.narrow(2, ky * s.dilation, s.output.1 * s.stride)?;
        let both = rows.narrow(3, kx * s.dilation, s.output.2 * s.stride)?;
        if s.stride == 1 {
            return Ok(both);
        }
        let (n, c) = (both.dim(0)?, both.dim(1)?);
        let phases = both.contiguous()?.reshape(&[n, c, s.output.1, s.stride, s.output.2, s.stride][..])?;
        Ok(phases.narrow(3, 0, 1)?.narrow(5, 0, 1)?.reshape((n, c, s.output.1, s.output.2))?)
    }

    /// The adjoint of padding and viewing: puts `[N, C, OH, OW]` back to the places `[N, C, H, W]` that the tap saw.
    pub(crate) fn place(&self, values: &Tensor, (ky, kx): (usize, usize)) -> Result<Tensor> {
        let s = self.0;
        let (n, c) = (values.dim(0)?, values.dim(1)?);
        let spread = if s.stride == 1 {
            values.clone()
        } else {
            let phases = values.reshape(&[n, c, s.output.1, 1, s.output.2, 1][..])?;
            let phases = phases.pad_with_zeros(3, 0, s.stride - 1)?.pad_with_zeros(5, 0, s.stride - 1)?;
            phases.reshape((n, c, s.output.1 * s.stride, s.output.2 * s.stride))?
        };
        let height = Self::extent(s.input.1, s.output.1, s.kernel.0, s.padding.0, s);
        let width = Self::extent(s.input.2, s.output.2, s.kernel.1, s.padding.1, s);
        let (top, left) = (ky * s.dilation, kx * s.dilation);
        let full = spread.pad_with_zeros(2, top, height - top - s.output.1 * s.stride)?;
        let full = full.pad_with_zeros(3, left, width - left - s.output.2 * s.stride)?;
        Ok(full.narrow(2, s.padding.0, s.input.1)?.narrow(3, s.padding.1, s.input.2)?.contiguous()?)
    }

    /// One tap of the weight as `[G, O/G, C/G]`.
    fn weight(&self, w: &Tensor, (ky, kx): (usize, usize)) -> Result<Tensor> {
        let s = self.0;
        let tap = w.narrow(2, ky, 1)?.narrow(3, kx, 1)?.contiguous()?;
        Ok(tap.reshape((s.groups, s.output.0 / s.groups, s.input.0 / s.groups))?)
    }

    /// `[N, C, OH, OW]` as `[G, C/G, N OH OW]`.
    fn grouped(&self, x: &Tensor) -> Result<Tensor> {
        let s = self.0;
        let (n, c, h, w) = x.dims4()?;
        let split = x.contiguous()?.reshape((n, s.groups, c / s.groups, h * w))?;
        Ok(split.permute((1, 2, 0, 3))?.contiguous()?.reshape((s.groups, c / s.groups, n * h * w))?)
    }

    /// The inverse of [`Taps::grouped`].
    fn ungrouped(&self, x: &Tensor, h: usize, w: usize) -> Result<Tensor> {
        let (groups, c, _) = x.dims3()?;
        let split = x.reshape((groups, c, self.0.n, h * w))?.permute((2, 0, 1, 3))?;
        Ok(split.contiguous()?.reshape((self.0.n, groups * c, h, w))?)
    }

    fn depthwise(&self) -> bool {
        self.0.groups > 1 && self.0.groups == self.0.input.0 && self.0.groups == self.0.output.0
    }

    /// The forward pass.
    pub(crate) fn convolve(&self, x: &Tensor, w: &Tensor) -> Result<Tensor> {
        let s = self.0;
        if s.groups == 1 {
            let same = s.padding.0 == s.padding.1;
            let (x, padding) = if same { (x.clone(), s.padding.0) } else { (self.pad(x, 0.0)?, 0) };
            let y = single(&x.contiguous()?, w, padding, s)?;
            // Padding for the last step may have added a row or column of output.
            return Ok(y.narrow(2, 0, s.output.1)?.narrow(3, 0, s.output.2)?.contiguous()?);
        }
        let padded = self.pad(x, 0.0)?;
        let mut sum: Option<Tensor> = None;
        for tap in self.all() {
            let view = self.view(&padded, tap)?;
            let part = if self.depthwise() {
                view.broadcast_mul(&self.channel_weight(w, tap)?)?
            } else {
                matmul(&self.weight(w, tap)?, &self.grouped(&view)?)?
            };
            let part = widened(&part)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let sum = sum.ok_or_else(|| crate::Error::shape("conv2d", "an empty kernel"))?.to_dtype(x.dtype())?;
        if self.depthwise() { Ok(sum) } else { self.ungrouped(&sum, s.output.1, s.output.2) }
    }

    fn channel_weight(&self, w: &Tensor, (ky, kx): (usize, usize)) -> Result<Tensor> {
        Ok(w.narrow(2, ky, 1)?.narrow(3, kx, 1)?.reshape((1, self.0.input.0, 1, 1))?)
    }

    /// The gradient of the weight, `[O, C/G, kh, kw]`.
    pub(crate) fn weight_gradient(&self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let s = self.0;
        let padded = self.pad(x, 0.0)?;
        let dy_grouped = if self.depthwise() { None } else { Some(self.grouped(dy)?) };
        let mut parts = vec![];
        for tap in self.all() {
            let view = self.view(&padded, tap)?;
            parts.push(match &dy_grouped {
                None => channel_sums(&(view * dy)?)?.reshape((s.output.0, 1))?.to_dtype(x.dtype())?,
                Some(dy) => {
                    let product = matmul(dy, &self.grouped(&view)?.transpose(D::Minus1, D::Minus2)?)?;
                    product.reshape((s.output.0, s.input.0 / s.groups))?
                }
            });
        }
        let stacked = Tensor::stack(&parts, 2)?;
        Ok(stacked.reshape((s.output.0, s.input.0 / s.groups, s.kernel.0, s.kernel.1))?)
    }

    /// The gradient of the input, `[N, C, H, W]`.
    pub(crate) fn input_gradient(&self, w: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let s = self.0;
        let dy_grouped = if self.depthwise() { None } else { Some(self.grouped(dy)?) };
        let mut sum: Option<Tensor> = None;
        for tap in self.all() {
            let values = match &dy_grouped {
                None => dy.broadcast_mul(&self.channel_weight(w, tap)?)?,
                Some(dy) => {
                    let weight = self.weight(w, tap)?.transpose(1, 2)?.contiguous()?;
                    self.ungrouped(&matmul(&weight, dy)?, s.output.1, s.output.2)?
                }
            };
            let placed = self.place(&widened(&values)?, tap)?;
            sum = Some(match sum {
                None => placed,
                Some(sum) => (sum + placed)?,
            });
        }
        Ok(sum.ok_or_else(|| crate::Error::shape("conv2d", "an empty kernel"))?.to_dtype(dy.dtype())?)
    }
}

/// Candle's convolution of one group. It has none of `bf16` on the CPU, where it goes through `f32`.
fn single(x: &Tensor, w: &Tensor, padding: usize, s: &ConvShape) -> Result<Tensor> {
    if x.dtype() == DType::BF16 && x.device().is_cpu() {
        return Ok(single(&widened(x)?, &widened(w)?, padding, s)?.to_dtype(DType::BF16)?);
    }
    Ok(x.conv2d(w, padding, s.stride, s.dilation, 1)?)
}

/// Pads one dimension with a number.
fn pad_with(x: &Tensor, dim: usize, before: usize, after: usize, fill: f64) -> Result<Tensor> {
    let side = |count: usize| -> Result<Tensor> {
        let mut dims = x.dims().to_vec();
        dims[dim] = count;
        Ok(Tensor::full(fill, dims, x.device())?.to_dtype(x.dtype())?)
    };
    let mut parts = vec![];
    if before > 0 {
        parts.push(side(before)?);
    }
    parts.push(x.clone());
    if after > 0 {
        parts.push(side(after)?);
    }
    Ok(Tensor::cat(&parts, dim)?)
}
