//! Registered components of any kind: a name, one line about it, its settings, and what builds it.
//!
//! A kind is a type that implements [`Kind`]; the crate that acts on the components defines it. The registry knows no kind
//! by itself, so a new kind needs no change here.

mod choice;
mod condition;
mod from_settings;
mod nearest;
mod own_settings;

use std::any::{Any, TypeId};
use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use choice::Choice;
pub use condition::Condition;
pub use from_settings::{FromSettings, schema_of};
pub use nearest::nearest;
pub use own_settings::{OwnSettings, SettingFault};

/// A kind of component: what its components are, and which key of an experiment names one.
pub trait Kind: 'static {
    /// The type of a component or of its builder: a trait object, or a struct of functions.
    type Item: ?Sized + Send + Sync + 'static;

    /// The name of the kind in the plural, for people: `data sets`.
    const TITLE: &'static str;

    /// The key of the experiment, or of another file, that names one: `data.dataset`.
    const KEY: &'static str;
}

/// A registered component.
pub struct Entry<K: Kind> {
    /// The name in the experiment file.
    pub name: String,
    /// A description in one line.
    pub about: String,
    /// The JSON schema of its own settings; `None` if it has none.
    pub schema: Option<Schema>,
    /// The settings of its own that count only beside certain values of others.
    pub conditions: Vec<Condition>,
    /// What a paper calls it, given those of its settings that all runs share; `None`: its name.
    pub words: Option<Words>,
    /// The component itself, or what builds it.
    pub item: Arc<K::Item>,
}

/// Gives the words for a component with these settings in a paper.
pub type Words = fn(&Map<String, Value>) -> String;

impl<K: Kind> Clone for Entry<K> {
    fn clone(&self) -> Self {
        let Self { name, about, schema, conditions, words, item } = self;
        let (name, about, schema, conditions) = (name.clone(), about.clone(), schema.clone(), conditions.clone());
        Self { name, about, schema, conditions, words: *words, item: Arc::clone(item) }
    }
}

impl<K: Kind> std::fmt::Debug for Entry<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).field("about", &self.about).finish_non_exhaustive()
    }
}

impl<K: Kind> Entry<K> {
    /// Creates a component without settings of its own.
    pub fn new(name: impl Into<String>, about: impl Into<String>, item: Arc<K::Item>) -> Self {
        Self { name: name.into(), about: about.into(), schema: None, conditions: Vec::new(), words: None, item }
    }

    /// Returns the component with settings of this schema.
    #[must_use]
    pub fn with_settings(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Returns the component with the words for it in a paper.
    #[must_use]
    pub fn with_words(mut self, words: Words) -> Self {
        self.words = Some(words);
        self
    }

    /// Returns the component, some of whose settings have an effect only next to certain values of others.
    #[must_use]
    pub fn with_conditions(mut self, conditions: &[Condition]) -> Self {
        self.conditions = conditions.to_vec();
        self
    }

    /// Returns `settings` without those that have the component's default, which is what leaving them out gives. Equal
    /// settings come out equal.
    #[must_use]
    pub fn without_defaults(&self, settings: &Map<String, Value>) -> Map<String, Value> {
        let default = |key: &str| self.schema.as_ref()?.get("properties")?.get(key)?.get("default");
        let given =
            settings.iter().filter(|(key, value)| !default(key).is_some_and(|default| same_value(default, value)));
        given.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Returns the settings whose schema carries the extension `mark`, such as `x-path`, each with the mark's value.
    #[must_use]
    pub fn marked(&self, mark: &str) -> Vec<(&str, &Value)> {
        let properties = self.schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
        let all = properties.into_iter().flatten();
        all.filter_map(|(key, schema)| Some((key.as_str(), schema.get(mark)?))).collect()
    }
}

impl<K, T> Entry<K>
where
    K: Kind<Item = FromSettings<T>>,
    T: ?Sized + 'static,
{
    /// Creates a component that is made from settings of type `S`, which stand beside its name.
    pub fn from_settings<S>(
        name: impl Into<String>,
        about: impl Into<String>,
        make: impl Fn(S) -> Box<T> + Send + Sync + 'static,
    ) -> Self
    where
        S: Serialize + DeserializeOwned + JsonSchema,
    {
        Self::new(name, about, Arc::new(FromSettings::new(make))).with_settings(schema_of::<S>())
    }
}

/// Returns whether two values of a setting are the same; 1 and 1.0 are.
#[must_use]
pub fn same_value(a: &Value, b: &Value) -> bool {
    a == b || a.is_number() && a.as_f64() == b.as_f64()
}

/// The components of one kind, as they are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The name of the kind in the plural.
    pub title: &'static str,
    /// The key that names one.
    pub key: &'static str,
    /// Name and one line about it, in the order of registration.
    pub components: Vec<Listed>,
}

/// A component, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// A description in one line.
    pub about: String,
}

