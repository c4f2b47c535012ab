//! Simulations: intervals cover as often as they say, and arms without an effect are seldom called different.
//!
//! Shares over N simulations have a standard error of sqrt(p (1 - p) / N): 0.34 % of 4000 at p = 0.05. "At most 5 %" allows
//! three of them on top where the truth is 5 % exactly; seeds are fixed, so a test passes always or never.

use mga_core::random::Generator;
use mga_core::statistics::{
    Interval, Resampling, bootstrap, corrected_resampled_t, holm, mcnemar, mcnemar_clustered, t_test, wilson,
};

/// Three standard errors of a share of 5 % over `n` simulations.
fn allowance(n: usize) -> f64 {
    3.0 * (0.05f64 * 0.95 / n as f64).sqrt()
}

/// The share of simulations `0..n` of which `hit` says yes.
fn share(n: usize, purpose: &str, mut hit: impl FnMut(&mut Generator) -> bool) -> f64 {
    let hits = (0..n as u64).filter(|&i| hit(&mut Generator::new(11, purpose, &[i]))).count();
    hits as f64 / n as f64
}

/// Top-1 of a run on `images` images: its true accuracy differs from seed to seed.
fn accuracy(generator: &mut Generator, mean: f64, images: usize) -> f64 {
    let truth = mean + 0.02 * generator.normal();
    (0..images).filter(|_| generator.chance(truth)).count() as f64 / images as f64
}

#[test]
fn intervals_of_means_and_of_differences_cover_95_percent() {
    for n in [3, 5, 10] {
        let means = share(4000, "mean", |generator| {
            let runs: Vec<f64> = (0..n).map(|_| accuracy(generator, 0.8, 200)).collect();
            t_test(&runs, 0.95).is_some_and(|test| test.interval.contains(0.8))
        });
        assert!((0.93..=0.97).contains(&means), "n = {n}: {means}");
        let differences = share(4000, "difference", |generator| {
            let pairs: Vec<f64> =
                (0..n).map(|_| accuracy(generator, 0.83, 200) - accuracy(generator, 0.8, 200)).collect();
            t_test(&pairs, 0.95).is_some_and(|test| test.interval.contains(0.03))
        });
        assert!((0.93..=0.97).contains(&differences), "n = {n}: {differences}");
    }
}

#[test]
fn null_arms_are_significant_in_at_most_5_percent_alone_and_in_a_table() {
    const ARMS: usize = 5;
    let (mut alone, mut adjusted) = (0usize, 0usize);
    let simulations = 4000;
    // Ten seeds; every arm is compared with one and the same baseline, so the tests depend on each other.
    let any = share(simulations, "null", |generator| {
        let baseline: Vec<f64> = (0..10).map(|_| accuracy(generator, 0.8, 100)).collect();
        let p: Vec<f64> = (0..ARMS)
            .map(|_| {
                let differences: Vec<f64> = baseline.iter().map(|b| accuracy(generator, 0.8, 100) - b).collect();
                t_test(&differences, 0.95).map_or(1.0, |test| test.p)
            })
            .collect();
        alone += p.iter().filter(|&&p| p <= 0.05).count();
        let significant = holm(&p).iter().filter(|&&p| p <= 0.05).count();
        adjusted += significant;
        significant > 0
    });
    let of_arms = |count: usize| count as f64 / (simulations * ARMS) as f64;
    // The arms of one table share a baseline: as many independent tests as there are tables, to be safe.
    assert!(of_arms(alone) <= 0.05 + allowance(simulations), "alone {}", of_arms(alone));
    assert!(any <= 0.05 + allowance(simulations), "any of the table {any}");
    assert!(of_arms(adjusted) <= 0.05, "adjusted {}", of_arms(adjusted));
    // The test is not blind either.
    let found = share(1000, "effect", |generator| {
        let differences: Vec<f64> =
            (0..10).map(|_| accuracy(generator, 0.88, 100) - accuracy(generator, 0.8, 100)).collect();
        t_test(&differences, 0.95).is_some_and(|test| test.p <= 0.05)
    });
    assert!(found > 0.9, "{found}");
}

/// Images of which some are hard: for each, how often of `seeds` two equally good classifiers have it right.
fn images(generator: &mut Generator, images: usize, seeds: usize) -> Vec<[Vec<bool>; 2]> {
    let one = |generator: &mut Generator| {
        let (a, b) = (generator.uniform(), generator.uniform());
        // Each classifier has its own hard images, the same with every seed.
        [a, b].map(|ease| (0..seeds).map(|_| generator.chance(if ease < 0.3 { 0.2 } else { 0.95 })).collect())
    };
    (0..images).map(|_| one(generator)).collect()
}

