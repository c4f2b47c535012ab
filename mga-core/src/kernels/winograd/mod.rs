//! 3 x 3 convolutions at stride 1 by minimal filtering, F(2 x 2, 3 x 3): a tile of four outputs from sixteen products in
//! place of thirty-six (Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, 2016, after Winograd 1980).
//!
//! With `Y` a 2 x 2 tile of the output, `d` the 4 x 4 of the input under it, and `g` the filter,
//! `Y = A^T [(G g G^T) * (B^T d B)] A`, element by element, summed over the channels in between: sixteen matrix products,
//! one a *place* of the 4 x 4. The filter's gradient is `G^T [sum (A dY A^T) * (B^T d B)] G`, the input's a convolution
//! with the filter turned round.
//!
//! The factors are 0, 1 and 1/2, so rounding is about that of the plain sum; larger tiles, whose factors grow, would round
//! worse.

mod filter;
mod input;
mod output;
mod tiles;
mod weight;

use super::maps::Maps;
use super::shape::ConvShape;
use crate::element::Element;
use filter::Filters;
use output::Sink;
pub(crate) use weight::backward_weight;

/// Whether these sizes are served here, and faster so than by unfolding: many channels share the work of transforming the
/// tiles, and many tiles that of transforming the filters.
pub(crate) fn serves(s: &ConvShape) -> bool {
    let channels = (s.input.0 / s.groups).min(s.output.0 / s.groups);
    let tiles = s.n * s.output.1.div_ceil(2) * s.output.2.div_ceil(2);
    s.kernel == (3, 3)
        && s.padding.0.max(s.padding.1) <= 2
        && s.stride == 1
        && s.dilation == 1
        && channels >= 16
        && tiles >= 192
}

/// `y[n, o] = sum_c w[o, c] * x[n, c]` over every tap; `sink` gets each piece of a row of `y` once.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: Maps<'_, T>, w: &[T], sink: impl Sink<T>) {
    let (cg, og) = (s.input.0 / s.groups, s.output.0 / s.groups);
    for group in 0..s.groups {
        let filters = Filters::pack(og, cg, |row, c| {
            let w = &w[((group * og + row) * cg + c) * 9..][..9];
            std::array::from_fn(|tap| w[tap])
        });
        output::product(s, &filters, x, group * cg, |row, image, pixel, numbers| {
            sink(group * og + row, image, pixel, numbers);
        });
    }
}

/// `dx = w^T dy`; `sink` gets each piece of a row of `dx` once. `back` is the convolution from `dy` to `dx`: channels and
/// sizes exchanged, the padding what is left of the kernel's reach.
pub(crate) fn backward_input<T: Element>(back: &ConvShape, w: &[T], dy: Maps<'_, T>, sink: impl Sink<T>) {
    let (og, cg) = (back.input.0 / back.groups, back.output.0 / back.groups);
    for group in 0..back.groups {
        let filters = Filters::pack(cg, og, |row, o| {
            let w = &w[((group * og + o) * cg + row) * 9..][..9];
            std::array::from_fn(|tap| w[8 - tap])
        });
        output::product(back, &filters, dy, group * og, |row, image, pixel, numbers| {
            sink(group * cg + row, image, pixel, numbers);
        });
    }
}
