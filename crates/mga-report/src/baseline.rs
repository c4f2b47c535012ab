//! The arm that the others are compared with.

use mga_experiment::nearest;
use mga_sweep::short_key;
use serde_json::Value;

use super::grouping::Group;
use super::wording::show;

/// The baselines, as indices: the arms of that name or variant, or with those settings (`model.attention=none`, several
/// parted by commas); without a name those that the sweep marks, which may be none.
///
/// # Errors
/// No arm is meant by the name.
pub(super) fn baselines(groups: &[Group], wanted: Option<&str>) -> anyhow::Result<Vec<usize>> {
    let which = |meant: &dyn Fn(&Group) -> bool| -> Vec<usize> {
        groups.iter().enumerate().filter(|(_, group)| meant(group)).map(|(index, _)| index).collect()
    };
    let Some(wanted) = wanted else { return Ok(which(&|group| group.baseline)) };
    let same = |a: &str| a.eq_ignore_ascii_case(wanted.trim());
    let found = which(&|group| same(&group.name));
    let found = if found.is_empty() { which(&|group| group.variant.as_deref().is_some_and(same)) } else { found };
    let found = if found.is_empty() { which(&|group| has_settings(group, wanted)) } else { found };
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let hint = nearest(wanted, names.iter().copied()).map(|near| format!(" Did you mean \"{near}\"?"));
    let list: String = names.iter().map(|name| format!("\n  {name}")).collect();
    anyhow::bail!(
        "--baseline \"{wanted}\": no arm has this name, nor these settings.{} The arms are:{list}",
        hint.unwrap_or_default()
    )
}

fn has_settings(group: &Group, wanted: &str) -> bool {
    let has = |(key, value): (&str, &str)| {
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        let of_name = |known: &str| known == key || short_key(known) == key || known.rsplit('.').next() == Some(key);
        group.settings.iter().any(|(known, set): (&String, &Value)| of_name(known) && show(set) == value)
    };
    wanted.split(',').all(|part| part.split_once('=').is_some_and(has))
}

/// Of several baselines the one that shares the most settings with an arm; `None` where two share as many.
pub(super) fn nearest_baseline(groups: &[Group], baselines: &[usize], arm: usize) -> Option<usize> {
    let settings = &groups[arm].settings;
    let shared = |baseline: usize| {
        groups[baseline].settings.iter().filter(|(key, value)| settings.get(*key) == Some(*value)).count()
    };
    let best = baselines.iter().copied().max_by_key(|&baseline| shared(baseline))?;
    let as_good = baselines.iter().filter(|&&baseline| shared(baseline) == shared(best)).count();
    (as_good == 1).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, settings: &str, baseline: bool) -> Group {
        let settings = serde_json::from_str(settings).unwrap();
        Group { name: name.to_owned(), variant: None, settings, baseline, draw: None, members: vec![] }
    }

    fn arms() -> Vec<Group> {
        vec![
            group("none, a", r#"{"model.attention": "none", "data.dataset": "a"}"#, true),
            group("mga, a", r#"{"model.attention": "residual", "data.dataset": "a"}"#, false),
            group("none, b", r#"{"model.attention": "none", "data.dataset": "b"}"#, true),
            group("mga, b", r#"{"model.attention": "residual", "data.dataset": "b"}"#, false),
        ]
    }

    #[test]
    fn by_mark_by_name_and_by_settings() {
        let arms = arms();
        assert_eq!(baselines(&arms, None).unwrap(), [0, 2]);
        assert_eq!(baselines(&arms, Some("MGA, a")).unwrap(), [1]);
        assert_eq!(baselines(&arms, Some("model.attention=residual, dataset = b")).unwrap(), [3]);
        let said = baselines(&arms, Some("mgs, b")).unwrap_err().to_string();
        assert!(said.contains("Did you mean \"mga, b\"?") && said.contains("\n  none, a\n"), "{said}");
        assert_eq!(baselines(&arms[1..2], None).unwrap(), [0usize; 0]);
    }

    #[test]
    fn of_several_the_nearest() {
        let arms = arms();
        assert_eq!((nearest_baseline(&arms, &[0, 2], 1), nearest_baseline(&arms, &[0, 2], 3)), (Some(0), Some(2)));
        let between = [&arms[..], &[group("c", r#"{"data.dataset": "c"}"#, false)]].concat();
        assert_eq!((nearest_baseline(&between, &[0, 2], 4), nearest_baseline(&between, &[], 4)), (None, None));
    }
}
