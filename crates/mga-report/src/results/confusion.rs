//! `confusion.csv`: counts by class and predicted class.

use std::path::Path;

use anyhow::Context;
use mga_train::csv_file::bared;

/// Counts of images, of segmentation pixels, by class (rows) and predicted class (columns).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confusion {
    /// The classes, in the data set's order.
    pub classes: Vec<String>,
    /// `[class][predicted class]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Reads a run folder's file.
    ///
    /// # Errors
    /// It is not there, or is no square table of counts with the classes in its first row.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("confusion.csv");
        let failed = || format!("{}: expected a row of counts a class, below a row with the classes", path.display());
        let mut reader =
            csv::Reader::from_path(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let classes: Vec<String> =
            reader.headers().with_context(failed)?.iter().skip(1).map(bared).map(str::to_owned).collect();
        let mut counts: Vec<Vec<u64>> = vec![];
        for row in reader.records() {
            let row = row.with_context(failed)?;
            counts.push(row.iter().skip(1).map(str::parse).collect::<Result<_, _>>().with_context(failed)?);
        }
        anyhow::ensure!(!classes.is_empty() && counts.len() == classes.len(), failed());
        Ok(Self { classes, counts })
    }

    /// Returns the share of a class that is predicted correctly; `None` for a class without images.
    #[must_use]
    pub fn recall(&self, class: usize) -> Option<f64> {
        let row = self.counts.get(class)?;
        let all: u64 = row.iter().sum();
        (all > 0).then(|| row[class] as f64 / all as f64)
    }

    /// Adds the counts of another run with the same classes; false, and nothing is added, where they differ.
    pub fn add(&mut self, other: &Self) -> bool {
        let same = self.classes == other.classes;
        if same {
            let pairs = self.counts.iter_mut().flatten().zip(other.counts.iter().flatten());
            pairs.for_each(|(sum, count)| *sum += count);
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_added_and_shared() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("confusion.csv"), text).unwrap();
        assert!(Confusion::read(folder.path()).is_err());
        write("label,\"a, b\",c\n\"a, b\",3,1\nc,0,0\n");
        let mut confusion = Confusion::read(folder.path()).unwrap();
        assert_eq!((confusion.recall(0), confusion.recall(1)), (Some(0.75), None));
        assert!(confusion.add(&confusion.clone()) && confusion.counts == [[6, 2], [0, 0]]);
        assert!(!confusion.add(&Confusion::default()));
        for torn in ["label,a,b\na,1,2\n", "label,a\na,many\n", "label,a,b\na,1\nb,1\n", ""] {
            write(torn);
            assert!(Confusion::read(folder.path()).is_err(), "{torn}");
        }
    }
}
