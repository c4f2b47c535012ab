//! The embedded leaves are what they claim to be: reproducible, exactly masked, learnable from their veins, and from
//! nothing else.
#![expect(clippy::unwrap_used, reason = "a test may panic, and clippy only knows the functions marked #[test] as such")]

use mga_core::random::Generator;
use mga_data::datasets::leaves::{Leaves, LeavesSettings};
use mga_data::registry::Datasets;
use mga_data::{Dataset, Picture, Split};
use rayon::prelude::*;

const CLASSES: usize = 10;
const TRAIN: usize = 100;
const TEST: usize = 60;

fn leaves(settings: LeavesSettings) -> Leaves {
    Leaves::new(settings).unwrap()
}

fn small() -> LeavesSettings {
    LeavesSettings { size: 64, train_per_class: 3, test_per_class: 2, ..Default::default() }
}

#[test]
fn an_image_is_the_same_whenever_wherever_and_however_it_is_asked_for() {
    let set = leaves(small());
    let serial: Vec<_> = (0..set.len()).map(|i| set.image_and_mask(i, "veins").unwrap()).collect();
    let again = leaves(small());
    let parallel: Vec<_> =
        (0..set.len()).into_par_iter().rev().map(|i| again.image_and_mask(i, "veins").unwrap()).collect();
    assert!(serial.iter().eq(parallel.iter().rev()));
    for (i, (picture, veins)) in serial.iter().enumerate().step_by(7) {
        assert_eq!(set.image(i).unwrap(), *picture);
        assert_eq!(set.mask(i, "veins").unwrap(), *veins);
        assert_eq!(set.image_and_mask(i, "silhouette").unwrap(), (picture.clone(), set.mask(i, "silhouette").unwrap()));
    }
}

#[test]
fn seeds_and_numbers_mean_what_the_settings_say() {
    let set = leaves(small());
    let index = |set: &Leaves, id: &str| set.records().iter().position(|record| record.id == id).unwrap();
    let image = |set: &Leaves, id: &str| set.image(index(set, id)).unwrap();
    assert_eq!(set.records()[index(&set, "test/cultivar-03/0001")].split, Some(Split::Test));
    assert_eq!(set.records()[index(&set, "test/cultivar-03/0001")].label, Some(3));

    // The same number of the same cultivar is another leaf in test, even where both seeds are equal.
    let equal = leaves(LeavesSettings { test_seed: 1, ..small() });
    assert_ne!(image(&equal, "train/cultivar-03/0001"), image(&equal, "test/cultivar-03/0001"));
    // The test seed moves the test images alone.
    assert_eq!(image(&equal, "train/cultivar-03/0001"), image(&set, "train/cultivar-03/0001"));
    assert_ne!(image(&equal, "test/cultivar-03/0001"), image(&set, "test/cultivar-03/0001"));
    // More images a class: the earlier ones stay.
    let more = leaves(LeavesSettings { train_per_class: 7, ..small() });
    assert_eq!(image(&more, "train/cultivar-09/0002"), image(&set, "train/cultivar-09/0002"));
    // All images differ.
    let mut all: Vec<Vec<u32>> =
        (0..set.len()).map(|i| set.image(i).unwrap().pixels().iter().map(|v| v.to_bits()).collect()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), set.len());
}

#[test]
fn masks_lie_on_what_they_name() {
    let set = leaves(LeavesSettings { size: 128, ..small() });
    let (mut clear, mut share) = (0, 0.0);
    for index in 0..set.len() {
        let (picture, veins) = set.image_and_mask(index, "veins").unwrap();
        let (veins, blade) = (veins.unwrap(), set.mask(index, "silhouette").unwrap().unwrap());
        assert!(
            veins.values().iter().zip(blade.values()).all(|(vein, blade)| vein <= blade),
            "veins leave leaf {index}"
        );
        let grey = |i: usize| picture.pixels()[3 * i..3 * i + 3].iter().sum::<f32>() / 3.0;
        let mean = |keep: &dyn Fn(usize) -> bool| {
            let kept: Vec<f32> = (0..128 * 128).filter(|&i| keep(i)).map(grey).collect();
            kept.iter().sum::<f32>() / kept.len().max(1) as f32
        };
        let on = mean(&|i| veins.values()[i] > 0.7);
        let off = mean(&|i| blade.values()[i] == 1.0 && veins.values()[i] < 0.05);
        clear += usize::from((on - off).abs() > 0.04);
        let sum = |values: &[f32]| values.iter().sum::<f32>() / (128.0 * 128.0);
        share += sum(veins.values()) / sum(blade.values()) / set.len() as f32;
        assert!((0.08..0.7).contains(&sum(blade.values())), "leaf {index} covers {}", sum(blade.values()));
    }
    assert!(clear * 10 >= set.len() * 9, "veins stand out in {clear} of {} leaves", set.len());
    assert!((0.08..0.25).contains(&share), "veins cover {share} of the blades");
}

