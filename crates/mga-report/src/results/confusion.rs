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
    pub fn recall(&self, class: &str) -> Option<f64> {
        let at = self.classes.iter().position(|known| known == class)?;
        let all: u64 = self.counts[at].iter().sum();
        (all > 0).then(|| self.counts[at][at] as f64 / all as f64)
    }

    /// Adds the counts of another run by the names of the classes; those that are new come behind.
    pub fn add(&mut self, other: &Self) {
        let new = other.classes.iter().filter(|class| !self.classes.contains(class)).cloned().collect::<Vec<_>>();
        self.classes.extend(new);
        let size = self.classes.len();
        self.counts.resize(size, Vec::new());
        self.counts.iter_mut().for_each(|row| row.resize(size, 0));
        let place = |class: &String| self.classes.iter().position(|known| known == class).unwrap_or_default();
        let places: Vec<usize> = other.classes.iter().map(place).collect();
        for (row, &to) in other.counts.iter().zip(&places) {
            row.iter().zip(&places).for_each(|(count, &column)| self.counts[to][column] += count);
        }
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
        let recalls = ["a, b", "c", "d"].map(|class| confusion.recall(class));
        assert_eq!(recalls, [Some(0.75), None, None]);
        confusion.add(&confusion.clone());
        assert_eq!(confusion.counts, [[6, 2], [0, 0]]);
        confusion.add(&Confusion { classes: vec!["d".into(), "a, b".into()], counts: vec![vec![5, 1], vec![2, 3]] });
        assert_eq!(confusion.classes, ["a, b", "c", "d"]);
        assert_eq!(confusion.counts, [[9, 2, 2], [0, 0, 0], [1, 0, 5]]);
        for torn in ["label,a,b\na,1,2\n", "label,a\na,many\n", "label,a,b\na,1\nb,1\n", ""] {
            write(torn);
            assert!(Confusion::read(folder.path()).is_err(), "{torn}");
        }
    }
}
