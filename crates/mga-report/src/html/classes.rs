//! Class by class: how often each is recognised.

use super::class_counts::{OfArm, classes, of_arms};
use super::figure::Figure;
use super::section::{Content, Reported};
use crate::Report;
use crate::plots::{DotRows, Dots, Scale, Spot};

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let (arms, notes) = of_arms(seen);
    let figures = by_class(seen.report, &arms, &seen.report.counted).into_iter().collect();
    Ok(Content::default().figures(figures).notes(notes))
}

fn by_class(report: &Report, arms: &[OfArm], unit: &str) -> Option<Figure> {
    let classes = classes(arms);
    if classes.is_empty() {
        return None;
    }
    let dots = arms.iter().map(|of_arm| {
        let name = &report.arms[of_arm.arm].name;
        let spot = |class: &String| {
            let values: Vec<f64> = of_arm.runs.iter().filter_map(|(_, run)| Some(100.0 * run.recall(class)?)).collect();
            let value = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
            let range = value.map(|value| values.iter().fold((value, value), |(l, h), &v| (l.min(v), h.max(v))));
            let said = value.map(|value| format!("{class}, {name}: {value:.1} %")).unwrap_or_default();
            Spot { value, range, cloud: vec![], said, series: None }
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
