//! Numbers and verdicts in words.
//!
//! No difference is called significant but by its adjusted p value, which then stands beside the word; a difference that is
//! not told apart from zero is said to be so.

use mga_core::wording::counted;
use serde_json::Value;

use super::model::{Column, Comparison, Interval, TTestKind, Verdict};

/// A p value as papers print it: `0.034`, `< 0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The same behind its letter: `p = 0.034`, `p < 0.001`.
pub(super) fn p_equals(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// An interval of values: `91.2 to 94.0`.
pub(super) fn interval(column: &Column, interval: Option<Interval>) -> Option<String> {
    interval.map(|interval| format!("{} to {}", column.show(Some(interval.low)), column.show(Some(interval.high))))
}

/// An interval of differences: `-0.4 to +2.0`.
pub(super) fn difference_interval(column: &Column, interval: Option<Interval>) -> Option<String> {
    let show = |value| column.show_difference(Some(value));
    interval.map(|interval| format!("{} to {}", show(interval.low), show(interval.high)))
}

/// A setting's value as people read it.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "not set".to_owned(),
        other => other.to_string(),
    }
}

/// A value that was drawn, in a name or a table: four digits tell draws apart.
pub(super) fn drawn(value: &Value) -> String {
    let short = |number: f64| format!("{number:.3e}").parse::<f64>().unwrap_or(number);
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => show(&short(number).into()),
        None => show(value),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// What a comparison says. `tests` is how many the p value was adjusted for.
pub(super) fn sentence(arm: &str, baseline: &str, column: &Column, comparison: &Comparison, tests: usize) -> String {
    let mut pairs = counted(comparison.pairs.len(), "pair", "pairs");
    if let Some(folds) = comparison.over.count(comparison.values) {
        pairs += &format!(" in {folds}");
    }
    let difference =
        format!("{} {}{}", column.title, column.show_difference(comparison.difference), column.difference_unit());
    let Some((test, adjusted)) = comparison.test.as_ref().zip(comparison.p_adjusted) else {
        return match comparison.pairs.len() {
            0 => format!("{arm} cannot be compared with {baseline}: no replicate is finished in both."),
            1 => format!(
                "{arm} against {baseline}: {difference}, from one pair of runs, which says nothing about chance."
            ),
            _ => format!(
                "{arm} against {baseline}: {difference} in each of {pairs}; without any spread there is nothing to test \
                 against."
            ),
        };
    };
    let range = difference_interval(column, comparison.interval).unwrap_or_default();
    let name = match test.kind {
        TTestKind::Paired => "paired t test",
        TTestKind::CorrectedResampled => "corrected resampled t test",
    };
    let by =
        if tests == 1 { format!("{name}, the only one of the table") } else { format!("{name}, Holm over {tests}") };
    let numbers = format!("{difference} (95 % interval {range}, {pairs}; {}, {by})", p_equals(adjusted));
    match comparison.verdict {
        Verdict::Better => format!("{arm} is better than {baseline}: {numbers}."),
        Verdict::Worse => format!("{arm} is worse than {baseline}: {numbers}."),
        _ => {
            let zero = comparison.interval.is_some_and(|interval| interval.low <= 0.0 && interval.high >= 0.0);
            let why = if zero { "" } else { " Its own interval leaves 0 out, but not after the correction." };
            format!("{arm} is not told apart from {baseline}: {numbers}.{why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_numbers_are_short() {
        let values = [serde_json::json!(0.16666666666666666), 1e-4.into(), 3.into(), "none".into(), 0.5.into()];
        assert_eq!(values.map(|value| drawn(&value)), ["0.1667", "0.0001", "3", "none", "0.5"]);
    }

    #[test]
    fn numbers_in_words() {
        assert_eq!(
            [p_value(0.0336), p_value(0.0004), p_equals(1.0), p_equals(1e-9)],
            ["0.034", "< 0.001", "p = 1.000", "p < 0.001"]
        );
        assert_eq!([list::<&str>(&[]), list(&["a"]), list(&["a", "b", "c"])], ["", "a", "a, b and c"]);
    }
}
