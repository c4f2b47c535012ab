//! A component that somebody named, with the settings that it was given.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A component by its name, with settings of its own.
///
/// In a file it is the name alone, or a table with the key `name` and the settings beside it: `"residual"`, or
/// `{ name = "residual", weights = [0.3, 0.7] }`. Without settings it is written as the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The name.
    pub name: String,
    /// The settings that were given; what is left out has the component's default.
    pub settings: Map<String, Value>,
}

impl Choice {
    /// Reads the name of a component, or its name with settings as a JSON object. Anything else than an object is no
    /// settings.
    #[must_use]
    pub fn new(name: impl Into<String>, settings: Value) -> Self {
        let settings = if let Value::Object(settings) = settings { settings } else { Map::new() };
        Self { name: name.into(), settings }
    }
}

impl From<&str> for Choice {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), settings: Map::new() }
    }
}

impl From<String> for Choice {
    fn from(name: String) -> Self {
        Self { name, settings: Map::new() }
    }
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.settings.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let mut table = serializer.serialize_map(Some(1 + self.settings.len()))?;
        table.serialize_entry("name", &self.name)?;
        self.settings.iter().try_for_each(|(key, value)| table.serialize_entry(key, value))?;
        table.end()
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(Self::from(name)),
            Value::Object(mut settings) => match settings.shift_remove("name") {
                Some(Value::String(name)) => Ok(Self { name, settings }),
                _ => Err(D::Error::custom("expected the key `name`, a text")),
            },
            _ => Err(D::Error::custom("expected a name, or a table with the key `name`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_choice_is_a_name_or_a_table() {
        for written in [json!("residual"), json!({ "name": "residual", "weights": [0.3, 0.7] })] {
            let choice: Choice = serde_json::from_value(written.clone()).unwrap();
            assert_eq!((choice.name.as_str(), serde_json::to_value(&choice).unwrap()), ("residual", written));
        }
        let bare: Choice = serde_json::from_value(json!({ "name": "none" })).unwrap();
        assert_eq!(serde_json::to_value(bare).unwrap(), json!("none"));
        for wrong in [json!({ "weights": 1 }), json!({ "name": 1 }), json!(1)] {
            assert!(serde_json::from_value::<Choice>(wrong).unwrap_err().to_string().contains("name"));
        }
    }
}
