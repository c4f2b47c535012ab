//! Scores of query images for the prototypes of classes, by their features alone: DeepEMD's head, and the Euclidean and
//! cosine scores of pooled features.
//!
//! An image is a set of nodes: the positions of its feature map, those of pooled maps beside them, or patches
//! ([`feature_pyramid`], [`stacked_patches`]). [`DeepEmd`] compares two images by the optimal transport between their nodes
//! (Zhang, Cai, Lin, Shen 2020, "DeepEMD: few-shot image classification with differentiable earth mover's distance and
//! structured classifiers"). [`StructuredLayer`] makes one prototype of several images of a class.

mod deepemd;
mod node_weights;
mod nodes;
mod prototypes;
mod similarity;
mod structured_layer;

pub use deepemd::{DeepEmd, Matched};
pub use node_weights::{NodeWeights, balanced, cross_reference};
pub use nodes::{feature_pyramid, stacked_patches};
pub use prototypes::{class_means, cosine_scores, euclidean_scores};
pub use similarity::{node_similarity, unit_rows};
pub use structured_layer::StructuredLayer;
