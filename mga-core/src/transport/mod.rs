//! Optimal transport: how much flows from each source to each target, at the least cost.
//!
//! ```text
//! minimise   sum_ij cost[i, j] flow[i, j]
//! such that  sum_j flow[i, j] = supply[i],  sum_i flow[i, j] = demand[j],  flow >= 0
//! ```
//!
//! [`TransportSolver`] is a kind of component, which works on batches of problems on the tape: `exact` solves the problem
//! as it stands, `implicit` and `sinkhorn` solve a smooth one near it and have a gradient. Problems are solved on the CPU
//! in `f64`, side by side, with the same result at any number of threads.

mod batch;
mod builtin;
mod exact;
mod implicit;
mod laplacian;
mod network_simplex;
mod perturbed;
mod problem;
mod quadratic;
mod sinkhorn;
mod solver;
mod spanning_tree;

pub use batch::Batch;
pub use builtin::transport_solvers;
pub use exact::ExactSettings;
pub use implicit::ImplicitSettings;
pub use network_simplex::{NetworkSimplex, Solved};
pub use problem::{Problem, ProblemGradient};
pub use quadratic::{QuadraticPlan, QuadraticTransport};
pub use sinkhorn::SinkhornSettings;
pub use solver::{Convergence, TransportSolver, TransportSolvers, Transported, transport_solver};