/// All components of one kind.
struct Shelf {
    kind: TypeId,
    group: fn(&(dyn Any + Send + Sync)) -> Group,
    /// A `Vec<Entry<K>>`.
    entries: Arc<dyn Any + Send + Sync>,
}

impl Clone for Shelf {
    fn clone(&self) -> Self {
        Self { kind: self.kind, group: self.group, entries: Arc::clone(&self.entries) }
    }
}

/// Components of any number of kinds. Cloning it is cheap.
///
/// ```
/// use std::sync::Arc;
///
/// use mga_registry::{Entry, Kind, Registry};
///
/// /// Learning rate schedules, each a function of the share of training that is done.
/// struct Schedules;
///
/// impl Kind for Schedules {
///     type Item = dyn Fn(f64) -> f64 + Send + Sync;
///     const TITLE: &'static str = "schedules";
///     const KEY: &'static str = "schedule.name";
/// }
///
/// let linear = Entry::<Schedules>::new("linear", "falls evenly to zero", Arc::new(|done| 1.0 - done));
/// let registry = Registry::default().with(linear);
/// let schedule = registry.get::<Schedules>("linear").expect("it was just registered");
/// assert_eq!((schedule.item)(0.25), 0.75);
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    shelves: Vec<Shelf>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.listing()).finish()
    }
}

impl Registry {
    /// Adds a component; one of the same kind and name is replaced in its place.
    pub fn add<K: Kind>(&mut self, entry: Entry<K>) {
        let mut entries: Vec<Entry<K>> = self.all::<K>().to_vec();
        match entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
        let (kind, entries) = (TypeId::of::<K>(), Arc::new(entries) as Arc<dyn Any + Send + Sync>);
        match self.shelves.iter_mut().find(|shelf| shelf.kind == kind) {
            Some(shelf) => shelf.entries = entries,
            None => self.shelves.push(Shelf { kind, group: group::<K>, entries }),
        }
    }

    /// Returns the registry with one more component.
    #[must_use]
    pub fn with<K: Kind>(mut self, entry: Entry<K>) -> Self {
        self.add(entry);
        self
    }

    /// Returns the registry without the components of kind `K`.
    #[must_use]
    pub fn without<K: Kind>(mut self) -> Self {
        self.shelves.retain(|shelf| shelf.kind != TypeId::of::<K>());
        self
    }

    /// Returns the components of a kind, in the order of registration.
    #[must_use]
    pub fn all<K: Kind>(&self) -> &[Entry<K>] {
        let shelf = self.shelves.iter().find(|shelf| shelf.kind == TypeId::of::<K>());
        shelf.and_then(|shelf| shelf.entries.downcast_ref::<Vec<Entry<K>>>()).map_or(&[], Vec::as_slice)
    }

    /// Returns the component of a kind and name.
    #[must_use]
    pub fn get<K: Kind>(&self, name: &str) -> Option<&Entry<K>> {
        self.all::<K>().iter().find(|entry| entry.name == name)
    }

