//! Layers: parameters with a forward pass on the tape. Backbones are written against these alone.

mod batch_norm;
mod conv2d;
mod dense_block;
mod layer_norm;
mod linear;

pub use batch_norm::{BatchNorm2d, BatchNormSettings};
pub use conv2d::{Conv2d, ConvInit};
pub use dense_block::{DenseBlock, DenseBlockSettings};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
