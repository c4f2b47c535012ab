//! Launchers start the runs of a sweep: on this machine, by a cluster's queue, or by a launcher of a downstream crate.
//!
//! A launcher is a type that implements [`Launcher`], in a file of its own, and one line that registers it:
//! `components.with_launcher(Arc::new(MyLauncher))`.

mod kind;
mod launcher;
mod left;
mod local;
pub mod slurm;
mod table;
mod teller;
#[cfg(test)]
mod tests;

pub use kind::{LauncherComponents, UnknownLauncher, launchers};
pub use launcher::{Launch, Launcher, Launchers, Queued, Request, Rounds, queued_of};
pub use left::Left;
pub use local::Local;
pub(crate) use table::embed;
pub use table::{named, settings, settings_schema};
pub use teller::Teller;
