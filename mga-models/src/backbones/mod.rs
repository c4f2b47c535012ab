//! The backbones, one family a file, with torchvision's names (timm's where torchvision has none).

mod conv4;
mod densenet;
mod efficientnet_lite0;
mod inception_v3;
mod mobilenet_v2;
mod resnet;
mod resnet12;
mod vgg;

use mga_registry::Entry;

use crate::backbone::Backbones;
use crate::weights::PublishedWeights;

pub(crate) use resnet::{Block, ConvNorm, ResNet, Spacing};

/// Returns the backbones of this crate.
#[must_use]
pub fn builtin() -> Vec<Entry<Backbones>> {
    let mut all = [resnet::entries(), densenet::entries(), vgg::entries()].concat();
    all.extend([mobilenet_v2::entry(), inception_v3::entry(), efficientnet_lite0::entry(), conv4::entry()]);
    all.push(resnet12::entry());
    all
}

/// Returns the published weights of those backbones.
#[must_use]
pub fn weights() -> Vec<PublishedWeights> {
    let families = [resnet::WEIGHTS, densenet::WEIGHTS, vgg::WEIGHTS];
    let others = [mobilenet_v2::WEIGHTS, inception_v3::WEIGHTS, efficientnet_lite0::WEIGHTS];
    [families.concat(), others.concat()].concat()
}
