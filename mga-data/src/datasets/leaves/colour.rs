//! Colours as the scene mixes them: red, green, blue in `0..=1`, gamma-encoded like the pictures.

use mga_core::random::Generator;

use super::noise::between;

/// Red, green, blue.
pub(super) type Colour = [f32; 3];

/// A colour by hue (degrees), saturation and value (`0..=1`).
pub(super) fn from_hsv(hue: f32, saturation: f32, value: f32) -> Colour {
    [5.0, 3.0, 1.0].map(|offset: f32| {
        let k = (offset + hue / 60.0).rem_euclid(6.0);
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}

/// From `a` (share 0) to `b` (share 1).
pub(super) fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
}

/// Every channel multiplied.
pub(super) fn scaled(colour: Colour, factor: f32) -> Colour {
    colour.map(|v| v * factor)
}

/// The colour of a living or wilting leaf.
pub(super) fn foliage(generator: &mut Generator) -> Colour {
    let g = generator;
    if g.chance(0.8) {
        from_hsv(between(g, 68.0, 138.0), between(g, 0.35, 0.8), between(g, 0.28, 0.62))
    } else {
        from_hsv(between(g, 12.0, 62.0), between(g, 0.45, 0.8), between(g, 0.4, 0.7))
    }
}

/// The colour of earth, sand, stone, moss or dead leaves.
pub(super) fn earth(generator: &mut Generator) -> Colour {
    let g = generator;
    match g.below(5) {
        0 | 1 => from_hsv(between(g, 18.0, 40.0), between(g, 0.2, 0.6), between(g, 0.15, 0.5)),
        2 => from_hsv(between(g, 28.0, 48.0), between(g, 0.15, 0.4), between(g, 0.45, 0.75)),
        3 => from_hsv(between(g, 0.0, 360.0), between(g, 0.0, 0.12), between(g, 0.2, 0.7)),
        _ => from_hsv(between(g, 60.0, 120.0), between(g, 0.2, 0.5), between(g, 0.15, 0.45)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_where_they_belong() {
        let near = |a: Colour, b: Colour| a.iter().zip(b).all(|(p, q)| (p - q).abs() < 1e-6);
        assert!(near(from_hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]));
        assert!(near(from_hsv(120.0, 1.0, 0.5), [0.0, 0.5, 0.0]));
        assert!(near(from_hsv(240.0, 0.5, 1.0), [0.5, 0.5, 1.0]));
        assert!(near(from_hsv(60.0, 0.0, 0.3), [0.3, 0.3, 0.3]));
    }
}
