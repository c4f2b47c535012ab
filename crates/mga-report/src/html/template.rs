//! Files of the page with places for text in them: `{{name}}`.

/// The text with its places filled. What is filled in is never looked through for places itself, whatever it says; a place
/// that nothing is given for stays empty.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, from)) = rest.split_once("{{") {
        filled += before;
        let Some((name, after)) = from.split_once("}}") else {
            filled += "{{";
            rest = from;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled += value;
        }
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_a_template() {
        assert_eq!(fill("<a>{{x}}</a>{{y}}{{z}}", &[("x", "{{y}}"), ("y", "2")]), "<a>{{y}}</a>2");
        assert_eq!(fill("a {{ b", &[]), "a {{ b");
    }
}
