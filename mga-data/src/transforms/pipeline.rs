//! Transforms in the order they run.

use std::sync::Arc;

use mga_core::random::Generator;
use mga_registry::Registry;
use serde_json::Value;

use super::interpolation::Rounding;
use super::operation::{Context, Operation};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::scene::Scene;
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// A transform with the name in `op`.
pub type NamedOperation = (String, Arc<dyn Operation>);

/// Transforms in the order they run, their settings checked.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    operations: Vec<NamedOperation>,
    rounding: Rounding,
}

impl Pipeline {
    /// Checks every setting; the error lists all that are out of range, as `transforms[1] (random-crop): ...`.
    ///
    /// # Errors
    /// All settings that are out of range.
    pub fn new(operations: Vec<NamedOperation>) -> Result<Self> {
        let problems: Vec<String> = operations
            .iter()
            .enumerate()
            .flat_map(|(i, (name, operation))| {
                operation.problems().into_iter().map(move |p| format!("transforms[{i}] ({name}): {p}"))
            })
            .collect();
        if problems.is_empty() { Ok(Self { operations, rounding: Rounding::None }) } else { Err(Error::Many(problems)) }
    }

    /// Reads a list of transforms, each a table whose `op` names one that is registered.
    ///
    /// # Errors
    /// An unknown name; settings that cannot be read, or are out of range.
    pub fn read(values: &[Value], registry: &Registry) -> Result<Self> {
        Self::new(values.iter().map(|value| Self::operation(value, registry)).collect::<Result<_>>()?)
    }

    /// Reads one transform. Settings out of range are its [`Operation::problems`].
    ///
    /// # Errors
    /// An unknown name; settings that cannot be read.
    pub fn operation(value: &Value, registry: &Registry) -> Result<NamedOperation> {
        let op = value.get("op").and_then(Value::as_str).unwrap_or_default();
        let entry = registry.get::<Transforms>(op).ok_or_else(|| {
            let known: Vec<&str> = registry.all::<Transforms>().iter().map(|entry| entry.name.as_str()).collect();
            Error::settings(format!("unknown transform `{op}`; expected one of {}", known.join(", ")))
        })?;
        let mut settings = value.clone();
        settings.as_object_mut().map(|table| table.shift_remove("op"));
        Ok((op.to_owned(), entry.item.build(&settings)?))
    }

    /// Returns whether any transform resamples the image.
    #[must_use]
    pub fn resamples(&self) -> bool {
        self.operations().any(Operation::resamples)
    }

    /// Returns the pipeline with the values of resized images rounded.
    #[must_use]
    pub fn rounded(self, rounding: Rounding) -> Self {
        Self { rounding, ..self }
    }

    fn operations(&self) -> impl Iterator<Item = &dyn Operation> {
        self.operations.iter().map(|(_, operation)| operation.as_ref())
    }

    /// Runs every transform on an image and its mask. `fill` is the colour that normalisation turns into zero (the
    /// mean, in `0..=1`). A mask that differs from the picture in size is first resized to it.
    pub fn apply(
        &self,
        mut picture: Picture,
        mask: Option<Mask>,
        generator: &mut Generator,
        fill: [f32; 3],
    ) -> (Picture, Option<Mask>) {
        let mut mask = mask.map(|m| resize_mask(m, picture.height(), picture.width()));
        let mut context = Context { generator, fill, rounding: self.rounding };
        for operation in self.operations() {
            (picture, mask) = operation.apply(picture, mask, &mut context);
        }
        (picture, mask)
    }

    /// Runs every transform on an image and its mask like [`Self::apply`], and also returns what else they made.
    pub fn transform(&self, picture: Picture, mask: Option<Mask>, generator: &mut Generator, fill: [f32; 3]) -> Scene {
        let mask = mask.map(|m| resize_mask(m, picture.height(), picture.width()));
        let mut context = Context { generator, fill, rounding: self.rounding };
        let scene = Scene::new(picture, mask);
        self.operations().fold(scene, |scene, operation| operation.transform(scene, &mut context))
    }

    /// Returns the `(height, width)` of all results, if a transform fixes it.
    pub fn output_size(&self) -> Option<(usize, usize)> {
        self.operations().fold(None, |known, op| {
            op.fixed_size().or_else(|| known.map(|(height, width)| op.size_after(height, width)))
        })
    }

    /// Returns the height and width that result from `height` and `width`.
    pub fn size_after(&self, height: usize, width: usize) -> (usize, usize) {
        self.operations().fold((height.max(1), width.max(1)), |size, op| op.size_after(size.0, size.1))
    }

    /// Returns the least fraction, `0..=1`, of a picture of this size that is seen after all crops.
    pub fn smallest_view(&self, height: usize, width: usize) -> f64 {
        let mut size = (height.max(1), width.max(1));
        let mut seen = 1.0;
        for op in self.operations() {
            seen *= op.view(size.0, size.1);
            size = op.size_after(size.0, size.1);
        }
        seen
    }
}
