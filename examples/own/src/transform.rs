//! A transform that leaves the image as it is, gives two more views of it, and writes down how one of them was made.

use mga_data::transforms::{Context, Operation, Scene, Transforms};
use mga_data::{Mask, Picture};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The view that is the image turned by half a turn. Stripes keep their direction, which a mirror would change.
pub const TURNED: &str = "turned";
/// The view in which two patches have changed places.
pub const SWAPPED: &str = "swapped";
/// The key of the record for the pair of patches that were swapped, a number below [`pairs`].
pub const PAIR: &str = "pair";

/// Returns the transform that an experiment or a method selects with `op = "swap-patches"`.
pub fn entry() -> Entry<Transforms> {
    let about = "gives the views `turned` and `swapped`, and the number of the pair of patches that changed places";
    Transforms::entry::<SwapPatches>("swap-patches", about)
}

/// Returns the number of pairs of patches in a grid of `grid` x `grid`.
pub fn pairs(grid: usize) -> usize {
    all_pairs(grid).count()
}

fn all_pairs(grid: usize) -> impl Iterator<Item = (usize, usize)> {
    let patches = grid * grid;
    (0..patches).flat_map(move |a| (a + 1..patches).map(move |b| (a, b)))
}

/// Cuts the image into a grid of patches, and swaps two of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SwapPatches {
    /// Patches along each side.
    #[schemars(range(min = 2, max = 8))]
    grid: usize,
}

impl Default for SwapPatches {
    fn default() -> Self {
        Self { grid: 2 }
    }
}

impl Operation for SwapPatches {
    /// Reference masks come this way; the same random numbers are drawn, so that what follows is drawn alike too.
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let Scene { picture, mask, .. } = self.transform(Scene::new(picture, mask), context);
        (picture, mask)
    }

    fn transform(&self, mut scene: Scene, context: &mut Context<'_>) -> Scene {
        let pair = context.generator.below(pairs(self.grid));
        let (a, b) = all_pairs(self.grid).nth(pair).unwrap_or_default();
        let (width, height) = (scene.picture.width(), scene.picture.height());
        let turn = |x: usize, y: usize| (width - 1 - x, height - 1 - y);
        let swap = |x: usize, y: usize| self.swapped((x, y), (width / self.grid, height / self.grid), (a, b));
        let views = [(TURNED, moved(&scene.picture, turn)), (SWAPPED, moved(&scene.picture, swap))];
        scene.views.extend(views.into_iter().filter_map(|(name, view)| Some((name.to_owned(), view?))));
        scene.record.insert(PAIR.to_owned(), json!(pair));
        scene
    }

    fn problems(&self) -> Vec<String> {
        let wrong = !(2..=8).contains(&self.grid);
        wrong.then(|| format!("`grid` is {}, expected 2 to 8", self.grid)).into_iter().collect()
    }
}

impl SwapPatches {
    /// Where the pixel at `(x, y)` comes from, with patches of `width` x `height` of which `a` and `b` change places.
    fn swapped(
        &self,
        (x, y): (usize, usize),
        (width, height): (usize, usize),
        (a, b): (usize, usize),
    ) -> (usize, usize) {
        // What is left over right and below belongs to no patch.
        let (Some(column), Some(row)) = (x.checked_div(width), y.checked_div(height)) else { return (x, y) };
        if column >= self.grid || row >= self.grid {
            return (x, y);
        }
        let other = match row * self.grid + column {
            patch if patch == a => b,
            patch if patch == b => a,
            _ => return (x, y),
        };
        (other % self.grid * width + x % width, other / self.grid * height + y % height)
    }
}

/// The picture whose pixel at `(x, y)` is that of `picture` at `from(x, y)`.
fn moved(picture: &Picture, from: impl Fn(usize, usize) -> (usize, usize)) -> Option<Picture> {
    let (width, height, pixels) = (picture.width(), picture.height(), picture.pixels());
    let mut moved = Vec::with_capacity(pixels.len());
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let (x, y) = from(x, y);
        moved.extend_from_slice(pixels.get(3 * (y * width + x)..)?.get(..3)?);
    }
    Picture::new(width, height, moved)
}

#[cfg(test)]
mod tests {
    use mga_core::random::Generator;
    use mga_data::Pipeline;
    use mga_registry::Registry;

    use super::*;

    #[test]
    fn two_patches_change_places_and_the_record_says_which() {
        let pixels: Vec<f32> = (0..16).flat_map(|at| [at as f32 / 16.0; 3]).collect();
        let picture = Picture::new(4, 4, pixels).unwrap();
        let pipeline = Pipeline::read(&[json!({ "op": "swap-patches" })], &Registry::default().with(entry())).unwrap();
        let scene = pipeline.transform(picture.clone(), None, &mut Generator::new(1, "test", &[]), [0.0; 3]);
        assert_eq!(scene.picture, picture);
        let view = |name: &str| &scene.views.iter().find(|(other, _)| other == name).unwrap().1;
        let differ = view(SWAPPED).pixels().iter().zip(picture.pixels()).filter(|(a, b)| a != b).count();
        // Two patches of 2 x 2 pixels of three colours.
        assert_eq!(differ, 2 * 4 * 3);
        assert_eq!(view(TURNED).pixels()[..3], picture.pixels()[45..]);
        assert!(scene.record[PAIR].as_u64().unwrap() < pairs(2) as u64 && pairs(2) == 6);
    }
}
