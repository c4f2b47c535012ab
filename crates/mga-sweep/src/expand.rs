//! The expansion of axes, linked axes, variants and draws to the combinations that are run, in an order that depends
//! only on the file.
//!
//! Draws vary slowest, then seeds and folds, then variants and axes in the order of the file: a sweep that is stopped half
//! way has finished some seeds of all arms, and a value added to the end of an axis leaves the rest in order.

use std::collections::BTreeMap;

use mga_experiment::{Assignment, Document, KeyPath, Problem, nearest};
use serde_json::{Map, Value};

use super::file::SweepFile;
use super::search::{Range, SearchDimension, is_range};
use super::settings::{Setting, lookup, repeats, same, settings};

/// One way along a dimension.
#[derive(Debug, Clone, Default)]
struct Choice {
    variant: Option<String>,
    draw: Option<usize>,
    assignments: Vec<Assignment>,
    /// How the folder's name tells it.
    label: Option<(KeyPath, Value)>,
}

/// Choices of which every run takes one.
#[derive(Debug)]
struct Dimension {
    choices: Vec<Choice>,
    repeats: bool,
}

/// One run to be: what it sets over the base.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) variant: Option<String>,
    pub(super) draw: Option<usize>,
    pub(super) assignments: Vec<Assignment>,
    /// What tells it in its folder's name: key and value, arms before seeds.
    pub(super) labels: Vec<(KeyPath, Value)>,
}

impl Point {
    /// What tells its arm from the others: dotted key to value.
    pub(super) fn settings(&self) -> Map<String, Value> {
        self.part(false)
    }

    /// What repeats its arm.
    pub(super) fn replicate(&self) -> Map<String, Value> {
        self.part(true)
    }

    fn part(&self, wanted: bool) -> Map<String, Value> {
        let part = self.assignments.iter().filter(|assignment| repeats(&assignment.key) == wanted);
        part.map(|assignment| (assignment.key.to_string(), assignment.value.clone())).collect()
    }

    fn with(&self, choice: &Choice) -> Self {
        let mut point = self.clone();
        point.variant = point.variant.or_else(|| choice.variant.clone());
        point.draw = point.draw.or(choice.draw);
        point.assignments.extend(choice.assignments.iter().cloned());
        point.labels.extend(choice.label.clone());
        point
    }
}

/// Combinations that are left out.
struct Exclusion {
    variant: Option<String>,
    settings: Vec<Setting>,
    at: KeyPath,
}

/// What a sweep file says can be run, checked.
pub(super) struct Space {
    fixed: Vec<Dimension>,
    exclusions: Vec<Exclusion>,
    /// What is drawn from.
    pub(super) ranges: Vec<(Setting, Range)>,
}

impl Space {
    /// Reads the tables of the file; faults go to `problems`.
    pub(super) fn read(file: &SweepFile, document: &Document, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader { document, problems, taken: BTreeMap::new() };
        let mut fixed = Vec::new();
        let variants = reader.variants(file);
        let axes = reader.axes(file);
        let linked = reader.linked(file);
        fixed.extend(variants);
        fixed.extend(axes);
        fixed.extend(linked);
        let ranges = reader.ranges(file);
        let exclusions = reader.exclusions(file);
        fixed.sort_by_key(|dimension| !dimension.repeats);
        Self { fixed, exclusions, ranges }
    }

    /// What is drawn from, in the order of the file.
    pub(super) fn dimensions(&self) -> Vec<SearchDimension> {
        let dimension =
            |(setting, range): &(Setting, Range)| SearchDimension { key: setting.key.clone(), range: range.clone() };
        self.ranges.iter().map(dimension).collect()
    }

    /// Runs of one draw; of a grid, all.
    pub(super) fn combinations(&self) -> usize {
        self.fixed.iter().map(|dimension| dimension.choices.len()).product()
    }

