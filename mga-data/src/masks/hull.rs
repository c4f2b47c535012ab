//! The convex hull of a mask, filled: where the thing is, without what is inside it.

use crate::picture::Mask;

/// 1 at every pixel whose centre lies in the convex hull of the foreground's centres, 0 elsewhere. Foreground is what has
/// half of the mask's maximum or more; a blank mask stays blank.
pub(super) fn filled(mask: &Mask) -> Mask {
    let (width, height) = (mask.width(), mask.height());
    let mut result = Mask::filled(width, height, 0.0);
    let top = mask.values().iter().copied().fold(0.0, f32::max);
    if top <= 0.0 {
        return result;
    }
    // Of each row only the outermost pixels can be corners.
    let mut ends: Vec<Point> = Vec::new();
    for (y, row) in mask.values().chunks_exact(width).enumerate() {
        let inside = |value: &f32| *value >= 0.5 * top;
        if let (Some(left), Some(right)) = (row.iter().position(inside), row.iter().rposition(inside)) {
            ends.extend([(left as i64, y as i64), (right as i64, y as i64)]);
        }
    }
    let (left, right) = (side(&ends, 1), side(&ends, -1));
    for (y, row) in result.values_mut().chunks_exact_mut(width).enumerate() {
        let (Some(from), Some(to)) = (crossing(&left, y as i64), crossing(&right, y as i64)) else { continue };
        // The first pixel not left of the hull, and the last one not right of it.
        let (from, to) = (from.0.div_euclid(from.1) + i64::from(from.0.rem_euclid(from.1) > 0), to.0.div_euclid(to.1));
        for x in from..=to {
            if let Some(value) = usize::try_from(x).ok().and_then(|x| row.get_mut(x)) {
                *value = 1.0;
            }
        }
    }
    result
}

type Point = (i64, i64);

/// The chain of corners from top to bottom on the left (`turn` = 1) or the right (-1); `points` come row by row.
fn side(points: &[Point], turn: i64) -> Vec<Point> {
    let mut chain: Vec<Point> = Vec::new();
    let mut rows: Vec<Point> = Vec::new();
    for &point in points {
        match rows.last_mut().filter(|last| last.1 == point.1) {
            Some(last) if (point.0 - last.0) * turn < 0 => *last = point,
            Some(_) => {}
            None => rows.push(point),
        }
    }
    for point in rows {
        while let [.., a, b] = chain[..]
            && ((b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0)) * turn >= 0
        {
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

/// Where the chain crosses row `y`, as a fraction; `None`: above or below it.
fn crossing(chain: &[Point], y: i64) -> Option<(i64, i64)> {
    if let Some(corner) = chain.iter().find(|corner| corner.1 == y) {
        return Some((corner.0, 1));
    }
    let at = chain.windows(2).find(|pair| pair[0].1 < y && y < pair[1].1)?;
    let ((x0, y0), (x1, y1)) = (at[0], at[1]);
    Some((x0 * (y1 - y) + x1 * (y - y0), y1 - y0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#` is foreground.
    fn drawn(rows: &[&str]) -> Mask {
        let values = rows.iter().flat_map(|row| row.chars().map(|c| if c == '#' { 1.0 } else { 0.0 })).collect();
        Mask::new(rows[0].len(), rows.len(), values).unwrap()
    }

    #[test]
    fn hulls_are_filled() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["#...#", ".....", "....."], &["#####", ".....", "....."]),
            (&["..#..", ".....", "#...#", ".....", "..#.."], &["..#..", ".###.", "#####", ".###.", "..#.."]),
            // Dents on both sides go.
            (&["####", "..#.", "####"], &["####", "####", "####"]),
            (&["#....", ".....", "....#"], &["#....", "..#..", "....#"]),
            (&["...", ".#.", "..."], &["...", ".#.", "..."]),
        ];
        for (mask, hull) in cases {
            assert_eq!(filled(&drawn(mask)), drawn(hull), "{mask:?}");
        }
        let blank = Mask::filled(3, 2, 0.0);
        assert_eq!(filled(&blank), blank);
    }

    #[test]
    fn faint_foreground_is_left_out() {
        let mask = Mask::new(4, 1, vec![0.1, 0.6, 0.2, 0.4]).unwrap();
        assert_eq!(filled(&mask).values(), [0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn it_is_the_hull_of_any_points() {
        // Against the definition: a pixel is inside where no line through two foreground pixels has all of them, and not
        // it, on one side.
        let mut generator = mga_core::random::Generator::new(5, "hull", &[]);
        for _ in 0..200 {
            let mut mask = Mask::filled(7, 6, 0.0);
            mask.values_mut().iter_mut().for_each(|value| *value = if generator.chance(0.12) { 1.0 } else { 0.0 });
            let at = |i: usize| ((i % 7) as i64, (i / 7) as i64);
            let points: Vec<Point> = (0..42).filter(|&i| mask.values()[i] > 0.0).map(at).collect();
            let cross = |a: Point, b: Point, p: Point| (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0);
            let outside = |p: Point| {
                let beyond = |a: Point, b: Point| points.iter().all(|&q| cross(a, b, q) <= 0) && cross(a, b, p) > 0;
                let line = points.len() > 1 && points.iter().all(|&q| cross(points[0], points[1], q) == 0);
                let range = |pick: fn(Point) -> i64| {
                    let all = || points.iter().map(|&q| pick(q));
                    pick(p) < all().min().unwrap_or(0) || pick(p) > all().max().unwrap_or(0)
                };
                points.is_empty()
                    || range(|q| q.0)
                    || range(|q| q.1)
                    || points.iter().any(|&a| points.iter().any(|&b| a != b && beyond(a, b)))
                    || line && cross(points[0], points[1], p) != 0
            };
            let expected: Vec<f32> = (0..42).map(|i| if outside(at(i)) { 0.0 } else { 1.0 }).collect();
            assert_eq!(filled(&mask).values(), expected, "{points:?}");
        }
    }
}
