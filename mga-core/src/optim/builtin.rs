//! The optimisers and schedules of this crate, a line each.

use mga_registry::Entry;

use super::adamw::AdamWSettings;
use super::rule::{Optimisers, UpdateRule};
use super::sgd::SgdSettings;
use super::shape::{ScheduleShape, Schedules};
use super::shapes::{Constant, Cosine, PolynomialSettings, StepSettings};

/// Returns the optimisers of this crate.
#[must_use]
pub fn optimisers() -> Vec<Entry<Optimisers>> {
    vec![
        Entry::<Optimisers>::from_settings(
            "sgd",
            "Stochastic gradient descent: v = momentum v + g + weight_decay p; p = p - learning_rate v.",
            |settings: SgdSettings| Box::new(settings) as Box<dyn UpdateRule>,
        )
        .with_words(|shared| {
            let momentum = shared.get("momentum").map_or_else(|| "varied".to_owned(), ToString::to_string);
            format!("SGD with momentum {momentum}")
        }),
        Entry::<Optimisers>::from_settings("adamw", "Adam with decoupled weight decay.", |settings: AdamWSettings| {
            Box::new(settings) as Box<dyn UpdateRule>
        })
        .with_words(|_| "AdamW".to_owned()),
    ]
}

/// Returns the schedules of this crate.
#[must_use]
pub fn schedules() -> Vec<Entry<Schedules>> {
    fn entry<S>(name: &str, about: &str) -> Entry<Schedules>
    where
        S: ScheduleShape + serde::Serialize + serde::de::DeserializeOwned + schemars::JsonSchema + 'static,
    {
        Entry::<Schedules>::from_settings(name, about, |settings: S| Box::new(settings) as Box<dyn ScheduleShape>)
    }
    vec![
        entry::<Cosine>("cosine", "Half a cosine from the start down to `min_learning_rate`."),
        entry::<StepSettings>("step", "Multiplied by `gamma` every so many epochs."),
        entry::<PolynomialSettings>("polynomial", "(1 - epoch / epochs) to a power."),
        entry::<Constant>("constant", "Always the same."),
    ]
}
