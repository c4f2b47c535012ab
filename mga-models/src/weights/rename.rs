//! Between our names and those of other sources.

use std::borrow::Cow;

/// What training programs wrap a network in, and so put before its names: Lightning modules, classes of one's own. A
/// network may have parts of these names itself.
const WRAPPERS: [&str; 5] = ["model", "net", "network", "backbone", "encoder"];

/// What they put between as well, and no network has: data parallel, `torch.compile`.
const NO_PARTS: [&str; 2] = ["module", "_orig_mod"];

/// Translates an entry's name in a foreign file to our name. `module.` (data parallel) is removed, then the table is
/// applied. A `*` in a line of the table stands for one part of the name between dots, and keeps its place.
pub fn rename(name: &str, table: &[(&str, &str)]) -> String {
    let name = normalise(name);
    let renamed = table.iter().find_map(|(from, to)| replaced(&name, from, to));
    renamed.unwrap_or_else(|| name.into_owned())
}

/// Returns the name without what training wrappers put before it and between its parts.
pub fn normalise(name: &str) -> Cow<'_, str> {
    if name.split('.').any(|part| NO_PARTS.contains(&part)) {
        let parts: Vec<&str> = name.split('.').filter(|part| !NO_PARTS.contains(part)).collect();
        return Cow::Owned(parts.join("."));
    }
    Cow::Borrowed(name)
}

/// Returns the name that an entry of a foreign file has in a model, whose names `known` accepts, and what had to be
/// taken off before it (`model.backbone.`). A name of ours is never renamed, and nothing is taken off that the model
/// knows.
pub fn ours(name: &str, table: &[(&str, &str)], known: impl Fn(&str) -> bool) -> Option<(String, String)> {
    let name = normalise(name);
    unwrapped(&name).find_map(|inner| {
        let place = if known(inner) { inner.to_owned() } else { rename(inner, table) };
        known(&place).then(|| (place, name.strip_suffix(inner).unwrap_or_default().to_owned()))
    })
}

/// The name, and what is left of it when its wrappers are taken off one by one.
pub(super) fn unwrapped(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| wrapper(name).and_then(|wrapper| name.get(wrapper.len() + 1..)))
}

/// The wrapper that a name begins with.
pub(super) fn wrapper(name: &str) -> Option<&str> {
    name.split_once('.').map(|(first, _)| first).filter(|first| WRAPPERS.contains(first))
}

/// Returns the foreign name of ours, by the lines of the table that `uses` accepts (a table may serve several sources).
pub fn rename_back(name: &str, table: &[(&str, &str)], uses: impl Fn(&str) -> bool) -> String {
    let line = table.iter().filter(|(from, _)| uses(from)).find_map(|(from, to)| replaced(name, to, from));
    line.unwrap_or_else(|| name.to_owned())
}

/// The name with `from`, which it begins with up to a dot or its end, replaced by `to`.
fn replaced(name: &str, from: &str, to: &str) -> Option<String> {
    let (mut rest, mut kept) = (Some(name), vec![]);
    for wanted in from.split('.') {
        let (part, behind) = match rest?.split_once('.') {
            Some((part, behind)) => (part, Some(behind)),
            None => (rest?, None),
        };
        if wanted == "*" {
            kept.push(part);
        } else if part != wanted {
            return None;
        }
        rest = behind;
    }
    let mut kept = kept.into_iter();
    let parts = to.split('.').map(|part| if part == "*" { kept.next().unwrap_or(part) } else { part });
    Some(parts.chain(rest).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_at_dots() {
        let table = [("fc", "classifier"), ("features.1", "bn1")];
        assert_eq!(rename("module.fc.weight", &table), "classifier.weight");
        assert_eq!(normalise("_orig_mod.module.conv1.weight"), "conv1.weight");
        assert_eq!(normalise("backbone._orig_mod.layer1.module.0.weight"), "backbone.layer1.0.weight");
        assert_eq!(rename("features.10.weight", &table), "features.10.weight");
        assert_eq!(rename("fc", &table), "classifier");
        assert_eq!(rename_back("bn1.weight", &table, |from| from.starts_with("features")), "features.1.weight");
        assert_eq!(rename_back("bn1.weight", &table, |_| false), "bn1.weight");
    }

    #[test]
    fn a_star_stands_for_one_part() {
        let table = [("features.*.*.norm.1", "features.*.*.norm1")];
        let (theirs, ours) =
            ("features.denseblock1.denselayer12.norm.1.weight", "features.denseblock1.denselayer12.norm1.weight");
        assert_eq!(rename(theirs, &table), ours);
        assert_eq!(rename_back(ours, &table, |_| true), theirs);
        assert_eq!(rename("features.norm.1.weight", &table), "features.norm.1.weight");
        assert_eq!(rename("features.norm", &table), "features.norm");
    }

    #[test]
    fn wrappers_are_taken_off_as_far_as_the_model_needs_it() {
        let known = |name: &str| ["conv1.weight", "backbone.conv1.weight", "classifier.weight"].contains(&name);
        let place = |name: &str| ours(name, &[("fc", "classifier")], known);
        let found = |name: &str, before: &str| Some((name.to_owned(), before.to_owned()));
        assert_eq!(place("conv1.weight"), found("conv1.weight", ""));
        assert_eq!(place("model.net._orig_mod.conv1.weight"), found("conv1.weight", "model.net."));
        // A part of the model itself.
        assert_eq!(place("module.backbone.conv1.weight"), found("backbone.conv1.weight", ""));
        assert_eq!(place("encoder.backbone.conv1.weight"), found("backbone.conv1.weight", "encoder."));
        assert_eq!(place("model.module.fc.weight"), found("classifier.weight", "model."));
        assert_eq!(place("model.conv2.weight"), None);
        assert_eq!(place("other.conv1.weight"), None);
        assert_eq!(place(""), None);
    }
}
