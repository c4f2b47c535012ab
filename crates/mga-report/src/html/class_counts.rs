//! The confusion matrices of the arms: of each run, and of all runs of an arm together.

use super::section::Reported;
use crate::results::Confusion;

/// An arm's runs, each its own matrix, and all of them together.
pub(super) struct OfArm {
    /// The arm, an index into `Report::arms`.
    pub(super) arm: usize,
    /// The runs, as indices into `Report::runs`.
    pub(super) runs: Vec<(usize, Confusion)>,
    pub(super) pooled: Confusion,
}

impl OfArm {
    /// Whether runs have other classes than the rest.
    pub(super) fn differs(&self) -> bool {
        self.runs.iter().any(|(_, run)| run.classes.len() < self.pooled.classes.len())
    }

    /// Some of its runs together; `None` where one of them is not there.
    pub(super) fn of_runs(&self, runs: impl IntoIterator<Item = usize>) -> Option<Confusion> {
        let mut pooled = Confusion::default();
        for run in runs {
            pooled.add(&self.runs.iter().find(|(known, _)| *known == run)?.1);
        }
        Some(pooled)
    }
}

/// Images of a class and those of them that are predicted as another; nothing of a class that there is not.
pub(super) fn counts(confusion: &Confusion, class: &str, predicted: &str) -> Option<(u64, u64)> {
    let place = |class: &str| confusion.classes.iter().position(|known| known == class);
    let row = &confusion.counts[place(class)?];
    let all: u64 = row.iter().sum();
    (all > 0).then(|| (all, place(predicted).map_or(0, |column| row[column])))
}

/// The share of a class that is predicted as another.
pub(super) fn share(confusion: &Confusion, class: &str, predicted: &str) -> Option<f64> {
    counts(confusion, class, predicted).map(|(all, count)| count as f64 / all as f64)
}

/// The confusion matrices of the arms; and what could not be read.
pub(super) fn of_arms(Reported { report, records }: &Reported<'_>) -> (Vec<OfArm>, Vec<String>) {
    let (mut arms, mut notes): (Vec<OfArm>, Vec<String>) = (vec![], vec![]);
    for (index, arm) in report.arms.iter().enumerate() {
        let mut of_arm: Option<OfArm> = None;
        for &run in arm.runs.iter().filter(|&&run| report.runs[run].counted) {
            let confusion = match Confusion::read(&records[run].folder) {
                Ok(confusion) => confusion,
                Err(error) => {
                    notes.push(format!("{error:#}"));
                    continue;
                }
            };
            match &mut of_arm {
                None => of_arm = Some(OfArm { arm: index, runs: vec![(run, confusion.clone())], pooled: confusion }),
                Some(known) => {
                    known.pooled.add(&confusion);
                    known.runs.push((run, confusion));
                }
            }
        }
        arms.extend(of_arm);
    }
    (arms, notes)
}

/// The classes of all arms, in the order of the first that has them.
pub(super) fn classes(arms: &[OfArm]) -> Vec<String> {
    let mut classes: Vec<String> = vec![];
    for class in arms.iter().flat_map(|of_arm| &of_arm.pooled.classes) {
        if !classes.contains(class) {
            classes.push(class.clone());
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_pooled_by_the_names_of_their_classes() {
        let confusion = |classes: [&str; 2], counts: [[u64; 2]; 2]| Confusion {
            classes: classes.map(str::to_owned).to_vec(),
            counts: counts.map(|row| row.to_vec()).to_vec(),
        };
        let (one, other) = (confusion(["a", "b"], [[3, 1], [0, 4]]), confusion(["b", "c"], [[2, 2], [0, 0]]));
        let of_arm = OfArm { arm: 0, runs: vec![(4, one.clone()), (7, other)], pooled: one.clone() };
        assert_eq!(of_arm.of_runs([4]), Some(one));
        let both = of_arm.of_runs([7, 4]).unwrap();
        assert_eq!(counts(&both, "b", "c"), Some((8, 2)));
        assert_eq!((share(&both, "a", "b"), share(&both, "a", "c")), (Some(0.25), Some(0.0)));
        assert_eq!((share(&both, "c", "a"), share(&both, "d", "a"), of_arm.of_runs([5])), (None, None, None));
    }
}
