//! Backbones, heads and the model of mask guided attention, by name, with their weight files.

pub mod attention;
pub mod attentions;
pub mod backbone;
pub mod backbones;
pub mod features;
pub mod grad_cam;
pub mod head;
pub mod heads;
pub mod input;
pub mod model;
pub mod networks;
pub mod segmenter;
pub mod segmenters;
pub mod settings;
pub mod stage;
pub mod torch_program;
pub mod weights;

pub use attention::{Attended, Attention, AttentionOpening, Attentions, RegisteredAttention};
pub use backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId};
pub use features::Features;
pub use grad_cam::grad_cam;
pub use head::{Head, HeadOpening, Heads, RegisteredHead};
pub use input::Input;
pub use mga_core::{Error, Result};
pub use model::{MgaModel, ModelSettings, Prediction};
pub use networks::{Networks, builtin, register};
pub use segmenter::{ForegroundSettings, NetworkSegmenter, SegmentationNetwork, SegmentationOutput, Segmenter};
pub use segmenters::{RegisteredNetwork, RegisteredRule, RegisteredSegmenter, Segmenters, Trunk};
pub use settings::{no_settings, read_settings};
pub use torch_program::{AttentionProgram, BackboneProgram};
