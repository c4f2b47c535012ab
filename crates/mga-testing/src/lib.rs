//! What the tests of the crates share.

pub mod awkward;