    /// Returns the component of a kind and name.
    ///
    /// # Errors
    /// Nothing is registered by that name; the message says what is.
    pub fn named<K: Kind>(&self, name: &str) -> Result<&Entry<K>, SettingFault> {
        self.get::<K>(name).ok_or_else(|| {
            let known: Vec<String> = self.all::<K>().iter().map(|entry| format!("`{}`", entry.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let what = format!("unknown name `{name}`; registered {}: {known}", K::TITLE);
            SettingFault { key: K::KEY.to_owned(), what }
        })
    }

    /// Makes the component `name` from its settings, which stand beside its name.
    ///
    /// # Errors
    /// A name that nothing is registered by; settings that its type cannot be read from.
    pub fn make<K, T>(&self, name: &str, settings: &Map<String, Value>) -> Result<Box<T>, SettingFault>
    where
        K: Kind<Item = FromSettings<T>>,
        T: ?Sized + 'static,
    {
        self.named::<K>(name)?.item.make(OwnSettings::new(table::<K>(), settings))
    }

    /// Returns all settings of the component `name`; see [`FromSettings::complete`].
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn complete<K, T>(&self, name: &str, settings: &Map<String, Value>) -> Result<Map<String, Value>, SettingFault>
    where
        K: Kind<Item = FromSettings<T>>,
        T: ?Sized + 'static,
    {
        self.named::<K>(name)?.item.complete(OwnSettings::new(table::<K>(), settings))
    }

    /// Lists everything, kind by kind, in the order of registration.
    #[must_use]
    pub fn listing(&self) -> Vec<Group> {
        self.shelves.iter().map(|shelf| (shelf.group)(shelf.entries.as_ref())).collect()
    }
}

/// The table that the components of a kind are named in.
fn table<K: Kind>() -> &'static str {
    K::KEY.rsplit_once('.').map_or(K::KEY, |(table, _)| table)
}

fn group<K: Kind>(entries: &(dyn Any + Send + Sync)) -> Group {
    let entries = entries.downcast_ref::<Vec<Entry<K>>>().map_or(&[][..], Vec::as_slice);
    let listed = |entry: &Entry<K>| Listed { name: entry.name.clone(), about: entry.about.clone() };
    Group { title: K::TITLE, key: K::KEY, components: entries.iter().map(listed).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    trait Greeting: Send + Sync {
        fn text(&self) -> String;
    }

    struct Greetings;

    impl Kind for Greetings {
        type Item = dyn Greeting;
        const TITLE: &'static str = "greetings";
        const KEY: &'static str = "greeting";
    }

    struct Numbers;

    impl Kind for Numbers {
        type Item = u32;
        const TITLE: &'static str = "numbers";
        const KEY: &'static str = "number";
    }

    struct Said(&'static str);

    impl Greeting for Said {
        fn text(&self) -> String {
            self.0.to_owned()
        }
    }

    #[test]
    fn settings_at_their_defaults_are_left_out() {
        let schema =
            serde_json::json!({ "properties": { "a": { "default": 1.0 }, "b": { "default": null }, "c": {} } });
        let schema = Schema::try_from(schema).unwrap();
        let entry = Entry::<Numbers>::new("seven", "", Arc::new(7)).with_settings(schema);
        let without = |given: Value| Value::Object(entry.without_defaults(given.as_object().unwrap()));
        assert_eq!(without(serde_json::json!({ "a": 1, "c": 1 })), serde_json::json!({ "c": 1 }));
        assert_eq!(without(serde_json::json!({ "a": 2, "b": 1 })), serde_json::json!({ "a": 2, "b": 1 }));
    }

    #[test]
    fn kinds_stay_apart_and_equal_names_are_replaced() {
        let greeting = |name: &str, text| Entry::<Greetings>::new(name, "", Arc::new(Said(text)));
        let registry = Registry::default()
            .with(greeting("hello", "hello"))
            .with(Entry::<Numbers>::new("hello", "a number", Arc::new(7)))
            .with(greeting("bye", "bye"));
        let changed = registry.clone().with(greeting("hello", "good day"));
        let text = |registry: &Registry| registry.get::<Greetings>("hello").map(|entry| entry.item.text());
        assert_eq!((text(&registry), text(&changed)), (Some("hello".to_owned()), Some("good day".to_owned())));
        assert_eq!(registry.get::<Numbers>("hello").map(|entry| *entry.item), Some(7));
        assert!(registry.get::<Numbers>("bye").is_none());
        let listing = changed.listing();
        assert_eq!(listing.iter().map(|group| group.title).collect::<Vec<_>>(), ["greetings", "numbers"]);
        assert_eq!(listing[0].components.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["hello", "bye"]);
        let numbers = changed.without::<Greetings>();
        assert!(numbers.all::<Greetings>().is_empty() && numbers.get::<Numbers>("hello").is_some());
    }
}