#[test]
fn settings_out_of_range_are_all_named() {
    let settings = LeavesSettings { cultivars: 3, difficulty: 1.5, rotation: f64::NAN, ..small() };
    let message = Leaves::new(settings).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 3, "{message}");
    assert!(message.contains("`cultivars` is 3; expected 10 to 200"), "{message}");
    let entry = mga_data::registry::builtin().get::<Datasets>("leaves").unwrap().clone();
    let unknown =
        entry.item.open(&serde_json::json!({ "cultivar": 12 }), &Default::default()).err().unwrap().to_string();
    assert!(unknown.contains("cultivar"), "{unknown}");
    let set = entry.item.open(&serde_json::json!({ "cultivars": 12 }), &Default::default()).unwrap();
    assert_eq!(set.classes().len(), 12);
    assert!(set.mask(0, "folder").unwrap_err().to_string().contains("`veins` and `silhouette`"));
    assert!(set.image(set.len()).unwrap_err().to_string().contains("there is no image"));
}

/// Features of every image of a set with `TRAIN` and `TEST` images a class, and the accuracy on test of a multinomial
/// logistic regression fitted to train.
fn linear_accuracy(settings: LeavesSettings, features: impl Fn(&Leaves, usize) -> Vec<f32> + Sync) -> f64 {
    let set = leaves(LeavesSettings { train_per_class: TRAIN, test_per_class: TEST, ..settings });
    let mut rows: Vec<Vec<f32>> = (0..set.len()).into_par_iter().map(|i| features(&set, i)).collect();
    let labels: Vec<usize> = set.records().iter().map(|record| record.label.unwrap()).collect();
    let train = CLASSES * TRAIN;
    // Every feature to mean 0 and deviation 1 on train, and a constant.
    let width = rows[0].len();
    for f in 0..width {
        let mean = rows[..train].iter().map(|row| row[f]).sum::<f32>() / train as f32;
        let square = rows[..train].iter().map(|row| (row[f] - mean).powi(2)).sum::<f32>() / train as f32;
        rows.iter_mut().for_each(|row| row[f] = (row[f] - mean) / (square.sqrt() + 1e-4));
    }
    rows.iter_mut().for_each(|row| row.push(1.0));
    let scores = |weights: &[Vec<f32>], row: &[f32]| -> Vec<f32> {
        weights.iter().map(|w| w.iter().zip(row).map(|(a, b)| a * b).sum()).collect()
    };
    let mut weights = vec![vec![0.0_f32; width + 1]; CLASSES];
    for step in 0..300 {
        let mut gradient = vec![vec![0.0_f32; width + 1]; CLASSES];
        for (row, &label) in rows[..train].iter().zip(&labels) {
            let scores = scores(&weights, row);
            let top = scores.iter().copied().fold(f32::MIN, f32::max);
            let odds: Vec<f32> = scores.iter().map(|s| (s - top).exp()).collect();
            let sum: f32 = odds.iter().sum();
            for (class, slope) in gradient.iter_mut().enumerate() {
                let error = odds[class] / sum - f32::from(u8::from(class == label));
                slope.iter_mut().zip(row).for_each(|(g, x)| *g += error * x / train as f32);
            }
        }
        let rate = 0.5 / (1.0 + step as f32 / 100.0);
        for (weights, slope) in weights.iter_mut().zip(gradient) {
            weights.iter_mut().zip(slope).for_each(|(w, g)| *w -= rate * (g + 1e-3 * *w));
        }
    }
    let right = rows[train..].iter().zip(&labels[train..]).filter(|(row, label)| {
        let scores = scores(&weights, row);
        scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class) == Some(**label)
    });
    right.count() as f64 / (CLASSES * TEST) as f64
}

/// Seeds that a claim of chance is measured over: their cultivars and leaves have nothing in common.
const SEEDS: u64 = 5;

