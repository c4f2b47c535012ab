//! Components that are made from settings of a type of their own.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::nearest::nearest;
use crate::own_settings::{OwnSettings, SettingFault};

/// Makes a `T` from settings whose type it alone knows: the item of a kind whose components are named by a table, such as
/// `[optimiser]`, and have their settings beside the name.
///
/// One type of settings gives the schema with its bounds, the defaults, and what is read of a table.
pub struct FromSettings<T: ?Sized> {
    make: Box<Make<T>>,
    /// The keys of the settings; `None`: they take any.
    keys: Option<Vec<String>>,
    complete: fn(OwnSettings<'_>) -> Result<Value, SettingFault>,
}

type Make<T> = dyn Fn(OwnSettings<'_>) -> Result<Box<T>, SettingFault> + Send + Sync;

impl<T: ?Sized + 'static> FromSettings<T> {
    /// Makes components by `make` from settings of type `S`.
    pub fn new<S>(make: impl Fn(S) -> Box<T> + Send + Sync + 'static) -> Self
    where
        S: Serialize + DeserializeOwned + JsonSchema,
    {
        let make = move |own: OwnSettings<'_>| Ok(make(own.read::<S>()?));
        Self { make: Box::new(make), keys: keys(&schema_of::<S>()), complete: complete::<S> }
    }

    /// Makes the component.
    ///
    /// # Errors
    /// A key that it does not have; settings that its type cannot be read from.
    pub fn make(&self, own: OwnSettings<'_>) -> Result<Box<T>, SettingFault> {
        self.check_keys(own)?;
        (self.make)(own)
    }

    /// Returns all of the component's settings, in the order and of the types that it has them: defaults are filled in.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn complete(&self, own: OwnSettings<'_>) -> Result<Map<String, Value>, SettingFault> {
        self.check_keys(own)?;
        match (self.complete)(own)? {
            Value::Object(settings) => Ok(settings),
            // The settings of a component without any.
            _ => Ok(Map::new()),
        }
    }
}

impl<T: ?Sized> FromSettings<T> {
    /// Refuses a key that the settings do not have, which reading alone would drop.
    fn check_keys(&self, own: OwnSettings<'_>) -> Result<(), SettingFault> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let Some(unknown) = own.values().keys().find(|key| !keys.contains(key)) else { return Ok(()) };
        let what = match nearest(unknown, keys.iter().map(String::as_str)) {
            Some(meant) => format!("unknown key, did you mean `{meant}`?"),
            None if keys.is_empty() => "unknown key; there are no settings here".to_owned(),
            None => format!("unknown key; the settings are `{}`", keys.join("`, `")),
        };
        Err(SettingFault { key: own.key(unknown), what })
    }
}

/// The keys that settings of this schema have; `None`: it says that others can stand beside them.
fn keys(schema: &Schema) -> Option<Vec<String>> {
    let open = schema.get("additionalProperties").is_some_and(|others| others != &Value::Bool(false));
    let parts = ["allOf", "anyOf", "oneOf", "$ref"].iter().any(|part| schema.get(*part).is_some());
    let keys = schema.get("properties").and_then(Value::as_object).map(|own| own.keys().cloned().collect());
    (!open && !parts).then(|| keys.unwrap_or_default())
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
        let given = settings(json!({ "height": 5 }));
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
        for (wrong, what) in [("widht", "did you mean `width`?"), ("radius", "the settings are `width`, `height`")] {
            let given = settings(json!({ wrong: 1 }));
            let made = registry().make::<Shapes, _>("rectangle", &given).err().unwrap();
            assert!(made.key == format!("shape.{wrong}") && made.what.contains(what), "{made:?}");
            assert_eq!(registry().complete::<Shapes, _>("rectangle", &given).unwrap_err(), made);
        }
    }
}
