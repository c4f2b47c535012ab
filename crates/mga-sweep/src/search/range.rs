//! Ranges that values are drawn from, and draws that depend on nothing but the seed and their number.
//!
//! A value of a range lies at a place on a line of real numbers, on which a search can work without knowing which range it is.

use mga_core::random::Generator;
use mga_experiment::KeyPath;
use serde_json::Value;

use crate::settings::same;

/// The range that a value is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Evenly between two numbers.
    Uniform(f64, f64),
    /// Evenly in the logarithm.
    LogUniform(f64, f64),
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// One of some values.
    Choice(Vec<Value>),
}

const KINDS: [&str; 4] = ["uniform", "log_uniform", "integer", "choice"];

/// Returns whether a table is a range and not a table of settings.
#[must_use]
pub fn is_range(value: &Value) -> bool {
    value.as_object().is_some_and(|table| table.keys().any(|key| KINDS.contains(&key.as_str())))
}

impl Range {
    /// Reads `{ log_uniform = [1e-4, 1e-1] }`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "expected { uniform = [low, high] }, { log_uniform = [low, high] }, { integer = [low, high] } or \
             { choice = [...] }";
        let table = value.as_object().ok_or_else(|| format!("{EXPECTED}, found {value}"))?;
        let (kind, value) = match table.iter().collect::<Vec<_>>().as_slice() {
            [(kind, value)] => (kind.as_str(), *value),
            _ => return Err(format!("{EXPECTED}, and one of them alone")),
        };
        let elements = value.as_array().ok_or_else(|| format!("{EXPECTED}, found {kind} = {value}"))?;
        if kind == "choice" {
            return match elements.len() {
                0 | 1 => Err("choice: expected two values at least".to_owned()),
                _ => Ok(Self::Choice(elements.clone())),
            };
        }
        let [low, high] = elements.as_slice() else {
            return Err(format!("{kind}: expected two numbers, low and high"));
        };
        if kind == "integer" {
            return match (low.as_i64(), high.as_i64()) {
                (Some(low), Some(high)) if low < high => Ok(Self::Integer(low, high)),
                (Some(_), Some(_)) => Err("integer: expected the lower end first, and two different ends".to_owned()),
                _ => Err("integer: expected two whole numbers".to_owned()),
            };
        }
        let (Some(low), Some(high)) = (low.as_f64(), high.as_f64()) else {
            return Err(format!("{kind}: expected two numbers, low and high"));
        };
        if low >= high {
            return Err(format!("{kind}: expected the lower end first, and two different ends"));
        }
        match kind {
            "uniform" => Ok(Self::Uniform(low, high)),
            _ if low <= 0.0 => Err("log_uniform: expected ends above 0".to_owned()),
            _ => Ok(Self::LogUniform(low, high)),
        }
    }

    /// Returns the ends of the line that the values lie on, the upper one left out. Values of `log_uniform` lie at their
    /// natural logarithm, choices at their number from 0.
    #[must_use]
    pub fn line(&self) -> (f64, f64) {
        match self {
            Self::Uniform(low, high) => (*low, *high),
            Self::LogUniform(low, high) => (low.ln(), high.ln()),
            Self::Integer(low, high) => (*low as f64, *high as f64 + 1.0),
            Self::Choice(values) => (0.0, values.len() as f64),
        }
    }

    /// Returns the value at a place on [`Range::line`]; beyond an end it is that of the end.
    #[must_use]
    pub fn at(&self, place: f64) -> Value {
        match self {
            Self::Uniform(low, high) => Value::from(place.clamp(*low, *high)),
            // Six digits say all that a search can know, and read well in tables.
            Self::LogUniform(low, high) => Value::from(rounded(place.exp()).clamp(*low, *high)),
            Self::Integer(low, high) => Value::from((place.floor() as i64).clamp(*low, *high)),
            Self::Choice(values) => {
                let index = (place.max(0.0) as usize).min(values.len().saturating_sub(1));
                values.get(index).cloned().unwrap_or_default()
            }
        }
    }

    /// Returns the position of a value on [`Range::line`]; `None` if it is not in this range, such as a choice that was
    /// removed.
    #[must_use]
    pub fn place(&self, value: &Value) -> Option<f64> {
        let (low, high) = self.line();
        let place = match self {
            Self::Uniform(..) => value.as_f64()?,
            Self::LogUniform(..) => value.as_f64()?.ln(),
            // In the middle of the stretch that is rounded to it.
            Self::Integer(..) => value.as_f64()? + 0.5,
            Self::Choice(values) => values.iter().position(|other| same(other, value))? as f64,
        };
        // The upper end is not on the line.
        Some(place.clamp(low, high - (high - low) * 1e-12))
    }

    /// Returns a value drawn evenly from the line for `key`: a function of the seed and the draw's number.
    #[must_use]
    pub fn draw(&self, key: &KeyPath, seed: u64, number: usize) -> Value {
        let mut generator = Generator::new(seed, &format!("sweep/{key}"), &[number as u64]);
        let (low, high) = self.line();
        let value = self.at(generator.uniform_in(low, high));
        match (self, value.as_f64()) {
            (Self::Uniform(low, high), Some(number)) => Value::from(rounded(number).clamp(*low, *high)),
            _ => value,
        }
    }
}

/// A number to six digits.
pub(crate) fn rounded(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn draws_stay_in_range_and_depend_on_their_number_alone() {
        let key = KeyPath::dotted("optimiser.learning_rate");
        for range in [
            json!({ "uniform": [-1.0, 2.0] }),
            json!({ "log_uniform": [1e-4, 1e-1] }),
            json!({ "integer": [1, 5] }),
            json!({ "choice": ["a", "b", 3] }),
        ] {
            let range = Range::read(&range).unwrap();
            let values: Vec<Value> = (0..200).map(|number| range.draw(&key, 1, number)).collect();
            assert_eq!(range.draw(&key, 1, 17), values[17]);
            assert!(values.iter().any(|value| *value != values[0]));
            for value in values {
                let inside = match &range {
                    Range::Uniform(low, high) | Range::LogUniform(low, high) => {
                        (*low..=*high).contains(&value.as_f64().unwrap())
                    }
                    Range::Integer(low, high) => (*low..=*high).contains(&value.as_i64().unwrap()),
                    Range::Choice(values) => values.contains(&value),
                };
                assert!(inside, "{value} of {range:?}");
            }
        }
        let ends: Vec<_> = (0..200).map(|n| Range::Integer(1, 3).draw(&key, 0, n).as_i64().unwrap()).collect();
        assert!((1..=3).all(|end| ends.contains(&end)));
    }

    #[test]
    fn wrong_ranges_are_said() {
        let refused = |value: Value| Range::read(&value).unwrap_err();
        assert!(refused(json!(3)).contains("expected { uniform"));
        assert!(refused(json!({ "uniform": [0, 1], "choice": [1, 2] })).contains("alone"));
        assert!(refused(json!({ "uniform": [2, 1] })).contains("lower end first"));
        assert!(refused(json!({ "log_uniform": [0, 1] })).contains("above 0"));
        assert!(refused(json!({ "integer": [0.5, 1] })).contains("whole numbers"));
        assert!(refused(json!({ "choice": [1] })).contains("two values"));
    }
}
