//! Patches on grids of several sizes, each a view (DeepEMD's grid, Zhang et al. 2020). Draws: for each grid the ratio where
//! it has a range, then for each patch whether it is mirrored.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::flip::HorizontalFlip;
use super::interpolation::Interpolation;
use super::operation::{Context, Operation, bad_interval, out_of_range};
use super::patch_views::{MOST, patch_name};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::scene::Scene;
use super::size::Size;
use super::window::Window;
use crate::picture::{Mask, Picture};

/// Cuts patches around the centres of grids of `n x n` cells for every `n` of `patch_list`, resizes each to `size`, and gives
/// them as the views `patch-000`, `patch-001`, …, grid by grid and row by row. The image itself is resized to `size` too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchGrid {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
    /// Cells along each side of each grid: [2, 3] gives 4 + 9 patches.
    #[serde(default = "default_list")]
    #[schemars(length(min = 1), inner(range(min = 1, max = 31)))]
    pub patch_list: Vec<usize>,
    /// Side of a patch over that of its cell; patches end at the image's edge. 2 in DeepEMD's evaluation. A range such as
    /// [1, 3], DeepEMD's in training, is drawn from for each grid anew.
    #[serde(default)]
    pub patch_ratio: PatchRatio,
    /// Probability that a patch is mirrored, each by itself: 0.5 in DeepEMD's training.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub flip: f64,
    /// How patches are resampled.
    #[serde(default)]
    pub interpolation: Interpolation,
}

/// The side of a patch over that of its cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a ratio, or [from, to]")]
pub enum PatchRatio {
    /// Always this.
    Fixed(#[schemars(range(min = 0.1, max = 31.0))] f64),
    /// Drawn between the two.
    Range(#[schemars(inner(range(min = 0.1, max = 31.0)))] [f64; 2]),
}

impl Default for PatchRatio {
    fn default() -> Self {
        Self::Fixed(2.0)
    }
}

fn default_list() -> Vec<usize> {
    vec![2, 3]
}

/// Returns `patch-grid` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<PatchGrid>("patch-grid", "Gives patches on grids as views, and resizes the image.")
}

/// The ends of the patches along a side of `length` pixels: each a cell of the grid made `ratio` times as long around its
/// centre. Halves are rounded down as the authors' program does; a patch has a pixel at least.
fn ends(length: usize, cells: usize, ratio: f64) -> Vec<(usize, usize)> {
    let cell = length / cells;
    let half = (length as f64 / cells as f64 * ratio) as usize / 2;
    let ends = |number: usize| {
        let centre = (cell / 2 + number * cell).min(length - 1);
        let (start, end) = (centre.saturating_sub(half), (centre + half).min(length));
        (start, end.max(start + 1))
    };
    (0..cells).map(ends).collect()
}

impl Operation for PatchGrid {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let Scene { picture, mask, .. } = self.transform(Scene::new(picture, mask), context);
        (picture, mask)
    }

