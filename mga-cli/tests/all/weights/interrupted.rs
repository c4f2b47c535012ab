//! Downloads that are killed, that run side by side, and that find no room.

use std::process::{Command, Stdio};

use mga_testing::process::{Started, text};
use mga_testing::stand_in::{COMMIT, Fault, safetensors};

use super::bench::Bench;
use crate::MGA;

const NAME: &str = "timm/resnet18.tv_in1k";
const PULL: [&str; 3] = ["weights", "pull", NAME];

fn big(bench: &Bench) -> Vec<u8> {
    let bytes = safetensors(4_000_000);
    bench.server.model(NAME, &[("model.safetensors", &bytes)]);
    bytes
}

/// The ranges that were asked for.
fn ranges(bench: &Bench) -> Vec<Option<String>> {
    let requests = bench.server.requests();
    let gets = requests.iter().filter(|request| request.method == "GET");
    gets.filter(|request| request.path.starts_with("/cdn/")).map(|r| r.headers.get("range").cloned()).collect()
}

#[test]
fn a_killed_download_leaves_no_file_and_is_finished_by_the_next() {
    let bench = Bench::new();
    let bytes = big(&bench);
    bench.server.fault("GET", "/cdn/", Fault::Slow(4_000), 1);
    let mut pull = Started::new(bench.mga(PULL));
    let incomplete =
        bench.cache().join(format!("models--timm--resnet18.tv_in1k/blobs/{}.incomplete", mga_hub::sha256(&bytes)));
    let arrived = || incomplete.metadata().map_or(0, |found| found.len()) >= 100_000;
    assert!(pull.until(arrived), "nothing arrives");
    assert!(!pull.kill().status.success());
    let left = bench.cached();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].ends_with(".incomplete") && incomplete.metadata().unwrap().len() < bytes.len() as u64);
    let (message, _) = bench.refused(&["--offline", "weights", "pull", NAME]);
    assert!(message.contains("not in the cache"), "{message}");

    let kept = incomplete.metadata().unwrap().len();
    bench.done(&PULL);
    assert_eq!(ranges(&bench), [None, Some(format!("bytes={kept}-"))]);
    let file = bench.cache().join(format!("models--timm--resnet18.tv_in1k/snapshots/{COMMIT}/model.safetensors"));
    assert!(std::fs::read(file).unwrap() == bytes);
    assert!(!bench.cached().iter().any(|name| name.ends_with(".incomplete")));
}

#[test]
fn programs_side_by_side_download_it_once() {
    let bench = Bench::new();
    let bytes = big(&bench);
    bench.server.fault("GET", "/cdn/", Fault::Slow(20_000), 1);
    let start = || bench.mga(PULL).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children = [start(), start(), start()];
    let outputs = children.map(|child| child.wait_with_output().unwrap());
    for output in &outputs {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(ranges(&bench), [None]);
    let path = text(&outputs[0].stdout).lines().nth(1).unwrap().trim().to_owned();
    assert!(std::fs::read(path).unwrap() == bytes);
}

#[test]
fn no_room_is_said_and_nothing_stays() {
    let bench = Bench::new();
    big(&bench);
    // No file may grow beyond a hundred blocks; the signal that comes with it is ignored.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" weights pull timm/resnet18.tv_in1k", MGA]);
    let output = bench.prepared(command).output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("no room for model.safetensors (4000") && errors.contains("HF_HUB_CACHE"), "{errors}");
    assert_eq!(bench.cached(), [""; 0]);
}
