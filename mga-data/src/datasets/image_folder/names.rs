//! `data.label`: classes and groups that stand in the names of images.

use std::path::{Path, PathBuf};

use super::settings::ImageFolderSettings;
use crate::dataset::Split;
use crate::datasets::file_set::{FileSetBuilder, relative};
use crate::error::{Error, Result};
use crate::name_pattern::NamePattern;

/// The setting that reads classes and groups from names.
pub(super) const LABEL: &str = "data.label";

/// An image with its class, group and part.
pub(super) struct Found {
    pub(super) class: Option<String>,
    pub(super) group: Option<String>,
    pub(super) split: Option<Split>,
    pub(super) path: PathBuf,
}

/// What `data.label` reads from names.
pub(super) struct Names {
    pattern: Option<NamePattern>,
    /// What the pattern was given as, for messages.
    key: &'static str,
}

impl Names {
    pub(super) fn of(settings: &ImageFolderSettings, key: &'static str) -> Result<Self> {
        let pattern = settings.label.as_deref().map(|text| NamePattern::new(text, key)).transpose()?;
        let folders =
            [("data.classes", !settings.classes.is_empty()), ("data.class_level", settings.class_level.is_some())];
        let beside =
            folders.into_iter().find(|(_, set)| *set).filter(|_| pattern.as_ref().is_some_and(NamePattern::has_class));
        match beside {
            Some((key, _)) => {
                let what = "stands beside a `data.label` that reads the class from the name: drop one, or `class` from the pattern";
                Err(Error::setting(key, what))
            }
            None => Ok(Self { pattern, key }),
        }
    }

    pub(super) fn say_classes(&self) -> bool {
        self.pattern.as_ref().is_some_and(NamePattern::has_class)
    }

    /// The image of a folder's class, or of that in its name, with its group; a name that does not match is told.
    pub(super) fn named(
        &self,
        folder: Option<&String>,
        (base, split): (&Path, Option<Split>),
        path: PathBuf,
        set: &mut FileSetBuilder,
    ) -> Option<Found> {
        let Some(pattern) = &self.pattern else {
            return Some(Found { class: folder.cloned(), group: None, split, path });
        };
        let named = pattern.read(&relative(&path, base));
        let class = named.as_ref().and_then(|named| named.class.clone()).or_else(|| folder.cloned());
        let (Some(named), Some(class)) = (named, class) else {
            set.problem_of(
                "images whose names the pattern does not match",
                &path,
                format!("`{}` does not match this name", self.key),
            );
            return None;
        };
        Some(Found { group: named.group_of(&class), class: Some(class), split, path })
    }
}
