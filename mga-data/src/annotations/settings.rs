//! The settings of annotations in an experiment.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::masks::MaskOrientation;

/// Where label maps come from, for task = "segmentation". Images without one are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnnotationSettings {
    /// The kind of annotations.
    pub source: AnnotationKind,
    /// The folder of the label maps, with the layout of the images, relative to where mga is started; left out: next to
    /// the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub root: Option<PathBuf>,
    /// Class names, in the order of their numbers; the first is the background.
    #[schemars(length(min = 2, max = 255))]
    pub classes: Vec<String>,
    /// `masks`: the second class is where a mask is at least this.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub threshold: f64,
    /// `labelme`: width of lines and diameter of points, pixels.
    #[schemars(range(min = 1.0))]
    pub line_width: f64,
    /// `labelme`: the label of shapes that bound the annotated area; pixels outside are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub region: Option<String>,
    /// Crop images to their annotated area (the pixels that are not 255).
    pub crop: bool,
    /// `labelme`, `index-png`: which pixels of photographs that EXIF turns were annotated, `upright` as they are shown or
    /// `stored` as they are stored; left out: upright, and what nothing shows is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-older-releases" = "upright"))]
    pub orientation: Option<MaskOrientation>,
}

/// The kind of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnnotationKind {
    /// The data set's own masks of `data.masks.source`, of two classes.
    #[default]
    Masks,
    /// `NAME.json` of the LabelMe program: polygons, lines and other shapes.
    Labelme,
    /// `NAME.png`, a palette or grey: the class number of each pixel, and 255 for ignored pixels.
    IndexPng,
}

impl Default for AnnotationSettings {
    fn default() -> Self {
        Self {
            source: AnnotationKind::Masks,
            root: None,
            classes: vec!["background".to_owned(), "foreground".to_owned()],
            threshold: 0.5,
            line_width: 3.0,
            region: None,
            crop: false,
            orientation: None,
        }
    }
}
