//! An arm against its baseline, paired by replicate.

use mga_core::statistics::{self, holm, t_test};

use super::images::Images;
use super::model::{Arm, Column, Comparison, Interval, Over, Pair, Run, TTest, TTestKind, Verdict};
use super::pairing::clash;
use super::scores::Repeated;
use super::trials::TrialTables;
use super::wording;
use crate::results::Record;

/// The level that an adjusted p value has to reach.
const LEVEL: f64 = 0.05;

/// Compares the arm with the baseline, both indices; Holm's p, the verdict and the sentence come with [`adjust`].
pub(super) fn compare(
    (arm, baseline): (usize, usize),
    (arms, runs, records): (&[Arm], &[Run], &[Record]),
    column: &Column,
    (images, trials): (&mut Images<'_>, &mut TrialTables<'_>),
    confidence: f64,
) -> Comparison {
    let (mut pairs, mut missing) = (vec![], vec![]);
    let counted = |arm: usize| arms[arm].runs.iter().copied().filter(|&run| runs[run].counted);
    let key = |run: usize| records[run].cell.replicate_key();
    let value = |run: usize| runs[run].values.first().copied().flatten();
    for run in counted(arm) {
        let replicate = runs[run].replicate.clone();
        let Some(partner) = counted(baseline).find(|&partner| key(partner) == key(run)) else {
            missing.push(format!("{replicate} is not finished in {}", arms[baseline].name));
            continue;
        };
        match (value(run), value(partner), clash(&records[run], &records[partner])) {
            (Some(one), Some(other), None) => {
                pairs.push(Pair { replicate, arm: one, baseline: other, runs: [run, partner] });
            }
            (_, _, Some(why)) => missing.push(format!("{replicate}: {why}")),
            _ => missing.push(format!("{replicate} has no {}", column.title)),
        }
    }
    for run in counted(baseline).filter(|&run| !counted(arm).any(|partner| key(partner) == key(run))) {
        missing.push(format!("{} is not finished in {}", runs[run].replicate, arms[arm].name));
    }
    let differences: Vec<_> = pairs.iter().map(|pair| (&records[pair.runs[0]], pair.arm - pair.baseline)).collect();
    let repeated = Repeated::of(&differences);
    let kind = if repeated.over == Over::Runs { TTestKind::Paired } else { TTestKind::CorrectedResampled };
    let of = |kind, test: statistics::TTest| TTest { kind, t: test.t, degrees: test.degrees, p: test.p };
    let test = repeated.test(confidence);
    let plain: Vec<f64> = differences.iter().map(|(_, difference)| *difference).collect();
    let paired: Vec<_> = pairs.iter().map(|pair| pair.runs).collect();
    let by_trial = trials.compare(&column.key, &paired, confidence);
    let by_image = match &pairs[..] {
        [] => Err("there are no pairs".to_owned()),
        _ => images.compare(&column.key, &paired),
    };
    let (mcnemar, bootstrap, predictions_missing) = match by_image {
        Ok((mcnemar, bootstrap)) => (Some(mcnemar), bootstrap, None),
        // Runs of trials have no predictions image by image.
        Err(_) if matches!(by_trial, Ok(Some(_))) => (None, None, None),
        Err(why) => (None, None, Some(by_trial.as_ref().err().unwrap_or(&why).clone())),
    };
    Comparison {
        against: baseline,
        missing,
        over: repeated.over,
        values: repeated.values.len(),
        difference: statistics::mean(&repeated.values),
        deviation: statistics::deviation(&repeated.values),
        interval: test.map(|test| Interval { low: test.interval.low, high: test.interval.high }),
        test: test.map(|test| of(kind, test)),
        paired_t: t_test(&plain, confidence).map(|test| of(TTestKind::Paired, test)),
        p_adjusted: None,
        mcnemar,
        bootstrap,
        trials: by_trial.unwrap_or_default(),
        predictions_missing,
        verdict: Verdict::Untested,
        sentence: String::new(),
        pairs,
    }
}

/// Holm's step-down over the comparisons of the table, and what may be said after it.
pub(super) fn adjust(arms: &mut [Arm], column: &Column) {
    let names: Vec<String> = arms.iter().map(|arm| arm.name.clone()).collect();
    let p: Vec<f64> = arms
        .iter()
        .map(|arm| arm.comparison.as_ref().and_then(|c| c.test.as_ref()).map_or(f64::NAN, |test| test.p))
        .collect();
    let tests = p.iter().filter(|p| !p.is_nan()).count();
    for ((arm, adjusted), name) in arms.iter_mut().zip(holm(&p)).zip(&names) {
        let Some(comparison) = &mut arm.comparison else { continue };
        comparison.p_adjusted = Some(adjusted).filter(|p| !p.is_nan());
        let difference = comparison.difference.unwrap_or(0.0);
        comparison.verdict = match comparison.p_adjusted {
            None => Verdict::Untested,
            Some(p) if p > LEVEL => Verdict::NotToldApart,
            Some(_) if (difference > 0.0) == column.higher_is_better => Verdict::Better,
            Some(_) => Verdict::Worse,
        };
        comparison.sentence = wording::sentence(name, &names[comparison.against], column, comparison, tests);
    }
}
