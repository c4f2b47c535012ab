//! The backbones, one family a file, with torchvision's names (timm's where torchvision has none).

mod conv4;
mod densenet;
mod efficientnet_lite0;
mod inception_v3;
mod mobilenet_v2;
mod resnet;
mod vgg;

pub use conv4::CONV4;
pub use densenet::DENSENETS;
pub use efficientnet_lite0::EFFICIENTNET_LITE0;
pub use inception_v3::INCEPTION_V3;
pub use mobilenet_v2::MOBILENET_V2;
pub use resnet::RESNETS;
pub use vgg::VGGS;
