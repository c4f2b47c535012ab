//! Segmenters, one a file: rules without weights, and networks under the names of their published weights. All networks
//! train.

mod deeplabv3;
mod excess_green;
mod fcn;
mod histogram;
mod hmsa;
mod hrnet;
mod mobilenet_v3;
mod object_context;
mod otsu;
mod segformer;
mod segformer_block;
mod two_heads;
mod unet_small;
mod weightless;

pub use deeplabv3::DEEPLABV3S;
pub use excess_green::{EXCESS_GREEN, ExcessGreen, ExcessGreenSettings};
pub use fcn::FCNS;
pub use hmsa::{HMSA, Hmsa, ScalePrediction};
pub use otsu::{Channel, OTSU, Otsu, OtsuSettings, Side};
pub use segformer::{SEGFORMERS, SegFormer, SegFormerSizes, WEIGHTS as SEGFORMER_WEIGHTS};
pub use unet_small::UNET_SMALL;
pub use weightless::WeightlessEntry;
