//! Transforms that move an image and its mask together, one a file.
//!
//! A pipeline is declared as a list, each entry named by `op`:
//!
//! ```toml
//! transforms = [ { op = "horizontal-flip", p = 0.5 }, { op = "random-crop", size = 448 },
//!                { op = "random-erase", p = 0.5, area = [0.02, 0.33], aspect = [0.3, 3.3] } ]
//! ```
//!
//! Transforms run in the order they are written, each drawing from the image's own generator in the order its file
//! documents. Padding and erased pixels are to be zero *after* normalisation, so in the `0..=1` picture they take the
//! fill colour of the [`Context`]: the mean that normalisation subtracts.

pub(crate) mod builtin;
mod centre_crop;
mod colour_jitter;
mod eight_bit;
mod flip;
mod interpolation;
mod operation;
mod patch_grid;
mod patch_sampling;
mod patch_views;
mod pipeline;
mod random_crop;
mod random_erase;
mod random_resized_crop;
mod registered;
mod resample;
mod resize;
mod rotation;
mod scene;
mod shorter_side;
mod size;
mod window;

pub use centre_crop::CentreCrop;
pub use colour_jitter::ColourJitter;
pub use flip::{HorizontalFlip, VerticalFlip};
pub use interpolation::{Interpolation, Rounding};
pub use operation::{Context, Operation};
pub use patch_grid::{PatchGrid, PatchRatio};
pub use patch_sampling::PatchSampling;
pub use patch_views::{is_patch, patch_name};
pub use pipeline::{NamedOperation, Pipeline};
pub use random_crop::RandomCrop;
pub use random_erase::RandomErase;
pub use random_resized_crop::RandomResizedCrop;
pub use registered::{RegisteredTransform, Transforms};
pub use resample::{resize_bytes, resize_mask, resize_picture};
pub use resize::Resize;
pub use rotation::{Degrees, Rotation};
pub use scene::Scene;
pub use shorter_side::ShorterSide;
pub use size::Size;

#[cfg(test)]
pub(crate) mod testing {
    //! Pictures that carry their own coordinates, so that a test sees where each pixel came from.

    use mga_core::random::Generator;

    use super::*;
    use crate::picture::{Mask, Picture};

    /// Red is the column, green the row, both in hundredths; the mask is `column + 10 * row` in thousandths.
    pub(crate) fn coordinates(width: usize, height: usize) -> (Picture, Option<Mask>) {
        let at = |i: usize| (i % width, i / width);
        let pixels = (0..width * height).flat_map(|i| [at(i).0 as f32 / 100.0, at(i).1 as f32 / 100.0, 0.5]);
        let values = (0..width * height).map(|i| (at(i).0 + 10 * at(i).1) as f32 / 1000.0);
        let picture = Picture::new(width, height, pixels.collect()).expect("positive size");
        (picture, Mask::new(width, height, values.collect()))
    }

    /// `(column, row)` each pixel came from, read from the picture; `None` for the fill colour.
    pub(crate) fn origins(picture: &Picture) -> Vec<Option<(usize, usize)>> {
        picture
            .pixels()
            .chunks_exact(3)
            .map(|p| (p != FILL).then(|| ((p[0] * 100.0).round() as usize, (p[1] * 100.0).round() as usize)))
            .collect()
    }

    /// The same, read from the mask (0 is ambiguous: the fill or the first pixel).
    pub(crate) fn aligned(picture: &Picture, mask: &Option<Mask>) -> bool {
        let mask = mask.as_ref().expect("a mask");
        mask.width() == picture.width()
            && mask.height() == picture.height()
            && origins(picture)
                .iter()
                .zip(mask.values())
                .all(|(o, &m)| (m * 1000.0).round() as usize == o.map_or(0, |(x, y)| x + 10 * y))
    }

    pub(crate) const FILL: [f32; 3] = [0.485, 0.456, 0.406];

