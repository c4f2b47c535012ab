//! The `mga` program with the components of this workspace.

fn main() -> std::process::ExitCode {
    mga_cli::run(&mga_cli::components(), std::env::args_os())
}
