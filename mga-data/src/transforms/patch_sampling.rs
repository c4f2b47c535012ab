//! Patches at random places, each a view (DeepEMD's sampling, Zhang et al. 2020). Draws: for each patch those of
//! `random-resized-crop`, then whether it is mirrored.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flip::HorizontalFlip;
use super::interpolation::Interpolation;
use super::operation::{Context, Operation, out_of_range};
use super::patch_views::{MOST, patch_name};
use super::random_resized_crop::{RandomResizedCrop, default_area, default_aspect};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::scene::Scene;
use super::size::Size;
use crate::picture::{Mask, Picture};

/// Cuts out windows of random area and aspect, resizes each to `size`, and gives them as the views `patch-000`, `patch-001`,
/// …. The image itself is resized to `size` too. DeepEMD samples so in training and in evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchSampling {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
    /// Patches of an image.
    #[serde(default = "nine")]
    #[schemars(range(min = 1, max = 1000))]
    pub patches: usize,
    /// Least and greatest fraction of the image's area.
    #[serde(default = "default_area")]
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub area: [f64; 2],
    /// Least and greatest width over height of a window.
    #[serde(default = "default_aspect")]
    #[schemars(inner(range(min = 0.01, max = 100.0)))]
    pub aspect: [f64; 2],
    /// Probability that a patch is mirrored, each by itself.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub flip: f64,
    /// How patches are resampled.
    #[serde(default)]
    pub interpolation: Interpolation,
}

fn nine() -> usize {
    9
}

fn half() -> f64 {
    0.5
}

/// Returns `patch-sampling` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<PatchSampling>("patch-sampling", "Gives random patches as views, and resizes the image.")
}

impl PatchSampling {
    fn crop(&self) -> RandomResizedCrop {
        let Self { size, area, aspect, interpolation, .. } = *self;
        RandomResizedCrop { size, area, aspect, interpolation }
    }
}

impl Operation for PatchSampling {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let Scene { picture, mask, .. } = self.transform(Scene::new(picture, mask), context);
        (picture, mask)
    }

    fn transform(&self, mut scene: Scene, context: &mut Context<'_>) -> Scene {
        let (crop, mirror) = (self.crop(), HorizontalFlip { p: self.flip });
        for number in 0..self.patches {
            let (patch, _) = crop.apply(scene.picture.clone(), None, context);
            scene.views.push((patch_name(number), mirror.apply(patch, None, context).0));
        }
        let (height, width) = self.size.sides();
        scene.picture = context.resized(scene.picture, height, width, self.interpolation);
        scene.mask = scene.mask.map(|mask| resize_mask(mask, height, width));
        scene
    }

    fn size_after(&self, _height: usize, _width: usize) -> (usize, usize) {
        self.size.sides()
    }

    fn fixed_size(&self) -> Option<(usize, usize)> {
        Some(self.size.sides())
    }

    fn resamples(&self) -> bool {
        true
    }

    fn problems(&self) -> Vec<String> {
        let patches = (!(1..=MOST).contains(&self.patches))
            .then(|| format!("`patches` is {}, expected 1 to {MOST}", self.patches));
        self.crop().problems().into_iter().chain(patches).chain(out_of_range("flip", self.flip, 0.0, 1.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use mga_core::random::Generator;

    use super::super::interpolation::Rounding;
    use super::super::patch_views::is_patch;
    use super::super::testing::*;
    use super::*;

    fn sampling() -> PatchSampling {
        serde_json::from_value(serde_json::json!({ "size": 6, "patches": 4 })).unwrap()
    }

    fn run_scene(op: &PatchSampling, seed: u64) -> Scene {
        let (picture, mask) = coordinates(20, 16);
        let mut generator = Generator::new(seed, "test", &[]);
        let mut context = Context { generator: &mut generator, fill: FILL, rounding: Rounding::None };
        op.transform(Scene::new(picture, mask), &mut context)
    }

    #[test]
    fn patches_are_views_of_the_input_size_that_differ() {
        let scene = run_scene(&sampling(), 1);
        assert_eq!(scene.views.len(), 4);
        for (name, view) in &scene.views {
            assert!(is_patch(name) && (view.width(), view.height()) == (6, 6), "{name}");
        }
        assert_ne!(scene.views[0].1, scene.views[1].1);
        assert_eq!((scene.picture.width(), scene.mask.as_ref().unwrap().width()), (6, 6));
        assert_eq!(scene, run_scene(&sampling(), 1));
        assert_ne!(scene.views, run_scene(&sampling(), 2).views);
    }

    #[test]
    fn settings_out_of_range_are_told() {
        let bad = PatchSampling { patches: 0, flip: -1.0, area: [0.5, 0.2], ..sampling() };
        let said = bad.problems().join("\n");
        for part in ["`patches` is 0", "`flip`", "`area`"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!is_patch("patch-1") && !is_patch("turned"));
    }
}
