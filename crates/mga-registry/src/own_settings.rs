//! A component's own settings, read where it is built.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The settings of a component as an experiment has them, and where.
#[derive(Debug, Clone, Copy)]
pub struct OwnSettings<'a> {
    at: &'a str,
    values: &'a Map<String, Value>,
}

/// A problem with a component's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The key from the top of the experiment, `model.growth`; the table's where no key alone is at fault.
    pub key: String,
    /// The problem, without its key.
    pub what: String,
}

impl<'a> OwnSettings<'a> {
    /// Creates the settings that stand in the table `at` of an experiment, such as `model`.
    #[must_use]
    pub fn new(at: &'a str, values: &'a Map<String, Value>) -> Self {
        Self { at, values }
    }

    /// Returns the table that they stand in.
    #[must_use]
    pub fn at(&self) -> &'a str {
        self.at
    }

    /// Returns the settings as they were given.
    #[must_use]
    pub fn values(&self) -> &'a Map<String, Value> {
        self.values
    }

    /// Returns the key of a setting from the top of the experiment: `model.growth` of `growth`.
    #[must_use]
    pub fn key(&self, setting: &str) -> String {
        format!("{}.{setting}", self.at)
    }

    /// Reads them.
    ///
    /// # Errors
    /// A key that `T` does not have, a value of another type, a missing key.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SettingFault> {
        let error = match read(self.values) {
            Ok(settings) => return Ok(settings),
            Err(error) => error.to_string(),
        };
        // The one without which the others can be read is at fault.
        let guilty = self.values.keys().find(|key| {
            let mut rest = self.values.clone();
            rest.shift_remove(*key);
            read::<T>(&rest).is_ok()
        });
        let key = guilty.map_or_else(|| self.at.to_owned(), |setting| self.key(setting));
        Err(SettingFault { key, what: error })
    }
}

fn read<T: DeserializeOwned>(values: &Map<String, Value>) -> serde_json::Result<T> {
    serde_json::from_value(Value::Object(values.clone()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Growing {
        growth: usize,
        rate: f64,
    }

    impl Default for Growing {
        fn default() -> Self {
            Self { growth: 32, rate: 0.5 }
        }
    }

    fn read(values: Value) -> Result<Growing, SettingFault> {
        OwnSettings::new("model", values.as_object().unwrap()).read()
    }

    #[test]
    fn what_is_left_out_has_its_default_and_faults_are_told_at_their_key() {
        assert_eq!(read(json!({ "growth": 8 })), Ok(Growing { growth: 8, rate: 0.5 }));
        let fault = |values| read(values).unwrap_err();
        assert_eq!(fault(json!({ "growth": -1, "rate": 1.0 })).key, "model.growth");
        let misspelt = fault(json!({ "growht": 1, "rate": 1.0 }));
        assert!(misspelt.key == "model.growht" && misspelt.what.contains("growth"), "{misspelt:?}");
        assert_eq!(fault(json!({ "growth": "a", "rate": "b" })).key, "model");
    }
}
