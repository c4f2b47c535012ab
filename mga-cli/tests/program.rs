//! The program from outside: schema, completions, help, exit statuses.

use std::path::Path;
use std::process::{Command, Output, Stdio};

// `cfg(test)` tells clippy that it may unwrap.
#[cfg(test)]
fn mga(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mga")).args(arguments).output().unwrap()
}

#[test]
fn the_committed_schema_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let current = mga_cli::commands::schema::text(&mga_train::builtin()).unwrap();
    assert!(
        committed == current,
        "experiments/schema.json is not what this program would write; refresh it with\n  \
         cargo run --release -- schema --out experiments/schema.json"
    );
}

#[test]
fn the_committed_schema_of_sweeps_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/sweep-schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == mga_cli::commands::schema::sweep_text().unwrap(),
        "experiments/sweep-schema.json is not what this program would write; refresh it with\n  \
         cargo run --release -- schema --sweep --out experiments/sweep-schema.json"
    );
}

#[test]
fn the_schema_is_printed_and_written() {
    let printed = mga(&["schema"]);
    assert!(printed.status.success());
    let schema: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.json");
    assert!(mga(&["schema", "--out", path.to_str().unwrap()]).status.success());
    assert_eq!(std::fs::read(&path).unwrap(), printed.stdout);
    let nowhere = mga(&["schema", "--out", "/no/such/folder/schema.json"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).starts_with("error: cannot write /no/such/folder/schema.json: "));
}

#[test]
fn completions_are_scripts() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = mga(&["completions", shell]);
        assert!(script.status.success());
        assert!(String::from_utf8_lossy(&script.stdout).contains("schema"), "{shell}");
    }
    assert_eq!(mga(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut cli = <mga_cli::Cli as clap::CommandFactory>::command();
    cli.build();
    for command in cli.get_subcommands().map(|command| command.get_name()).filter(|name| *name != "help") {
        let help = mga(&[command, "--help"]);
        assert!(help.status.success());
        assert!(String::from_utf8_lossy(&help.stdout).contains(&format!("mga {command} ")), "{command}");
    }
    assert_eq!(mga(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(mga(&[]).status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mga"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
