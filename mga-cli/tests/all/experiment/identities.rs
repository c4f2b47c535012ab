//! What release 0.1.0 called the experiments of this repository. A later release calls them the same: a setting that was
//! added since stands in no identity while it does what 0.1.0 did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mga_experiment::{Overrides, experiment_schema, load};
use mga_train::identity::experiment_hash;

/// `experiment` of the identity of every file, as release 0.1.0 computed it. Lines are never changed; files that were
/// added later, and files whose settings were changed on purpose, have none here.
const STORED: &str = include_str!("identities-0.1.0.txt");

fn experiments() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.extension() {
            _ if path.is_dir() => files(&path, found),
            Some(extension) if extension == "toml" => found.push(path),
            _ => {}
        }
    }
    found.sort();
}

#[test]
fn experiments_of_release_0_1_0_keep_their_identities() {
    let components = mga_train::builtin();
    let schema = experiment_schema(&components);
    let mut all = vec![];
    files(&experiments(), &mut all);
    let mut identities = BTreeMap::new();
    for file in all {
        let name = file.strip_prefix(experiments()).unwrap().to_string_lossy().replace('\\', "/");
        // Data and weights of most are not here; where they lie has no say.
        let anywhere = vec![format!("data.root={}", env!("CARGO_MANIFEST_DIR"))];
        let elsewhere = Overrides { set: anywhere, weights_read: true, ..Overrides::default() };
        let here = Overrides { weights_read: true, ..Overrides::default() };
        let loaded = load(&file, &here, &components).or_else(|_| load(&file, &elsewhere, &components));
        // Sweeps are no experiments, and a base by itself lacks its data set.
        if let Ok(loaded) = loaded {
            identities.insert(name, experiment_hash(&loaded.experiment, &schema).unwrap());
        }
    }
    let mut stored = 0;
    for line in STORED.lines().filter(|line| !line.starts_with('#')) {
        let (name, hash) = line.split_once(' ').unwrap();
        assert_eq!(identities.get(name).map(String::as_str), Some(hash), "{name}; now: {identities:#?}");
        stored += 1;
    }
    assert!(stored >= 10, "{identities:#?}");
}
