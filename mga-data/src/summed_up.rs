//! Long lists of what is wrong, summed up: five thousand lines of one kind say no more than ten.

/// Lines of one kind that are shown.
const SHOWN: usize = 10;

/// The first lines, each with its kind (`rows without a label`), and of each kind how many there are more.
pub(crate) fn summed_up<'a>(lines: impl IntoIterator<Item = (&'a str, String)>) -> Vec<String> {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    let mut shown = Vec::new();
    for (kind, line) in lines {
        let at = kinds.iter().position(|(name, _)| *name == kind).unwrap_or(kinds.len());
        if at == kinds.len() {
            kinds.push((kind, 0));
        }
        if let Some((_, seen)) = kinds.get_mut(at) {
            *seen += 1;
            if *seen <= SHOWN {
                shown.push(line);
            }
        }
    }
    let more = kinds.into_iter().filter(|(_, seen)| *seen > SHOWN);
    shown.extend(more.map(|(kind, seen)| format!("and {} more {kind}", seen - SHOWN)));
    shown
}

/// The first few of a list in one line, and how many more there are.
pub(crate) fn some_of(items: &[String]) -> String {
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{shown} and {} more", items.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted() {
        let lines = (0..5000).map(|i| ("bad rows", format!("row {i}")));
        let told = summed_up(lines.chain([("odd rows", "odd".to_owned())]));
        assert_eq!((told.len(), told[9].as_str(), told[10].as_str()), (12, "row 9", "odd"));
        assert_eq!(told[11], "and 4990 more bad rows");
    }

    #[test]
    fn lists_of_names() {
        let names: Vec<String> = (0..12).map(|i| format!("n{i}")).collect();
        assert_eq!(some_of(&names[..2]), "n0, n1");
        assert!(some_of(&names).ends_with("n9 and 2 more"));
    }
}
