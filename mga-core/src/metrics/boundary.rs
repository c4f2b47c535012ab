//! The boundary F-measure: whether outlines lie where they should, which overlap hardly shows for thin structures.

/// Returns the inner boundary of a region `[height, width]`: its places with a 4-neighbour inside the image that is
/// certainly outside the region. Ignored neighbours and the edge of the image make no boundary.
#[must_use]
pub fn boundary(inside: &[bool], ignored: &[bool], width: usize) -> Vec<bool> {
    let width = width.max(1);
    let height = inside.len() / width;
    let outside = |place: usize| {
        inside.get(place).is_some_and(|inside| !inside) && ignored.get(place).is_some_and(|ignored| !ignored)
    };
    (0..height * width)
        .map(|place| {
            let (x, y) = (place % width, place / width);
            let at_edge = (x > 0 && outside(place - 1))
                || (x + 1 < width && outside(place + 1))
                || (y > 0 && outside(place - width))
                || (y + 1 < height && outside(place + width));
            at_edge && inside.get(place).copied().unwrap_or(false) && !ignored.get(place).copied().unwrap_or(true)
        })
        .collect()
}

/// Computes the F1 score of two boundaries from [`boundary`], or `None` if both are empty. Precision is the share of
/// predicted places with a true one within `tolerance` pixels (Euclidean); recall is the share of true places with a
/// predicted one (Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?").
#[must_use]
pub fn boundary_f(truth: &[bool], predicted: &[bool], width: usize, tolerance: f64) -> Option<f64> {
    let near_predicted = within(predicted, width, tolerance);
    let near_truth = within(truth, width, tolerance);
    let count = |of: &[bool], near: &[bool]| {
        let all = of.iter().filter(|&&set| set).count();
        (all, of.iter().zip(near).filter(|&(&set, &near)| set && near).count())
    };
    let ((said, right), (true_places, found)) = (count(predicted, &near_truth), count(truth, &near_predicted));
    if said + true_places == 0 {
        return None;
    }
    if said == 0 || true_places == 0 || right + found == 0 {
        return Some(0.0);
    }
    let (precision, recall) = (right as f64 / said as f64, found as f64 / true_places as f64);
    Some(2.0 * precision * recall / (precision + recall))
}

/// Places within `tolerance` of a set one.
fn within(set: &[bool], width: usize, tolerance: f64) -> Vec<bool> {
    let width = width.max(1);
    let height = set.len() / width;
    let reach = tolerance.max(0.0).floor() as usize;
    // How far to the sides a place reaches, by rows above or below.
    let half_widths: Vec<usize> =
        (0..=reach).map(|dy| (tolerance * tolerance - (dy * dy) as f64).max(0.0).sqrt().floor() as usize).collect();
    let mut near = vec![false; set.len()];
    for place in set.iter().enumerate().filter(|(_, set)| **set).map(|(place, _)| place) {
        let (x, y) = (place % width, place / width);
        for row in y.saturating_sub(reach)..(y + reach + 1).min(height) {
            let half = half_widths.get(row.abs_diff(y)).copied().unwrap_or(0);
            let (from, to) = (x.saturating_sub(half), (x + half + 1).min(width));
            if let Some(line) = near.get_mut(row * width + from..row * width + to) {
                line.fill(true);
            }
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Vec<bool> {
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c == '#').collect()
    }

    #[test]
    fn the_boundary_is_the_inner_rim_and_the_pictures_edge_is_none() {
        let square = bits("..... .###. .###. .###. .....");
        assert_eq!(boundary(&square, &[false; 25], 5), bits("..... .###. .#.#. .###. ....."));
        // Half the picture: only the side that has a neighbour outside.
        assert_eq!(boundary(&bits("##.. ##.."), &[false; 8], 4), bits(".#.. .#.."));
        // A neighbour that is ignored makes no boundary.
        assert_eq!(boundary(&bits("##.. ##.."), &bits("..#. ...."), 4), bits(".... .#.."));
    }

    #[test]
    fn f_by_hand() {
        // Two vertical lines, apart by two columns; the second row of the prediction is missing.
        let (truth, predicted) = (bits("#.... #...."), bits("..#.. ....."));
        assert_eq!(boundary_f(&truth, &predicted, 5, 1.0), Some(0.0));
        // Within 2: precision 1, recall 1/2, since (0, 1) is sqrt 5 away.
        let f = boundary_f(&truth, &predicted, 5, 2.0).unwrap();
        assert!((f - 2.0 / 3.0).abs() < 1e-12, "{f}");
        assert_eq!(boundary_f(&truth, &predicted, 5, 5f64.sqrt() + 1e-9), Some(1.0));
        assert_eq!(boundary_f(&truth, &truth, 5, 0.0), Some(1.0));
        assert_eq!(boundary_f(&[false; 10], &[false; 10], 5, 2.0), None);
        assert_eq!(boundary_f(&truth, &[false; 10], 5, 9.0), Some(0.0));
    }
}
