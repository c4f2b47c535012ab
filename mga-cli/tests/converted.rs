//! `mga weights convert` from outside, on checkpoints that PyTorch wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn pth(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mga-models/tests/data/pth").join(name)
}

#[cfg(test)]
fn convert(folder: &Path, input: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mga"));
    command.current_dir(folder).args(["weights", "convert"]).arg(pth(input)).args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_checkpoint_becomes_a_safetensors_file() {
    let folder = tempfile::tempdir().unwrap();
    let done = convert(folder.path(), "nested.pth", &["x.safetensors"]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    for part in ["18 tensors", "1 BF16", "they lay below net", "epoch (an integer)"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let bytes = std::fs::read(folder.path().join("x.safetensors")).unwrap();
    assert_eq!(safetensors::SafeTensors::deserialize(&bytes).unwrap().len(), 18);

    let again = convert(folder.path(), "linear.pth", &["x.safetensors"]);
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(convert(folder.path(), "linear.pth", &["x.safetensors", "--force"]).status.code(), Some(0));
    assert_ne!(std::fs::read(folder.path().join("x.safetensors")).unwrap(), bytes);
}

#[test]
fn a_refusal_is_one_message_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (input, output, why) in [
        ("evil.pth", "x.safetensors", "`posix.system`"),
        ("legacy.pth", "x.safetensors", "legacy checkpoint"),
        ("linear.pth", "x.pth", "NAME.safetensors"),
        ("linear.pth", "no/such/x.safetensors", "cannot be written"),
    ] {
        let refused = convert(folder.path(), input, &[output]);
        let said = text(&refused.stderr);
        assert_eq!(
            (refused.status.code(), said.lines().filter(|line| line.starts_with("error:")).count()),
            (Some(1), 1),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
