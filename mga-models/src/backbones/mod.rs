//! The backbones, one family a file, with torchvision's names.

mod conv4;
mod densenet;
mod mobilenet_v2;
mod resnet;
mod vgg;

pub use conv4::CONV4;
pub use densenet::DENSENETS;
pub use mobilenet_v2::MOBILENET_V2;
pub use resnet::RESNETS;
pub(crate) use resnet::{Block, ConvNorm, ResNet, Spacing};
pub use vgg::VGGS;
