//! What was found: to be read by people ([`Display`](std::fmt::Display)) and by programs (JSON).

use std::collections::BTreeSet;
use std::fmt;

use mga_core::wording::counted;
use serde::Serialize;

use crate::dataset::Split;
use crate::groups::SharedGroup;
use crate::masks::MaskSurvey;
use crate::summed_up::{some_of, summed_up};

/// The report on a data set and its splits.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct DataReport {
    /// Images in any part.
    pub images: usize,
    /// Records of the data set that are in no part.
    pub unassigned: usize,
    /// Images to train or select on that carry no label.
    pub unlabelled: usize,
    /// Test images that carry no label, so that they are not scored.
    pub unlabelled_test: usize,
    /// Images by class, in the order of the labels.
    pub classes: Vec<ClassCounts>,
    /// Sizes of what could be decoded; `None` where nothing could.
    pub sizes: Option<Sizes>,
    /// Masks of what could be decoded.
    pub masks: Masks,
    /// Images that cannot be decoded.
    pub unreadable: Vec<Unreadable>,
    /// Sets of images with the same pixels.
    pub duplicates: Vec<Duplicates>,
    /// Images with a near copy in another part, each with its closest.
    pub near_duplicates: Vec<NearDuplicate>,
    /// Groups with images in more than one part.
    pub shared_groups: Vec<SharedGroup>,
}

/// Images of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCounts {
    /// The class.
    pub name: String,
    /// Images in train.
    pub train: usize,
    /// Images in validation.
    pub validation: usize,
    /// Images in test.
    pub test: usize,
}

/// The distribution of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The one in the middle (the lower of two).
    pub median: f64,
    /// The mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Returns the spread of some numbers; `None` of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { min, median: values[(values.len() - 1) / 2], mean, max })
    }
}

/// Sizes of images, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sizes {
    /// The distribution of widths.
    pub width: Spread,
    /// The distribution of heights.
    pub height: Spread,
    /// Width over height.
    pub aspect: Spread,
}

/// Masks of the images that could be decoded.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Masks {
    /// Images with a mask.
    pub images: usize,
    /// Mean value of each mask, `0..=1`; `None` where there is no mask.
    pub coverage: Option<Spread>,
    /// Images whose mask is 0 everywhere.
    pub blank: Vec<String>,
    /// Images without a mask.
    pub missing: Vec<String>,
    /// The contents of the mask files, if masks are files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<MaskSurvey>,
}

/// An image that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The name of the image in the data set.
    pub id: String,
    /// Why, with its path.
    pub what: String,
}

/// An image and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The name of the image in the data set.
    pub id: String,
    /// The split of the image.
    pub split: Split,
    /// The class, if the image has a label.
    pub class: Option<String>,
}

/// Images with the same pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Two or more.
    pub images: Vec<Placed>,
}

/// Two images that look alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearDuplicate {
    /// The image in validation or test.
    pub image: Placed,
    /// The closest in an earlier part.
    pub other: Placed,
    /// Bits of 256 in which their perceptual hashes differ, in the position in which they are fewest.
    pub distance: u32,
}

impl Duplicates {
    fn parts(&self) -> BTreeSet<Split> {
        self.images.iter().map(|image| image.split).collect()
    }

    fn classes(&self) -> BTreeSet<&Option<String>> {
        self.images.iter().map(|image| &image.class).collect()
    }

    fn names(&self) -> String {
        some_of(&self.images.iter().map(Placed::to_string).collect::<Vec<_>>())
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.split.name())
    }
}

impl DataReport {
    /// Returns the problems that make numbers from this data set wrong or training impossible, one line each.
    pub fn problems(&self) -> Vec<String> {
        let unreadable =
            self.unreadable.iter().map(|image| ("that cannot be read", format!("cannot be read: {}", image.what)));
        let across = self.duplicates.iter().filter(|same| same.parts().len() > 1);
        let across = across.map(|same| {
            ("images on both sides of a split", format!("the same image on both sides of a split: {}", same.names()))
        });
        let contrary = self.duplicates.iter().filter(|same| same.classes().len() > 1);
        let contrary = contrary.map(|same| {
            ("images in different classes", format!("the same image in different classes: {}", same.names()))
        });
        let torn = self.shared_groups.iter().map(|shared| ("groups in several parts", shared.to_string()));
        let mut problems = summed_up(unreadable.chain(across).chain(contrary).chain(torn));
        problems.extend(self.masks.files.iter().flat_map(|files| files.problems.clone()));
        let untrained = self.named_classes(|class| class.train == 0 && class.validation + class.test > 0);
        if !untrained.is_empty() {
            problems.push(format!("classes without a training image: {}", some_of(&untrained)));
        }
        if self.unlabelled > 0 {
            problems.push(format!("{} to train or select on without a label", images(self.unlabelled)));
        }
        problems
    }

