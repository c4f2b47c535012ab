//! The defaults for settings that an experiment file leaves out: those of today, or those of the release that resolved
//! it.
//!
//! A default that changes numbers changes for new experiments alone. A file that mga resolved says every setting there was
//! then, so that what it lacks is a setting that came later, whose old behaviour holds. A file written by hand gets the
//! new default, and its resolved experiment records it.
//!
//! A setting whose new default differs from that of release 0.1 is an `Option` that is left out while it is `None` (the
//! behaviour of 0.1), so that what somebody wrote stays written. It is filled where
//! [`Loaded::takes_new_default`](super::Loaded::takes_new_default) says so.

/// How the first line of a resolved experiment begins.
const RESOLVED: &str = "# Resolved by mga ";
/// What the first line says of a sweep's base. What follows from the weights of each run is left to the runs, so that it
/// counts as written by hand.
const AS_BASE: &str = " as the base of a sweep";
/// How the first line of a base begins that was collected from what its sources say.
const COLLECTED: &str = "# Collected by mga ";
/// What the first line says where a sweep that release 0.1 began keeps its defaults.
const OF_0_1: &str = " with the defaults of 0.1";

/// The defaults where releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Defaults {
    /// Those of this release.
    #[default]
    New,
    /// Those of release 0.1, which is what settings that are left out mean in files that mga resolved.
    Old,
}

impl Defaults {
    /// Of an experiment file with this text: resolved by mga, or written by hand.
    pub(super) fn of_file(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        if is_resolved(text) && !first.contains(AS_BASE) { Self::Old } else { Self::New }
    }

    /// Returns the defaults of a sweep whose folder has this base, or of a run with this experiment: those of release
    /// 0.1, or later ones.
    #[must_use]
    pub fn of_sweep(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        match first.strip_prefix(RESOLVED).or_else(|| first.strip_prefix(COLLECTED)) {
            Some(by) if by.starts_with("0.1.") || by.contains(OF_0_1) => Self::Old,
            _ => Self::New,
        }
    }
}

/// Whether mga wrote the experiment with this text: every setting is in it, whoever set it.
pub(super) fn is_resolved(text: &str) -> bool {
    text.starts_with(RESOLVED)
}

/// Whether mga collected the base with this text from what its sources say.
pub(super) fn is_collected(text: &str) -> bool {
    text.starts_with(COLLECTED)
}

/// Returns the first lines of an experiment that was resolved with these defaults.
#[must_use]
pub fn resolved_header(defaults: Defaults) -> String {
    let with = if defaults == Defaults::Old { OF_0_1 } else { "" };
    format!(
        "{RESOLVED}{}{with}: every setting, defaults, `extends`, environment and `--set` included.\n\
         # It runs again from here: mga train THIS_FILE\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The first lines of a sweep's base.
pub(super) fn base_header(defaults: Defaults) -> String {
    match defaults {
        Defaults::New => format!(
            "{RESOLVED}{}{AS_BASE}: every setting, defaults, `extends`, environment and `--set` included.\n\
             # Its runs lay theirs over it.\n",
            env!("CARGO_PKG_VERSION")
        ),
        Defaults::Old => resolved_header(defaults),
    }
}

/// The first lines of a sweep's base that was collected.
pub(super) fn collected_header(defaults: Defaults) -> String {
    let with = if defaults == Defaults::Old { OF_0_1 } else { "" };
    format!(
        "{COLLECTED}{}{with}{AS_BASE}: what its file, `extends`, the environment and `--set` say.\n\
         # Its runs lay theirs over it, and stages their own.\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolved_files_keep_what_they_were_resolved_with() {
        assert_eq!(Defaults::of_file(&resolved_header(Defaults::New)), Defaults::Old);
        assert_eq!(Defaults::of_file("# Resolved by mga 0.1.0: every setting"), Defaults::Old);
        assert_eq!(Defaults::of_file(&base_header(Defaults::Old)), Defaults::Old);
        assert_eq!(Defaults::of_file(&base_header(Defaults::New)), Defaults::New);
        assert!(!is_resolved(&collected_header(Defaults::New)) && is_collected(&collected_header(Defaults::New)));
        assert!(is_resolved(&base_header(Defaults::New)) && is_resolved(&resolved_header(Defaults::Old)));
        assert_eq!(Defaults::of_file("[data]\n# Resolved by mga 0.1.0"), Defaults::New);
    }

    #[test]
    fn a_sweep_keeps_the_defaults_that_it_was_begun_with() {
        assert_eq!(Defaults::of_sweep("# Resolved by mga 0.1.0: every setting, ...\n"), Defaults::Old);
        // Written anew by a later release, time and again.
        assert_eq!(Defaults::of_sweep(&base_header(Defaults::Old)), Defaults::Old);
        assert_eq!(Defaults::of_sweep(&collected_header(Defaults::Old)), Defaults::Old);
        for since in
            [base_header(Defaults::New), collected_header(Defaults::New), "# Resolved by mga 0.10.0:".to_owned()]
        {
            assert_eq!(Defaults::of_sweep(&since), Defaults::New, "{since}");
        }
    }
}
