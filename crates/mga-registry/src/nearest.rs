//! The name somebody probably meant.

/// Returns the candidate nearest to `name`, if one is near enough to be a misspelling of it. Upper and lower case, `-`
/// and `_` count as equal; of equals the first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let wanted = plain(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = plain(candidate);
        // A third of the letters may differ: more, and the suggestion is noise.
        let limit = wanted.chars().count().max(other.chars().count()) / 3;
        let distance = strsim::osa_distance(&wanted, &other);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspellings_are_found_and_strangers_are_not() {
        let keys = ["batch_size", "dataset", "root", "std"];
        assert_eq!(nearest("batch_sise", keys), Some("batch_size"));
        assert_eq!(nearest("batch-size", keys), Some("batch_size"));
        assert_eq!(nearest("Root", keys), Some("root"));
        assert_eq!(nearest("momentum", keys), None);
        assert_eq!(nearest("optimizer", ["objective", "optimiser"]), Some("optimiser"));
    }
}
