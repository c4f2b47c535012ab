//! Numbers in messages for people.

/// Joins a number and its noun: `1 image`, `3 images`.
#[must_use]
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_noun_agree() {
        let classes = |n| counted(n, "class", "classes");
        assert_eq!([classes(0), classes(1), classes(2)], ["0 classes", "1 class", "2 classes"]);
    }
}
