//! The scale of an axis, from values to positions, and its ticks.

/// A place that an axis names.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The label of the tick.
    pub label: String,
}

/// A linear axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The value at its low end.
    pub low: f64,
    /// The value at its high end.
    pub high: f64,
    /// The ticks, in order.
    pub ticks: Vec<Tick>,
}

impl Scale {
    /// Creates an axis over the values, those that are not finite left out: from a round number to a round number, with
    /// about `wanted` ticks between.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = f64>, wanted: usize) -> Self {
        let (low, high) = ends(values);
        let step = round_step((high - low) / wanted.max(1) as f64);
        Self::stepped((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step, step)
    }

    /// Creates a scale like [`Self::over`] for values that cannot lie outside `0..=most`, such as shares and per cent.
    #[must_use]
    pub fn of_share(values: impl IntoIterator<Item = f64>, most: f64, wanted: usize) -> Self {
        let mut scale = Self::over(values, wanted);
        scale.ticks.retain(|tick| (0.0..=most).contains(&tick.value));
        (scale.low, scale.high) = (scale.low.clamp(0.0, most), scale.high.clamp(0.0, most));
        if scale.high > scale.low { scale } else { Self::over([0.0, most], wanted) }
    }

    /// Creates an axis of whole numbers from the first to the last, with about `wanted` ticks.
    #[must_use]
    pub fn whole(first: u64, last: u64, wanted: usize) -> Self {
        let last = last.max(first + 1);
        let step = round_step((last - first) as f64 / wanted.max(1) as f64).max(1.0).ceil();
        let mut scale = Self::stepped((first as f64 / step).ceil() * step, last as f64, step);
        (scale.low, scale.high) = (first as f64, last as f64);
        scale
    }

    fn stepped(low: f64, high: f64, step: f64) -> Self {
        let digits = digits(step);
        let count = ((high - low) / step + 1e-6).floor().max(0.0) as usize;
        let tick = |index: usize| {
            let value = low + index as f64 * step;
            // No "-0".
            let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
            Tick { value, label: format!("{value:.digits$}").replace('-', "\u{2212}") }
        };
        Self { low, high, ticks: (0..=count).map(tick).collect() }
    }

    /// Returns the position of a value between two places. A value outside the axis is at its end.
    #[must_use]
    pub fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + share * (to - from)
    }
}

/// The least and the largest value, with room between them.
fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        (0.0, 1.0)
    } else if high - low > 1e-9 * low.abs().max(high.abs()) && high - low > 1e-12 {
        (low, high)
    } else {
        let room = (low.abs() * 0.05).max(0.05);
        (low - room, high + room)
    }
}

/// 1, 2, 2.5 or 5 times a power of ten, not less than that.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0].into_iter().find(|times| times * power >= step * (1.0 - 1e-9)).unwrap_or(10.0);
    times * power
}

/// Digits behind the point that tell ticks apart.
fn digits(step: f64) -> usize {
    (0..12)
        .find(|&digits| (step * 10f64.powi(digits)).fract().min(1.0 - (step * 10f64.powi(digits)).fract()) < 1e-6)
        .unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        assert_eq!(labels(&Scale::over([61.2, 94.9], 4)), ["60", "70", "80", "90", "100"]);
        assert_eq!(labels(&Scale::over([0.012, 0.047], 4)), ["0.01", "0.02", "0.03", "0.04", "0.05"]);
        assert_eq!(labels(&Scale::over([-1.0, 1.0], 4)), ["\u{2212}1.0", "\u{2212}0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&Scale::over([0.0, 10.0], 4)), ["0.0", "2.5", "5.0", "7.5", "10.0"]);
        assert_eq!(labels(&Scale::over([0.0, 3e6], 3)), ["0", "1000000", "2000000", "3000000"]);
    }

    #[test]
    fn odd_values_make_an_axis_still() {
        for values in [vec![], vec![f64::NAN], vec![5.0], vec![0.0, 0.0], vec![f64::INFINITY, 2.0], vec![1e300, -1e300]]
        {
            let scale = Scale::over(values.clone(), 5);
            assert!(scale.high > scale.low && (2..15).contains(&scale.ticks.len()), "{values:?}: {scale:?}");
            assert!(scale.place(2.0, 0.0, 100.0).is_finite());
        }
    }

    #[test]
    fn shares_stay_within_their_ends() {
        let scale = Scale::of_share([96.0, 100.0], 100.0, 4);
        assert_eq!((scale.low, scale.high), (96.0, 100.0));
        let alone = Scale::of_share([100.0], 100.0, 4);
        assert!(alone.high == 100.0 && alone.low >= 90.0, "{alone:?}");
        assert_eq!(Scale::of_share([], 100.0, 5).high, 1.0);
    }

    #[test]
    fn whole_numbers_have_no_points() {
        assert_eq!(labels(&Scale::whole(1, 5, 8)), ["1", "2", "3", "4", "5"]);
        assert_eq!(labels(&Scale::whole(1, 150, 6)), ["25", "50", "75", "100", "125", "150"]);
        assert_eq!(labels(&Scale::whole(1, 1, 6)), ["1", "2"]);
        let scale = Scale::whole(1, 150, 6);
        assert_eq!(
            (scale.place(1.0, 10.0, 20.0), scale.place(150.0, 10.0, 20.0), scale.place(200.0, 10.0, 20.0)),
            (10.0, 20.0, 20.0)
        );
    }
}
