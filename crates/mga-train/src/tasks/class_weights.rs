//! The weights of the classes in the loss (`objective.class_weights`).

use mga_core::wording::counted;
use mga_experiment::{ByCount, ClassWeights, Loaded};

/// The weights of `classes`, in their order; `None`: all weigh the same. `count` is whether those of the experiment count.
/// `counts` are what each class is trained on: images, of segmentation annotated pixels. They are counted only where they
/// are asked for.
///
/// # Errors
/// Weights that are not one for each class, or 0 for all; a class that nothing trains, of which there is no count to balance;
/// what `counts` says.
pub(super) fn class_weights(
    loaded: &Loaded,
    count: bool,
    classes: &[String],
    counts: impl FnOnce() -> anyhow::Result<Vec<u64>>,
) -> anyhow::Result<Option<Vec<f64>>> {
    const KEY: &str = "objective.class_weights";
    let weights = match loaded.experiment.objective.class_weights.as_ref().filter(|_| count) {
        None => return Ok(None),
        Some(ClassWeights::Each(weights)) if weights.len() != classes.len() => {
            let found = counted(weights.len(), "weight", "weights");
            let expected = counted(classes.len(), "class", "classes");
            let message = format!("{found} for {expected}; the classes in their order are {}", classes.join(", "));
            return Err(loaded.error(KEY, message).into());
        }
        Some(ClassWeights::Each(weights)) => weights.clone(),
        Some(ClassWeights::ByCount(ByCount::Balanced)) => balanced(&counts()?).map_err(|class| {
            let class = classes.get(class).map_or("", String::as_str);
            loaded.error(KEY, format!("\"balanced\" needs training images of every class: class `{class}` has none"))
        })?,
    };
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(loaded.error(KEY, "all are 0, so nothing would be learnt; expected one above").into());
    }
    Ok(Some(weights))
}

/// `n / (k n_c)` for the `k` classes with `n_c` of all `n`; the error is a class without any.
fn balanced(counts: &[u64]) -> Result<Vec<f64>, usize> {
    let all = counts.iter().sum::<u64>() as f64;
    let weight = |(class, &count): (usize, &u64)| match count {
        0 => Err(class),
        count => Ok(all / (counts.len() as f64 * count as f64)),
    };
    counts.iter().enumerate().map(weight).collect()
}

/// Counts how often each of `classes` occurs among `labels`. Images without a label do not count.
#[must_use]
pub fn label_counts(labels: impl IntoIterator<Item = Option<usize>>, classes: usize) -> Vec<u64> {
    let mut counts = vec![0; classes];
    for label in labels.into_iter().flatten() {
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    counts
}

/// What the classes weigh in the loss, where they do not weigh the same.
pub(super) fn class_weights_line(classes: &[String], weights: Option<&[f64]>) -> String {
    let Some(weights) = weights else { return String::new() };
    let named = classes.iter().zip(weights).map(|(class, weight)| format!("{class} {}", rounded(*weight)));
    format!("class weights in the loss: {}\n", named.collect::<Vec<_>>().join(", "))
}

/// With four digits at most behind the point.
fn rounded(weight: f64) -> f64 {
    (weight * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_are_scikit_learn_s() {
        // compute_class_weight("balanced") of 1, 1, 1, 1, 1, 1, 2, 2, 0 (n = 9, k = 3).
        let labels = [1, 1, 1, 1, 1, 1, 2, 2, 0].map(Some).into_iter().chain([None]);
        let counts = label_counts(labels, 3);
        assert_eq!(counts, [1, 6, 2]);
        assert_eq!(balanced(&counts), Ok(vec![3.0, 0.5, 1.5]));
        assert_eq!(balanced(&[1, 0]), Err(1));
    }
}
