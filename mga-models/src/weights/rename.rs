//! Between our names and those of other sources.

use mga_core::parameter::under;

/// Our name for an entry of a foreign file: `module.` (data parallel) is stripped, then the table applied.
pub fn rename(name: &str, table: &[(&str, &str)]) -> String {
    let name = normalise(name);
    match table.iter().find(|(from, _)| under(name, from)) {
        Some((from, to)) => format!("{to}{}", &name[from.len()..]),
        None => name.to_owned(),
    }
}

/// The name without what training wrappers put before it.
pub fn normalise(name: &str) -> &str {
    let mut name = name;
    // Data parallel, and `torch.compile`.
    while let Some(inner) = name.strip_prefix("module.").or_else(|| name.strip_prefix("_orig_mod.")) {
        name = inner;
    }
    name
}

/// The foreign name of ours, by the lines of the table that `uses` accepts (a table may serve several sources).
pub fn rename_back(name: &str, table: &[(&str, &str)], uses: impl Fn(&str) -> bool) -> String {
    match table.iter().find(|(from, to)| uses(from) && under(name, to)) {
        Some((from, to)) => format!("{from}{}", &name[to.len()..]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_at_dots() {
        let table = [("fc", "classifier"), ("features.1", "bn1")];
        assert_eq!(rename("module.fc.weight", &table), "classifier.weight");
        assert_eq!(normalise("_orig_mod.module.conv1.weight"), "conv1.weight");
        assert_eq!(rename("features.10.weight", &table), "features.10.weight");
        assert_eq!(rename_back("bn1.weight", &table, |from| from.starts_with("features")), "features.1.weight");
        assert_eq!(rename_back("bn1.weight", &table, |_| false), "bn1.weight");
    }
}
