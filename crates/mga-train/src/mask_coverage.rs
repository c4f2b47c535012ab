//! The coverage of masks, and its oddities.

use mga_core::statistics;
use mga_data::Mask;
use serde::{Deserialize, Serialize};

use crate::progress::percent;

/// Above this share of blank masks, or of masks of everything, something is wrong with more than a few images.
const MANY: f64 = 0.05;
/// A mask of everything, up to its edge.
const ALL: f64 = 0.99;
/// Mean coverage below which masks say next to nothing, and above which they leave next to nothing out.
const EXTREME: (f64, f64) = (0.02, 0.9);
/// Standard deviation of the coverage above which masks vary wildly.
const WILD: f64 = 0.25;
/// The same by its tails: how many times the tenth percentile the ninetieth may be.
const TAILS: f64 = 10.0;
/// So many masks tell their tails.
const ENOUGH: usize = 20;

/// The extent of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Extent {
    /// The mean of the mask, in 0 to 1.
    pub coverage: f64,
    /// The mean over the outermost pixels.
    pub border: Option<f64>,
}

impl Extent {
    /// Measures a mask.
    #[must_use]
    pub fn of(mask: &Mask) -> Self {
        let (width, height) = (mask.width(), mask.height());
        let (mut sum, mut border, mut outermost) = (0.0, 0.0, 0usize);
        for (y, line) in mask.values().chunks_exact(width.max(1)).enumerate() {
            sum += line.iter().map(|&value| f64::from(value)).sum::<f64>();
            let edge: &[f32] = if y == 0 || y + 1 == height { line } else { &line[..1] };
            let right = (edge.len() < width).then(|| line[width - 1]);
            border += edge.iter().chain(&right).map(|&value| f64::from(value)).sum::<f64>();
            outermost += edge.len() + usize::from(right.is_some());
        }
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        Self { coverage: mean(sum, width * height), border: Some(mean(border, outermost)) }
    }
}

/// Coverage over some masks. The coverage of a mask is its mean, in 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Masks.
    pub masks: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, with n - 1; 0 of one mask.
    pub deviation: f64,
    /// The least.
    pub least: f64,
    /// The tenth percentile.
    pub tenth: f64,
    /// The ninetieth percentile.
    pub ninetieth: f64,
    /// The most.
    pub most: f64,
    /// Masks that are 0 everywhere.
    pub blank: usize,
    /// Masks that cover 99 % of their image or more.
    pub full: usize,
    /// Mean over the masks of how much of the outermost pixels they cover, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub border: Option<f64>,
}

impl Coverage {
    /// Summarises masks of these coverages; `None` if there are none.
    #[must_use]
    pub fn of(coverages: &[f64]) -> Option<Self> {
        let mut sorted = coverages.to_vec();
        sorted.sort_by(f64::total_cmp);
        // The value at that share of the way through them, the nearest where it lies between two.
        let at = |share: f64| sorted.get((share * (sorted.len() as f64 - 1.0)).round() as usize).copied();
        Some(Self {
            masks: sorted.len(),
            mean: statistics::mean(&sorted)?,
            deviation: statistics::deviation(&sorted).unwrap_or(0.0),
            least: at(0.0)?,
            tenth: at(0.1)?,
            ninetieth: at(0.9)?,
            most: at(1.0)?,
            blank: sorted.iter().filter(|&&coverage| coverage == 0.0).count(),
            full: sorted.iter().filter(|&&coverage| coverage >= ALL).count(),
            border: None,
        })
    }

    /// Summarises masks of these extents. The border is only given if all of them have it.
    #[must_use]
    pub fn of_extents(extents: &[Extent]) -> Option<Self> {
        let coverages: Vec<f64> = extents.iter().map(|extent| extent.coverage).collect();
        let borders: Option<Vec<f64>> = extents.iter().map(|extent| extent.border).collect();
        Some(Self { border: borders.and_then(|borders| statistics::mean(&borders)), ..Self::of(&coverages)? })
    }

    /// Returns the numbers in a phrase: `mean 31.8 % ± 10.6, from 11.9 % to 58.2 %, 2 blank`.
    #[must_use]
    pub fn phrase(&self) -> String {
        let mut text = format!(
            "mean {} ± {:.1}, from {} to {}",
            percent(Some(self.mean)),
            100.0 * self.deviation,
            percent(Some(self.least)),
            percent(Some(self.most))
        );
        if self.blank > 0 {
            text += &format!(", {} blank", self.blank);
        }
        text
    }