    /// Every combination that is not excluded, with `draws` where values are drawn: for each draw the values of the ranges
    /// in their order. `base` is the base experiment as JSON: an exclusion may name what only it sets.
    pub(super) fn points(
        &self,
        draws: Option<&[Vec<Value>]>,
        document: &Document,
        base: Option<&Value>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Point> {
        let mut points = vec![Point::default()];
        if let Some(draws) = draws {
            let choices = draws.iter().enumerate().map(|(number, values)| Choice {
                draw: Some(number),
                assignments: (self.ranges.iter().zip(values))
                    .map(|((setting, _), value)| Assignment { value: value.clone(), ..setting.assign(document) })
                    .collect(),
                label: Some((KeyPath::dotted("draw"), number.into())),
                ..Choice::default()
            });
            points = choices.map(|choice| Point::default().with(&choice)).collect();
        }
        for dimension in &self.fixed {
            points = points
                .iter()
                .flat_map(|point| dimension.choices.iter().map(move |choice| point.with(choice)))
                .collect();
        }
        // Seeds vary slowly but are read last.
        for point in &mut points {
            point.labels.sort_by_key(|(key, _)| repeats(key));
        }
        let mut used = vec![false; self.exclusions.len()];
        points.retain(|point| {
            let mut keep = true;
            for (exclusion, used) in self.exclusions.iter().zip(&mut used) {
                if exclusion.takes(point, base) {
                    (keep, *used) = (false, true);
                }
            }
            keep
        });
        for exclusion in self.exclusions.iter().zip(used).filter(|(_, used)| !used).map(|(exclusion, _)| exclusion) {
            problems
                .push(document.warning(&exclusion.at, "excludes nothing: no combination has all of these settings"));
        }
        points
    }
}

impl Exclusion {
    fn takes(&self, point: &Point, base: Option<&Value>) -> bool {
        let of_variant = self.variant.is_none() || self.variant == point.variant;
        of_variant
            && self.settings.iter().all(|setting| {
                let assigned = point.assignments.iter().rev().find(|assignment| assignment.key == setting.key);
                let value = assigned.map(|assignment| &assignment.value);
                let value = value.or_else(|| lookup(base?, &setting.key));
                value.is_some_and(|value| same(value, &setting.value))
            })
    }
}

/// No table of settings is a value itself.
fn never(_: &Value) -> bool {
    false
}

struct Reader<'a> {
    document: &'a Document,
    problems: &'a mut Vec<Problem>,
    /// Settings that are varied, and by what.
    taken: BTreeMap<KeyPath, &'static str>,
}

