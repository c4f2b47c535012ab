//! The backbones, one family a file, with torchvision's names.

mod conv4;
mod densenet;
mod mobilenet_v2;
mod resnet;
mod vgg;

pub use conv4::CONV4;
pub use densenet::{DENSENETS, WEIGHTS as DENSENET_WEIGHTS};
pub use mobilenet_v2::{MOBILENET_V2, WEIGHTS as MOBILENET_V2_WEIGHTS};
pub(crate) use resnet::{Block, ConvNorm, ResNet, Spacing};
pub use resnet::{RESNETS, WEIGHTS as RESNET_WEIGHTS};
pub use vgg::{VGGS, WEIGHTS as VGG_WEIGHTS};