    /// Returns the oddities, one phrase each.
    #[must_use]
    pub fn oddities(&self) -> Vec<String> {
        let mut odd = vec![];
        let many = |count: usize| count as f64 > MANY * self.masks as f64;
        if many(self.blank) {
            odd.push(format!("{} of {} are blank", self.blank, self.masks));
        }
        if many(self.full) {
            odd.push(format!("{} of {} cover all of their image", self.full, self.masks));
        }
        if self.mean < EXTREME.0 {
            odd.push(format!("they cover only {} on average", percent(Some(self.mean))));
        } else if self.mean > EXTREME.1 && !many(self.full) {
            odd.push(format!("they cover {} on average", percent(Some(self.mean))));
        }
        if self.deviation > WILD || self.masks >= ENOUGH && self.ninetieth > TAILS * self.tenth {
            odd.push(format!(
                "they vary wildly, a tenth below {} and a tenth above {}",
                percent(Some(self.tenth)),
                percent(Some(self.ninetieth))
            ));
        }
        if let Some(border) = self.border.filter(|&border| border > 0.5 && border > self.mean && !many(self.full)) {
            odd.push(format!(
                "they cover {} of the outermost pixels, more than of the rest, as masks of the background do",
                percent(Some(border))
            ));
        }
        odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        let coverage = Coverage::of(&[0.5, 0.0, 0.25, 1.0, 0.75]).unwrap();
        // Deviations -0.5 -0.25 0 0.25 0.5, squares 0.625 over 4; 0.1 and 0.9 of the way are 0.4 and 3.6, so 0 and 4.
        assert_eq!((coverage.mean, coverage.deviation), (0.5, 0.15625f64.sqrt()));
        assert_eq!((coverage.least, coverage.tenth, coverage.ninetieth, coverage.most), (0.0, 0.0, 1.0, 1.0));
        assert_eq!((coverage.masks, coverage.blank, coverage.full), (5, 1, 1));
        assert_eq!(coverage.phrase(), "mean 50.0 % ± 39.5, from 0.0 % to 100.0 %, 1 blank");
        assert_eq!(Coverage::of(&[]), None);
        assert_eq!(Coverage::of(&[0.3]).map(|one| (one.deviation, one.oddities())), Some((0.0, vec![])));
    }

    #[test]
    fn the_extent_of_a_mask() {
        // Outermost: all but the middle of 3 x 3.
        let mask = Mask::new(3, 3, vec![1.0, 1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(Extent::of(&mask), Extent { coverage: 3.5 / 9.0, border: Some(2.5 / 8.0) });
        for (width, height) in [(1, 4), (4, 1), (2, 2), (1, 1)] {
            let all = Extent::of(&Mask::filled(width, height, 0.5));
            assert_eq!(all, Extent { coverage: 0.5, border: Some(0.5) });
        }
        let known = Coverage::of_extents(&[Extent::of(&mask); 2]).unwrap();
        assert_eq!((known.border, known.masks), (Some(2.5 / 8.0), 2));
        let unknown = Coverage::of_extents(&[Extent::of(&mask), Extent { coverage: 0.5, border: None }]);
        assert_eq!(unknown.unwrap().border, None);
    }

    #[test]
    fn what_is_odd_is_told() {
        let odd = |coverages: &[f64]| Coverage::of(coverages).unwrap().oddities();
        // Leaves cut out of a photograph: 11.9 % to 58.2 %.
        let leaves: Vec<f64> = (0..40).map(|i| 0.119 + 0.463 * f64::from(i) / 39.0).collect();
        assert_eq!(odd(&leaves), [""; 0]);
        let with = |more: &[f64]| odd(&[&leaves[..], more].concat());
        assert_eq!(with(&[0.0, 0.0]), [""; 0]);
        assert_eq!(with(&[0.0, 0.0, 0.0]), ["3 of 43 are blank"]);
        assert_eq!(with(&[0.995, 1.0, 1.0]), ["3 of 43 cover all of their image"]);
        assert_eq!(odd(&[0.01, 0.015, 0.02]), ["they cover only 1.5 % on average"]);
        assert_eq!(odd(&[0.91, 0.93, 0.92]), ["they cover 92.0 % on average"]);
        assert_eq!(odd(&[1.0; 4]), ["4 of 4 cover all of their image"]);
        let halves = odd(&[0.1, 0.1, 0.1, 0.8, 0.8, 0.8]);
        assert_eq!(halves, ["they vary wildly, a tenth below 10.0 % and a tenth above 80.0 %"]);
        // A third of the masks hold a speck: little spread in itself, but fifteen times as much in others.
        let specks: Vec<f64> = (0..30).map(|i| if i % 3 == 0 { 0.02 } else { 0.3 }).collect();
        assert_eq!(odd(&specks), ["they vary wildly, a tenth below 2.0 % and a tenth above 30.0 %"]);
        let border = |border| Coverage { border: Some(border), ..Coverage::of(&leaves).unwrap() }.oddities();
        assert_eq!(border(0.45), [""; 0]);
        assert!(border(0.98)[0].starts_with("they cover 98.0 % of the outermost pixels"));
    }
}
