//! Experiments that were damaged: told what is wrong, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mga_experiment::{Overrides, experiment_schema, load_assigned};
use mga_sweep::Planner;
use mga_testing::mutation::Mutations;

/// How long damage is tried.
const TIME: Duration = Duration::from_secs(3);

#[test]
fn damaged_experiments_never_end_in_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
    let names = ["quickstart.toml", "base/mga.toml", "leaves/segment-veins.toml", "ablations/controls.toml"];
    let mut seeds: Vec<Vec<u8>> = names.map(|name| std::fs::read(root.join(name)).unwrap()).to_vec();
    // Every kind of value, and marks that editors leave.
    seeds.push(
        b"\xef\xbb\xbfseed = 0x1F\nname = '''a'''\n[data]\ndataset = \"table\"\nstd = [1e-3, inf, nan]\n".to_vec(),
    );
    let components = mga_train::builtin();
    let schema = experiment_schema(&components);
    let (file, mut mutations) = (folder.path().join("x.toml"), Mutations::of(&seeds));
    let (begun, mut round) = (Instant::now(), 0);
    while begun.elapsed() < TIME || round < 20 {
        let damaged = seeds.get(round).cloned().unwrap_or_else(|| mutations.next());
        std::fs::write(&file, &damaged).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // What is refused is said in full.
            if let Err(error) = load_assigned(&file, &Overrides::default(), &[], &components, &schema) {
                drop(error.to_string());
            }
            if let Err(error) = Planner::read(&file, Overrides::default(), &components) {
                drop(error.to_string());
            }
        }));
        assert!(outcome.is_ok(), "{}", String::from_utf8_lossy(&damaged));
        round += 1;
    }
}
