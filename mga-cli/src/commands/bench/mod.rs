//! `mga bench`: times parts of the program, to be held against other programs (see docs/performance.md).

mod load;

/// Arguments of `mga bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to time.
    #[command(subcommand)]
    work: Bench,
}

/// What can be timed.
#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Loading images: decode, random crop, flip, normalise.
    Load(load::Load),
}

/// Runs the command.
///
/// # Errors
/// Images that cannot be read.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.work {
        Bench::Load(load) => load::run(load),
    }
}
