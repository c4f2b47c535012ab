//! The sections of a report, in the order of the page.

use std::sync::Arc;

use anyhow::Context;
use mga_experiment::{Components, nearest};
use mga_registry::{Entry, Registry};

use super::section::{Content, ReportSection, ReportSections, Reported, SectionPlace};
use super::{
    arms_table, calibration, classes, comparisons, confusions, curves, environment, gallery, masks, methods,
    runs_table, search, settings, warnings,
};

/// A section of this workspace.
struct BuiltIn {
    title: &'static str,
    content: fn(&Reported<'_>) -> anyhow::Result<Content>,
}

impl ReportSection for BuiltIn {
    fn title(&self) -> &str {
        self.title
    }

    fn content(&self, seen: &Reported<'_>) -> anyhow::Result<Content> {
        (self.content)(seen)
    }
}

fn entry(
    name: &str,
    title: &'static str,
    about: &str,
    content: fn(&Reported<'_>) -> anyhow::Result<Content>,
) -> Entry<ReportSections> {
    Entry::<ReportSections>::new(name, about, Arc::new(BuiltIn { title, content }))
}

/// Returns the sections of this workspace, in the order of the page.
#[must_use]
pub fn builtin() -> Vec<Entry<ReportSections>> {
    vec![
        entry("warnings", "Before the numbers are trusted", "flags, and runs that failed", warnings::section),
        entry("table", "Arms", "what each arm scored", arms_table::section),
        entry("search", "Search", "the draws of a search, and which settings mattered", search::section),
        entry(
            "baseline",
            "Against the baseline",
            "differences, and the pairs of runs behind them",
            comparisons::section,
        ),
        entry("curves", "Learning curves", "loss and validation score by epoch", curves::section),
        entry("classes", "Classes", "how often each class is recognised", classes::section),
        entry("confusion", "Confusion", "what each class is taken for", confusions::section),
        entry("calibration", "Calibration", "whether confidence is the share that is right", calibration::section),
        entry("masks", "Masks", "the masks that arms learn from", masks::section),
        entry("pictures", "Where the networks looked", "the pictures of the runs", gallery::section),
        entry("every-run", "Runs", "every run, finished or not", runs_table::section),
        entry("settings", "Settings", "what differs between arms, and what they share", settings::section),
        entry("environment", "Environment", "programs and machines of the runs", environment::section),
        entry("methods", "Methods", "paragraphs for a paper", methods::section),
    ]
}

/// Returns the sections in the order of the page: those of this workspace, with those that were registered at their places.
///
/// # Errors
/// A section is to stand beside one that is not there.
pub fn sections(components: &Components) -> anyhow::Result<Vec<Entry<ReportSections>>> {
    let own = builtin().into_iter().fold(Registry::default(), Registry::with);
    let all = components.kinds.all::<ReportSections>().iter().cloned().fold(own, Registry::with);
    let mut placed: Vec<Entry<ReportSections>> = Vec::new();
    for entry in all.all::<ReportSections>() {
        let find = |name: &str| {
            placed.iter().position(|known| known.name == name).with_context(|| {
                let names: Vec<&str> = placed.iter().map(|known| known.name.as_str()).collect();
                let meant = nearest(name, names.iter().copied());
                let meant = meant.map_or_else(|| names.join(", "), |meant| format!("`{meant}`"));
                format!(
                    "the report's section `{}` stands beside `{name}`, which is not there; expected {meant}",
                    entry.name
                )
            })
        };
        let at = match entry.item.place() {
            SectionPlace::Before(name) => find(name)?,
            SectionPlace::After(name) => find(name)? + 1,
            SectionPlace::Last => placed.len(),
        };
        placed.insert(at, entry.clone());
    }
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Placed(SectionPlace);

    impl ReportSection for Placed {
        fn title(&self) -> &str {
            "Own"
        }

        fn place(&self) -> SectionPlace {
            self.0
        }

        fn content(&self, _: &Reported<'_>) -> anyhow::Result<Content> {
            Ok(Content::default())
        }
    }

    #[test]
    fn sections_of_other_crates_stand_where_they_say() {
        let own = |name: &str, place| Entry::<ReportSections>::new(name, "", Arc::new(Placed(place)));
        let components = mga_train::builtin()
            .with(own("first", SectionPlace::Before("warnings")))
            .with(own("second", SectionPlace::After("first")))
            .with(own("end", SectionPlace::Last))
            .with(own("masks", SectionPlace::After("table")));
        let names: Vec<String> = sections(&components).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names[..5], ["first", "second", "warnings", "table", "masks"]);
        assert_eq!(names.last().unwrap(), "end");
        assert_eq!((names.len(), names.iter().filter(|name| *name == "masks").count()), (builtin().len() + 3, 1));
        let lost = mga_train::builtin().with(own("lost", SectionPlace::After("curvs")));
        let error = sections(&lost).unwrap_err().to_string();
        assert!(error.contains("section `lost`") && error.contains("expected `curves`"), "{error}");
    }
}
