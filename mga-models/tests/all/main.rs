//! The networks: numbers of PyTorch, state-dict keys, training, freezing, masks as input, Grad-CAM.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

mod compare;
mod every_backbone;
mod fixtures;
mod freezing;
mod grad_cam;
mod key_lists;
mod masked_input;
mod published;
mod recorded;
mod segmenters;
mod stems;