    fn transform(&self, mut scene: Scene, context: &mut Context<'_>) -> Scene {
        let (height, width) = self.size.sides();
        let (from, mirror) = (&scene.picture, HorizontalFlip { p: self.flip });
        let mut ratios = Vec::new();
        let mut views = Vec::new();
        for &cells in &self.patch_list {
            let ratio = match self.patch_ratio {
                PatchRatio::Fixed(ratio) => ratio,
                PatchRatio::Range([low, high]) => context.generator.uniform_in(low, high),
            };
            ratios.push(ratio);
            let columns = ends(from.width(), cells, ratio);
            for (top, bottom) in ends(from.height(), cells, ratio) {
                for &(left, right) in &columns {
                    let (top, left, height, width) = (top as isize, left as isize, bottom - top, right - left);
                    let window = Window { top, left, height, width };
                    let (patch, _) = window.cut(from, None, context.fill);
                    let (rows, columns) = self.size.sides();
                    let patch = context.resized(patch, rows, columns, self.interpolation);
                    views.push((patch_name(views.len()), mirror.apply(patch, None, context).0));
                }
            }
        }
        scene.views.extend(views);
        if matches!(self.patch_ratio, PatchRatio::Range(_)) {
            scene.record.insert("patch_ratios".to_owned(), json!(ratios));
        }
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
        let ratio = match self.patch_ratio {
            PatchRatio::Fixed(ratio) => out_of_range("patch_ratio", ratio, 0.1, 31.0),
            PatchRatio::Range(range) => bad_interval("patch_ratio", range, 0.1, 31.0),
        };
        let cells = &self.patch_list;
        let list = (cells.is_empty() || cells.iter().any(|cells| !(1..=31).contains(cells)))
            .then(|| format!("`patch_list` is {cells:?}, expected at least one number, each 1 to 31"));
        let count: usize = cells.iter().map(|cells| cells.saturating_mul(*cells)).fold(0, usize::saturating_add);
        let many = (count > MOST).then(|| format!("`patch_list` gives {count} patches, expected at most {MOST}"));
        let flip = out_of_range("flip", self.flip, 0.0, 1.0);
        [self.size.problem("size"), list, many, ratio, flip].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use mga_core::random::Generator;

    use super::super::interpolation::Rounding;
    use super::super::testing::*;
    use super::*;

    fn run_scene(op: &PatchGrid, (width, height): (usize, usize), seed: u64) -> Scene {
        let (picture, mask) = coordinates(width, height);
        let mut generator = Generator::new(seed, "test", &[]);
        let mut context = Context { generator: &mut generator, fill: FILL, rounding: Rounding::None };
        op.transform(Scene::new(picture, mask), &mut context)
    }

    fn grid(list: &[usize], ratio: PatchRatio, side: usize) -> PatchGrid {
        PatchGrid {
            size: Size::Square(side),
            patch_list: list.to_vec(),
            patch_ratio: ratio,
            flip: 0.0,
            interpolation: Interpolation::Bilinear,
        }
    }

    #[test]
    fn windows_are_those_of_the_authors_rule() {
        // 84 px in 2 and 3 cells, ratio 2: centres 21, 63 and 14, 42, 70; half windows 42 and 28.
        assert_eq!(ends(84, 2, 2.0), [(0, 63), (21, 84)]);
        assert_eq!(ends(84, 3, 2.0), [(0, 42), (14, 70), (42, 84)]);
        assert_eq!(ends(84, 1, 1.0), [(0, 84)]);
        // 50 px in 3: cells of 16, patches of int(25) -> half 12, centres 8, 24, 40.
        assert_eq!(ends(50, 3, 1.5), [(0, 20), (12, 36), (28, 50)]);
        // Smaller than the grid: a pixel each, within the image.
        assert!(ends(2, 5, 1.0).iter().all(|&(start, end)| start < end && end <= 2));
    }

    #[test]
    fn every_patch_is_a_view_of_the_input_size() {
        let scene = run_scene(&grid(&[2, 3], PatchRatio::Fixed(1.0), 4), (12, 12), 0);
        let names: Vec<&str> = scene.views.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[12]), (13, "patch-000", "patch-012"));
        assert!(scene.views.iter().all(|(_, view)| (view.width(), view.height()) == (4, 4)));
        assert_eq!((scene.picture.width(), scene.mask.unwrap().height()), (4, 4));
        // Patch 5, row 0, column 1 of the grid of 3: columns 4 to 7, rows 0 to 3, not resampled.
        let (_, view) = &scene.views[5];
        assert_eq!(origins(view)[..5], [Some((4, 0)), Some((5, 0)), Some((6, 0)), Some((7, 0)), Some((4, 1))]);
    }

    #[test]
    fn ratios_and_mirrors_are_drawn_and_written_down() {
        let drawing = PatchGrid { flip: 0.5, ..grid(&[2, 3], PatchRatio::Range([1.0, 3.0]), 4) };
        let (first, same, other) =
            (run_scene(&drawing, (12, 9), 1), run_scene(&drawing, (12, 9), 1), run_scene(&drawing, (12, 9), 2));
        assert_eq!(first, same);
        assert_ne!(first.views, other.views);
        let ratios = first.record["patch_ratios"].as_array().unwrap();
        assert!(ratios.len() == 2 && ratios.iter().all(|r| (1.0..3.0).contains(&r.as_f64().unwrap())), "{ratios:?}");
        let mirrored = PatchGrid { flip: 1.0, ..grid(&[1], PatchRatio::Fixed(1.0), 4) };
        assert_eq!(origins(&run_scene(&mirrored, (4, 4), 0).views[0].1)[0], Some((3, 0)));
    }

    #[test]
    fn settings_out_of_range_are_told() {
        let bad = PatchGrid { flip: 2.0, ..grid(&[0, 40], PatchRatio::Range([3.0, 1.0]), 0) };
        let said = bad.problems().join("\n");
        for part in ["`size`", "`patch_list` is [0, 40]", "patches, expected at most 1000", "`patch_ratio`", "`flip`"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
