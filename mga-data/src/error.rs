//! Errors of this crate: each says what, where, what was expected and what to do.

use std::path::{Path, PathBuf};

use mga_core::error::InvalidSetting;
use mga_registry::SettingFault;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error about data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {cause}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said: a part of the message, so no `source`, which the program would say once more.
        cause: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("{}: {what}", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, what was expected and what to do.
        what: String,
    },
    /// An image could not be loaded, for a reason that is not its file's.
    #[error("image `{id}`: {what}")]
    Image {
        /// The image's name in the data set.
        id: String,
        /// What went wrong.
        what: String,
    },
    /// A setting of an experiment that cannot be used, or does not fit the data.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A source of masks that the data set does not offer.
    #[error(transparent)]
    UnknownMaskSource(InvalidSetting),
    /// Settings that do not fit each other or the data.
    #[error("{0}")]
    Settings(String),
    /// Several problems found in one pass, one a line.
    #[error("{}", .0.join("\n"))]
    Many(Vec<String>),
    /// A tensor could not be made.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl From<SettingFault> for Error {
    fn from(SettingFault { key, what }: SettingFault) -> Self {
        Self::setting(key, what)
    }
}

impl Error {
    /// Creates an I/O error at `path`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { path: path.as_ref().to_path_buf(), cause }
    }

    /// Creates a fault of the file at `path`.
    pub fn file(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().to_path_buf(), what: what.into() }
    }

    /// Creates an error about the setting `key` of an experiment.
    pub fn setting(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Setting(InvalidSetting { key: key.into(), what: what.into() })
    }

    /// Returns the setting that is at fault, where it is one of an experiment.
    pub fn invalid_setting(&self) -> Option<&InvalidSetting> {
        match self {
            Self::Setting(setting) | Self::UnknownMaskSource(setting) => Some(setting),
            _ => None,
        }
    }

    /// Creates an error about settings that cannot be used.
    pub fn settings(what: impl Into<String>) -> Self {
        Self::Settings(what.into())
    }
}

/// Returns a path for people: as it is where it is UTF-8, else quoted for a shell (`$'caf\xe9.jpg'`), so that what is
/// printed opens.
#[must_use]
pub fn shown(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut quoted = "$'".to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '\\' => quoted.extend(['\\', character]),
                _ => quoted.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| quoted += &format!("\\x{byte:02x}"));
    }
    quoted + "'"
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_path_that_is_no_text_is_shown_as_a_shell_opens_it() {
        assert_eq!(shown(Path::new("caf\u{e9}/it's.jpg")), "caf\u{e9}/it's.jpg");
        let latin = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9/it's \xe8.jpg"));
        assert_eq!(shown(latin), r"$'caf\xe9/it\'s \xe8.jpg'");
        assert_eq!(Error::file(latin, "is empty").to_string(), r"$'caf\xe9/it\'s \xe8.jpg': is empty");
    }

    #[test]
    fn what_the_system_says_is_said_once() {
        use std::error::Error as _;
        let error = Error::io("a.csv")(std::io::Error::other("no room"));
        assert_eq!((error.to_string(), error.source().is_some()), ("a.csv: no room".to_owned(), false));
    }
}
