//! Finding the files that a table names, as other systems and programs write their paths; and what may be meant where there
//! is no such file.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::datasets::listing::folders;
use crate::decode;
use crate::spelling::composed;

/// Files below one folder, by what tables call them.
pub(super) struct NamedFiles<'a> {
    root: &'a Path,
    /// The names in the folders that were looked into.
    listed: BTreeMap<PathBuf, Vec<String>>,
    /// Files that were found though backslashes stand between their folders.
    pub(super) backslashes: usize,
    /// Files that were found though their names are composed of other characters.
    pub(super) composed: usize,
    /// Files that were found though their extension is not written.
    pub(super) bare: usize,
}

/// What may be meant by the path of a file that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    /// Any of these, whose names differ in their extension alone.
    Several(Vec<String>),
    /// The same in another case.
    Case(String),
    /// A path of another machine: the rest of it, which is here.
    Rest(String),
    /// The file in this folder.
    Below(String),
    /// Nothing that is here.
    Unknown,
}

impl Meant {
    /// What the rows have in common that such files are named by.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Several(_) => "without their extension, which may be several",
            Self::Case(_) => "in another case",
            Self::Rest(_) => "by paths of another machine",
            Self::Below(_) => "without their folder",
            Self::Unknown => "that are not there",
        }
    }

    /// What to do, for people.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Several(paths) => format!("it may be {}; write the one that is meant", paths.join(" or ")),
            Self::Case(path) => format!("did you mean {path}?"),
            Self::Rest(path) => format!("did you mean {path}? Cut what stands before it, or set data.image_root"),
            Self::Below(folder) => format!("did you mean the one in {folder}? Set data.image_root = \"{folder}\""),
            Self::Unknown => "check data.root and data.image_root".to_owned(),
        }
    }
}

impl<'a> NamedFiles<'a> {
    pub(super) fn below(root: &'a Path) -> Self {
        Self { root, listed: BTreeMap::new(), backslashes: 0, composed: 0, bare: 0 }
    }

