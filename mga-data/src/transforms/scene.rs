//! An image on its way through the transforms, with all that they make of it.

use serde_json::{Map, Value};

use crate::picture::{Mask, Picture};

/// An image, its mask, and what transforms add to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The image.
    pub picture: Picture,
    /// The mask, of the image's size.
    pub mask: Option<Mask>,
    /// Other views of the image by name, as they were when a transform gave them. A batch has each as a tensor
    /// `[N, 3, H, W]` of this name, so every image of a batch must have it, in one size.
    pub views: Vec<(String, Picture)>,
    /// The record that transforms wrote, such as the patches that were swapped or the position of the crop.
    pub record: Map<String, Value>,
}

impl Scene {
    /// Creates an image and its mask, with nothing added yet.
    #[must_use]
    pub fn new(picture: Picture, mask: Option<Mask>) -> Self {
        Self { picture, mask, views: Vec::new(), record: Map::new() }
    }
}
