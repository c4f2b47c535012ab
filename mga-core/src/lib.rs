//! The engine of `mga`: a reverse tape over candle tensors, operators with checked gradients, layers, losses,
//! optimisers and metrics.

pub mod random;
