//! A TOML file that is no experiment but is read with the same care: a sweep file.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::extends::read;
use super::key_path::KeyPath;
use super::layer::Layer;
use super::merge::to_json;
use super::problem::{ExperimentError, Place, Problem, SourceFile};
use super::schema_reading::fill_defaults;
use super::validate::{About, faults};

/// A file's settings, and where each was written.
#[derive(Debug)]
pub struct Document {
    file: Arc<SourceFile>,
    layer: Layer,
    value: Value,
    problems: Vec<Problem>,
}

impl Document {
    /// Reads the file, as far as it can be read: faults of its syntax come out of [`Document::problems`].
    ///
    /// # Errors
    /// A file that is not there or is no text.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let text = read(path)
            .map_err(|message| Problem::error(None, KeyPath::default(), format!("{}: {message}", path.display())))?;
        let file = Arc::new(SourceFile { path: path.to_path_buf(), text });
        let (layer, problems) = Layer::from_file(&file);
        let value = Value::Object(to_json(layer.values.clone()));
        Ok(Self { file, layer, value, problems })
    }

    /// Faults of the syntax, then everything that `schema` does not allow, in the order of the file.
    #[must_use]
    pub fn problems(&self, schema: &Value) -> Vec<Problem> {
        let broken: Vec<_> = self.problems.iter().filter_map(|problem| problem.place.as_ref()?.line()).collect();
        let mut problems = self.problems.clone();
        for fault in faults(schema, &self.value) {
            let place = self.place(&fault.path, fault.about);
            // A line that could not be read means something else, and what it would have set is not missing.
            let misread = place.line().is_some_and(|line| broken.contains(&line));
            if misread || fault.about == About::Absence && !broken.is_empty() {
                continue;
            }
            problems.push(Problem::error(Some(place), fault.path, fault.message));
        }
        self.sort(&mut problems);
        problems
    }

    /// Sorts problems by their lines in this file; those of other places come last, as they are.
    pub fn sort(&self, problems: &mut [Problem]) {
        problems.sort_by_key(|problem| match &problem.place {
            Some(Place::File(file, span)) if Arc::ptr_eq(file, &self.file) => (0, span.start),
            Some(Place::Whole(path)) if *path == self.file.path => (0, usize::MAX),
            _ => (1, 0),
        });
    }

    /// Returns the settings, with the schema's defaults in place of what is left out.
    #[must_use]
    pub fn settings(&self, schema: &Value) -> Value {
        let mut value = self.value.clone();
        fill_defaults(schema, schema, &mut value);
        value
    }

    /// Returns the place of the key of `path`, or of the nearest table around it, or the file.
    #[must_use]
    pub fn key_place(&self, path: &KeyPath) -> Place {
        self.place(path, About::Key)
    }

    /// Returns the place of the value of `path`, or of the nearest table around it, or the file.
    #[must_use]
    pub fn value_place(&self, path: &KeyPath) -> Place {
        self.place(path, About::Value)
    }

    /// Returns an error about the value of `path`.
    #[must_use]
    pub fn error(&self, path: &KeyPath, message: impl Into<String>) -> Problem {
        Problem::error(Some(self.value_place(path)), path.clone(), message)
    }

    /// Returns a warning about the value of `path`.
    #[must_use]
    pub fn warning(&self, path: &KeyPath, message: impl Into<String>) -> Problem {
        Problem::warning(Some(self.value_place(path)), path.clone(), message)
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.file.text
    }

    fn place(&self, path: &KeyPath, about: About) -> Place {
        if let Some(written) = self.layer.written.get(path) {
            return if about == About::Value { written.value.clone() } else { written.key.clone() };
        }
        let mut above = path.parent();
        while let Some(path) = above.filter(|path| !path.segments().is_empty()) {
            if let Some(written) = self.layer.written.get(&path) {
                return written.key.clone();
            }
            above = path.parent();
        }
        Place::Whole(self.file.path.clone())
    }
}