    /// Where `written` leads as it stands.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.root.join(written)
    }

    /// The file that `written` names: as it stands, with slashes for backslashes, with letters and accents composed as on the
    /// disk, or with the extension of the one image of that name.
    pub(super) fn find(&mut self, written: &str) -> Option<PathBuf> {
        let path = self.root.join(written);
        if path.is_file() {
            return Some(path);
        }
        let slashed = written.replace('\\', "/");
        if slashed != written && self.root.join(&slashed).is_file() {
            self.backslashes += 1;
            return Some(self.root.join(slashed));
        }
        if let Some(found) = self.walk(&slashed, composed).filter(|path| self.root.join(path).is_file()) {
            self.backslashes += usize::from(slashed != written);
            self.composed += 1;
            return Some(self.root.join(found));
        }
        let [only] = &self.with_extension(&slashed)[..] else { return None };
        let found = self.root.join(only);
        self.backslashes += usize::from(slashed != written);
        self.bare += 1;
        Some(found)
    }

    /// The images below the root that are called `written` and have an extension besides.
    fn with_extension(&mut self, written: &str) -> Vec<String> {
        let (folder, name) = written.rsplit_once('/').unwrap_or(("", written));
        if name.is_empty() {
            return Vec::new();
        }
        let stem = format!("{name}.");
        let called = |other: &&String| {
            other.starts_with(&stem) && !other[stem.len()..].contains('.') && decode::is_image_path(Path::new(other))
        };
        let whole = |other: &String| if folder.is_empty() { other.clone() } else { format!("{folder}/{other}") };
        self.names(Path::new(folder)).iter().filter(called).map(whole).collect()
    }

    /// What may be meant by `written`, which [`Self::find`] does not find.
    pub(super) fn meant(&mut self, written: &str) -> Meant {
        let slashed = written.replace('\\', "/");
        let is_file = |path: &str| self.root.join(path).is_file();
        // `C:/Users/...`, `/home/...`: the longest end of it that is here.
        let parts: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty()).collect();
        let ends = (1..parts.len()).filter_map(|from| parts.get(from..)).map(|rest| rest.join("/"));
        if let Some(rest) = ends.into_iter().find(|rest| is_file(rest)) {
            return Meant::Rest(rest);
        }
        if let Some(path) = self.walk(&slashed, |name| composed(name).to_lowercase()).filter(|path| is_file(path)) {
            return Meant::Case(path);
        }
        let several = self.with_extension(&slashed);
        if !several.is_empty() {
            return Meant::Several(several);
        }
        let below = folders(self.root).unwrap_or_default().into_iter().find(|folder| folder.join(&slashed).is_file());
        match below.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()) {
            Some(folder) => Meant::Below(folder.to_owned()),
            None => Meant::Unknown,
        }
    }

    /// The path below the root whose parts are equal to those of `written` in what `same` makes of them.
    fn walk(&mut self, written: &str, same: fn(&str) -> String) -> Option<String> {
        let mut path = String::new();
        for part in Path::new(written).components() {
            let part = match part {
                Component::CurDir => continue,
                Component::ParentDir => "..",
                Component::Normal(part) => part.to_str()?,
                Component::RootDir | Component::Prefix(_) => return None,
            };
            let inner = if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
            if self.root.join(&inner).exists() {
                path = inner;
                continue;
            }
            let wanted = same(part);
            let names = self.names(Path::new(&path));
            let mut equal = names.iter().filter(|name| same(name) == wanted);
            // Of two that are equal nobody can say which is meant.
            let (name, None) = (equal.next()?, equal.next()) else { return None };
            path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        }
        Some(path)
    }

    /// The names in a folder below the root, sorted.
    fn names(&mut self, folder: &Path) -> &[String] {
        let folder = self.root.join(folder);
        self.listed.entry(folder).or_insert_with_key(|folder| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn files_are_found_as_other_systems_write_them() {
        let tree = tree(&["a/1.jpg", "e\u{301}rable/fe\u{301}.jpg", "b/one\\two.jpg", "a/3.jpg", "a/3.png", "a/4.txt"]);
        let mut files = NamedFiles::below(tree.path());
        for (written, found) in [
            ("a/1.jpg", Some("a/1.jpg")),
            ("./a//1.jpg", Some("a/1.jpg")),
            // A name may hold a backslash.
            ("b/one\\two.jpg", Some("b/one\\two.jpg")),
            ("a\\1.jpg", Some("a/1.jpg")),
            ("\u{e9}rable/f\u{e9}.jpg", Some("e\u{301}rable/fe\u{301}.jpg")),
            ("\u{e9}rable\\f\u{e9}.jpg", Some("e\u{301}rable/fe\u{301}.jpg")),
            ("a/2.jpg", None),
            ("a/1", Some("a/1.jpg")),
            ("a\\1", Some("a/1.jpg")),
            // Of two that are called so neither is taken, and what is no image is none.
            ("a/3", None),
            ("a/4", None),
        ] {
            assert_eq!(files.find(written), found.map(|found| tree.path().join(found)), "{written}");
        }
        assert_eq!((files.backslashes, files.composed, files.bare), (3, 2, 2));
    }

    #[test]
    fn what_may_be_meant() {
        let tree = tree(&[
            "images/leaf_0004.png",
            "images/Leaf.JPG",
            "more/x/7.jpg",
            "images/a.tar.png",
            "images/two.png",
            "images/two.jpg",
            "images/leaf_0004.txt",
        ]);
        let mut files = NamedFiles::below(tree.path());
        for (written, meant) in [
            ("images/two", Meant::Several(vec!["images/two.jpg".into(), "images/two.png".into()])),
            ("images/leaf.jpg", Meant::Case("images/Leaf.JPG".into())),
            ("C:\\Users\\me\\images\\Leaf.JPG", Meant::Rest("images/Leaf.JPG".into())),
            ("/home/me/more/x/7.jpg", Meant::Rest("more/x/7.jpg".into())),
            ("leaf_0004.png", Meant::Below("images".into())),
            ("images/a", Meant::Unknown),
            ("", Meant::Unknown),
        ] {
            assert_eq!(files.find(written), None, "{written}");
            assert_eq!(files.meant(written), meant, "{written}");
        }
    }
}
