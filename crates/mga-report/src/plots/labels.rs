//! Names beside a plot: whole where there is room, else without what all of them begin with, else cut.

use super::drawing::{Anchor, Drawing};
use super::text_width::{shortened, text_width, wrapped};

/// Names as they are shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Labels {
    /// Parallel to the names.
    pub(super) shown: Vec<String>,
    /// What all names begin with, and the shown ones lack.
    dropped: String,
    size: f64,
}

impl Labels {
    /// For names at a font size in pixels, and the room that the longest has.
    pub(super) fn within(names: &[String], size: f64, room: f64) -> Self {
        let fits = |name: &str| text_width(name, size) <= room;
        let dropped = if names.iter().all(|name| fits(name)) { "" } else { beginning(names) };
        let shown = names.iter().map(|name| shortened(&name[dropped.len()..], size, room)).collect();
        Self { shown, dropped: dropped.to_owned(), size }
    }

    /// The width of the widest.
    pub(super) fn width(&self) -> f64 {
        self.shown.iter().map(|name| text_width(name, self.size)).fold(0.0, f64::max)
    }

    /// Says what was dropped, below a title; where what stands below it begins.
    pub(super) fn say(&self, drawing: &mut Drawing, top: f64, width: f64) -> f64 {
        if self.dropped.is_empty() {
            return top;
        }
        let said = format!("All names begin with \u{201c}{}\u{201d}.", self.dropped.trim_end());
        let lines = wrapped(&said, 12.0, width, 3);
        for (line, text) in lines.iter().enumerate() {
            drawing.text("faint", (0.0, top + 11.0 + 16.0 * line as f64), Anchor::Start, text);
        }
        top + 4.0 + 16.0 * lines.len() as f64
    }
}

/// What all names begin with, up to the end of a word; nothing where that is all of a name.
fn beginning(names: &[String]) -> &str {
    let [first, rest @ ..] = names else { return "" };
    if rest.iter().all(|name| name == first) {
        return "";
    }
    let (mut end, mut before) = (0, ' ');
    for (at, character) in first.char_indices() {
        let next = at + character.len_utf8();
        if !rest.iter().all(|name| name.starts_with(&first[..next])) {
            break;
        }
        // A sign belongs to the number behind it, a point into its number, and a bracket to what is in it.
        let inside = ".,".contains(character) && before.is_ascii_digit();
        if !character.is_alphanumeric() && !inside && !"+\u{2212}([{<\"'".contains(character) {
            end = next;
        }
        before = character;
    }
    if names.iter().any(|name| name.len() == end) { "" } else { &first[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str], room: f64) -> (Vec<String>, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let labels = Labels::within(&names, 12.0, room);
        assert!(labels.width() <= room);
        (labels.shown, labels.dropped)
    }

    #[test]
    fn names_are_whole_where_there_is_room() {
        let oaks = ["Quercus robur", "Quercus petraea"];
        assert_eq!(labels(&oaks, 200.0), (oaks.map(str::to_owned).to_vec(), String::new()));
        assert_eq!(labels(&oaks, 70.0), (vec!["robur".to_owned(), "petraea".to_owned()], "Quercus ".to_owned()));
    }

    #[test]
    fn only_whole_words_are_dropped() {
        let dropped = |names: &[&str]| labels(names, 20.0).1;
        assert_eq!(dropped(&["rate = 0.05, decay = 1", "rate = 0.05, decay = 2"]), "rate = 0.05, decay = ");
        assert_eq!(dropped(&["cultivar-01", "cultivar-02"]), "cultivar-");
        assert_eq!(dropped(&["somewhere", "something"]), "");
        assert_eq!(dropped(&["0.05", "0.01"]), "");
        assert_eq!(dropped(&["a long name", "a long name, and more"]), "a long ");
        assert_eq!(dropped(&["the same name", "the same name"]), "");
        assert_eq!([dropped(&["a name that stands alone"]), dropped(&[])], ["", ""]);
        assert_eq!(dropped(&["Ahorn und Linde Ärger", "Ahorn und Linde Öfen"]), "Ahorn und Linde ");
    }
}
