//! Comparisons image by image: McNemar's test and the bootstrap, from the predictions of runs.

use std::collections::HashMap;

use mga_core::statistics::{Resampling, bootstrap, mcnemar, mcnemar_clustered};

use super::model::{Bootstrap, Interval, McNemar};
use super::pairing::differ;
use crate::results::{Predictions, Record};

/// Metrics that follow from labels and predicted classes.
const FROM_PREDICTIONS: [&str; 3] = ["top1", "balanced_accuracy", "macro_f1"];

/// What a run says of an image: its number, its label's and the predicted class'.
type Said = (u32, u32, u32);

/// The same with the image's place among those that are drawn from.
type Placed = (usize, u32, u32);

/// The predictions of a report's runs, each file read once, images and classes numbered.
pub(super) struct Images<'a> {
    records: &'a [Record],
    numbers: HashMap<String, u32>,
    classes: HashMap<String, u32>,
    runs: HashMap<usize, Result<Vec<Said>, String>>,
    resampling: Resampling,
    confidence: f64,
}

impl<'a> Images<'a> {
    pub(super) fn of(records: &'a [Record], resampling: Resampling, confidence: f64) -> Self {
        let (numbers, classes, runs) = Default::default();
        Self { records, numbers, classes, runs, resampling, confidence }
    }

    fn read(&mut self, record: usize) -> Result<(), String> {
        if !self.runs.contains_key(&record) {
            let read = self.records[record].predictions().map_err(|error| format!("{error:#}"));
            let said = read.map(|predictions| self.numbered(predictions));
            self.runs.insert(record, said);
        }
        self.runs.get(&record).map_or(Ok(()), |said| said.as_ref().map(|_| ()).map_err(Clone::clone))
    }

    fn numbered(&mut self, predictions: Predictions) -> Vec<Said> {
        let mut said = Vec::with_capacity(predictions.0.len());
        for row in predictions.0 {
            let [image, label, predicted] = [
                number(&mut self.numbers, row.path),
                number(&mut self.classes, row.label),
                number(&mut self.classes, row.predicted),
            ];
            said.push((image, label, predicted));
        }
        said.sort_unstable();
        said
    }

    fn said(&self, record: usize) -> &[Said] {
        self.runs.get(&record).and_then(|said| said.as_ref().ok()).map_or(&[], Vec::as_slice)
    }

    /// Interval of a metric's mean over an arm's runs, over test images drawn anew; `None` where the metric does not follow
    /// from predictions, or a run has none.
    pub(super) fn interval(&mut self, metric: &str, records: &[usize]) -> Option<Interval> {
        records.iter().try_for_each(|&record| self.read(record)).ok()?;
        let share = 1.0 / records.len() as f64;
        let runs: Vec<_> = records.iter().map(|&record| (share, self.said(record))).collect();
        Some(resampled(metric, &runs, self.resampling, self.confidence)?.interval)
    }

    /// McNemar's test and the bootstrap over pairs of runs, the arm's first.
    ///
    /// # Errors
    /// Why not: a run has no predictions, or the two of a pair are of other images.
    pub(super) fn compare(
        &mut self,
        metric: &str,
        pairs: &[[usize; 2]],
    ) -> Result<(McNemar, Option<Bootstrap>), String> {
        for &record in pairs.iter().flatten() {
            self.read(record)?;
        }
        // Of each image: how often it was predicted, how often the arm alone and the baseline alone had it right.
        let mut images: HashMap<u32, (u64, u64, u64)> = HashMap::new();
        let mut runs = vec![];
        let share = 1.0 / pairs.len() as f64;
        for &[arm, baseline] in pairs {
            let (one, other) = (self.said(arm), self.said(baseline));
            let test = |record: usize| self.records[record].identity.as_ref().map_or("", |identity| &identity.test);
            let other_test = differ(test(arm), test(baseline));
            let same =
                !other_test && one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a.0, a.1) == (b.0, b.1));
            if !same {
                let keys = [arm, baseline].map(|record| self.records[record].key.as_str());
                return Err(format!("{} and {} are of other images or labels", keys[0], keys[1]));
            }
            for (a, b) in one.iter().zip(other) {
                let image = images.entry(a.0).or_default();
                image.0 += 1;
                image.1 += u64::from(a.1 == a.2 && b.1 != b.2);
                image.2 += u64::from(a.1 != a.2 && b.1 == b.2);
            }
            runs.extend([(share, one), (-share, other)]);
        }
        let mut net: Vec<_> = images
            .iter()
            .map(|(image, &(n, arm, baseline))| (image, (arm as f64 - baseline as f64) / n as f64))
            .collect();
        // Sums depend on their order in the last bits, and a map has none.
        net.sort_by_key(|(image, _)| **image);
        let net: Vec<f64> = net.into_iter().map(|(_, net)| net).collect();
        let sum = |of: fn(&(u64, u64, u64)) -> u64| images.values().map(of).sum();
        let (predictions, arm_only, baseline_only) = (sum(|i| i.0), sum(|i| i.1), sum(|i| i.2));
        let test = mcnemar(arm_only, baseline_only);
        let p_clustered = mcnemar_clustered(&net);
        let mcnemar = McNemar { predictions, arm_only, baseline_only, p: test.p, exact: test.exact, p_clustered };
        Ok((mcnemar, resampled(metric, &runs, self.resampling, self.confidence)))
    }
}

fn number(numbers: &mut HashMap<String, u32>, name: String) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry(name).or_insert(next)
}

