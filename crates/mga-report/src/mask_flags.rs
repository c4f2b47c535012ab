//! Warnings about masks that a reader must know before trusting the numbers of attention.

use std::collections::BTreeSet;

use mga_core::wording::counted;

use super::flag_evidence::{Seen, flag};
use super::model::{Flag, FlagKind};

/// Metrics of attention against an arm's own masks.
const OWN: [&str; 4] = ["mask_auc", "mask_correlation", "mask_overlap", "mask_iou"];

pub(super) fn mask_flags(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    mixed_masks(seen, flags);
    odd_masks(seen, flags);
    unmoved(seen, flags);
}

/// The arms that have one of these metrics, each with the different masks of its runs; those that cannot say are left out.
fn measured(
    seen: &Seen<'_>,
    metrics: &[&str],
    masks: impl Fn(&mga_train::identity::Identity) -> Option<String>,
) -> Vec<(usize, BTreeSet<String>)> {
    let of_arm = |arm: usize| {
        let runs = seen.counted(arm).map(|run| &seen.records[run]);
        let having = runs.filter(|record| metrics.iter().any(|metric| record.metric(metric).is_some()));
        let of_runs: BTreeSet<String> = having.filter_map(|record| masks(record.identity.as_ref()?)).collect();
        (!of_runs.is_empty()).then_some((arm, of_runs))
    };
    (0..seen.arms.len()).filter_map(of_arm).collect()
}

/// Numbers of one column that were measured against different masks.
fn mixed_masks(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let against_reference = measured(seen, &["reference_auc", "reference_correlation"], |of| of.reference.clone());
    let own =
        |of: &mga_train::identity::Identity| (!["", "none"].contains(&of.masks.as_str())).then(|| of.masks.clone());
    // With reference masks the table shows those alone.
    let against_own = if against_reference.is_empty() { measured(seen, &OWN, own) } else { vec![] };
    let kinds = [
        (
            against_own,
            "attention is measured against each arm's own masks, which differ: those columns do not compare the arms, and \
             the masks that are easiest to meet look best; eval.reference_masks measures all arms against the same masks",
        ),
        (
            against_reference,
            "attention is measured against different reference masks: those columns do not compare the arms",
        ),
    ];
    for (arms, what) in kinds {
        if arms.iter().any(|(_, masks)| *masks != arms[0].1) {
            let arms: Vec<usize> = arms.into_iter().map(|(arm, _)| arm).collect();
            let message = format!("{}: {what}.", seen.names(&arms));
            flags.push(flag(FlagKind::MixedMasks, arms, message));
        }
    }
}

/// Masks whose coverage is extreme or varies wildly: told once for all arms that learn from them.
fn odd_masks(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let mut kinds: Vec<(String, Vec<usize>)> = vec![];
    for (index, arm) in seen.arms.iter().enumerate() {
        let Some(masks) = arm.masks.as_ref().filter(|masks| !masks.odd.is_empty()) else { continue };
        let said = format!("the masks ({}) may be useless: {}", masks.source, masks.odd.join("; "));
        match kinds.iter_mut().find(|(known, _)| *known == said) {
            Some((_, arms)) => arms.push(index),
            None => kinds.push((said, vec![index])),
        }
    }
    for (said, arms) in kinds {
        let message = format!("{}: {said}. Look at the examples.", seen.names(&arms));
        flags.push(flag(FlagKind::OddMasks, arms, message));
    }
}

/// Guidance that did next to nothing.
fn unmoved(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    for (index, arm) in seen.arms.iter().enumerate() {
        let guidance = arm.masks.as_ref().and_then(|masks| masks.guidance);
        let Some(guidance) = guidance.filter(|guidance| guidance.hardly_moved > 0) else { continue };
        let message = format!(
            "{}: guidance hardly moved the attention in {} of {}: mask MSE on training images {:.4} at the start, {:.4} at \
             the end (means).",
            arm.name,
            guidance.hardly_moved,
            counted(guidance.runs, "run", "runs"),
            guidance.start,
            guidance.end
        );
        flags.push(flag(FlagKind::Unmoved, vec![index], message));
    }
}
