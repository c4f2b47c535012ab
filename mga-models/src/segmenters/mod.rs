//! Segmenters, one a file: rules without weights, and networks.

mod excess_green;
mod histogram;
mod otsu;
mod unet_small;
mod weightless;

pub use excess_green::{EXCESS_GREEN, ExcessGreen, ExcessGreenSettings};
pub use otsu::{Channel, OTSU, Otsu, OtsuSettings, Side};
pub use unet_small::UNET_SMALL;
pub use weightless::WeightlessEntry;
