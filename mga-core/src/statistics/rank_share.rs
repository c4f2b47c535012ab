//! The share of a number's variation that belongs to a group, and its correlation with another number: on ranks.

use crate::random::Generator;

/// The share of the spread of values that their groups explain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankShare {
    /// The share of the variance of the values' ranks that the groups' mean ranks explain, less what groups without any
    /// meaning would: 0 on average where groups say nothing (a little below is possible), at most 1.
    pub share: f64,
    /// The probability of a share at least as high if the values are assigned to the groups at random.
    pub p: f64,
}

/// Computes the share of the rank variance between groups: eta squared of Kruskal and Wallis' H (1952), (H - k + 1) /
/// (n - k), where H is corrected for ties (Tomczak and Tomczak 2014, *The need to report effect size estimates
/// revisited*), with the p value of `shuffles` permutations. `groups` gives each value's group.
///
/// `None` of fewer than two groups, of no more values than groups, where all values are equal or one is not a number.
#[must_use]
pub fn rank_share(values: &[f64], groups: &[usize], shuffles: usize, seed: u64) -> Option<RankShare> {
    if values.len() != groups.len() || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut ranks = ranks(values);
    let share = share(&ranks, groups)?;
    let mut generator = Generator::new(seed, "rank share", &[]);
    let mut as_high = 0;
    for _ in 0..shuffles {
        generator.shuffle(&mut ranks);
        // The same sum in another order is as high.
        as_high += usize::from(self::share(&ranks, groups).is_some_and(|other| other >= share - 1e-9));
    }
    Some(RankShare { share, p: (1 + as_high) as f64 / (1 + shuffles) as f64 })
}

/// Computes Spearman's rank correlation (1904), from -1 to 1. Ties have their mean rank.
///
/// `None` of fewer than three pairs, and where all of either are equal or one is not a number.
#[must_use]
pub fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() != other.len() || one.len() < 3 || one.iter().chain(other).any(|value| value.is_nan()) {
        return None;
    }
    let (one, other) = (ranks(one), ranks(other));
    let middle = (one.len() + 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let spread = (product(&one, &one) * product(&other, &other)).sqrt();
    (spread > 0.0).then(|| product(&one, &other) / spread)
}

/// Returns the rank of each value, from 1. Ties have their mean rank.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    while begin < order.len() {
        let equal = order[begin..].iter().take_while(|&&at| values[at] == values[order[begin]]).count();
        let end = begin + equal.max(1);
        order[begin..end].iter().for_each(|&at| ranks[at] = (begin + 1 + end) as f64 / 2.0);
        begin = end;
    }
    ranks
}

fn share(ranks: &[f64], groups: &[usize]) -> Option<f64> {
    let n = ranks.len();
    let middle = (n + 1) as f64 / 2.0;
    let mut sums = std::collections::BTreeMap::new();
    for (rank, group) in ranks.iter().zip(groups) {
        let (sum, count) = sums.entry(group).or_insert((0.0, 0usize));
        (*sum, *count) = (*sum + rank - middle, *count + 1);
    }
    let all: f64 = ranks.iter().map(|rank| (rank - middle).powi(2)).sum();
    let k = sums.len();
    if k < 2 || n <= k || all == 0.0 {
        return None;
    }
    let between: f64 = sums.values().map(|(sum, count)| sum * sum / *count as f64).sum();
    let h = (n - 1) as f64 * between / all;
    Some((h - (k - 1) as f64) / (n - k) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        // Ranks 1 to 3 against 4 to 6: H = 27/7, the greatest there is; 2 of 20 deals are as far apart.
        let apart = rank_share(&[1.0, 2.0, 3.0, 7.0, 8.0, 9.0], &[0, 0, 0, 1, 1, 1], 4000, 1).unwrap();
        assert!((apart.share - (27.0 / 7.0 - 1.0) / 4.0).abs() < 1e-12, "{apart:?}");
        assert!((apart.p - 0.1).abs() < 0.02, "{apart:?}");
        // Ranks 1 3 5 against 2 4 6: H = 12 / 42 * 2 * 3 * 0.25 = 3/7.
        let mixed = rank_share(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0], &[0, 0, 0, 1, 1, 1], 100, 1).unwrap();
        assert!((mixed.share - (3.0 / 7.0 - 1.0) / 4.0).abs() < 1e-12, "{mixed:?}");
        assert_eq!(spearman(&[1.0, 2.0, 3.0, 4.0], &[10.0, 20.0, 400.0, 300.0]), Some(0.8));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[9.0, 8.0, -7.0]), Some(-1.0));
    }

    #[test]
    fn ties_as_scipy_has_them() {
        let values = [0.31, 0.35, 0.35, 0.40, 0.42, 0.42, 0.42, 0.55, 0.60, 0.61];
        let found = rank_share(&values, &[0, 0, 1, 0, 1, 2, 1, 2, 2, 2], 100, 0).unwrap();
        assert!((found.share - 0.6558035714285703).abs() < 1e-12, "{found:?}");
        let others = [5.0, 3.0, 3.0, 2.0, 2.0, 9.0, 8.0, 8.0, 7.0, 10.0];
        let found = spearman(&values, &others).unwrap();
        assert!((found - 0.5962847939999439).abs() < 1e-12, "{found}");
    }

    #[test]
    fn what_has_no_answer() {
        assert_eq!(rank_share(&[1.0, 1.0, 1.0, 1.0], &[0, 0, 1, 1], 10, 0), None);
        assert_eq!(rank_share(&[1.0, 2.0, 3.0], &[0, 0, 0], 10, 0), None);
        assert_eq!(rank_share(&[1.0, 2.0], &[0, 1], 10, 0), None);
        assert_eq!(rank_share(&[1.0, f64::NAN, 3.0], &[0, 1, 1], 10, 0), None);
        assert_eq!((spearman(&[1.0, 2.0], &[1.0, 2.0]), spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0])), (None, None));
    }

    #[test]
    fn groups_without_meaning_explain_nothing_on_average() {
        let mut sum = 0.0;
        for round in 0..400 {
            let mut generator = Generator::new(round, "null", &[]);
            let values: Vec<f64> = (0..16).map(|_| generator.normal()).collect();
            let groups: Vec<usize> = (0..16).map(|at| at % 4).collect();
            sum += rank_share(&values, &groups, 0, 0).unwrap().share;
        }
        assert!((sum / 400.0).abs() < 0.03, "{}", sum / 400.0);
    }
}
