//! The numbers of a report: metrics, what they come to over runs, and how people read them.

use serde::{Deserialize, Serialize};

/// A metric of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The key in `summary.json`, such as `top1`.
    pub key: String,
    /// The name for people, such as `top-1 accuracy`.
    pub title: String,
    /// Whether people read it in per cent.
    pub percent: bool,
    /// Whether more of it is better; not so of cross entropy and errors.
    pub higher_is_better: bool,
    /// Digits behind the point as people read it.
    pub decimals: usize,
}

/// A metric over an arm's runs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Score {
    /// Runs behind it.
    pub n: usize,
    /// The values that [`Self::mean`], [`Self::deviation`] and [`Self::interval`] are computed over.
    #[serde(default)]
    pub over: Over,
    /// The number of those values: `n` for runs, and fewer for folds if a fold has several runs.
    #[serde(default)]
    pub values: usize,
    /// Mean of the values.
    pub mean: Option<f64>,
    /// Standard deviation of the values, with their number less 1; `None` of fewer than two.
    pub deviation: Option<f64>,
    /// Interval of the mean by Student's t; over folds with Nadeau and Bengio's variance. Of shares of 1 it is cut to 0 to 1.
    /// `None` of fewer than two runs, and where all score the same.
    pub interval: Option<Interval>,
}

/// The values that means and deviations are computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Runs.
    #[default]
    Runs,
    /// Folds: the runs of one are averaged first.
    Folds,
    /// Splits drawn anew: the runs of one are averaged first.
    Splits,
}

/// An interval from a low end to a high end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

impl Column {
    /// Formats a value for people, without the unit: `93.5`, or `-` if there is none.
    #[must_use]
    pub fn show(&self, value: Option<f64>) -> String {
        value.filter(|value| value.is_finite()).map_or_else(
            || "-".to_owned(),
            |value| {
                // No "-0.0".
                let text = format!("{:.*}", self.decimals, self.scale(value));
                if text.trim_start_matches(['-', '0', '.']).is_empty() {
                    text.trim_start_matches('-').to_owned()
                } else {
                    text
                }
            },
        )
    }

    /// Formats a difference for people, with its sign and without the unit: `+1.2`.
    #[must_use]
    pub fn show_difference(&self, value: Option<f64>) -> String {
        let text = self.show(value);
        if text.starts_with('-') || text.trim_start_matches(['0', '.']).is_empty() { text } else { format!("+{text}") }
    }

    /// Returns the unit of a value after a space: ` %`, or nothing.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        if self.percent { " %" } else { "" }
    }

    /// Returns the unit of a difference: ` points` (percentage points), or nothing.
    #[must_use]
    pub fn difference_unit(&self) -> &'static str {
        if self.percent { " points" } else { "" }
    }

    /// Returns the number for people, which is multiplied by 100 for per cent.
    #[must_use]
    pub fn scale(&self, value: f64) -> f64 {
        if self.percent { 100.0 * value } else { value }
    }
}

impl Over {
    /// Returns text such as `5 folds`, or `None` for runs, whose number is already shown.
    #[must_use]
    pub fn count(self, values: usize) -> Option<String> {
        let word = match self {
            Self::Runs => return None,
            Self::Folds => "fold",
            Self::Splits => "split",
        };
        Some(format!("{values} {word}{}", if values == 1 { "" } else { "s" }))
    }

    /// Returns the word in files: `runs`, `folds`, `splits`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Folds => "folds",
            Self::Splits => "splits",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        let column = |percent, decimals| Column {
            key: "top1".to_owned(),
            title: "top-1 accuracy".to_owned(),
            percent,
            higher_is_better: true,
            decimals,
        };
        assert_eq!(column(true, 1).show(Some(0.9349)), "93.5");
        assert_eq!(column(false, 3).show(Some(0.9349)), "0.935");
        assert_eq!([column(true, 1).show(None), column(true, 1).show(Some(f64::NAN))], ["-", "-"]);
        let shown = [0.012, -0.012, -0.0001, 0.0].map(|value| column(true, 1).show_difference(Some(value)));
        assert_eq!(shown, ["+1.2", "-1.2", "0.0", "0.0"]);
    }
}
