//! `predictions.csv`: what the reported checkpoint says of every test image.

use std::path::Path;

use anyhow::Context;
use mga_train::csv_file::bared;
use serde::{Deserialize, Serialize};

/// The prediction for one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The image.
    pub path: String,
    /// The true class.
    pub label: String,
    /// The predicted class.
    pub predicted: String,
    /// The softmax probability of the predicted class.
    pub confidence: f64,
    /// Whether they agree.
    pub correct: bool,
}

/// The labelled images of a run, in the split's order: images without a label are predicted too, and have no part in scores.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predictions(pub Vec<Prediction>);

/// A row of the file, as it stands there.
#[derive(Deserialize)]
struct Row {
    path: String,
    label: String,
    predicted: String,
    confidence: f64,
    correct: Option<bool>,
}

impl Predictions {
    /// Reads a run folder's file.
    ///
    /// # Errors
    /// It is not there (segmentation writes none), or a row cannot be understood.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("predictions.csv");
        let mut reader =
            csv::Reader::from_path(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
        let rows =
            rows.with_context(|| format!("{}: expected path,label,predicted,confidence,correct", path.display()))?;
        let labelled = |row: Row| {
            let [path, label, predicted] = [row.path, row.label, row.predicted].map(|name| bared(&name).to_owned());
            Some(Prediction { path, label, predicted, confidence: row.confidence, correct: row.correct? })
        };
        Ok(Self(rows.into_iter().filter_map(labelled).collect()))
    }

    /// Returns the classes among labels and predictions, sorted.
    #[must_use]
    pub fn classes(&self) -> Vec<&str> {
        let mut classes: Vec<_> = self.0.iter().flat_map(|row| [row.label.as_str(), row.predicted.as_str()]).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Returns the share of images that are predicted correctly; `None` without images.
    #[must_use]
    pub fn top1(&self) -> Option<f64> {
        let correct = self.0.iter().filter(|row| row.correct).count();
        (!self.0.is_empty()).then(|| correct as f64 / self.0.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use mga_testing::awkward;

    use super::*;

    #[test]
    fn every_finite_double_survives_csv() {
        let folder = tempfile::tempdir().unwrap();
        let doubles = awkward::doubles();
        let mut writer = csv::Writer::from_path(folder.path().join("predictions.csv")).unwrap();
        for &confidence in &doubles {
            let [path, label, predicted] = ["a", "b", "c"].map(str::to_owned);
            writer.serialize(Prediction { path, label, predicted, confidence, correct: false }).unwrap();
        }
        writer.flush().unwrap();
        let read: Vec<f64> = Predictions::read(folder.path()).unwrap().0.iter().map(|row| row.confidence).collect();
        assert!(awkward::same_bits(&read, &doubles));
    }

    #[test]
    fn rows_are_read_and_a_torn_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("predictions.csv");
        assert!(Predictions::read(folder.path()).unwrap_err().to_string().contains("predictions.csv"));
        std::fs::write(&file, "path,label,predicted,confidence,correct\n\"a, b.png\",x,y,0.5,false\nc,x,x,1.0,true\n")
            .unwrap();
        let read = Predictions::read(folder.path()).unwrap();
        assert_eq!((read.0[0].path.as_str(), read.classes(), read.top1()), ("a, b.png", vec!["x", "y"], Some(0.5)));
        std::fs::write(&file, "path,label,predicted,confidence,correct\na,,x,0.5,\nb,x,x,0.75,true\n").unwrap();
        let read = Predictions::read(folder.path()).unwrap();
        assert_eq!((read.0.len(), read.top1()), (1, Some(1.0)), "what has no label is not scored");
        std::fs::write(&file, "path,label,predicted,confidence,correct\na,x\n").unwrap();
        assert!(Predictions::read(folder.path()).is_err());
    }
}
