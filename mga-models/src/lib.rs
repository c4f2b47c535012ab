//! Backbones, heads and the model of mask guided attention, by name, with their weight files.

pub mod backbone;
pub mod backbones;
pub mod grad_cam;
pub mod head;
pub mod input;
pub mod model;
pub mod networks;
pub mod segmenter;
pub mod segmenters;
pub mod settings;
pub mod weights;

pub use backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId};
pub use grad_cam::grad_cam;
pub use input::Input;
pub use mga_core::{Error, Result};
pub use model::{MgaModel, ModelSettings, Prediction};
pub use networks::{Networks, builtin, register};
pub use segmenter::{ForegroundSettings, NetworkSegmenter, SegmentationNetwork, SegmentationOutput, Segmenter};
pub use segmenters::{RegisteredNetwork, RegisteredRule, RegisteredSegmenter, Segmenters, Trunk};
pub use settings::{no_settings, read_settings};
