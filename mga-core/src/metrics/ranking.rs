//! Ranking metrics: how well scores place a foreground before everything else, whatever their scale.

use std::cmp::Ordering;

/// Whether there are a foreground and a background: else there is nothing to rank.
fn is_divided(foreground: &[bool]) -> bool {
    foreground.contains(&true) && foreground.contains(&false)
}

/// Returns the area under the ROC curve, in 0..=1: the chance that a place of the foreground has a higher score than
/// one of the background, ties counted half (scikit-learn's `roc_auc_score`). Scores without information have one half.
/// Returns `None` without a foreground, or without a background.
#[must_use]
pub fn roc_area(scores: &[f64], foreground: &[bool]) -> Option<f64> {
    if !is_divided(foreground) {
        return None;
    }
    // Pairs of a foreground place and a lower background place; one of equals counts half.
    let (mut pairs, mut below) = (0.0, 0.0);
    for (inside, size) in levels(scores, foreground, |a, b| a.total_cmp(b)) {
        let (inside, outside) = (inside as f64, (size - inside) as f64);
        pairs += inside * (below + outside / 2.0);
        below += outside;
    }
    let inside = foreground.iter().filter(|&&inside| inside).count() as f64;
    Some(pairs / (inside * below))
}

/// Returns the intersection over union, in 0..=1, of the foreground and the places with the highest scores, as many as
/// the foreground has. Of equal scores at the border each place counts in part, so the order of places has no say, and
/// equal scores everywhere have exactly [`chance_overlap`]. Returns `None` without a foreground, or without a
/// background.
#[must_use]
pub fn top_overlap(scores: &[f64], foreground: &[bool]) -> Option<f64> {
    if !is_divided(foreground) {
        return None;
    }
    let wanted = foreground.iter().filter(|&&inside| inside).count();
    let (mut taken, mut hits) = (0, 0.0);
    for (inside, size) in levels(scores, foreground, |a, b| b.total_cmp(a)) {
        let take = size.min(wanted - taken);
        hits += inside as f64 * take as f64 / size as f64;
        taken += take;
    }
    Some(hits / (2.0 * wanted as f64 - hits))
}

/// Returns the chance level of [`top_overlap`], for scores without information: `s / (2 - s)`, with `s` the
/// foreground's share of all places.
#[must_use]
pub fn chance_overlap(foreground: &[bool]) -> Option<f64> {
    let inside = foreground.iter().filter(|&&inside| inside).count();
    let share = inside as f64 / foreground.len().max(1) as f64;
    is_divided(foreground).then(|| share / (2.0 - share))
}

/// The places by score, those of equal scores together: how many of them are of the foreground, and how many they are.
fn levels(
    scores: &[f64],
    foreground: &[bool],
    order: impl Fn(&f64, &f64) -> Ordering,
) -> impl Iterator<Item = (usize, usize)> {
    let mut places: Vec<(f64, bool)> = scores.iter().copied().zip(foreground.iter().copied()).collect();
    places.sort_unstable_by(|a, b| order(&a.0, &b.0));
    let mut next = 0;
    std::iter::from_fn(move || {
        let (first, rest) = places.get(next..)?.split_first()?;
        let size = 1 + rest.iter().take_while(|place| place.0 == first.0).count();
        let inside = places[next..next + size].iter().filter(|place| place.1).count();
        next += size;
        Some((inside, size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 12] = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.35, 0.9, 0.05, 0.8, 0.6, 0.35];
    const INSIDE: [bool; 12] = [false, false, true, true, false, false, true, true, false, true, false, false];

    #[test]
    fn the_area_is_scikit_learns() {
        // sklearn.metrics.roc_auc_score(INSIDE, SCORES), scikit-learn 1.9.1: ties in foreground and background.
        assert_eq!(roc_area(&SCORES, &INSIDE), Some(27.0 / 35.0));
        // By hand: foreground 0.9 and 0.3 against 0.5, 0.3 and 0.1: 3 pairs, and 1.5 of 3.
        assert_eq!(roc_area(&[0.9, 0.3, 0.5, 0.3, 0.1], &[true, true, false, false, false]), Some(4.5 / 6.0));
        assert_eq!(roc_area(&[0.0, -0.0, 1.0], &[true, false, false]), Some(0.25));
    }

    #[test]
    fn scores_of_any_scale_rank_alike() {
        let squeezed: Vec<f64> = SCORES.iter().map(|score| 0.97 + 0.001 * score).collect();
        assert_eq!(roc_area(&squeezed, &INSIDE), roc_area(&SCORES, &INSIDE));
        assert_eq!(top_overlap(&squeezed, &INSIDE), top_overlap(&SCORES, &INSIDE));
        let turned: Vec<f64> = SCORES.iter().map(|score| -score).collect();
        let area = roc_area(&turned, &INSIDE).unwrap() + roc_area(&SCORES, &INSIDE).unwrap();
        assert!((area - 1.0).abs() < 1e-15, "{area}");
    }

    #[test]
    fn as_many_of_the_highest_as_the_foreground_has() {
        // 0.9, then the three of 0.8 (two inside), then 0.6: five, three of them inside, of seven in either.
        assert_eq!(top_overlap(&SCORES, &INSIDE), Some(3.0 / 7.0));
        // Two wanted: 0.9 is, and half of the two equals, one of which is: 1.5 hits of 2 + 2 - 1.5.
        assert_eq!(top_overlap(&[0.9, 0.3, 0.3, 0.1], &[true, true, false, false]), Some(1.5 / 2.5));
        assert_eq!(top_overlap(&[0.9, 0.7, 0.3], &[true, true, false]), Some(1.0));
        assert_eq!(top_overlap(&[0.1, 0.7, 0.3], &[true, false, false]), Some(0.0));
    }

    #[test]
    fn a_map_that_says_nothing_has_what_chance_has() {
        for wanted in 1..12 {
            let inside: Vec<bool> = (0..12).map(|place| place < wanted).collect();
            assert_eq!(roc_area(&[0.5; 12], &inside), Some(0.5));
            let (found, chance) = (top_overlap(&[0.5; 12], &inside).unwrap(), chance_overlap(&inside).unwrap());
            assert!((found - chance).abs() < 1e-15, "{found}, by chance {chance}");
        }
        // The mean over every order of scores: of two places out of four, IoU is 1 once, 1/3 four times, 0 once. Chance is
        // told from the expected hits, 1 of 2 + 2 - 1.
        assert_eq!(chance_overlap(&[true, true, false, false]), Some(1.0 / 3.0));
    }

    #[test]
    fn one_kind_alone_cannot_be_ranked() {
        for inside in [&[true, true][..], &[false, false], &[]] {
            let scores = vec![0.5; inside.len()];
            assert_eq!((roc_area(&scores, inside), top_overlap(&scores, inside)), (None, None));
            assert_eq!(chance_overlap(inside), None);
        }
    }
}
