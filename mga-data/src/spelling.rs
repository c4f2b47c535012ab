//! Names that a person would take for one: they differ by case, by blanks, in how a number is written, or in how letters
//! and accents are composed.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::summed_up::some_of;

/// Characters that nobody sees, which `char::is_whitespace` leaves out.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// Without blanks of any kind at its ends, no-break spaces and invisible characters included.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// The same letters composed the same way: an `é` as one character (NFC), whichever way it was written.
pub(crate) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The one of `names` that `name` is most likely meant for; `None` where none is close.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = |known: &str| strsim::jaro_winkler(known, name);
    let best = names.into_iter().max_by(|a, b| close(a).total_cmp(&close(b)));
    best.filter(|best| close(best) > 0.8)
}

/// What names that look like one have in common.
fn key(name: &str) -> String {
    let seen: String = name.nfkc().filter(|&c| !is_invisible(c)).collect();
    let words = seen.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match words.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => words,
    }
}

/// The sets of names that look like one, in order.
fn alike<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
    let mut sets: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        sets.entry(key(name)).or_default().insert(name);
    }
    sets.into_values().filter(|set| set.len() > 1).map(|set| set.into_iter().collect()).collect()
}

/// A sentence on the names that look like one; `what` they are: `classes`. `None` where all are apart.
pub(crate) fn alike_note<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let sets = alike(names);
    let shown = |set: &Vec<&str>| set.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" and ");
    let shown: Vec<String> = sets.iter().map(shown).collect();
    (!sets.is_empty()).then(|| {
        format!(
            "{what} that differ by case, blanks or spelling of the same characters alone, and are kept apart: {}; give \
             them one name where they mean one",
            some_of(&shown)
        )
    })
}

/// A name in which everything can be seen that tells it from another that looks like it.
fn quoted(name: &str) -> String {
    let mut shown = "`".to_owned();
    for c in name.chars() {
        let odd = c.is_control() || is_invisible(c) || c.is_whitespace() && c != ' ';
        let combining = !odd && unicode_normalization::char::is_combining_mark(c);
        if odd || combining { shown += &format!("\\u{{{:x}}}", c as u32) } else { shown.push(c) }
    }
    shown + "`"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_one_are_found_and_shown_apart() {
        let names =
            ["Oak", "oak", "red  maple", "red maple", "red\u{a0}maple", "\u{e9}", "e\u{301}", "1", "01", "1.0", "2"];
        let note = alike_note("classes", names).unwrap();
        for part in ["`Oak` and `oak`", "`red  maple` and `red maple` and `red\\u{a0}maple`", "`01` and `1` and `1.0`"]
        {
            assert!(note.contains(part), "{part} in: {note}");
        }
        assert!(note.contains("`e\\u{301}` and `\u{e9}`") && !note.contains("`2`"), "{note}");
        assert_eq!(alike_note("classes", ["a", "b", "a b", "1", "2", "nan", "inf"]), None);
    }

    #[test]
    fn blanks_of_every_kind_are_trimmed() {
        assert_eq!(trimmed("\u{feff}\u{a0} a b\t\u{200b}\u{3000}"), "a b");
        assert_eq!(composed("e\u{301}"), "\u{e9}");
    }
}
