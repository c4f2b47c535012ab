//! Names for pictures of images, all in one folder.

use std::collections::BTreeSet;

/// Gives every image a PNG's name that tells which it is; no two are the same, on file systems without case either.
#[derive(Debug, Default)]
pub struct FileNames {
    taken: BTreeSet<String>,
}

impl FileNames {
    /// Returns the names that leave `reserved` alone.
    #[must_use]
    pub fn without(reserved: &str) -> Self {
        Self { taken: BTreeSet::from([reserved.to_lowercase()]) }
    }

    /// Returns the name for the image `id`: in the folder, whatever the id.
    pub fn name(&mut self, id: &str) -> String {
        let safe = |c: char| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c };
        let safe: String = id.trim_start_matches(['.', '/', '\\']).chars().map(safe).collect();
        let stem = if safe.to_lowercase().ends_with(".png") { &safe[..safe.len() - 4] } else { &safe };
        let mut name = format!("{stem}.png");
        let mut copy = 2;
        while !self.taken.insert(name.to_lowercase()) {
            name = format!("{stem}-{copy}.png");
            copy += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder_and_apart() {
        let mut names = FileNames::without("overview.png");
        let ids = ["../a/b.jpg", "test/c 1/0001", "a_b.jpg", "A/b.jpg.png", "x.PNG", "Overview.png", "é.png"];
        let given = ids.map(|id| names.name(id));
        let expected =
            ["a_b.jpg.png", "test_c 1_0001.png", "a_b.jpg-2.png", "A_b.jpg-3.png", "x.png", "Overview-2.png", "é.png"];
        assert_eq!(given, expected);
    }
}
