//! Guessing a pattern from names alone.

use std::collections::{BTreeMap, BTreeSet};

use super::NamePattern;

/// Patterns that say classes, and perhaps what stays together; the first that fits is taken.
const OF_CLASSES: [&str; 4] = [
    r"(?:^|/)(?P<class>[\p{L} ]+?)[ _-]*(?P<plant>\d+)[ _-]+[\p{L}\d]+$",
    r"(?:^|/)(?P<class>[\p{L}]+(?:[ _-][\p{L}]+)*)[ _-]+(?P<plant>\d+)[ _-]+[\p{L}\d]+$",
    r"(?:^|/)(?P<class>[\p{L}]+(?:[ _-][\p{L}]+)*)[ _-]*\d+$",
    r"(?:^|/)\d+[ _-]+(?P<class>[\p{L}]+(?:[ _-][\p{L}]+)*)$",
];
/// What cameras and telephones begin their names with.
const CAMERAS: [&str; 12] =
    ["IMG", "DSC", "DSCN", "DSCF", "P", "PXL", "MVI", "GOPR", "WHATSAPP IMAGE", "SCREENSHOT", "PHOTO", "SCAN"];
/// Patterns that say what stays together, where folders say the classes.
const OF_GROUPS: [&str; 2] = [r"(?:^|/)(?P<plant>[^/]*\d)[ _-]+[\p{L}\d]+$", r"(?:^|/)(?P<plant>\d+)[a-z]$"];

/// Returns the first pattern that reads classes, of at least two images each, from all of these paths.
#[must_use]
pub fn classes(paths: &[String]) -> Option<&'static str> {
    OF_CLASSES.into_iter().find(|text| {
        let Some(read) = read(text, paths) else { return false };
        let mut images: BTreeMap<String, usize> = BTreeMap::new();
        read.iter().for_each(|(class, _)| *images.entry(class.clone()).or_default() += 1);
        let groups: BTreeSet<&String> = read.iter().filter_map(|(_, group)| group.as_ref()).collect();
        // A number that no two images share counts images.
        let grouped = !text.contains("plant") || groups.len() * 10 <= read.len() * 9;
        let cameras = images.keys().all(|class| CAMERAS.contains(&class.to_uppercase().as_str()));
        !cameras && images.len() >= 2 && images.values().all(|&count| count >= 2) && grouped
    })
}

/// Returns the first pattern that reads groups from all of these paths, given with the class of each: at least three groups a
/// class, and fewer groups than images by a tenth.
#[must_use]
pub fn groups(paths: &[(String, String)]) -> Option<&'static str> {
    OF_GROUPS.into_iter().find(|text| {
        let names: Vec<String> = paths.iter().map(|(path, _)| path.clone()).collect();
        let Some(read) = read(text, &names) else { return false };
        let mut of_class: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
        for ((_, class), (_, group)) in paths.iter().zip(&read) {
            of_class.entry(class).or_default().extend(group.clone());
        }
        let groups: usize = of_class.values().map(BTreeSet::len).sum();
        of_class.values().all(|groups| groups.len() >= 3) && groups * 10 <= read.len() * 9
    })
}

/// Class and group of each path; `None` where a path does not match.
fn read(text: &str, paths: &[String]) -> Option<Vec<(String, Option<String>)>> {
    let pattern = NamePattern::new(text, "data.label").ok()?;
    let one = |path: &String| {
        let named = pattern.read(path)?;
        let class = named.class.clone().unwrap_or_default();
        Some((class.clone(), named.group_of(&class)))
    };
    (!paths.is_empty()).then(|| paths.iter().map(one).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn classes_and_plants_are_guessed_from_plain_names() {
        let plants = all(&["oak_1_a.jpg", "oak_1_b.jpg", "ash_2_a.jpg", "ash_2_b.jpg"]);
        assert_eq!(classes(&plants), Some(OF_CLASSES[0]));
        let numbered = all(&["oak1.jpg", "oak2.jpg", "Red Ash 1.jpg", "Red Ash 2.jpg"]);
        assert_eq!(classes(&numbered), Some(OF_CLASSES[2]));
        // Numbers that count images are no plants.
        let counted = all(&["oak_1_x.jpg", "oak_2_x.jpg", "ash_3_x.jpg", "ash_4_x.jpg"]);
        assert_eq!(classes(&counted), None);
        assert_eq!(classes(&all(&["IMG_1.jpg", "IMG_2.jpg"])), None);
        assert_eq!(classes(&all(&["IMG_1.jpg", "IMG_2.jpg", "DSC_1.jpg", "DSC_2.jpg"])), None, "cameras");
        assert_eq!(classes(&[]), None);
    }

    #[test]
    fn groups_are_guessed_where_several_images_share_a_number() {
        let of = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| (format!("x/{name}"), "x".to_owned())).collect()
        };
        assert_eq!(groups(&of(&["p1_a.jpg", "p1_b.jpg", "p2_a.jpg", "p2_b.jpg", "p3_a.jpg"])), Some(OF_GROUPS[0]));
        assert_eq!(groups(&of(&["12a.jpg", "12b.jpg", "13a.jpg", "13b.jpg", "14a.jpg"])), Some(OF_GROUPS[1]));
        // A camera's names are one group a class, or one an image.
        assert_eq!(groups(&of(&["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"])), None);
        assert_eq!(groups(&of(&["1_a.jpg", "2_a.jpg", "3_a.jpg"])), None);
        assert_eq!(
            groups(&of(&["IMG_2023_1.jpg", "IMG_2023_2.jpg", "IMG_2024_1.jpg", "IMG_2024_2.jpg"])),
            None,
            "years"
        );
    }
}
