//! The sizes of a convolution, a pooling or whatever else slides over an image.

/// Sizes of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    /// Images.
    pub(crate) n: usize,
    /// Input channels, height and width.
    pub(crate) input: (usize, usize, usize),
    /// Output channels, height and width.
    pub(crate) output: (usize, usize, usize),
    /// Kernel height and width.
    pub(crate) kernel: (usize, usize),
    /// Step, the same both ways.
    pub(crate) stride: usize,
    /// Zeros added above and below, left and right.
    pub(crate) padding: (usize, usize),
    /// Distance between kernel taps.
    pub(crate) dilation: usize,
    /// Groups of channels that see only each other.
    pub(crate) groups: usize,
}

impl ConvShape {
    pub(super) fn c_group(&self) -> usize {
        self.input.0 / self.groups
    }
    pub(super) fn o_group(&self) -> usize {
        self.output.0 / self.groups
    }
    pub(super) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
    pub(super) fn in_area(&self) -> usize {
        self.input.1 * self.input.2
    }
    /// Numbers in a plane of the output.
    pub(crate) fn out_area(&self) -> usize {
        self.output.1 * self.output.2
    }

    /// The output columns `lo..hi` for which tap `kx` falls inside the input, and the input column of `lo`.
    pub(super) fn columns(&self, kx: usize) -> (usize, usize, usize) {
        span(kx * self.dilation, self.stride, self.padding.1, self.input.2, self.output.2)
    }

    /// The input row under output row `oy` and tap `ky`, if it is not padding.
    pub(super) fn row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride + ky * self.dilation).checked_sub(self.padding.0).filter(|&iy| iy < self.input.1)
    }
}

/// Output positions `lo..hi` for which `position * stride + offset - padding` is inside `0..size`, and that of `lo`.
fn span(offset: usize, stride: usize, padding: usize, size: usize, out: usize) -> (usize, usize, usize) {
    let lo = padding.saturating_sub(offset).div_ceil(stride).min(out);
    let hi = (size + padding).checked_sub(offset + 1).map_or(0, |last| (last / stride + 1).min(out)).max(lo);
    (lo, hi, (lo * stride + offset).saturating_sub(padding))
}