/// The mean accuracy over all seeds, which has to lie within three standard deviations of a guesser's on all their
/// test images together: 0.1 +- 0.0164. One seed alone would have a bound of 0.037 either way, and a linear leak of two
/// points would hide in it.
fn is_chance(settings: LeavesSettings, features: impl Fn(&Leaves, usize) -> Vec<f32> + Sync) {
    let of_seed = |i| LeavesSettings { seed: 1 + i, test_seed: 1001 + i, ..settings.clone() };
    let each: Vec<f64> = (0..SEEDS).map(|i| linear_accuracy(of_seed(i), &features)).collect();
    let mean = each.iter().sum::<f64>() / SEEDS as f64;
    let chance = 1.0 / CLASSES as f64;
    let deviation = (chance * (1.0 - chance) / (SEEDS as usize * CLASSES * TEST) as f64).sqrt();
    assert!((mean - chance).abs() <= 3.0 * deviation, "accuracy {mean}, by seed {each:?}; a guesser has {chance}");
}

/// Share of the pixels kept in each of 4 x 4 x 4 cells of colour.
fn colours(picture: &Picture, keep: impl Fn(usize) -> bool) -> Vec<f32> {
    let (mut counts, mut total) = (vec![0.0; 64], 0.0_f32);
    for (_, pixel) in picture.pixels().chunks_exact(3).enumerate().filter(|(i, _)| keep(*i)) {
        let cell = pixel.iter().fold(0, |cell, v| 4 * cell + ((v * 4.0) as usize).min(3));
        counts[cell] += 1.0;
        total += 1.0;
    }
    counts.iter_mut().for_each(|count| *count /= total.max(1.0));
    counts
}

#[test]
fn colour_of_the_background_does_not_tell_the_cultivar() {
    is_chance(LeavesSettings { size: 48, ..Default::default() }, |set, index| {
        let (picture, blade) = set.image_and_mask(index, "silhouette").unwrap();
        let blade = blade.unwrap();
        colours(&picture, |i| blade.values()[i] == 0.0)
    });
}

#[test]
fn colour_of_the_whole_picture_does_not_tell_the_cultivar() {
    is_chance(LeavesSettings { size: 96, ..Default::default() }, |set, index| {
        colours(&set.image(index).unwrap(), |_| true)
    });
}

#[test]
fn the_outline_does_not_tell_the_cultivar() {
    // Upright, so that a difference in shape would not drown in rotation; 8 x 8 means of the silhouette.
    let settings = LeavesSettings { size: 48, rotation: 0.0, ..Default::default() };
    is_chance(settings, |set, index| {
        let blade = set.mask(index, "silhouette").unwrap().unwrap();
        let mut cells = vec![0.0; 64];
        for (i, value) in blade.values().iter().enumerate() {
            cells[i / 48 / 6 * 8 + i % 48 / 6] += value / 36.0;
        }
        cells
    });
}

/// Histogram of gradient directions (18 bins of 10 degrees), left and right half apart, and the gradients' mean size.
fn directions(values: &[f32], size: usize) -> Vec<f32> {
    let (mut bins, mut total) = (vec![0.0_f32; 36], 0.0);
    for y in 1..size - 1 {
        for x in 1..size - 1 {
            let at = |x: usize, y: usize| values[y * size + x];
            let (dx, dy) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
            let strength = dx.hypot(dy);
            let turn = dy.atan2(dx).rem_euclid(std::f32::consts::PI) / std::f32::consts::PI;
            bins[18 * (2 * x / size) + ((turn * 18.0) as usize).min(17)] += strength;
            total += strength;
        }
    }
    bins.iter_mut().for_each(|bin| *bin /= total.max(1e-6));
    bins.push(total / (size * size) as f32);
    bins
}

#[test]
fn the_veins_do_tell_the_cultivar() {
    let upright = LeavesSettings { size: 128, rotation: 0.0, ..Default::default() };
    let features = |set: &Leaves, index: usize| directions(set.mask(index, "veins").unwrap().unwrap().values(), 128);
    let easy = linear_accuracy(upright.clone(), features);
    assert!(easy > 0.85, "veins of easy cultivars give {easy}");
    let hard = linear_accuracy(LeavesSettings { difficulty: 1.0, ..upright.clone() }, features);
    assert!(hard < easy - 0.15, "veins of hard cultivars give {hard}, of easy ones {easy}");
    // The check can fail: a permuted assignment of leaves to numbers is chance.
    let mut shuffled: Vec<usize> = (0..CLASSES * (TRAIN + TEST)).collect();
    Generator::new(1, "shuffled", &[]).shuffle(&mut shuffled);
    is_chance(upright, |set, index| features(set, shuffled[index]));
}
