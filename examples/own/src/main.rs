//! `mga-own`: the `mga` program with components of its own.

fn main() -> std::process::ExitCode {
    mga_cli::run(&mga_own::components(), std::env::args_os())
}
