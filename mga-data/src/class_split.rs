//! A split by classes: a model learns base classes, is selected on validation classes, and is tested on novel ones.
//!
//! Some data sets bring such a split themselves; for any other, `[data.class_split]` names the classes of each part or
//! draws them by a seed.

use std::collections::{BTreeMap, BTreeSet};

use mga_core::random::Generator;
use mga_core::wording::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::spelling::nearest;
use crate::summed_up::some_of;

const KEY: &str = "data.class_split";

/// A split of the classes, for data sets that bring none: all images of base classes train, those of validation classes
/// select a checkpoint, those of novel classes test. It takes the place of any split that the data set brings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ClassSplit")]
pub struct ClassSplitSettings {
    /// The classes to train on: their names, or how many are drawn by `seed`. Left out: all that no other part has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<ClassChoice>,
    /// The classes to select a checkpoint on: their names, or how many are drawn. Left out: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ClassChoice>,
    /// The classes to test on: their names, or how many are drawn. Left out: all that no other part has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub novel: Option<ClassChoice>,
    /// Seed of what is drawn, apart from the experiment's so that seeds of one sweep share their classes.
    pub seed: u64,
}

/// Classes of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of classes, or how many are drawn")]
pub enum ClassChoice {
    /// So many, drawn by the seed.
    Count(#[schemars(range(min = 1))] usize),
    /// These.
    Names(#[schemars(length(min = 1))] Vec<String>),
}

impl ClassSplitSettings {
    /// Returns whether any part is drawn, so that the seed counts.
    #[must_use]
    pub fn draws(&self) -> bool {
        [&self.base, &self.validation, &self.novel].into_iter().flatten().any(|c| matches!(c, ClassChoice::Count(_)))
    }
}

/// Which classes each part has: indices into the classes of the data set, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassParts {
    /// Classes of the training images.
    pub base: Vec<usize>,
    /// Classes of the validation images.
    pub validation: Vec<usize>,
    /// Classes of the test images.
    pub novel: Vec<usize>,
}

impl ClassParts {
    /// Returns the classes of each part from the part and the class of every image, whoever split them.
    #[must_use]
    pub fn of(labels: impl IntoIterator<Item = (Split, usize)>) -> Self {
        let mut parts: BTreeMap<Split, BTreeSet<usize>> = BTreeMap::new();
        labels.into_iter().for_each(|(split, label)| {
            parts.entry(split).or_default().insert(label);
        });
        let [base, validation, novel] = [Split::Train, Split::Validation, Split::Test]
            .map(|split| parts.remove(&split).into_iter().flatten().collect());
        Self { base, validation, novel }
    }

    /// Returns the classes of one part.
    #[must_use]
    pub fn part(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.base,
            Split::Validation => &self.validation,
            Split::Test => &self.novel,
        }
    }

    /// Returns the part that has this class; `None`: none has.
    #[must_use]
    pub fn split_of(&self, class: usize) -> Option<Split> {
        [Split::Train, Split::Validation, Split::Test]
            .into_iter()
            .find(|&split| self.part(split).binary_search(&class).is_ok())
    }

    /// Checks that this is a split of the classes: base and novel classes are there, and no class is in two parts.
    ///
    /// # Errors
    /// A part without a class, and classes in two parts, by name and all at once.
    pub fn check(&self, classes: &[String]) -> Result<()> {
        let mut wrong = Vec::new();
        for (part, of) in [("base", &self.base), ("novel", &self.novel)] {
            if of.is_empty() {
                wrong.push(format!("there is no {part} class"));
            }
        }
        wrong.extend(self.overlaps(classes));
        if wrong.is_empty() {
            return Ok(());
        }
        let what = "; a split by classes needs base and novel classes, and each class in one part: give the classes in \
                    [data.class_split], or put each class into one part of the data set";
        Err(Error::setting(KEY, wrong.join("; ") + what))
    }

    /// Returns a sentence on the classes that two parts share, for each two that share any.
    #[must_use]
    pub fn overlaps(&self, classes: &[String]) -> Vec<String> {
        let parts = [("base", &self.base), ("validation", &self.validation), ("novel", &self.novel)];
        let name = |class: usize| format!("`{}`", classes.get(class).map_or("", String::as_str));
        let mut said = Vec::new();
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let ((part, of), (other, others)) = (parts[first], parts[second]);
            let both: Vec<String> = of.iter().filter(|class| others.contains(class)).map(|&c| name(c)).collect();
            if !both.is_empty() {
                let count = counted(both.len(), "class is", "classes are");
                said.push(format!("{count} in {part} and in {other}: {}", some_of(&both)));
            }
        }
        said
    }

    /// Returns whether there are base and novel classes, and none is both.
    #[must_use]
    pub fn are_apart(&self) -> bool {
        let apart = !self.novel.iter().any(|class| self.base.contains(class));
        apart && !self.base.is_empty() && !self.novel.is_empty()
    }
}

