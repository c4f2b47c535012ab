//! Weight files that say what they are for: the network, its classes and what is done to an image, as safetensors
//! metadata, so that such a file (alone, or in a folder of the hub) predicts without any experiment.

mod description;
mod model_py;

pub use description::{AttentionDescription, ComponentSettings, ModelDescription, Preprocessing};
pub use model_py::model_py;