    pub(crate) fn run(op: &dyn Operation, input: (Picture, Option<Mask>), seed: u64) -> (Picture, Option<Mask>) {
        let mut generator = Generator::new(seed, "test", &[]);
        op.apply(input.0, input.1, &mut Context { generator: &mut generator, fill: FILL, rounding: Rounding::None })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mga_core::random::Generator;
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Result;
    use crate::picture::{Mask, Picture};
    use crate::registry::builtin;

    fn parse(value: Value) -> std::result::Result<Arc<dyn Operation>, String> {
        Pipeline::operation(&value, &builtin()).map(|(_, operation)| operation).map_err(|error| error.to_string())
    }

    fn pipeline(value: Value) -> Pipeline {
        Pipeline::read(value.as_array().expect("transforms"), &builtin()).expect("settings")
    }

    #[test]
    fn names_and_settings_are_read() {
        let crop = parse(json!({"op": "random-crop", "size": 448})).expect("a transform");
        assert_eq!(format!("{crop:?}"), format!("{:?}", RandomCrop::new(Size::Square(448))));
        let erase = parse(json!({"op": "random-erase", "p": 0.5, "area": [0.02, 0.33], "aspect": [0.3, 3.3]}));
        assert_eq!(format!("{:?}", erase.expect("a transform")), format!("{:?}", RandomErase::default()));
        assert!(parse(json!({"op": "random-crop", "size": 448, "sise": 2})).is_err_and(|e| e.contains("sise")));
        assert!(parse(json!({"op": "random-crop", "size": "big"})).is_err_and(|e| e.contains("[height, width]")));
        assert!(parse(json!({"op": "spin"})).is_err_and(|e| e.contains("spin") && e.contains("rotation")));
    }

    /// Every transform of this crate, with its table.
    fn every() -> Vec<(Value, Arc<dyn Operation>)> {
        let ops = [
            json!({"op": "resize", "size": [3, 4]}),
            json!({"op": "shorter-side", "size": 5, "interpolation": "bicubic"}),
            json!({"op": "centre-crop", "size": 4}),
            json!({"op": "random-crop", "size": 4}),
            json!({"op": "random-resized-crop", "size": 4}),
            json!({"op": "horizontal-flip"}),
            json!({"op": "vertical-flip", "p": 0.25}),
            json!({"op": "rotation", "degrees": [-5.0, 10.0]}),
            json!({"op": "colour-jitter", "hue": 0.1}),
            json!({"op": "random-erase"}),
            json!({"op": "patch-grid", "size": 4, "patch_list": [2], "flip": 0.5}),
            json!({"op": "patch-sampling", "size": 4, "patches": 2}),
        ];
        assert_eq!(ops.len(), builtin().all::<Transforms>().len());
        ops.into_iter().map(|op| (op.clone(), parse(op).expect("a transform"))).collect()
    }

    #[test]
    fn the_schemas_know_every_key_and_no_other() {
        let registry = builtin();
        let schemas: Vec<&Value> =
            registry.all::<Transforms>().iter().map(|e| e.schema.as_ref().expect("settings").as_value()).collect();
        for schema in &schemas {
            assert_eq!(schema["additionalProperties"], json!(false), "{schema:#}");
        }
        // Ranges reach the schema also through arrays and options.
        assert_eq!(schemas[5]["properties"]["p"]["maximum"], 1.0);
        assert_eq!(schemas[7]["properties"]["fill"]["items"]["maximum"], 1.0);
        assert_eq!(schemas[9]["properties"]["area"]["items"]["maximum"], 1.0);
        assert_eq!(schemas[0]["$defs"]["Size"]["anyOf"][0]["minimum"], 1);
    }

    #[test]
    fn a_pipeline_rounds_what_it_resizes_where_it_is_told_to() {
        let picture = testing::coordinates(9, 7).0;
        for resizing in [
            json!([{"op": "resize", "size": 4}]),
            json!([{"op": "shorter-side", "size": 4}]),
            json!([{"op": "random-resized-crop", "size": 4, "area": [1.0, 1.0], "aspect": [1.2, 1.3]}]),
        ] {
            let apply = |rounding| {
                let mut generator = Generator::new(1, "test", &[]);
                let pipeline = pipeline(resizing.clone()).rounded(rounding);
                pipeline.apply(picture.clone(), None, &mut generator, testing::FILL).0
            };
            let (exact, rounded) = (apply(Rounding::None), apply(Rounding::EightBit));
            assert!(exact.bytes().is_none() && rounded.bytes().is_some(), "{resizing}");
            let pairs = exact.pixels().iter().zip(rounded.pixels());
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 2.0 / 255.0) && exact != rounded, "{resizing}");
        }
    }

    /// Gives the mirrored image as a view, and writes down that it did.
    #[derive(Debug)]
    struct TwoViews;

    impl Operation for TwoViews {
        fn apply(&self, picture: Picture, mask: Option<Mask>, _: &mut Context<'_>) -> (Picture, Option<Mask>) {
            (picture, mask)
        }

        fn transform(&self, mut scene: Scene, context: &mut Context<'_>) -> Scene {
            let flip = HorizontalFlip { p: 1.0 };
            scene.views.push(("mirrored".to_owned(), flip.apply(scene.picture.clone(), None, context).0));
            scene.record.insert("mirrored".to_owned(), json!(true));
            scene
        }
    }

    impl RegisteredTransform for TwoViews {
        fn build(&self, _: &Value) -> Result<Arc<dyn Operation>> {
            Ok(Arc::new(Self))
        }
    }

    #[test]
    fn a_registered_transform_gives_views_and_a_record() {
        let entry = mga_registry::Entry::<Transforms>::new("two-views", "Two views.", Arc::new(TwoViews));
        let registry = builtin().with(entry);
        let values = [json!({"op": "resize", "size": 4}), json!({"op": "two-views"})];
        let pipeline = Pipeline::read(&values, &registry).expect("a pipeline");
        let (picture, mask) = testing::coordinates(9, 7);
        let mut generator = Generator::new(1, "test", &[]);
        let scene = pipeline.transform(picture, mask, &mut generator, testing::FILL);
        assert_eq!((scene.views.len(), scene.views[0].1.width(), &scene.record["mirrored"]), (1, 4, &json!(true)));
        assert_ne!(scene.views[0].1, scene.picture);
        let unknown = Pipeline::read(&[json!({"op": "three-views"})], &registry).expect_err("unknown").to_string();
        assert!(unknown.contains("three-views"), "{unknown}");
    }

    #[test]
    fn a_registered_transform_of_a_name_that_there_is_replaces_it() {
        let entry = mga_registry::Entry::<Transforms>::new("resize", "Two views.", Arc::new(TwoViews));
        let pipeline = Pipeline::read(&[json!({"op": "resize"})], &builtin().with(entry)).expect("a pipeline");
        let (picture, mask) = testing::coordinates(9, 7);
        let scene = pipeline.transform(picture, mask, &mut Generator::new(1, "test", &[]), testing::FILL);
        assert_eq!(scene.record["mirrored"], json!(true));
    }

    #[test]
    fn every_fault_is_listed_in_one_error() {
        let transforms = [
            json!({"op": "horizontal-flip", "p": 1.5}),
            json!({"op": "random-crop", "size": 0}),
            json!({"op": "random-erase", "area": [0.5, 0.1]}),
        ];
        let message = Pipeline::read(&transforms, &builtin()).expect_err("faults").to_string();
        for part in
            ["transforms[0] (horizontal-flip): `p` is 1.5", "transforms[1] (random-crop)", "`area` is [0.5, 0.1]"]
        {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn sizes_and_views_follow_the_pipeline() {
        assert_eq!(pipeline(json!([])).output_size(), None);
        assert_eq!(pipeline(json!([{"op": "shorter-side", "size": 8}])).output_size(), None);
        assert_eq!(pipeline(json!([{"op": "shorter-side", "size": 8}])).size_after(20, 40), (8, 16));
        let eval = pipeline(json!([{"op": "shorter-side", "size": 256}, {"op": "centre-crop", "size": 224}]));
        assert_eq!(eval.output_size(), Some((224, 224)));
        let view = eval.smallest_view(1000, 2000);
        assert!((view - 224.0 * 224.0 / (256.0 * 512.0)).abs() < 1e-12, "{view}");
        let train = pipeline(json!([{"op": "resize", "size": [10, 20]}, {"op": "shorter-side", "size": 5}]));
        assert_eq!(train.output_size(), Some((5, 10)));
        let crop = pipeline(json!([{"op": "horizontal-flip"}, {"op": "random-crop", "size": 448}]));
        assert!((crop.smallest_view(896, 1792) - 0.125).abs() < 1e-12);
        assert_eq!(crop.smallest_view(100, 100), 1.0);
    }

    #[test]
    fn every_transform_keeps_its_promises_about_size() {
        for (table, operation) in every() {
            let op = operation.as_ref();
            for (width, height) in [(7, 5), (3, 9), (4, 4), (1, 1)] {
                for seed in 0..8 {
                    let (picture, mask) = testing::run(op, testing::coordinates(width, height), seed);
                    let size = (picture.height(), picture.width());
                    let mask = mask.expect("a mask");
                    assert_eq!(size, (mask.height(), mask.width()), "{}", table["op"]);
                    assert_eq!(size, op.size_after(height, width), "{}", table["op"]);
                    assert!(op.fixed_size().is_none_or(|fixed| fixed == size), "{}", table["op"]);
                    assert!((0.0..=1.0).contains(&op.view(height, width)));
                    let without = testing::run(op, (testing::coordinates(width, height).0, None), seed);
                    assert_eq!(without, (picture, None), "{} depends on the mask", table["op"]);
                }
            }
        }
    }

    #[test]
    fn label_maps_stay_label_maps_and_what_comes_in_is_ignored() {
        for (table, operation) in every() {
            for seed in 0..8 {
                let (picture, _) = testing::coordinates(7, 5);
                let labels: Vec<u8> = (0..35).map(|i| [0, 3, 7, Mask::IGNORE][i % 4]).collect();
                let map = Mask::label_map(7, 5, &labels);
                let (picture, map) = testing::run(operation.as_ref(), (picture, map), seed);
                let map = map.expect("a label map");
                assert!(map.is_label_map() && map.width() == picture.width(), "{}", table["op"]);
                // Never a mixture of two classes.
                assert!(map.values().iter().all(|v| [0.0, 3.0, 7.0, 255.0].contains(v)), "{}", table["op"]);
            }
        }
        // Padding right and below, and erased rectangles, count nowhere.
        let (picture, _) = testing::coordinates(2, 1);
        let crop = pipeline(json!([{"op": "random-crop", "size": 3}]));
        let (_, map) = crop.apply(picture, Mask::label_map(2, 1, &[0, 1]), &mut Generator::new(0, "t", &[]), [0.0; 3]);
        assert_eq!(map.expect("a label map").values(), [0.0, 1.0, 255.0, 255.0, 255.0, 255.0, 255.0, 255.0, 255.0]);
        let (picture, _) = testing::coordinates(9, 9);
        let erase = pipeline(json!([{"op": "random-erase", "p": 1.0}]));
        let (_, map) =
            erase.apply(picture, Mask::label_map(9, 9, &[1; 81]), &mut Generator::new(0, "t", &[]), [0.0; 3]);
        assert!(map.expect("a label map").values().contains(&255.0));
    }

    #[test]
    fn a_mask_of_another_size_is_fitted_first() {
        let (picture, _) = testing::coordinates(4, 2);
        let mask = Mask::new(2, 1, vec![0.0, 1.0]);
        let (_, mask) = pipeline(json!([])).apply(picture, mask, &mut Generator::new(0, "t", &[]), [0.0; 3]);
        assert_eq!(mask.expect("a mask").values(), [0.0, 0.25, 0.75, 1.0, 0.0, 0.25, 0.75, 1.0]);
    }
}
