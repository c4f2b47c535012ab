//! Searches find the runs of a sweep: all combinations, or draws from ranges besides.
//!
//! A search is a registered component, named by `search` of the sweep file: a type that implements [`RegisteredSearch`] and
//! builds a [`SearchStrategy`], in a file of its own, and one line that registers it.

mod grid;
mod kind;
mod random;
mod range;
mod strategy;
mod tpe;

pub use kind::searches;
pub(crate) use kind::{drawing, going_by};
pub(crate) use range::rounded;
pub use range::{Range, is_range};
pub use strategy::{Drawing, Outcome, RegisteredSearch, SearchDimension, SearchStrategy, Searches, Trial};
