//! An attention map laid over the picture it was computed from.

use mga_data::{Mask, Picture};

use super::colour_map::inferno;

/// How much of the map's colour is seen; the rest is the picture in grey.
const OPACITY: f32 = 0.6;

/// Returns the picture in grey with the map's colours over it. Colours come from the map alone, so a yellow leaf or a white
/// background cannot be taken for attention. The map is stretched over its own range: pictures tell where a network
/// looks, not how strongly.
#[must_use]
pub fn overlay(picture: &Picture, map: &Mask) -> Picture {
    blended(picture, &upsampled(&stretched(map), picture.width(), picture.height()))
}

/// Returns the picture in grey with the colours of a map of its size, from 0 to 1, over it.
#[must_use]
pub(super) fn blended(picture: &Picture, map: &Mask) -> Picture {
    let mut result = picture.clone();
    for (pixel, &attention) in result.values_mut().chunks_exact_mut(3).zip(map.values()) {
        // Brightness as people see it (Rec. 709).
        let grey: f32 = pixel.iter().zip([0.2126, 0.7152, 0.0722]).map(|(value, share)| value * share).sum();
        for (value, colour) in pixel.iter_mut().zip(inferno(attention)) {
            *value = grey * (1.0 - OPACITY) + colour * OPACITY;
        }
    }
    result
}

/// Returns the map with its smallest value at 0 and its largest at 1; zeros where all are equal or one is not finite.
#[must_use]
pub fn stretched(map: &Mask) -> Mask {
    let (low, high) = map.values().iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    let range = high - low;
    let usable = range > 0.0 && map.values().iter().all(|v| v.is_finite());
    let mut result = map.clone();
    result.values_mut().iter_mut().for_each(|v| *v = if usable { (*v - low) / range } else { 0.0 });
    result
}

/// Returns the map at another size, bilinear between the centres of its cells (PyTorch's `align_corners = False`).
#[must_use]
pub fn upsampled(map: &Mask, width: usize, height: usize) -> Mask {
    let (columns, rows) = (places(map.width(), width), places(map.height(), height));
    let at = |y: usize, x: usize| map.values()[y * map.width() + x];
    let mut result = Mask::filled(width, height, 0.0);
    for (line, &(top, bottom, down)) in result.values_mut().chunks_exact_mut(width.max(1)).zip(&rows) {
        for (value, &(left, right, across)) in line.iter_mut().zip(&columns) {
            let upper = at(top, left) * (1.0 - across) + at(top, right) * across;
            let lower = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
            *value = upper * (1.0 - down) + lower * down;
        }
    }
    result
}

/// For each of `to` cells along one side, the two of `from` cells that it lies between, and the second one's share.
fn places(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let place = |i: usize| {
        let centre = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        let first = centre as usize;
        (first, (first + 1).min(from - 1), centre - first as f32)
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn upsampling_is_pytorchs() {
        // torch.nn.functional.interpolate([[0, 1], [2, 3]], size=(2, 4), mode="bilinear", align_corners=False)
        let map = Mask::new(2, 2, vec![0.0, 1.0, 2.0, 3.0]).unwrap();
        let up = upsampled(&map, 4, 2);
        assert!(close(up.values(), &[0.0, 0.25, 0.75, 1.0, 2.0, 2.25, 2.75, 3.0]), "{:?}", up.values());
        assert_eq!(upsampled(&map, 2, 2), map);
        assert_eq!(upsampled(&Mask::filled(1, 1, 0.3), 3, 2), Mask::filled(3, 2, 0.3));
    }

    #[test]
    fn the_map_is_stretched_over_its_own_range() {
        let map = Mask::new(3, 1, vec![0.2, 0.3, 0.4]).unwrap();
        assert!(close(stretched(&map).values(), &[0.0, 0.5, 1.0]));
        assert_eq!(stretched(&Mask::filled(2, 1, 0.7)), Mask::filled(2, 1, 0.0));
        assert_eq!(stretched(&Mask::new(2, 1, vec![f32::NAN, 0.5]).unwrap()), Mask::filled(2, 1, 0.0));
    }

    #[test]
    fn colours_come_from_the_map_alone() {
        let map = Mask::new(2, 1, vec![0.1, 0.9]).unwrap();
        // A green and a grey picture of one brightness look the same under the map.
        let green = Picture::new(2, 1, [0.0, 0.5, 0.0].repeat(2)).unwrap();
        let grey = Picture::filled(2, 1, 0.5 * 0.7152);
        let (over_green, over_grey) = (overlay(&green, &map), overlay(&grey, &map));
        assert!(close(over_green.pixels(), over_grey.pixels()));
        let top = inferno(1.0).map(|colour| 0.5 * 0.7152 * 0.4 + colour * 0.6);
        assert!(close(&over_green.pixels()[3..], &top), "{:?}", over_green.pixels());
    }
}
