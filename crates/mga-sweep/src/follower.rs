//! The progress of a sweep, and its receivers.

use super::plan::Cell;
use super::state::State;

/// Hears of the runs of a sweep. A program that shows them to people implements it.
pub trait Follower {
    /// A run was started.
    fn started(&mut self, cell: &Cell);

    /// Another process works on a run, which is waited for.
    fn elsewhere(&mut self, cell: &Cell);

    /// A run has ended after so many seconds, in whatever state.
    fn ended(&mut self, cell: &Cell, state: &State, seconds: f64);

    /// Time has gone by.
    fn tick(&self);
}

/// Formats seconds for people.
#[must_use]
pub fn duration(seconds: f64) -> String {
    // The sum of nothing is -0.
    match seconds + 0.0 {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        _ if seconds < 90.0 * 60.0 => format!("{:.0} min", seconds / 60.0),
        _ if seconds < 48.0 * 3600.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_people_use() {
        assert_eq!(duration(-0.0), "0 s");
        let times = [45.2, 89.0, 91.0, 3599.0, 7200.0, 180_000.0].map(duration);
        assert_eq!(times, ["45 s", "89 s", "2 min", "60 min", "2.0 h", "2.1 days"]);
    }
}
