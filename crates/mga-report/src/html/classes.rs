//! Class by class: how often each is recognised, and what it is taken for.

use super::figure::{Figure, file_name};
use super::section::{Content, Reported};
use crate::Report;
use crate::plots::{DotRows, Dots, HeatMap, Scale, Spot};
use crate::results::Confusion;

/// An arm's runs, each its own matrix, and all of them together.
struct OfArm {
    arm: usize,
    runs: Vec<Confusion>,
    pooled: Confusion,
}

impl OfArm {
    /// Whether runs have other classes than the rest.
    fn differs(&self) -> bool {
        self.runs.iter().any(|run| run.classes.len() < self.pooled.classes.len())
    }
}

/// The section on how often each class is recognised.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let (arms, notes) = arms(seen);
    let figures = by_class(seen.report, &arms, &seen.report.counted).into_iter().collect();
    Ok(Content::default().figures(figures).notes(notes))
}

/// The section on what each class is taken for.
pub(super) fn confusions(seen: &Reported<'_>) -> anyhow::Result<Content> {
    // What could not be read, the other section has noted.
    let (arms, _) = arms(seen);
    let figures = arms.iter().map(|of_arm| confusion(seen.report, of_arm, &seen.report.counted)).collect();
    Ok(Content::default().figures(figures))
}

/// The confusion matrices of the arms; and what could not be read.
fn arms(Reported { report, records }: &Reported<'_>) -> (Vec<OfArm>, Vec<String>) {
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
                None => of_arm = Some(OfArm { arm: index, runs: vec![confusion.clone()], pooled: confusion }),
                Some(known) => {
                    known.pooled.add(&confusion);
                    known.runs.push(confusion);
                }
            }
        }
        arms.extend(of_arm);
    }
    (arms, notes)
}

fn by_class(report: &Report, arms: &[OfArm], unit: &str) -> Option<Figure> {
    let mut all = arms.first()?.pooled.clone();
    arms.iter().for_each(|of_arm| all.add(&of_arm.pooled));
    let classes = all.classes;
    let dots = arms.iter().map(|of_arm| {
        let name = &report.arms[of_arm.arm].name;
        let spot = |class: &String| {
            let values: Vec<f64> = of_arm.runs.iter().filter_map(|run| Some(100.0 * run.recall(class)?)).collect();
            let value = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            let range = value.map(|value| values.iter().fold((value, value), |(l, h), &v| (l.min(v), h.max(v))));
            let said = value.map(|value| format!("{class}, {name}: {value:.1} %")).unwrap_or_default();
            Spot { value, range, cloud: vec![], said }
        };
        Dots { name: name.clone(), series: of_arm.arm, spots: classes.iter().map(spot).collect() }
    });
    let plot = DotRows {
        title: "Accuracy by class".to_owned(),
        x_name: format!("{unit} of the class recognised (%)"),
        x: Scale::over([0.0, 100.0], 5),
        rows: classes.clone(),
        notes: vec![],
        dots: dots.collect(),
        reference: None,
    };
    let caption = format!(
        "Mark: mean over an arm's runs{}; line: from the lowest run to the highest.",
        if arms.iter().any(OfArm::differs) { " that have the class, for their classes differ" } else { "" }
    );
    Some(Figure { name: "classes".to_owned(), plot: plot.draw(), caption, arm: None })
}

fn confusion(report: &Report, of_arm: &OfArm, unit: &str) -> Figure {
    let name = &report.arms[of_arm.arm].name;
    let runs = of_arm.runs.len();
    let dense = of_arm.pooled.classes.len() > 28;
    let order = if dense { ", in the data set's order" } else { "" };
    let plot = HeatMap {
        title: name.clone(),
        row_name: format!("class{order}"),
        column_name: format!("predicted class{order}"),
        classes: of_arm.pooled.classes.clone(),
        counts: of_arm.pooled.counts.clone(),
    };
    let differ = if of_arm.differs() { ", whose classes differ" } else { "" };
    let of_runs = if runs == 1 { "of one run".to_owned() } else { format!("of {runs} runs together") };
    let caption = format!("Counts of {unit}, {of_runs}{differ}; colour: share of the class.");
    Figure { name: file_name("confusion", of_arm.arm, name), plot: plot.draw(), caption, arm: Some(of_arm.arm) }
}