/// The bootstrap of a sum of metrics, each with its factor, over all images that any of the runs saw.
fn resampled(metric: &str, runs: &[(f64, &[Said])], resampling: Resampling, confidence: f64) -> Option<Bootstrap> {
    if runs.is_empty() || !FROM_PREDICTIONS.contains(&metric) {
        return None;
    }
    // Images as 0 to n - 1.
    let mut numbers: Vec<u32> = runs.iter().flat_map(|(_, said)| said.iter().map(|said| said.0)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let place: HashMap<u32, usize> = numbers.iter().enumerate().map(|(place, &number)| (number, place)).collect();
    let runs: Vec<(f64, Vec<Placed>)> = runs
        .iter()
        .map(|(factor, said)| {
            (*factor, said.iter().map(|&(image, label, guess)| (place[&image], label, guess)).collect())
        })
        .collect();
    let classes = runs.iter().flat_map(|(_, said)| said).map(|said| said.1.max(said.2) as usize + 1).max().unwrap_or(0);
    let plan = resampling;
    let interval = if metric == "top1" && runs.iter().all(|(_, said)| said.len() == numbers.len()) {
        // A mean over the same images in all runs: one number an image says all.
        let mut net = vec![0.0; numbers.len()];
        for (factor, said) in &runs {
            said.iter().filter(|said| said.1 == said.2).for_each(|said| net[said.0] += factor);
        }
        bootstrap(net.len(), confidence, plan, |counts| {
            Some(net.iter().zip(counts).map(|(net, &count)| net * f64::from(count)).sum::<f64>() / net.len() as f64)
        })
    } else {
        bootstrap(numbers.len(), confidence, plan, |counts| {
            runs.iter().map(|(factor, said)| Some(factor * weighted(metric, said, counts, classes)?)).sum()
        })
    };
    let interval = interval.map(|interval| Interval { low: interval.low, high: interval.high })?;
    Some(Bootstrap { interval, images: numbers.len(), resamples: resampling.resamples })
}

/// A metric where each image counts as often as it was drawn; as [`mga_core::metrics::Confusion`] has them.
fn weighted(metric: &str, said: &[Placed], counts: &[u32], classes: usize) -> Option<f64> {
    // Of each class: labelled so, predicted so, both.
    let mut sums = vec![[0.0f64; 3]; classes];
    for &(image, label, guess) in said {
        let count = f64::from(counts[image]);
        sums[label as usize][0] += count;
        sums[guess as usize][1] += count;
        sums[label as usize][2] += if label == guess { count } else { 0.0 };
    }
    let mean = |shares: &mut dyn Iterator<Item = (f64, f64)>| {
        let (sum, n) =
            shares.filter(|(_, of)| *of > 0.0).fold((0.0, 0.0), |(sum, n), (part, of)| (sum + part / of, n + 1.0));
        (n > 0.0).then(|| sum / n)
    };
    match metric {
        "balanced_accuracy" => mean(&mut sums.iter().map(|&[labelled, _, right]| (right, labelled))),
        "macro_f1" => mean(&mut sums.iter().map(|&[labelled, predicted, right]| (2.0 * right, labelled + predicted))),
        _ => {
            let (right, all) = sums.iter().fold((0.0, 0.0), |(right, all), sums| (right + sums[2], all + sums[0]));
            (all > 0.0).then(|| right / all)
        }
    }
}

#[cfg(test)]
mod tests {
    use mga_core::metrics::Confusion;
    use mga_core::random::Generator;

    use super::*;

    #[test]
    fn weighted_metrics_are_those_of_a_confusion_matrix() {
        let mut generator = Generator::new(3, "said", &[]);
        let said: Vec<_> = (0..60).map(|i| (i, generator.below(5) as u32, generator.below(5) as u32)).collect();
        let counts: Vec<u32> = (0..60).map(|_| generator.below(4) as u32).collect();
        let mut confusion = Confusion::new(5);
        for &(image, label, guess) in &said {
            (0..counts[image]).for_each(|_| confusion.add(label as usize, guess as usize).unwrap());
        }
        let close = |metric: &str, expected: Option<f64>| {
            let value = weighted(metric, &said, &counts, 5).unwrap();
            assert!((value - expected.unwrap()).abs() < 1e-12, "{metric}: {value}, expected {expected:?}");
        };
        close("top1", confusion.top1());
        close("balanced_accuracy", confusion.balanced_accuracy());
        close("macro_f1", confusion.macro_f1());
        assert_eq!(weighted("top1", &said, &[0; 60], 5), None);
    }

    #[test]
    fn the_short_way_for_top1_is_the_long_way() {
        let mut generator = Generator::new(4, "said", &[]);
        let mut run = || -> Vec<Said> { (0..40).map(|i| (i, 0, generator.below(2) as u32)).collect() };
        let (a, b) = (run(), run());
        let plan = Resampling { resamples: 300, seed: 1 };
        let short = resampled("top1", &[(1.0, &a), (-1.0, &b)], plan, 0.95).unwrap();
        // An image that one run alone has makes it take the long way, and moves the numbers by little.
        let longer: Vec<Said> = a.iter().copied().chain([(40, 0, 0)]).collect();
        let long = resampled("top1", &[(1.0, &longer), (-1.0, &b)], plan, 0.95).unwrap();
        assert_eq!((short.images, long.images), (40, 41));
        assert!((short.interval.low - long.interval.low).abs() < 0.06, "{short:?} {long:?}");
        assert_eq!(resampled("mask_iou", &[(1.0, &a)], plan, 0.95), None);
    }
}
