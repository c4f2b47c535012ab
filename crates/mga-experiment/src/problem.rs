//! Problems of an experiment, and their places: rendered compactly, as compilers do.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::key_path::KeyPath;

/// A file that settings came from.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user wrote it, or as `extends` leads to it.
    pub path: PathBuf,
    /// The complete text.
    pub text: String,
}

/// The place where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Bytes of a file.
    File(Arc<SourceFile>, Range<usize>),
    /// An environment variable: name and value.
    Variable(String, String),
    /// A `--set`: its argument.
    Flag(String),
    /// A file, but no part of it: something that nobody wrote.
    Whole(PathBuf),
}

/// The severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The experiment cannot run.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// A problem of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The severity.
    pub severity: Severity,
    /// The place where it was written; `None` if it was not written.
    pub place: Option<Place>,
    /// The setting; empty where it is not about one.
    pub key: KeyPath,
    /// The problem, what was expected, and what to do.
    pub message: String,
}

/// All problems of an experiment, found in one pass. The program exits with status 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ExperimentError {
    /// The problems, in the order of the sources and their lines. There is at least one.
    pub problems: Vec<Problem>,
}

impl SourceFile {
    /// Line and column, both from 1, columns in characters, of a byte.
    fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(byte)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The nearest start of a character at or before `byte`.
    fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

impl Place {
    /// The line of the file, from 1.
    pub(super) fn line(&self) -> Option<(&SourceFile, usize)> {
        match self {
            Self::File(file, span) => Some((file, file.line_column(span.start).0)),
            Self::Variable(..) | Self::Flag(..) | Self::Whole(..) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, span) => {
                let (line, column) = file.line_column(span.start);
                write!(f, "{}:{line}:{column}", file.path.display())
            }
            Self::Variable(name, value) => write!(f, "environment variable {name}={value}"),
            Self::Flag(argument) => write!(f, "--set {argument}"),
            Self::Whole(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.key.segments().is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(Place::File(file, span)) = &self.place {
            write_excerpt(f, file, span)?;
        }
        Ok(())
    }
}

/// The line of the file, and carets under the bytes of `span` that stand in it.
fn write_excerpt(f: &mut fmt::Formatter<'_>, file: &SourceFile, span: &Range<usize>) -> fmt::Result {
    let start = file.floor(span.start);
    let end = file.floor(span.end);
    let line_start = file.text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = file.text[start..].find('\n').map_or(file.text.len(), |i| start + i);
    let line = file.text[line_start..line_end].trim_end_matches('\r');
    if line.trim().is_empty() {
        return Ok(());
    }
    let number = file.line_column(start).0.to_string();
    let gutter = " ".repeat(number.len());
    // A tab before the carets stays a tab, so that they stand under what they mean at any tab width.
    let indent: String = file.text[line_start..start].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let within = file.text[start..end.clamp(start, line_end)].trim_end();
    let carets = "^".repeat(within.chars().count().max(1));
    write!(f, "\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{carets}")
}

impl fmt::Display for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        match self.problems.iter().filter(|problem| problem.severity == Severity::Error).count() {
            0 | 1 => Ok(()),
            n => write!(f, "\n{n} errors; nothing was run and nothing was written"),
        }
    }
}

impl Problem {
    /// Creates an error about the setting `key`, written at `place`.
    pub fn error(place: Option<Place>, key: KeyPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, key, message: message.into() }
    }

    /// Creates a warning about the setting `key`, written at `place`.
    pub fn warning(place: Option<Place>, key: KeyPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place, key, message: message.into() }
    }
}

impl From<Problem> for ExperimentError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: PathBuf::from("x.toml"), text: text.to_owned() })
    }

    #[test]
    fn carets_stand_under_the_characters_meant() {
        let problem = Problem::error(
            Some(Place::File(file("a = 1\n\tname = \"é\" # é\n"), 7..11)),
            KeyPath::dotted("name"),
            "is wrong",
        );
        assert_eq!(problem.to_string(), "error: x.toml:2:2: name: is wrong\n  |\n2 | \tname = \"é\" # é\n  | \t^^^^");
    }

    #[test]
    fn columns_count_characters_and_ends_of_files_are_places() {
        let file = file("é = \"ü\" oops");
        assert_eq!(Place::File(Arc::clone(&file), 10..14).to_string(), "x.toml:1:9");
        assert_eq!(Place::File(file, 99..120).to_string(), "x.toml:1:13");
    }
}
