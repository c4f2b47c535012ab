//! The segmentation networks, one architecture a file, under the names of their published weights. All of them train.

mod deeplabv3;
mod fcn;
mod hmsa;
mod hrnet;
mod mobilenet_v3;
mod object_context;
mod segformer;
mod segformer_block;
mod two_heads;

pub use deeplabv3::DEEPLABV3S;
pub use fcn::FCNS;
pub use hmsa::{HMSA, Hmsa, ScalePrediction};
pub use segformer::{SEGFORMERS, SegFormer, SegFormerSizes, WEIGHTS as SEGFORMER_WEIGHTS};
