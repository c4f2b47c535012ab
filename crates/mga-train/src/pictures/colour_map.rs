//! A perceptual colour map: equal steps of the value look equally large, in grey and to the colour-blind too.

/// Inferno (S. van der Walt and N. Smith, matplotlib, CC0) at 0, 1/8, ..., 1, as sRGB bytes. Black to yellow: it has
/// no green, so it stands out on foliage.
const INFERNO: [[u8; 3]; 9] = [
    [0x00, 0x00, 0x04],
    [0x21, 0x0c, 0x4a],
    [0x56, 0x10, 0x6e],
    [0x89, 0x22, 0x6a],
    [0xbb, 0x37, 0x54],
    [0xe3, 0x59, 0x32],
    [0xf9, 0x8c, 0x0a],
    [0xf9, 0xc9, 0x32],
    [0xfc, 0xff, 0xa4],
];

/// Returns the colour of `value`, RGB in `0..=1`. Values outside `0..=1` are clamped; one that is no number is taken as
/// 0.
#[must_use]
pub fn inferno(value: f32) -> [f32; 3] {
    let steps = INFERNO.len() - 1;
    let place = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) * steps as f32 };
    let below = (place as usize).min(steps - 1);
    let (low, high, share) = (INFERNO[below], INFERNO[below + 1], place - below as f32);
    std::array::from_fn(|c| (f32::from(low[c]) * (1.0 - share) + f32::from(high[c]) * share) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_points_and_what_lies_between() {
        let bytes = |value| inferno(value).map(|v| v * 255.0);
        assert_eq!(bytes(0.0), [0.0, 0.0, 4.0]);
        assert_eq!(bytes(0.5).map(f32::round), [187.0, 55.0, 84.0]);
        assert_eq!(bytes(1.0).map(f32::round), [252.0, 255.0, 164.0]);
        let between = bytes(0.0625);
        assert!((between[0] - 16.5).abs() < 1e-3 && (between[2] - 39.0).abs() < 1e-3, "{between:?}");
        assert_eq!(inferno(-3.0), inferno(0.0));
        assert_eq!(inferno(f32::NAN), inferno(0.0));
        assert_eq!(inferno(f32::INFINITY), inferno(1.0));
    }

    #[test]
    fn brightness_rises_all_the_way() {
        let luma = |i: usize| {
            let [r, g, b] = inferno(i as f32 / 64.0);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((1..=64).all(|i| luma(i) > luma(i - 1)));
    }
}
