//! `mga weights convert` from outside, on checkpoints that PyTorch wrote.

use std::path::{Path, PathBuf};
use std::process::Output;

use mga_testing::place::Place;
use mga_testing::process::text;

use super::place;

fn pth(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mga-models/tests/data/pth").join(name)
}

fn convert(place: &Place, input: &str, more: &[&str]) -> Output {
    let mut command = place.mga(["weights", "convert"]);
    command.arg(pth(input)).args(more).output().unwrap()
}

#[test]
fn a_checkpoint_becomes_a_safetensors_file() {
    let place = place();
    let done = convert(&place, "nested.pth", &["x.safetensors"]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    for part in ["18 tensors", "1 BF16", "found below net", "epoch (an integer)"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let bytes = std::fs::read(place.path("x.safetensors")).unwrap();
    assert_eq!(safetensors::SafeTensors::deserialize(&bytes).unwrap().len(), 18);

    let again = convert(&place, "linear.pth", &["x.safetensors"]);
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(convert(&place, "linear.pth", &["x.safetensors", "--force"]).status.code(), Some(0));
    assert_ne!(std::fs::read(place.path("x.safetensors")).unwrap(), bytes);
}

#[test]
fn what_is_left_out_and_what_else_there_is_are_said() {
    let place = place();
    let said = |input: &str, more: &[&str]| {
        let done = convert(&place, input, &[&["x.safetensors", "--force"], more].concat());
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let old = said("../people/legacy_training.pth", &[]);
    for part in ["2 tensors (2 F32), 9 numbers", "below state_dict", "best_acc1 (a tensor)", "argparse.Namespace"] {
        assert!(old.contains(part), "{part}: {old}");
    }
    let both = said("../people/averages.pth", &[]);
    assert!(both.contains("note: state_dict_ema holds weights too") && both.contains("timm"), "{both}");
    let chosen = said("../people/averages.pth", &["--key", "state_dict_ema"]);
    assert!(chosen.contains("below state_dict_ema") && !chosen.contains("note:"), "{chosen}");
    let wrapped = said("../people/lightning.ckpt", &[]);
    assert!(wrapped.contains("removed from all names: the prefix `model.net.`"), "{wrapped}");
}

#[test]
fn a_refusal_is_one_message_and_leaves_nothing() {
    let place = place();
    for (input, output, why) in [
        ("evil.pth", "x.safetensors", "`posix.system`"),
        ("whole_module.pth", "x.safetensors", "an object of torch.nn.modules.linear.Linear"),
        ("linear.pth", "x.pth", "NAME.safetensors"),
        ("linear.pth", "no/such/x.safetensors", "cannot be written"),
    ] {
        let refused = convert(&place, input, &[output]);
        let said = text(&refused.stderr);
        assert_eq!(
            (refused.status.code(), said.lines().filter(|line| line.starts_with("error:")).count()),
            (Some(1), 1),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(std::fs::read_dir(place.folder()).unwrap().count(), 0);
}
