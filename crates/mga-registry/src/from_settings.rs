//! Components that are made from settings of a type of their own.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::own_settings::{OwnSettings, SettingFault};

/// Makes a `T` from settings whose type it alone knows: the item of a kind whose components are named by a table, such as
/// `[optimiser]`, and have their settings beside the name.
///
/// One type of settings gives the schema with its bounds, the defaults, and what is read of a table.
pub struct FromSettings<T: ?Sized> {
    make: Box<Make<T>>,
    complete: fn(OwnSettings<'_>) -> Result<Value, SettingFault>,
}

type Make<T> = dyn Fn(OwnSettings<'_>) -> Result<Box<T>, SettingFault> + Send + Sync;

impl<T: ?Sized + 'static> FromSettings<T> {
    /// Makes components by `make` from settings of type `S`.
    pub fn new<S>(make: impl Fn(S) -> Box<T> + Send + Sync + 'static) -> Self
    where
        S: Serialize + DeserializeOwned,
    {
        let make = move |own: OwnSettings<'_>| Ok(make(own.read::<S>()?));
        Self { make: Box::new(make), complete: complete::<S> }
    }

    /// Makes the component.
    ///
    /// # Errors
    /// Settings that its type cannot be read from.
    pub fn make(&self, own: OwnSettings<'_>) -> Result<Box<T>, SettingFault> {
        (self.make)(own)
    }

    /// Returns all of the component's settings, in the order and of the types that it has them: defaults are filled in, and
    /// what it does not know is left out.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn complete(&self, own: OwnSettings<'_>) -> Result<Map<String, Value>, SettingFault> {
        match (self.complete)(own)? {
            Value::Object(settings) => Ok(settings),
            // The settings of a component without any.
            _ => Ok(Map::new()),
        }
    }
}

fn complete<S: Serialize + DeserializeOwned>(own: OwnSettings<'_>) -> Result<Value, SettingFault> {
    let settings = own.read::<S>()?;
    serde_json::to_value(settings).map_err(|error| SettingFault { key: own.at().to_owned(), what: error.to_string() })
}

/// Returns the JSON schema (draft-07) of a settings struct, as registries keep it.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{Entry, Kind, Registry};

    trait Shape: Send + Sync {
        fn area(&self) -> f64;
    }

    struct Shapes;

    impl Kind for Shapes {
        type Item = FromSettings<dyn Shape>;
        const TITLE: &'static str = "shapes";
        const KEY: &'static str = "shape.name";
    }

    #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Rectangle {
        width: f64,
        height: f64,
    }

    impl Default for Rectangle {
        fn default() -> Self {
            Self { width: 1.0, height: 2.0 }
        }
    }

    impl Shape for Rectangle {
        fn area(&self) -> f64 {
            self.width * self.height
        }
    }

    fn registry() -> Registry {
        let make = |rectangle: Rectangle| -> Box<dyn Shape> { Box::new(rectangle) };
        Registry::default().with(Entry::<Shapes>::from_settings("rectangle", "four corners", make))
    }

    fn settings(settings: Value) -> Map<String, Value> {
        settings.as_object().cloned().unwrap()
    }

    #[test]
    fn a_component_is_made_from_the_settings_beside_its_name() {
        let made = registry().make::<Shapes, _>("rectangle", &settings(json!({ "height": 5 }))).unwrap();
        assert_eq!(made.area(), 5.0);
        assert!(registry().all::<Shapes>()[0].schema.as_ref().unwrap().as_value()["properties"]["width"].is_object());
    }

    #[test]
    fn settings_are_completed_in_order_and_type() {
        let given = settings(json!({ "height": 5, "radius": 1 }));
        let complete = registry().complete::<Shapes, _>("rectangle", &given).unwrap();
        assert_eq!(serde_json::to_string(&complete).unwrap(), r#"{"width":1.0,"height":5.0}"#);
    }

    #[test]
    fn what_does_not_fit_is_told_at_its_key() {
        let fault = |name, given| registry().make::<Shapes, _>(name, &settings(given)).err().unwrap();
        let unknown = fault("circle", json!({}));
        let what = "unknown name `circle`; registered shapes: `rectangle`";
        assert_eq!((unknown.key.as_str(), unknown.what.as_str()), ("shape.name", what));
        assert_eq!(fault("rectangle", json!({ "width": "wide", "height": 1 })).key, "shape.width");
    }
}
