//! What is answered where a launcher is asked for that is not registered.

use std::path::Path;

use mga_experiment::Overrides;

use super::*;
use crate::planner::Planner;

const BASE: &str = "seed = 1\ndevice = \"cpu\"\n[data]\ndataset = \"leaves\"\ncultivars = 10\ntrain_per_class = 3\n\
                    test_per_class = 1\nsize = 32\nvalidation = { per_class = 1 }\n[model]\nbackbone = \"conv4\"\n\
                    attention = \"none\"\nmask_guidance = false\n[schedule]\nepochs = 1\n";

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn an_unknown_launcher_is_answered_with_those_that_there_are() {
    let error = mga_train::builtin().launcher("slrum").err().unwrap().to_string();
    assert!(error.starts_with("--launcher slrum: there is no such launcher, did you mean `slurm`?"), "{error}");
    assert!(error.contains("`local` (this command, on this machine) or `slurm` (SLURM"), "{error}");
}

#[test]
fn a_table_that_names_a_launcher_has_no_keys_of_another() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "base.toml", BASE);
    let components = mga_train::builtin();
    let read = |launcher: &str| {
        write(folder.path(), "sweep.toml", &format!("base = \"base.toml\"\n[launcher]\n{launcher}\n"));
        Planner::read(&folder.path().join("sweep.toml"), Overrides::default(), &components).map(|_| ())
    };
    let error = read("name = \"local\"\npartition = \"gpu\"").unwrap_err().to_string();
    assert!(error.contains("launcher.partition: unknown key; `partition` goes with name = `slurm`"), "{error}");
    let error = read("name = \"slrum\"").unwrap_err().to_string();
    assert!(error.contains("launcher.name: unknown name `slrum`, did you mean `slurm`?"), "{error}");
    read("name = \"slurm\"\npartition = \"gpu\"").unwrap();
    // Without a name, the command line says which; the same file serves both.
    read("partition = \"gpu\"").unwrap();
}

#[test]
fn the_keys_of_an_unregistered_launcher_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "base.toml", BASE);
    write(folder.path(), "sweep.toml", "base = \"base.toml\"\n[launcher]\ncommands = \"todo.txt\"\n");
    let components = mga_train::builtin();
    let error = Planner::read(&folder.path().join("sweep.toml"), Overrides::default(), &components).err().unwrap();
    assert!(error.to_string().contains("commands"), "{error}");
}
