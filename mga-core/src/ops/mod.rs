//! Operators on the tape, one a file: what it computes, its gradient, and its check.
//!
//! Every operator runs on any device. On the CPU in `f32` and `f64` most have kernels of their own; elsewhere (and on a
//! tape with [`crate::tape::Engine::Composed`]) they compose candle's operators, with the same gradient: ties go to the
//! same element, and NaN is passed on, not swallowed by a maximum. The number of candle's operations depends on a
//! kernel's area at most, never on channels or groups (`tests/composed_operations.rs` counts them).
//!
//! Element types: `f64` is for gradient checks (finite differences, both engines) and exact fixtures, `f32` for work.
//! `f16` and `bf16` are always composed; each operator says what it does there, and where it says nothing else it works
//! and answers in the type it is given. They are checked on the CPU against `f64`; on a GPU `bf16` needs compute
//! capability 8.0.

mod adaptive_avg_pool2d;
mod add;
mod add_bias;
mod attend;
mod average_bins;
mod avg_pool2d;
mod batch_matmul;
mod batch_norm;
mod candle_node;
mod channel_dropout;
mod channel_pool;
mod concat;
mod conv2d;
mod conv2d_fused;
mod dense_block;
mod drop_block;
mod dropout;
mod flatten;
mod gelu;
mod hard_sigmoid;
mod hard_swish;
mod layer_norm;
mod leaky_relu;
mod linear;
mod max_pool2d;
mod pointwise;
pub(crate) mod precision;
mod rearrange;
mod relu;
mod resize_bilinear;
mod scale_channels;
mod sigmoid;
mod softmax;
mod taps;
mod zero_pad2d;

pub use adaptive_avg_pool2d::{adaptive_average, adaptive_avg_pool2d};
pub use add::{add, add_relu, scaled_sum};
pub use add_bias::add_bias;
pub use attend::{Gate, attend};
pub use avg_pool2d::avg_pool2d;
pub use batch_matmul::batch_matmul;
pub use batch_norm::{Activation, BatchNormInputs, Statistics, batch_norm};
pub use candle_node::candle_node;
pub use channel_dropout::channel_dropout;
pub use channel_pool::channel_mean_max;
pub use concat::concat_channels;
pub use conv2d::{Conv2dSettings, conv2d};
pub use conv2d_fused::{conv2d_bias, conv2d_norm};
pub use dense_block::{DenseLayerInputs, dense_block};
pub use drop_block::drop_block;
pub use dropout::dropout;
pub use flatten::flatten;
pub use gelu::gelu;
pub use hard_sigmoid::hard_sigmoid;
pub use hard_swish::hard_swish;
pub use layer_norm::layer_norm;
pub use leaky_relu::leaky_relu;
pub use linear::linear;
pub use max_pool2d::{Pool2dSettings, max_pool2d};
pub use rearrange::{mirror, permute, reshape};
pub use relu::relu;
pub use resize_bilinear::{resize_bilinear, scale_bilinear};
pub use scale_channels::scale_channels;
pub use sigmoid::sigmoid;
pub use softmax::softmax;
pub use zero_pad2d::{Margins, same_padding, zero_pad2d};
