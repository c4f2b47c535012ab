//! Learning curves: what training minimised and the score on validation images, by epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::comparisons::axis;
use super::figure::{Figure, file_name};
use super::section::{Content, Reported};
use crate::Report;
use crate::plots::{BandPoint, LineChart, LineSeries, Scale};
use crate::results::Curves;

/// A value of a run by epoch, from 0.
type OfRun = BTreeMap<u64, f64>;

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let (figures, notes) = figures(seen);
    Ok(Content::default().figures(figures).notes(notes))
}

/// The plots, and what could not be read.
fn figures(Reported { report, records }: &Reported<'_>) -> (Vec<Figure>, Vec<String>) {
    let (mut stages, mut notes): (Vec<Stage<'_>>, Vec<String>) = (vec![], vec![]);
    let mut unread = BTreeSet::new();
    for (arm, runs) in report.arms.iter().map(|arm| &arm.runs).enumerate() {
        for log in runs.iter().filter(|&&run| report.runs[run].counted).flat_map(|&run| records[run].training_logs()) {
            let at = stages.iter().position(|stage| stage.name == log.stage).unwrap_or_else(|| {
                stages.push(Stage::new(report, log.stage.clone(), stages.len()));
                stages.len() - 1
            });
            // Runs of an arm may share a stage, which is one curve then.
            if log.stage.is_some() && stages[at].arms[arm].iter().any(|(id, _)| *id == log.id) {
                continue;
            }
            match log.curves() {
                Ok(curves) => stages[at].arms[arm].push((log.id, curves)),
                // Once for all runs that share the stage.
                Err(_) if log.stage.is_some() && !unread.insert(log.id) => (),
                Err(error) => notes.push(format!("{error:#}")),
            }
        }
    }
    (stages.into_iter().flat_map(|stage| stage.figures()).collect(), notes)
}

/// The curves of a stage, or of runs without stages.
struct Stage<'a> {
    report: &'a Report,
    name: Option<String>,
    /// The stage's number among those with curves, from 0.
    number: usize,
    /// The runs of every arm, each with the identity of its stage.
    arms: Vec<Vec<(String, Curves)>>,
    /// Whether all arms have the same: then those of one arm are drawn for all.
    shared: bool,
}

/// The losses of classes, by their keys in the log, without a term of the masks.
const CLASSES: [(&str, &str); 2] = [("cross_entropy", "cross entropy"), ("focal_loss", "focal loss")];

impl<'a> Stage<'a> {
    fn new(report: &'a Report, name: Option<String>, number: usize) -> Self {
        Self { report, name, number, arms: report.arms.iter().map(|_| vec![]).collect(), shared: false }
    }

    /// The arm whose curves are those of all arms, each of which has the same or some of them; `None`: the arms trained the
    /// stage themselves.
    fn shared_by(&self) -> Option<usize> {
        let ids = |arm: &[(String, Curves)]| arm.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
        let arms: Vec<BTreeSet<String>> = self.arms.iter().map(|arm| ids(arm)).collect();
        let several = arms.iter().filter(|ids| !ids.is_empty()).count() > 1;
        // Of equals the first.
        let largest = (0..arms.len()).rev().max_by_key(|&arm| arms[arm].len())?;
        let shared = self.name.is_some() && several && arms.iter().all(|ids| ids.is_subset(&arms[largest]));
        shared.then_some(largest)
    }

    fn figures(mut self) -> Vec<Figure> {
        if let Some(arm) = self.shared_by() {
            self.shared = true;
            self.arms.iter_mut().enumerate().filter(|(other, _)| *other != arm).for_each(|(_, runs)| runs.clear());
        }
        let mut figures = self.training();
        figures.extend(self.scores());
        figures.extend(self.attention());
        for figure in &mut figures {
            if let Some(name) = &self.name {
                figure.name = format!("{}-{}", file_name("stage", self.number, name), figure.name);
            }
            if self.shared {
                figure.caption += " All arms share this stage.";
            }
        }
        figures
    }

    /// What the steps minimised. The loss of guided arms has a term of the masks in it, which other arms lack, so where every
    /// run logs the loss of the classes by itself, that is what is compared, and the masks' term has a plot of its own.
    fn training(&self) -> Vec<Figure> {
        let by_key = |key: &str| self.by_run(|curves| curves.epochs(key));
        let scale = |values| Scale::over(values, 5);
        let everywhere = |key: &str| {
            let logged = |curves: &Curves, key: &str| curves.epochs(key).len();
            self.arms.iter().flatten().all(|(_, curves)| logged(curves, key) == logged(curves, "loss"))
        };
        let Some((key, loss)) = CLASSES.into_iter().find(|(key, _)| everywhere(key)) else {
            let of = ("loss", "Training loss", "mean loss of the epoch");
            return self.figure(&by_key("loss"), of, scale).into_iter().collect();
        };
        let masks = by_key("mask_mse");
        let without =
            if masks.iter().flatten().all(|run| run.is_empty()) { "" } else { ", without the term of the masks" };
        let (title, y_name) = (format!("Training {loss}"), format!("mean {loss} of the epoch{without}"));
        let of_masks =
            ("mask-loss", "Training loss of the masks", "mean squared error of attention, before its weight");
        let figures =
            [self.figure(&by_key(key), ("loss", &title, &y_name), scale), self.figure(&masks, of_masks, scale)];
        figures.into_iter().flatten().collect()
    }

