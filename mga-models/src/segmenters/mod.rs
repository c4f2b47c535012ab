//! Segmenters, one a file: rules without weights, and networks under the names of their published weights. All networks
//! train.

mod deeplabv3;
mod each_pixel;
mod excess_green;
mod fcn;
mod histogram;
mod hmsa;
mod hrnet;
mod mobilenet_v3;
mod object_context;
mod otsu;
mod registered;
mod segformer;
mod segformer_block;
mod two_heads;
mod unet_small;

use mga_registry::Entry;

use crate::weights::PublishedWeights;

pub use excess_green::{ExcessGreen, ExcessGreenSettings};
pub use hmsa::{Hmsa, ScalePrediction};
pub use otsu::{Channel, Otsu, OtsuSettings, Side};
pub use registered::{RegisteredNetwork, RegisteredRule, RegisteredSegmenter, Segmenters, Trunk};
pub use segformer::{SegFormer, SegFormerSizes};

/// Returns the segmenters of this crate.
#[must_use]
pub fn builtin() -> Vec<Entry<Segmenters>> {
    let mut all = vec![otsu::entry(), excess_green::entry()];
    all.extend([fcn::entries(), deeplabv3::entries(), segformer::entries()].concat());
    all.extend([hmsa::entry(), unet_small::entry()]);
    all
}

/// Returns the published weights of those segmenters.
#[must_use]
pub fn weights() -> Vec<PublishedWeights> {
    segformer::WEIGHTS.to_vec()
}
