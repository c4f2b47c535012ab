//! The confusion matrix, and the scores that follow from it.

use crate::error::{Error, Result};

/// Images by label and predicted class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes]`, a row for each label.
    counts: Vec<u64>,
}

impl Confusion {
    /// Creates a matrix without images.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one image. A label or prediction that is not a class is an error.
    pub fn add(&mut self, label: usize, predicted: usize) -> Result<()> {
        if label >= self.classes || predicted >= self.classes {
            let message = format!("label {label}, predicted {predicted}: expected less than {} classes", self.classes);
            return Err(Error::shape("confusion", message));
        }
        self.counts[label * self.classes + predicted] += 1;
        Ok(())
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Iterates over the rows, one for each label: how many of its images were predicted as each class.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        // A width of 0 is refused by `chunks`; there are no rows then.
        self.counts.chunks(self.classes.max(1))
    }

    /// Returns the number of images.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the share of images predicted right, in 0..=1; `None` without images.
    #[must_use]
    pub fn top1(&self) -> Option<f64> {
        let correct: u64 = self.per_class().map(|class| class.correct).sum();
        share(correct, self.images())
    }

    /// Returns the share of each class' images that was predicted right (its recall); `None` for a class without
    /// images.
    #[must_use]
    pub fn class_accuracy(&self) -> Vec<Option<f64>> {
        self.per_class().map(|class| share(class.correct, class.labelled)).collect()
    }

    /// Returns the mean recall of the classes that have images, in 0..=1 (scikit-learn's `balanced_accuracy_score`).
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean(self.class_accuracy().into_iter().flatten())
    }

    /// Returns the mean F1 of the classes that occur among labels or predictions, in 0..=1 (scikit-learn's
    /// `f1_score(average="macro")`): a class that is only ever predicted, or never, has 0.
    #[must_use]
    pub fn macro_f1(&self) -> Option<f64> {
        mean(self.per_class().filter_map(|class| share(2 * class.correct, class.labelled + class.predicted)))
    }

    /// Returns the intersection over union of each class: what was predicted right, over what was labelled or predicted
    /// so. `None` for a class that occurs in neither.
    #[must_use]
    pub fn class_iou(&self) -> Vec<Option<f64>> {
        self.per_class().map(|class| share(class.correct, class.labelled + class.predicted - class.correct)).collect()
    }

    fn per_class(&self) -> impl Iterator<Item = Class> {
        let mut predicted = vec![0; self.classes];
        for row in self.rows() {
            predicted.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        let classes = self.rows().zip(predicted).enumerate();
        classes.map(|(i, (row, predicted))| Class {
            correct: row.get(i).copied().unwrap_or(0),
            labelled: row.iter().sum(),
            predicted,
        })
    }
}

struct Class {
    correct: u64,
    labelled: u64,
    predicted: u64,
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_matrix_by_hand() -> Result<()> {
        // Labels 0 0 0 1 1, predicted 0 0 1 1 3: class 2 never occurs, class 3 is only predicted.
        let mut confusion = Confusion::new(4);
        for (label, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 3)] {
            confusion.add(label, predicted)?;
        }
        assert_eq!(confusion.images(), 5);
        assert_eq!(confusion.rows().next(), Some(&[2, 1, 0, 0][..]));
        assert_eq!(confusion.top1(), Some(0.6));
        assert_eq!(confusion.class_accuracy(), [Some(2.0 / 3.0), Some(0.5), None, None]);
        let near = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-15, "{found:?}");
        near(confusion.balanced_accuracy(), (2.0 / 3.0 + 0.5) / 2.0);
        // F1: 4 / (3 + 2), 2 / (2 + 2), and 0 of 1 for class 3.
        near(confusion.macro_f1(), (0.8 + 0.5 + 0.0) / 3.0);
        Ok(())
    }

    #[test]
    fn nothing_counted_has_no_score() {
        for classes in [0, 3] {
            let confusion = Confusion::new(classes);
            assert_eq!((confusion.top1(), confusion.balanced_accuracy(), confusion.macro_f1()), (None, None, None));
        }
    }

    #[test]
    fn what_is_no_class_is_refused() {
        let mut confusion = Confusion::new(2);
        assert!(confusion.add(2, 0).unwrap_err().to_string().contains("label 2"));
        assert!(confusion.add(0, 2).is_err());
        assert_eq!(confusion.images(), 0);
    }
}