/// Returns the classes of each part of `classes`, of which those in `used` have images. Those with a name come first, then
/// the seed draws from the others: base classes from the front of the drawn order, novel ones from its end, so that neither
/// moves when the others are more or fewer.
///
/// # Errors
/// Classes that there are not, that are in two parts or that are asked for in greater number than there are, and parts
/// without a class; all of them at once, with the names.
pub fn choose(classes: &[String], used: &BTreeSet<usize>, settings: &ClassSplitSettings) -> Result<ClassParts> {
    let mut wrong = Vec::new();
    let mut find = |part: &str, choice: &Option<ClassChoice>| -> Vec<usize> {
        let Some(ClassChoice::Names(names)) = choice else { return Vec::new() };
        if names.is_empty() {
            wrong.push(format!("{part} names no class"));
        }
        let mut found = Vec::new();
        for name in names {
            match classes.iter().position(|class| class == name).filter(|at| used.contains(at)) {
                Some(at) if found.contains(&at) => wrong.push(format!("{part} names `{name}` twice")),
                Some(at) => found.push(at),
                None => {
                    let near = nearest(name, classes.iter().map(String::as_str));
                    let near = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
                    wrong.push(format!("{part} names `{name}`, which is no class with images{near}"));
                }
            }
        }
        found
    };
    let mut parts = ClassParts {
        base: find("base", &settings.base),
        validation: find("validation", &settings.validation),
        novel: find("novel", &settings.novel),
    };
    let mut rest: Vec<usize> = used.iter().copied().collect();
    rest.retain(|class| ![&parts.base, &parts.validation, &parts.novel].into_iter().any(|part| part.contains(class)));
    if settings.draws() {
        Generator::new(settings.seed, "class split", &[]).shuffle(&mut rest);
    }
    if settings.base.is_none() && settings.novel.is_none() {
        wrong.push("neither base nor novel classes are given".to_owned());
    }
    let mut draw = |part: &str, choice: &Option<ClassChoice>, from_end: bool| -> Vec<usize> {
        let Some(ClassChoice::Count(count)) = choice else { return Vec::new() };
        if *count == 0 || *count > rest.len() {
            let left = rest.len();
            wrong.push(format!(
                "{part} asks for {count} classes, expected 1 to {left}: so many are left of {}",
                used.len()
            ));
            return Vec::new();
        }
        let start = if from_end { rest.len() - count } else { 0 };
        rest.drain(start..start + count).collect()
    };
    parts.base.extend(draw("base", &settings.base, false));
    parts.novel.extend(draw("novel", &settings.novel, true));
    parts.validation.extend(draw("validation", &settings.validation, false));
    match (&settings.base, &settings.novel) {
        (None, Some(_)) => parts.base = rest,
        (Some(_), None) => parts.novel = rest,
        _ => {}
    }
    [&mut parts.base, &mut parts.validation, &mut parts.novel].into_iter().for_each(|part| part.sort_unstable());
    if !wrong.is_empty() {
        return Err(Error::setting(KEY, wrong.join("; ")));
    }
    parts.check(classes)?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("c{class}")).collect()
    }

    fn chosen(classes: usize, value: serde_json::Value) -> Result<ClassParts> {
        let settings: ClassSplitSettings = serde_json::from_value(value).unwrap();
        choose(&names(classes), &(0..classes).collect(), &settings)
    }

    fn parts(classes: usize, value: serde_json::Value) -> ClassParts {
        chosen(classes, value).unwrap()
    }

    fn refused(classes: usize, value: serde_json::Value) -> String {
        let error = chosen(classes, value).unwrap_err();
        assert_eq!(error.invalid_setting().unwrap().key, KEY);
        error.to_string()
    }

    #[test]
    fn names_and_the_rest() {
        let found = parts(5, json!({ "validation": ["c1"], "novel": ["c4", "c0"] }));
        assert_eq!(found, ClassParts { base: vec![2, 3], validation: vec![1], novel: vec![0, 4] });
        let found = parts(5, json!({ "base": ["c1"] }));
        assert_eq!(found, ClassParts { base: vec![1], validation: vec![], novel: vec![0, 2, 3, 4] });
    }

    #[test]
    fn drawn_classes_depend_on_the_seed_and_do_not_move_with_the_other_parts() {
        let drawn = |base, validation, novel, seed| {
            parts(20, json!({ "base": base, "validation": validation, "novel": novel, "seed": seed }))
        };
        let first = drawn(10, 4, 5, 7);
        assert_eq!((first.base.len(), first.validation.len(), first.novel.len()), (10, 4, 5));
        assert_eq!(first, drawn(10, 4, 5, 7));
        assert_ne!(first, drawn(10, 4, 5, 8));
        let fewer = drawn(10, 2, 5, 7);
        assert_eq!((&fewer.base, &fewer.novel), (&first.base, &first.novel));
        // A drawn part beside a named one.
        let mixed = parts(6, json!({ "novel": ["c0"], "validation": 2 }));
        assert_eq!((mixed.base.len(), mixed.novel.as_slice()), (3, &[0][..]));
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_by_name() {
        let message = refused(5, json!({ "base": ["c0", "c1"], "novel": ["c1", "c2"] }));
        assert!(message.contains("1 class is in base and in novel: `c1`"), "{message}");
        let message = refused(5, json!({ "base": ["c0", "c11", "c0"], "novel": [] }));
        for part in [
            "`c11`, which is no class with images, did you mean `c1`?",
            "base names `c0` twice",
            "novel names no class",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let message = refused(5, json!({ "base": 4, "novel": 3, "validation": 0 }));
        assert!(message.contains("novel asks for 3 classes, expected 1 to 1"), "{message}");
        assert!(message.contains("validation asks for 0 classes"), "{message}");
        assert!(refused(5, json!({ "validation": 2 })).contains("neither base nor novel"));
        assert!(refused(3, json!({ "novel": 3 })).contains("there is no base class"));
    }
}