    /// Returns notes on what is worth a look but may be intended, one line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for pair in &self.near_duplicates {
            notes.push(format!("{} looks like {}, {} of 256 bits differ", pair.image, pair.other, pair.distance));
        }
        for same in self.duplicates.iter().filter(|same| same.parts().len() == 1) {
            notes.push(format!("the same image more than once: {}", same.names()));
        }
        let absent = |what: &str, total: usize, classes: Vec<String>| {
            (total > 0 && !classes.is_empty()).then(|| format!("classes without a {what} image: {}", some_of(&classes)))
        };
        let total = |count: fn(&ClassCounts) -> usize| self.classes.iter().map(count).sum::<usize>();
        notes.extend(absent("validation", total(|c| c.validation), self.named_classes(|c| c.validation == 0)));
        notes.extend(absent("test", total(|c| c.test), self.named_classes(|c| c.test == 0)));
        if self.masks.images > 0 && !self.masks.missing.is_empty() {
            notes.push(format!(
                "{} without a mask: {}",
                images(self.masks.missing.len()),
                some_of(&self.masks.missing)
            ));
        }
        if !self.masks.blank.is_empty() {
            notes.push(format!(
                "{}, whose target is one everywhere (see data.masks.empty): {}",
                counted(self.masks.blank.len(), "blank mask", "blank masks"),
                some_of(&self.masks.blank)
            ));
        }
        notes.extend(self.masks.files.iter().flat_map(|files| files.notes.clone()));
        let trained = || self.classes.iter().map(|class| class.train).filter(|&count| count > 0);
        if let (Some(least), Some(most)) = (trained().min(), trained().max())
            && most > 10 * least
        {
            notes.push(format!("classes are unbalanced: {least} to {most} training images"));
        }
        if self.unlabelled_test > 0 {
            let unlabelled = counted(self.unlabelled_test, "test image", "test images");
            notes.push(format!("{unlabelled} without a label: predicted, not scored"));
        }
        if self.unassigned > 0 {
            notes.push(format!("{} of the data set in no split", images(self.unassigned)));
        }
        notes
    }

    fn named_classes(&self, wanted: impl Fn(&ClassCounts) -> bool) -> Vec<String> {
        self.classes.iter().filter(|class| wanted(class)).map(|class| format!("`{}`", class.name)).collect()
    }
}

fn images(n: usize) -> String {
    counted(n, "image", "images")
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&ClassCounts) -> usize| self.classes.iter().map(count).sum::<usize>();
        writeln!(f, "{}, {}", images(self.images), counted(self.classes.len(), "class", "classes"))?;
        let width = self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "\n  {:width$}  {:>7} {:>10} {:>7}", "class", "train", "validation", "test")?;
        for class in &self.classes {
            writeln!(f, "  {:width$}  {:>7} {:>10} {:>7}", class.name, class.train, class.validation, class.test)?;
        }
        let totals = (sum(|c| c.train), sum(|c| c.validation), sum(|c| c.test));
        writeln!(f, "  {:width$}  {:>7} {:>10} {:>7}", "all", totals.0, totals.1, totals.2)?;

        writeln!(f, "\n  {:13}  {:>8} {:>8} {:>8} {:>8}", "", "min", "median", "mean", "max")?;
        let mut row = |name: &str, spread: &Spread, digits: usize| {
            let Spread { min, median, mean, max } = spread;
            writeln!(f, "  {name:13}  {min:>8.digits$} {median:>8.digits$} {mean:>8.digits$} {max:>8.digits$}")
        };
        if let Some(sizes) = &self.sizes {
            row("width", &sizes.width, 0)?;
            row("height", &sizes.height, 0)?;
            row("width/height", &sizes.aspect, 2)?;
        }
        if let Some(coverage) = &self.masks.coverage {
            row("mask coverage", coverage, 3)?;
        }
        if self.masks.images == 0 {
            writeln!(f, "\nno masks")?;
        } else {
            writeln!(f, "\n{} with a mask", images(self.masks.images))?;
        }
        let lines = self.masks.files.iter().flat_map(MaskSurvey::lines);
        lines.into_iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        for (one, many, lines) in [("problem", "problems", self.problems()), ("note", "notes", self.notes())] {
            writeln!(f, "\n{}", counted(lines.len(), one, many))?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_by_hand() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 9.0]).expect("numbers");
        assert_eq!(spread, Spread { min: 1.0, median: 2.0, mean: 4.0, max: 9.0 });
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    fn imbalance_is_noted_from_ten_to_one() {
        let class = |train| ClassCounts { name: format!("c{train}"), train, validation: 0, test: 0 };
        let report = |most| DataReport { classes: vec![class(2), class(most)], ..DataReport::default() };
        assert_eq!(report(20).notes(), Vec::<String>::new());
        assert_eq!(report(21).notes(), ["classes are unbalanced: 2 to 21 training images"]);
    }
}
