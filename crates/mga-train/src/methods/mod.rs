//! Methods: how a classifier is trained, each a plugin of its own.
//!
//! `[method] name = "…"` names one. An experiment without that table is trained by [`mga`] where `model.mask_guidance` says
//! so, else by [`plain`]. A method is a file here or in another crate, and one line of registration; see [`Method`].

mod guided_loss;
mod method;
pub mod mga;
pub mod plain;

use std::sync::Arc;

use mga_registry::Entry;

pub use guided_loss::{labels, targets};
pub use method::{Method, MethodAtWork, MethodOpening, Methods, Predicted};

/// Returns the methods of this workspace.
#[must_use]
pub fn builtin() -> Vec<Entry<Methods>> {
    vec![
        Entry::<Methods>::new(
            mga::NAME,
            "mask guided attention (Wang et al. 2021): attention that is trained towards masks",
            Arc::new(mga::Mga),
        ),
        Entry::<Methods>::new(plain::NAME, "cross entropy alone", Arc::new(plain::Plain)),
    ]
}
