//! What the stand-in holds, what it was asked, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

/// A fault in an answer of the server.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status with this body, and `X-Error-Code`.
    Status(u16, &'static str, &'static str),
    /// The promised length, and the connection closed after so many bytes.
    Dropped(usize),
    /// The same, without understanding ranges.
    Severed(usize),
    /// So many bytes as if they were all, the length too.
    Short(usize),
    /// So many bytes, then silence.
    Stall(usize),
    /// Other bytes of the right number.
    Garbled,
    /// Ranges are not understood: all of it, status 200.
    NoRanges,
    /// No answer at all.
    Closed,
    /// So many bytes at a time with 2 ms between.
    Slow(usize),
    /// This status, and a body without end.
    Endless(u16),
    /// This status, and a body of which a byte comes every so often, without end.
    Trickle(u16, Duration),
    /// Sent on to this address.
    Elsewhere(String),
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET, HEAD.
    pub method: String,
    /// The path that was requested, without the host.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
pub(super) struct State {
    /// By `models/owner/name` and revision: the commit.
    pub(super) revisions: BTreeMap<(String, String), String>,
    /// By `models/owner/name` and commit: the files.
    pub(super) files: BTreeMap<(String, String), BTreeMap<String, Vec<u8>>>,
    /// Repositories that have another name now.
    pub(super) moved: BTreeMap<String, String>,
    pub(super) gated: Vec<String>,
    /// For requests whose method and path contain these: a fault, so many times.
    pub(super) faults: Vec<(&'static str, String, Fault, usize)>,
    /// Where listings say that they go on.
    pub(super) next_page: Option<String>,
    pub(super) log: Vec<Request>,
}