    /// The metric of the report on the images that were evaluated in training.
    fn scores(&self) -> Vec<Figure> {
        let Some(column) = self.report.metric() else { return vec![] };
        let scores = |split: &'static str| {
            self.by_run(|curves| {
                curves.evaluations(split, &column.key).map(|(epoch, value)| (epoch, column.scale(value))).collect()
            })
        };
        let (validation, test) = (scores("validation"), scores("test"));
        let unit = if column.percent { " (%)" } else { "" };
        let y_name = format!("{}{unit}", column.title);
        let of = |split: &str| format!("Score on {split} images");
        let mut figures = vec![];
        if validation.iter().any(|arm| !arm.is_empty()) {
            let named = ("validation", of("validation"));
            figures.extend(self.figure(&validation, (named.0, &named.1, &y_name), |values| axis(column, values)));
        }
        // Where checkpoints were selected on test images, every epoch was evaluated on them: more than one point a run.
        if test.iter().flatten().any(|run| run.len() > 2) {
            let title = of("test");
            figures.extend(self.figure(&test, ("test", &title, &y_name), |values| axis(column, values)));
        }
        figures
    }

    /// How the attention came to the masks: the same in every arm, where they are measured against the same.
    fn attention(&self) -> Option<Figure> {
        let measures =
            [("reference_auc", "Attention against reference masks"), ("mask_auc", "Attention against masks")];
        measures.into_iter().find_map(|(key, title)| {
            let values = self.by_run(|curves| curves.evaluations("validation", key).collect());
            let scale = |values: Vec<f64>| Scale::over(values.into_iter().chain([0.5]), 5);
            self.figure(&values, (&key.replace('_', "-"), title, "AUC on validation images"), scale)
        })
    }

    /// The values of every run: the arms, their runs, and the epochs.
    fn by_run(&self, values: impl Fn(&Curves) -> Vec<(u64, f64)>) -> Vec<Vec<OfRun>> {
        // The last checkpoint is evaluated once more at the end: one value an epoch and run.
        let of_run =
            |(_, run): &(String, Curves)| values(run).into_iter().filter(|(_, value)| value.is_finite()).collect();
        self.arms.iter().map(|runs| runs.iter().map(of_run).collect()).collect()
    }

    fn figure(
        &self,
        arms: &[Vec<OfRun>],
        (name, title, y_name): (&str, &str, &str),
        scale: impl Fn(Vec<f64>) -> Scale,
    ) -> Option<Figure> {
        let last = arms.iter().flatten().filter_map(|run| run.keys().next_back()).max()?;
        let values: Vec<f64> = arms.iter().flatten().flat_map(|run| run.values().copied()).collect();
        let x = |epoch: u64| (epoch + 1) as f64;
        let line = |(series, runs): (usize, &Vec<OfRun>)| {
            let mean = |(epoch, values): (u64, Vec<f64>)| {
                let value = values.iter().sum::<f64>() / values.len() as f64;
                BandPoint { x: x(epoch), value, low: value, high: value }
            };
            let singles = runs.iter().map(|run| run.iter().map(|(&epoch, &value)| (x(epoch), value)).collect());
            let points: Vec<BandPoint> = by_epoch(runs).into_iter().map(mean).collect();
            let name = if self.shared { "all arms".to_owned() } else { self.report.arms[series].name.clone() };
            (!points.is_empty()).then(|| LineSeries { name, series, points, singles: singles.collect() })
        };
        let chart = LineChart {
            title: self.name.as_ref().map_or_else(|| title.to_owned(), |name| format!("{title}, stage {name}")),
            x_name: "epoch".to_owned(),
            x: Scale::whole(1, last + 1, 8),
            y_name: y_name.to_owned(),
            y: scale(values),
            lines: arms.iter().enumerate().filter_map(line).collect(),
        };
        let uneven = arms.iter().any(|runs| {
            let by_epoch = by_epoch(runs);
            let most = by_epoch.values().map(Vec::len).max().unwrap_or(0);
            by_epoch.values().any(|values| values.len() != most)
        });
        let several = arms.iter().any(|runs| runs.iter().filter(|run| !run.is_empty()).count() > 1);
        let mut caption = if several {
            "Thick lines: means over an arm's runs; thin lines: the runs."
        } else {
            "A line: an arm's run."
        }
        .to_owned();
        if uneven {
            caption += " Not every run has every epoch: the mean is over those that have it.";
        }
        Some(Figure { name: name.to_owned(), plot: chart.draw(), caption, arm: None })
    }
}

