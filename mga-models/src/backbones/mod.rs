//! The backbones, one family a file, with torchvision's names.

mod densenet;
mod mobilenet_v2;
mod resnet;
mod vgg;

pub use densenet::DENSENETS;
pub use mobilenet_v2::MOBILENET_V2;
pub use resnet::RESNETS;
pub use vgg::VGGS;
