//! Classes and groups that stand in the names of images: `oak_07_2.jpg` is a photograph of the oak number 7.

pub mod guess;

use regex::Regex;

use crate::error::{Error, Result};

/// The group of the pattern that is the class.
const CLASS: &str = "class";
/// The group of the pattern that is a group of images by itself.
const GROUP: &str = "group";

/// A regular expression whose named groups are the class of an image and the group that it belongs to. It is looked for in the
/// path of the image without extension, such as `2024/oak_07_2`.
///
/// `(?P<class>…)` is the class. `(?P<group>…)` is the group; a group of any other name, such as `(?P<plant>…)`, counts within
/// its class: plant 7 of the oaks is another than plant 7 of the maples. Several of those make one group together.
///
/// ```
/// use mga_data::name_pattern::NamePattern;
///
/// let pattern = NamePattern::new(r"(?P<class>[A-Za-z]+)_(?P<plant>\d+)", "data.label")?;
/// let named = pattern.read("oak_07_2.jpg").unwrap();
/// assert_eq!(named.class.as_deref(), Some("oak"));
/// assert_eq!(named.group_of("oak").as_deref(), Some("oak/07"));
/// assert_eq!(pattern.read("scan.jpg"), None);
/// # Ok::<(), mga_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NamePattern {
    pattern: Regex,
    within: Vec<String>,
}

/// What the name of an image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its class, where the pattern has one.
    pub class: Option<String>,
    group: Option<String>,
    within: Vec<String>,
}

impl Named {
    /// Returns the group of the image, whose class is `class`; `None`: the pattern has none.
    #[must_use]
    pub fn group_of(&self, class: &str) -> Option<String> {
        let within = || (!self.within.is_empty()).then(|| format!("{class}/{}", self.within.join("/")));
        self.group.clone().or_else(within)
    }
}

impl NamePattern {
    /// Reads the regular expression that the setting `key` has.
    ///
    /// # Errors
    /// It is none, or it names no group.
    pub fn new(text: &str, key: &str) -> Result<Self> {
        let pattern = Regex::new(text).map_err(|error| Error::setting(key, error.to_string()))?;
        let names: Vec<&str> = pattern.capture_names().flatten().collect();
        if names.is_empty() {
            let what = r"has no named group; expected (?P<class>…) for the class, (?P<plant>…) for what stays together, or both";
            return Err(Error::setting(key, format!("`{text}` {what}")));
        }
        let within = names.into_iter().filter(|name| ![CLASS, GROUP].contains(name)).map(str::to_owned).collect();
        Ok(Self { pattern, within })
    }

    /// Returns the pattern `text` with its class alone, and without a name for anything that stays together.
    ///
    /// ```
    /// use mga_data::name_pattern::NamePattern;
    ///
    /// let alone = NamePattern::with_class_alone(r"(?P<class>[a-z]+)_(?P<plant>\d+)");
    /// assert_eq!(alone, r"(?P<class>[a-z]+)_(?:\d+)");
    /// ```
    #[must_use]
    pub fn with_class_alone(text: &str) -> String {
        let (mut kept, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('(') {
            let (before, group) = rest.split_at(at);
            kept += before;
            let escaped = before.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1;
            let name = group.strip_prefix("(?P<").or_else(|| group.strip_prefix("(?<")).filter(|_| !escaped);
            let name = name.and_then(|name| name.split_once('>')).filter(|(name, _)| *name != CLASS);
            match name {
                Some((_, after)) => {
                    kept += "(?:";
                    rest = after;
                }
                None => {
                    kept.push('(');
                    rest = &group[1..];
                }
            }
        }
        kept + rest
    }

    /// Returns whether the pattern says the class of an image.
    #[must_use]
    pub fn has_class(&self) -> bool {
        self.pattern.capture_names().flatten().any(|name| name == CLASS)
    }

    /// Returns the names of the groups that count within their class, and `group`.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let by_itself = self.pattern.capture_names().flatten().filter(|name| *name == GROUP);
        by_itself.chain(self.within.iter().map(String::as_str)).collect()
    }

    /// Reads the name of an image, its path below the folder of its part or the data set's root, with `/` between folders;
    /// `None`: it does not match, or a part of it is empty.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Named> {
        let name = path.rfind('/').map_or(0, |slash| slash + 1);
        let end = path[name..].rfind('.').filter(|&dot| dot > 0).map_or(path.len(), |dot| name + dot);
        let found = self.pattern.captures(&path[..end])?;
        let part = |name: &str| {
            let text = found.name(name)?.as_str().trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let within: Option<Vec<String>> = self.within.iter().map(|name| part(name)).collect();
        let named = Named { class: part(CLASS), group: part(GROUP), within: within? };
        let complete =
            self.has_class() <= named.class.is_some() && self.groups().contains(&GROUP) <= named.group.is_some();
        complete.then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, path: &str) -> Option<(Option<String>, Option<String>)> {
        let named = NamePattern::new(pattern, "data.label").unwrap().read(path)?;
        let class = named.class.clone();
        Some((class.clone(), named.group_of(class.as_deref().unwrap_or("folder"))))
    }

    #[test]
    fn class_and_group_are_read_from_the_path() {
        let of = |class: &str, group: &str| Some((Some(class.to_owned()), Some(group.to_owned())));
        assert_eq!(read(r"(?P<class>[A-Za-z]+)_(?P<plant>\d+)", "in/oak_07_2.jpg"), of("oak", "oak/07"));
        assert_eq!(read(r"(?P<class>\w+)/(?P<group>\w+)-", "oak/day1-3.png"), of("oak", "day1"));
        let two = read(r"^(?P<site>[a-z]+)(?P<plant>\d+)", "north12_a.jpg");
        assert_eq!(two, Some((None, Some("folder/north/12".to_owned()))));
        // Without an extension only the last dot is one.
        assert_eq!(read(r"(?P<class>.+)$", "a.b.c.jpg"), Some((Some("a.b.c".to_owned()), None)));
    }

    #[test]
    fn a_pattern_is_left_with_its_class_alone() {
        for (pattern, alone) in [
            (r"(?P<class>[a-z]+)[ _-]*(?P<plant>\d+)", r"(?P<class>[a-z]+)[ _-]*(?:\d+)"),
            (r"(?<class>x)(?<group>y(?<site>z))", r"(?<class>x)(?:y(?:z))"),
            (r"\((?P<plant>\d)\)(a|b)", r"\((?:\d)\)(a|b)"),
            (r"\\(?P<plant>\d)", r"\\(?:\d)"),
        ] {
            assert_eq!(NamePattern::with_class_alone(pattern), alone);
        }
    }

    #[test]
    fn names_that_do_not_match_are_none_and_patterns_without_names_are_refused() {
        assert_eq!(read(r"(?P<class>[a-z]*)_", "_1.jpg"), None);
        assert_eq!(read(r"(?P<class>[a-z]+)(_(?P<plant>\d+))?", "oak.jpg"), None);
        let error = |pattern: &str| NamePattern::new(pattern, "data.label").unwrap_err().to_string();
        assert!(error(r"([a-z]+)_\d").contains("no named group"));
        assert!(error("(?P<class").contains("data.label"));
    }
}
