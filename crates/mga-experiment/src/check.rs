//! The collection of everything that is wrong with an experiment.

use super::key_path::KeyPath;
use super::problem::Problem;
use super::sources::Sources;
use super::validate::About;

/// Collects what is wrong with an experiment as a whole. What depends on settings that are faulty themselves is left alone:
/// ask [`Check::sound`] first.
pub struct Check<'a> {
    sources: &'a Sources,
    unsound: &'a [KeyPath],
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Nothing is found yet; `unsound` are settings that were already found faulty.
    pub(super) fn new(sources: &'a Sources, unsound: &'a [KeyPath]) -> Self {
        Self { sources, unsound, problems: Vec::new() }
    }

    /// What was found.
    pub(super) fn found(self) -> Vec<Problem> {
        self.problems
    }

    /// Returns whether nothing in these tables or settings was found faulty.
    #[must_use]
    pub fn sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| {
            let key = KeyPath::dotted(key);
            !self.unsound.iter().any(|fault| fault.is_within(&key) || key.is_within(fault))
        })
    }

    /// Adds an error about the setting `key`.
    pub fn error(&mut self, key: KeyPath, message: impl Into<String>) {
        let place = self.sources.place(&key, About::Value);
        self.problems.push(Problem::error(place, key, message));
    }

    /// Adds an error about the setting with this dotted key, such as `model.backbone`.
    pub fn error_at(&mut self, key: &str, message: impl Into<String>) {
        self.error(KeyPath::dotted(key), message);
    }

    /// Adds what a component refused of its settings: at the setting that is at fault, else at `table`.
    pub fn refused(&mut self, table: &str, error: &mga_core::Error) {
        match error.invalid_setting() {
            Some(setting) => self.error_at(&setting.key, setting.what.as_str()),
            None => self.error_at(table, error.to_string()),
        }
    }

    /// Adds a warning about the setting with this dotted key.
    pub fn warn_at(&mut self, key: &str, message: impl Into<String>) {
        let key = KeyPath::dotted(key);
        let place = self.sources.place(&key, About::Value);
        self.problems.push(Problem::warning(place, key, message));
    }
}
