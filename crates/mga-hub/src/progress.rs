//! The progress of downloads, and its receivers.

/// Hears of downloads. All counts are bytes.
pub trait Progress: Send + Sync {
    /// A download of `total` bytes begins, of which `present` are there from an earlier one.
    fn start(&self, file: &str, total: u64, present: u64);
    /// `bytes` more are on the disk.
    fn advance(&self, bytes: u64);
    /// The download begun last starts over: nothing of it is there.
    fn restart(&self);
    /// The download begun last is over, whether it worked or not.
    fn finish(&self);
    /// Something worth a line: another attempt, a wait for another process.
    fn note(&self, line: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _file: &str, _total: u64, _present: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn restart(&self) {}
    fn finish(&self) {}
    fn note(&self, _line: &str) {}
}