#[test]
fn tests_on_images_hold_their_level_where_their_assumptions_hold() {
    let n = 2000;
    let right = |runs: &[Vec<bool>; 2], seed: usize| (runs[0][seed], runs[1][seed]);
    let count = |images: &[[Vec<bool>; 2]], wanted: (bool, bool)| -> u64 {
        images.iter().map(|runs| (0..runs[0].len()).filter(|&seed| right(runs, seed) == wanted).count() as u64).sum()
    };
    let single = share(n, "mcnemar", |generator| {
        let images = images(generator, 200, 1);
        mcnemar(count(&images, (true, false)), count(&images, (false, true))).p <= 0.05
    });
    assert!(single <= 0.05, "the exact test and the corrected one err on the safe side: {single}");
    let (mut pooled, mut clustered) = (0usize, 0usize);
    share(n, "pooled", |generator| {
        let images = images(generator, 200, 5);
        pooled += usize::from(mcnemar(count(&images, (true, false)), count(&images, (false, true))).p <= 0.05);
        let net = |runs: &[Vec<bool>; 2]| {
            let right = |side: usize| runs[side].iter().filter(|&&right| right).count() as f64;
            (right(0) - right(1)) / 5.0
        };
        let net: Vec<f64> = images.iter().map(net).collect();
        clustered += usize::from(mcnemar_clustered(&net).is_some_and(|p| p <= 0.05));
        true
    });
    let (pooled, clustered) = (pooled as f64 / n as f64, clustered as f64 / n as f64);
    assert!(clustered <= 0.05 + allowance(n) && clustered > 0.03, "clustered {clustered}");
    // Why the pooled p is never the one that decides: it takes five seeds of one image for five images.
    assert!(pooled > 0.1, "pooled {pooled}");
}

#[test]
fn the_bootstrap_over_images_covers_95_percent() {
    let covered = |n: usize, purpose, truth: f64, difference: bool| {
        share(n, purpose, |generator| {
            let images = images(generator, 200, 3);
            let of = |runs: &[Vec<bool>; 2]| {
                let right = |side: usize| runs[side].iter().filter(|&&right| right).count() as f64 / 3.0;
                if difference { right(0) - right(1) } else { right(0) }
            };
            let values: Vec<f64> = images.iter().map(of).collect();
            let plan = Resampling { resamples: 400, seed: 1 };
            let mean = |counts: &[u32]| {
                Some(values.iter().zip(counts).map(|(v, &c)| v * f64::from(c)).sum::<f64>() / values.len() as f64)
            };
            bootstrap(values.len(), 0.95, plan, mean).is_some_and(|interval| interval.contains(truth))
        })
    };
    let (difference, accuracy) = (covered(1500, "paired", 0.0, true), covered(1500, "single", 0.725, false));
    assert!((0.93..=0.97).contains(&difference), "difference {difference}");
    assert!((0.93..=0.97).contains(&accuracy), "accuracy {accuracy}");
}

#[test]
fn the_interval_of_a_proportion_covers_95_percent() {
    let covered = share(4000, "wilson", |generator| {
        let right = (0..60).filter(|_| generator.chance(0.9)).count() as u64;
        wilson(right, 60, 0.95).is_some_and(|Interval { low, high }| (low..=high).contains(&0.9))
    });
    assert!((0.93..=0.97).contains(&covered), "{covered}");
}

#[test]
fn over_resampled_splits_the_corrected_test_holds_its_level_and_the_plain_one_does_not() {
    // Two nearest-mean classifiers, each sees a feature of its own, both equally telling: no difference in truth.
    // Ten random splits of 100 images, 90 to train on and 10 to test.
    let n = 2000;
    let (mut plain, mut corrected) = (0usize, 0usize);
    share(n, "splits", |generator| {
        let data: Vec<(f64, [f64; 2])> = (0..100)
            .map(|i| {
                let label = if i % 2 == 0 { 1.0 } else { -1.0 };
                (label, [0.3 * label + generator.normal(), 0.3 * label + generator.normal()])
            })
            .collect();
        let mut order: Vec<usize> = (0..data.len()).collect();
        let mut differences = vec![];
        for _ in 0..10 {
            generator.shuffle(&mut order);
            let (test, train) = order.split_at(10);
            let accuracy = |feature: usize| {
                let middle = train.iter().map(|&i| data[i].1[feature]).sum::<f64>() / train.len() as f64;
                let slope: f64 = train.iter().map(|&i| data[i].0 * (data[i].1[feature] - middle)).sum();
                let right = |&&i: &&usize| data[i].0 * slope * (data[i].1[feature] - middle) > 0.0;
                test.iter().filter(right).count() as f64 / test.len() as f64
            };
            differences.push(accuracy(0) - accuracy(1));
        }
        plain += usize::from(t_test(&differences, 0.95).is_some_and(|test| test.p <= 0.05));
        corrected += usize::from(corrected_resampled_t(&differences, 10.0 / 90.0, 0.95).is_some_and(|t| t.p <= 0.05));
        true
    });
    let (plain, corrected) = (plain as f64 / n as f64, corrected as f64 / n as f64);
    assert!(corrected <= 0.05 + allowance(n), "corrected {corrected}");
    assert!(plain > 0.05 + allowance(n), "plain {plain}: the simulation does not show what is corrected");
}