impl Reader<'_> {
    fn settings(&mut self, table: &Map<String, Value>, at: &KeyPath) -> Vec<Setting> {
        settings(table, at, self.document, never, self.problems)
    }

    fn error(&mut self, at: &KeyPath, message: impl Into<String>) {
        self.problems.push(self.document.error(at, message));
    }

    /// Notes that `setting` is varied by `what`; what is varied twice has no one value.
    fn take(&mut self, setting: &Setting, what: &'static str) {
        let other = self.taken.iter().find(|(key, _)| key.is_within(&setting.key) || setting.key.is_within(key));
        if let Some((_, other)) = other {
            let message = format!("`{}` is varied by {other} already; name it once", setting.key);
            let place = self.document.key_place(&setting.at);
            self.problems.push(Problem::error(Some(place), setting.at.clone(), message));
        }
        self.taken.insert(setting.key.clone(), what);
    }

    /// The values of a list, or a fault where it is none.
    fn list<'v>(&mut self, setting: &'v Setting) -> &'v [Value] {
        match &setting.value {
            Value::Array(values) if values.is_empty() => {
                self.error(&setting.at, "expected at least one value");
                &[]
            }
            Value::Array(values) => values,
            other => {
                let message = format!("expected a list of values, found {other}; write [{other}]");
                self.error(&setting.at, message);
                &[]
            }
        }
    }

    fn axes(&mut self, file: &SweepFile) -> Vec<Dimension> {
        let mut dimensions = Vec::new();
        for setting in self.settings(&file.axes, &KeyPath::dotted("axes")) {
            self.take(&setting, "[axes]");
            let values = self.list(&setting).to_vec();
            for (index, value) in values.iter().enumerate() {
                if values[..index].iter().any(|other| same(other, value)) {
                    self.error(&setting.at.index(index), "stands in this list already");
                }
            }
            let choices = values.iter().enumerate().map(|(index, value)| Choice {
                assignments: vec![setting.pick(self.document, index, value)],
                label: Some((setting.key.clone(), value.clone())),
                ..Choice::default()
            });
            dimensions.push(Dimension { choices: choices.collect(), repeats: repeats(&setting.key) });
        }
        dimensions
    }

    fn linked(&mut self, file: &SweepFile) -> Vec<Dimension> {
        let mut dimensions = Vec::new();
        for (number, table) in file.linked.iter().enumerate() {
            let at = KeyPath::dotted("linked").index(number);
            let group = self.settings(table, &at);
            let Some(first) = group.first() else {
                self.error(&at, "is empty; expected settings with lists of one length");
                continue;
            };
            let length = self.list(first).len();
            let mut choices = vec![Choice::default(); length];
            for setting in &group {
                self.take(setting, "[[linked]]");
                let values = if setting.at == first.at { first.value.as_array() } else { None };
                let values = values.cloned().unwrap_or_else(|| self.list(setting).to_vec());
                if !values.is_empty() && values.len() != length {
                    let message = format!(
                        "expected {length} values, as `{}` has, found {}; linked lists go together",
                        first.key,
                        values.len()
                    );
                    self.error(&setting.at, message);
                    continue;
                }
                for (index, (choice, value)) in choices.iter_mut().zip(&values).enumerate() {
                    choice.assignments.push(setting.pick(self.document, index, value));
                    choice.label.get_or_insert_with(|| (setting.key.clone(), value.clone()));
                }
            }
            let repeats = group.iter().all(|setting| repeats(&setting.key));
            dimensions.push(Dimension { choices, repeats });
        }
        dimensions
    }

    fn variants(&mut self, file: &SweepFile) -> Option<Dimension> {
        let mut choices = Vec::new();
        let mut taken = BTreeMap::new();
        for (name, table) in &file.variants {
            let at = KeyPath::dotted("variants").key(name);
            let table = table.as_object().cloned().unwrap_or_default();
            let settings = self.settings(&table, &at);
            for setting in &settings {
                if repeats(&setting.key) {
                    self.error(
                        &setting.at,
                        "repeats an arm, and makes none; seeds and folds belong in [axes] or [[linked]]",
                    );
                }
                // Two variants may set the same; a variant and an axis may not.
                taken.insert(setting.key.clone(), setting.clone());
            }
            choices.push(Choice {
                variant: Some(name.clone()),
                assignments: settings.iter().map(|setting| setting.assign(self.document)).collect(),
                label: Some((KeyPath::default(), Value::from(name.as_str()))),
                ..Choice::default()
            });
        }
        // Not `take`: a variant may set both a table's setting and, in another variant, one around it.
        self.taken.extend(taken.into_keys().map(|key| (key, "[variants]")));
        (!choices.is_empty()).then_some(Dimension { choices, repeats: false })
    }

    fn ranges(&mut self, file: &SweepFile) -> Vec<(Setting, Range)> {
        let mut ranges = Vec::new();
        let at = KeyPath::dotted("ranges");
        for setting in settings(&file.ranges, &at, self.document, is_range, self.problems) {
            self.take(&setting, "[ranges]");
            match Range::read(&setting.value) {
                Ok(range) => ranges.push((setting, range)),
                Err(message) => self.error(&setting.at, message),
            }
        }
        ranges
    }

    fn exclusions(&mut self, file: &SweepFile) -> Vec<Exclusion> {
        let mut exclusions = Vec::new();
        for (number, table) in file.exclude.iter().enumerate() {
            let at = KeyPath::dotted("exclude").index(number);
            let mut table = table.clone();
            let variant = table.shift_remove("variant");
            let settings = self.settings(&table, &at);
            let variant = match variant {
                None => None,
                Some(Value::String(name)) if file.variants.contains_key(&name) => Some(name),
                Some(other) => {
                    let message = unknown_variant(&other, file);
                    self.error(&at.key("variant"), message);
                    continue;
                }
            };
            if settings.is_empty() && variant.is_none() {
                self.error(&at, "is empty, and would exclude every run");
                continue;
            }
            exclusions.push(Exclusion { variant, settings, at });
        }
        exclusions
    }
}

/// What to say of a variant that is not there.
pub(super) fn unknown_variant(name: &Value, file: &SweepFile) -> String {
    let names: Vec<&str> = file.variants.keys().map(String::as_str).collect();
    let known = if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
    let meant = name.as_str().and_then(|name| nearest(name, names.iter().copied()));
    match meant {
        Some(meant) => format!("no variant is called {name}, did you mean `{meant}`?"),
        None => format!("no variant is called {name}; {known}"),
    }
}
