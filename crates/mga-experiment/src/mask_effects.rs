//! The effect of each setting of a table of masks, one line per setting: of `[data.masks]`, and of
//! `[eval.reference_masks]`, which nothing is learnt from.

use mga_data::masks::{MadeOf, MaskSources};

use super::data::Masks;
use super::data_in_advance::offered_masks;
use super::settings::Experiment;
use crate::Components;

/// The table that an experiment learns from.
pub(super) const LEARNT: &str = "data.masks";
/// The table that attention is measured against.
pub(super) const REFERENCE: &str = "eval.reference_masks";

/// A table of masks in its experiment.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    /// Its key.
    pub(super) at: &'static str,
    masks: &'a Masks,
    experiment: &'a Experiment,
    components: &'a Components,
}

/// What has to hold for a setting of a table of masks to act.
pub(super) struct MaskNeed {
    /// Whether it does.
    pub(super) holds: fn(Table<'_>) -> bool,
    /// The settings that decide it; `{table}` stands for the table.
    pub(super) by: &'static [&'static str],
    /// The same in words, behind "counts only with".
    pub(super) words: &'static str,
}

/// Where somebody names the masks.
const NAMED: &[&str] = &["{table}.source", "{table}.of"];

const GUIDED: MaskNeed = MaskNeed {
    holds: |t| t.at != LEARNT || t.experiment.model.mask_guidance,
    by: &["model.mask_guidance"],
    words: "model.mask_guidance = true",
};
const LEARNT_FROM: MaskNeed = MaskNeed {
    holds: |t| t.at == LEARNT,
    by: &["{table}.source"],
    words: "data.masks, which is learnt from; an image without a reference mask, or with a blank one, is not compared",
};
const OF_OTHERS: MaskNeed = MaskNeed {
    holds: |t| t.is_made_of_masks(),
    by: &["{table}.source"],
    words: "a control that is made from masks: \"shuffled\", \"inverted\" or \"silhouette\"",
};
const DRAWN: MaskNeed =
    MaskNeed { holds: |t| t.draws(), by: &["{table}.source"], words: "{table}.source = \"shuffled\"" };
const FOLDER: MaskNeed = MaskNeed {
    holds: |t| t.any(|t, name| t.components.masks_made_of(name) == Some(MadeOf::Files)),
    by: NAMED,
    words: "{table}.source = \"folder\", or a control with {table}.of = \"folder\"",
};
const FOLDER_NAMED: MaskNeed = MaskNeed {
    holds: |t| t.masks.settings.folder.is_some(),
    by: &["{table}.folder"],
    words: "{table}.folder; beside mask_root it is a key of [data]",
};
const FILES: MaskNeed = MaskNeed {
    holds: |t| !t.any(|t, name| t.needs_no_files(name)),
    by: NAMED,
    words: "masks in files; {table}.source makes them, or reads none",
};
const SEGMENTER: MaskNeed = MaskNeed {
    holds: |t| t.any(|t, name| t.components.masks_made_of(name) == Some(MadeOf::Segmenter)),
    by: NAMED,
    words: "a segmenter's name in {table}.source, such as \"otsu\"; `mga list` shows them",
};
const NETWORK: MaskNeed = MaskNeed {
    holds: |t| t.any(|t, name| t.components.networks().network(name).is_some()),
    by: NAMED,
    words: "a segmentation network in {table}.source; this one is a rule",
};

/// Every setting of a table of masks and what it needs to act; the order is that in which needs are told.
pub(super) const SETTINGS: &[(&str, &[MaskNeed])] = &[
    // Evaluation measures the attention against them, and pictures show them, without guidance too.
    ("source", &[]),
    ("empty", &[LEARNT_FROM, GUIDED]),
    ("missing", &[LEARNT_FROM, GUIDED]),
    ("of", &[OF_OTHERS]),
    ("seed", &[DRAWN]),
    ("folder", &[FOLDER]),
    ("mask_name", &[FOLDER_NAMED]),
    ("mask_layout", &[FOLDER_NAMED]),
    ("foreground", &[FILES]),
    ("background", &[FILES]),
    ("ignore", &[FILES]),
    ("orientation", &[FILES]),
    ("stretch", &[FILES]),
    ("segmenter", &[SEGMENTER]),
    ("segmenter.weights", &[NETWORK]),
    ("segmenter.classes", &[NETWORK]),
    ("segmenter.foreground", &[NETWORK]),
    ("segmenter.threshold", &[]),
    ("segmenter.tile", &[NETWORK]),
    ("segmenter.overlap", &[NETWORK]),
    ("segmenter.scales", &[NETWORK]),
    ("segmenter.flip", &[NETWORK]),
    ("segmenter.mean", &[NETWORK]),
    ("segmenter.std", &[NETWORK]),
    ("segmenter.options", &[]),
    ("segmenter.cache", &[]),
];

/// The tables of masks that the experiment has.
pub(super) fn tables<'a>(experiment: &'a Experiment, components: &'a Components) -> impl Iterator<Item = Table<'a>> {
    let reference = experiment.eval.reference_masks.as_ref().map(|masks| (REFERENCE, masks));
    let all = [(LEARNT, &experiment.data.masks)].into_iter().chain(reference);
    all.map(move |(at, masks)| Table { at, masks, experiment, components })
}

impl Table<'_> {
    /// The text with the table's key for `{table}`.
    pub(super) fn named(self, text: &str) -> String {
        text.replace("{table}", self.at)
    }

    /// Whether the masks are those of a control that is made from masks. A data set that knows the outline itself gives that.
    fn is_made_of_masks(self) -> bool {
        self.masks.settings.source_name().is_some_and(|name| {
            offered_masks(self.experiment, self.components, name).is_none()
                && self.components.masks_made_of(name) == Some(MadeOf::Masks)
        })
    }

    fn draws(self) -> bool {
        let name = self.masks.settings.source_name();
        name.and_then(|name| self.components.kinds.get::<MaskSources>(name)).is_some_and(|entry| entry.item.draws())
    }

    /// Whether that holds for the source, or for the masks that it is made from.
    fn any(self, holds: impl Fn(Self, &str) -> bool) -> bool {
        let masks = &self.masks.settings;
        let of = masks.of.as_ref().map(|of| of.name.as_str()).filter(|_| self.is_made_of_masks());
        masks.source_name().into_iter().chain(of).any(|name| holds(self, name))
    }

    /// Whether the masks of that name are read from no file.
    fn needs_no_files(self, name: &str) -> bool {
        match offered_masks(self.experiment, self.components, name) {
            Some(offered) => !offered.in_files,
            None => {
                matches!(self.components.masks_made_of(name), Some(MadeOf::Nothing | MadeOf::Rule | MadeOf::Segmenter))
            }
        }
    }
}