/// The values of all runs of an arm by epoch.
fn by_epoch(runs: &[OfRun]) -> BTreeMap<u64, Vec<f64>> {
    let mut by_epoch: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (&epoch, &value) in runs.iter().flatten() {
        by_epoch.entry(epoch).or_default().push(value);
    }
    by_epoch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Line;

    #[test]
    fn one_value_an_epoch_and_run() {
        let report = report(&["none"]);
        let mut stage = Stage::new(&report, None, 0);
        stage.arms = vec![vec![Default::default(), Default::default()], vec![]];
        let values = stage.by_run(|_| vec![(0, 1.0), (1, 3.0), (1, 5.0), (2, f64::NAN)]);
        assert_eq!(by_epoch(&values[0]), BTreeMap::from([(0, vec![1.0, 1.0]), (1, vec![5.0, 5.0])]));
        assert!(values[1].is_empty());
    }

    /// A run of two epochs, with the loss of each and what it is made of.
    fn curves(cross_entropy: Option<f64>, mask_mse: Option<f64>) -> Curves {
        let line = |epoch: u64| {
            let values = serde_json::json!({ "kind": "step", "step": epoch + 1, "epoch": epoch, "loss": 9.0,
                "cross_entropy": cross_entropy, "mask_mse": mask_mse });
            serde_json::from_value::<Line>(values).unwrap()
        };
        Curves { lines: vec![line(0), line(1)], torn: 0 }
    }

    /// A report of these arms of attention, a run each.
    fn report(arms: &[&str]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for arm in arms {
            let run = folder.path().join(arm);
            std::fs::create_dir(&run).unwrap();
            let cell = format!(r#"{{"settings": {{"model.attention": "{arm}"}}}}"#);
            std::fs::write(run.join("cell.json"), cell).unwrap();
        }
        let results = crate::results::read(&[folder.path()]).unwrap();
        crate::build(&results, &crate::Request::default()).unwrap()
    }

    #[test]
    fn a_stage_that_all_arms_share_is_drawn_once() {
        let report = report(&["none", "residual"]);
        let drawn = |ids: [&str; 2]| {
            let mut stage = Stage::new(&report, Some("pretrain".to_owned()), 0);
            stage.arms = ids.map(|id| vec![(id.to_owned(), curves(Some(2.0), None))]).to_vec();
            let figures = stage.figures();
            assert_eq!((figures.len(), figures[0].name.as_str()), (1, "stage-01-pretrain-loss"));
            (figures[0].plot.inline(), figures[0].caption.clone())
        };
        let (shared, caption) = drawn(["a", "a"]);
        assert!(shared.contains("Training cross entropy, stage pretrain") && shared.contains("all arms"), "{shared}");
        assert!(shared.matches("ends at").count() == 1 && caption.ends_with("All arms share this stage."), "{caption}");
        // An arm whose run is not finished does not make it another.
        let mut uneven = Stage::new(&report, Some("pretrain".to_owned()), 0);
        uneven.arms[1].extend(["a", "b"].map(|id| (id.to_owned(), curves(Some(2.0), None))));
        uneven.arms[0].push(("b".to_owned(), curves(Some(2.0), None)));
        assert_eq!(uneven.shared_by(), Some(1));
        let (own, caption) = drawn(["a", "b"]);
        assert!(own.matches("ends at").count() == 2 && !own.contains("all arms") && !caption.contains("share"));
    }

    #[test]
    fn losses_are_compared_without_the_term_of_the_masks() {
        let report = report(&["none", "residual"]);
        let drawn = |arms: [Curves; 2]| {
            let mut stage = Stage::new(&report, None, 0);
            stage.arms = arms.map(|curves| vec![(String::new(), curves)]).to_vec();
            let figures = stage.figures();
            figures.iter().map(|figure| (figure.name.clone(), figure.plot.inline())).collect::<Vec<_>>()
        };
        let apart = drawn([curves(Some(2.0), None), curves(Some(3.0), Some(0.25))]);
        let names: Vec<&str> = apart.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["loss", "mask-loss"]);
        assert!(apart[0].1.contains("ends at 2.0000") && apart[0].1.contains("ends at 3.0000"), "{}", apart[0].1);
        assert!(apart[1].1.contains("ends at 0.2500") && apart[1].1.matches("ends at").count() == 1);
        let together = drawn([curves(Some(2.0), None), curves(None, None)]);
        assert!(together.len() == 1 && together[0].1.contains("Training loss") && together[0].1.contains("9.0000"));
    }
}
