//! A sweep that release 0.1 began keeps the defaults of 0.1, so that its runs stay the runs they are.

use mga_experiment::{Defaults, Overrides};
use mga_sweep::{Planner, begun_with};

use super::fixture::{Folder, SWEEP, base};

/// Runs that start from a file whose publisher says how its images were resized, which release 0.1 did not ask.
fn folder() -> Folder {
    let folder = Folder::new(SWEEP);
    folder.write("w.safetensors", "never read");
    folder.write("config.json", r#"{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "input_size": [3, 28, 28]}"#);
    let weights = format!("backbone = \"conv4\"\nweights = \"file:{}\"", folder.path("w.safetensors").display());
    folder.write("base.toml", base().replace("backbone = \"conv4\"", &weights));
    folder
}

/// The keys of the runs that are planned into `out`, which gets the sweep's files.
fn planned(folder: &Folder, out: &str, defaults: Defaults) -> Vec<String> {
    let components = mga_train::builtin();
    let overrides = Overrides { defaults, ..Overrides::default() };
    let mut planner = Planner::read(&folder.path("sweep.toml"), overrides, &components).unwrap();
    let mut plan = planner.plan(&folder.path(out), None).unwrap();
    planner.write_files(&folder.path(out)).unwrap();
    plan.write(&|_| false).unwrap();
    plan.cells.iter().map(|cell| cell.key.clone()).collect()
}

#[test]
fn a_sweep_of_release_0_1_keeps_its_runs() {
    let folder = folder();
    let (old, new) = (planned(&folder, "as-0.1", Defaults::Old), planned(&folder, "new", Defaults::New));
    assert!(old.iter().zip(&new).all(|(old, new)| old != new), "{old:?} {new:?}");
    // A base as 0.1 wrote it.
    std::fs::create_dir_all(folder.path("begun")).unwrap();
    let base = folder.read("as-0.1/base.toml");
    let body = base.split_once("\n\n").unwrap().1;
    folder.write("begun/base.toml", format!("# Resolved by mga 0.1.0: every setting.\n# It runs again.\n\n{body}"));
    // Given again and again, from its file or from its folder: the same runs.
    for sweep in ["sweep.toml", "sweep.toml", "begun/sweep.toml"] {
        assert_eq!(begun_with(&folder.path("begun")), Defaults::Old);
        let output = folder.mga(["sweep", sweep, "--out", "begun", "--dry-run"]).output().unwrap();
        let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{noted}");
        assert!(old.iter().all(|key| said.contains(key)) && !new.iter().any(|key| said.contains(key)), "{said}");
        assert!(noted.contains("begun was begun by mga 0.1, and its runs keep the defaults of 0.1"), "{noted}");
        assert_eq!(planned(&folder, "begun", begun_with(&folder.path("begun"))), old);
    }
}

#[test]
fn a_sweep_of_this_release_is_the_same_from_its_folder() {
    let folder = folder();
    let keys = planned(&folder, "out", Defaults::New);
    let experiment = std::fs::read_to_string(folder.path("out/runs").join(&keys[0]).join("cell.toml")).unwrap();
    assert!(experiment.starts_with("# Resolved by mga") && experiment.contains("resize_rounding = \"8-bit\""));
    for sweep in ["sweep.toml", "out/sweep.toml"] {
        assert_eq!(begun_with(&folder.path("out")), Defaults::New);
        let output = folder.mga(["sweep", sweep, "--out", "out", "--dry-run"]).output().unwrap();
        let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(keys.iter().all(|key| said.contains(key)) && !noted.contains("0.1"), "{said}{noted}");
    }
}

#[test]
fn without_a_base_of_its_own_the_runs_say_who_began_it() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(begun_with(folder.path()), Defaults::New);
    for (key, version) in [("a", "0.2.0"), ("b", "0.1.0")] {
        let run = folder.path().join("runs").join(key);
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("cell.toml"), format!("# Resolved by mga {version}: every setting\n")).unwrap();
        let expected = if version == "0.1.0" { Defaults::Old } else { Defaults::New };
        assert_eq!(begun_with(folder.path()), expected);
    }
}
