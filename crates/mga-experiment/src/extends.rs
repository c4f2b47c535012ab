//! `extends`: the files an experiment builds on, weakest first.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::ValueKind;

use super::defaults::Defaults;
use super::key_path::KeyPath;
use super::layer::Layer;
use super::problem::{Problem, SourceFile};
use mga_registry::nearest;

/// The layers of the experiment file `main`, weakest first, the file itself last, every problem on the way, and which
/// defaults the file asks for.
pub(super) fn read_chain(main: &Path) -> (Vec<Layer>, Vec<Problem>, Defaults) {
    match read(main) {
        Ok(text) => chain_of(main, text),
        Err(message) => {
            let message = format!("{}: {message}", main.display());
            (Vec::new(), vec![Problem::error(None, KeyPath::default(), message)], Defaults::default())
        }
    }
}

/// The same of an experiment whose text is known; `main` is what it is called, and what `extends` is relative to.
pub(super) fn chain_of(main: &Path, text: String) -> (Vec<Layer>, Vec<Problem>, Defaults) {
    let mut chain = Chain { layers: Vec::new(), problems: Vec::new(), open: Vec::new() };
    let defaults = Defaults::of_file(&text);
    chain.add(main, text);
    (chain.layers, chain.problems, defaults)
}

struct Chain {
    layers: Vec<Layer>,
    problems: Vec<Problem>,
    /// The files being read: each extends the next.
    open: Vec<PathBuf>,
}

impl Chain {
    fn add(&mut self, path: &Path, text: String) {
        let file = Arc::new(SourceFile { path: path.to_path_buf(), text });
        let (mut layer, problems) = Layer::from_file(&file);
        self.problems.extend(problems);
        // Two names of one file are one file; it was just read, so this fails only if it has gone since.
        self.open.push(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
        if let Some(extends) = layer.values.shift_remove("extends") {
            self.extend(path, &layer, extends.kind);
        }
        self.open.pop();
        self.layers.push(layer);
    }

    /// Reads what `layer`, the file at `path`, extends.
    fn extend(&mut self, path: &Path, layer: &Layer, extends: ValueKind) {
        let key = KeyPath::dotted("extends");
        let entries: Vec<(KeyPath, ValueKind)> = match extends {
            ValueKind::Array(entries) => {
                entries.into_iter().enumerate().map(|(i, entry)| (key.index(i), entry.kind)).collect()
            }
            entry => vec![(key, entry)],
        };
        for (key, entry) in entries {
            let place = layer.written.get(&key).map(|written| written.value.clone());
            if let Err(message) = self.follow(path, entry) {
                self.problems.push(Problem::error(place, key, message));
            }
        }
    }

    fn follow(&mut self, from: &Path, entry: ValueKind) -> Result<(), String> {
        let ValueKind::String(entry) = entry else {
            return Err("expected the path of a file, or an array of paths".to_owned());
        };
        let target = tidy(&from.parent().unwrap_or(Path::new("")).join(&entry));
        let same = target.canonicalize().unwrap_or_else(|_| target.clone());
        if let Some(first) = self.open.iter().position(|open| *open == same) {
            let names = self.open[first..].iter().chain([&same]);
            let names: Vec<String> =
                names.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect();
            return Err(format!("goes round in a circle: {}", names.join(" -> ")));
        }
        let text = read(&target).map_err(|message| format!("{}: {message}", target.display()))?;
        self.add(&target, text);
        Ok(())
    }
}

/// The text of a file, or what is wrong with it.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => match neighbour(path) {
            Some(name) => format!("no such file, did you mean `{name}`?"),
            None => "no such file".to_owned(),
        },
        _ if path.is_dir() => match ["experiment.toml", "sweep.toml"].iter().find(|name| path.join(name).is_file()) {
            Some(name) => format!("is a folder, expected a file; did you mean {}?", path.join(name).display()),
            None => "is a folder, expected a file in TOML".to_owned(),
        },
        _ => error.to_string(),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("not a text file: line {line} is not UTF-8")
    })
}

/// The file beside `path`, of the same extension, that its name is nearest to.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut stems: Vec<String> =
        files.filter(|other| other.extension() == path.extension()).filter_map(|other| stem(&other)).collect();
    stems.sort();
    let meant = nearest(&stem(path)?, stems.iter().map(String::as_str))?;
    let mut name = PathBuf::from(meant).into_os_string();
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    Some(name.to_string_lossy().into_owned())
}

/// `a/b/../c` as `a/c`, for messages. Only names before `..` are taken away, so symbolic links aside the file is the
/// same; where it is not, the path is left alone.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    match (tidy.canonicalize(), path.canonicalize()) {
        (Ok(a), Ok(b)) if a != b => path.to_path_buf(),
        (Err(_), Ok(_)) => path.to_path_buf(),
        _ => tidy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_place_of_a_file_is_told_as_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err(), "is a folder, expected a file in TOML");
        fs::write(folder.path().join("experiment.toml"), "").unwrap();
        let message = read(folder.path()).unwrap_err();
        assert!(message.contains("is a folder") && message.ends_with("experiment.toml?"), "{message}");
    }
}
