//! Weights for a segmentation network: its own, or those of the classifier that its trunk comes from.

use std::collections::HashMap;
use std::path::Path;

use mga_core::parameter::{ParameterStore, under};
use mga_core::{Error, Result};

use super::header::Header;
use super::load::{LoadReport, in_file, load_file, load_where};
use super::read::read_tensors;
use super::rename::{ours, rename, unwrapped};
use crate::networks::Networks;
use crate::segmenters::Trunk;

/// Reads a safetensors file into the segmentation network called `component`. A file of the classifier that the network is
/// built on gives the trunk its values, and the heads keep theirs: they are listed as drawn anew.
///
/// # Errors
/// What [`load_file`] says.
pub fn load_network(
    store: &ParameterStore,
    path: &Path,
    networks: Networks<'_>,
    component: &str,
    strict: bool,
) -> Result<LoadReport> {
    let trunk = networks.trunk(component).map(|trunk| (trunk, networks.renames(trunk.backbone)));
    match trunk.filter(|(trunk, renames)| is_of_trunk(store, path, *trunk, renames)) {
        None => load_file(store, path, &networks.renames(component), strict),
        Some((trunk, renames)) => load_trunk(store, path, trunk, &renames, strict),
    }
}

/// The name within the trunk that an entry of the classifier has in the network; `None`: it has no place there.
fn inside(store: &ParameterStore, name: &str, trunk: Trunk, renames: &[(&str, &str)]) -> Option<String> {
    let known = |name: &str| store.get(&format!("{}.{name}", trunk.prefix)).is_some();
    ours(name, renames, known).map(|(name, _)| name)
}

/// Whether a file holds entries of the trunk under the classifier's names, and none under the network's.
fn is_of_trunk(store: &ParameterStore, path: &Path, trunk: Trunk, renames: &[(&str, &str)]) -> bool {
    // What cannot be read is told by those who load it.
    let Ok(header) = Header::read(path) else { return false };
    !header.tensors.keys().any(|name| under(&super::normalise(name), trunk.prefix))
        && header.tensors.keys().any(|name| inside(store, name, trunk, renames).is_some())
}

fn load_trunk(
    store: &ParameterStore,
    path: &Path,
    trunk: Trunk,
    renames: &[(&str, &str)],
    strict: bool,
) -> Result<LoadReport> {
    let (mut own, mut not_needed) = (HashMap::new(), 0);
    let (tensors, checked) = read_tensors(path, &|name| inside(store, name, trunk, renames).is_some())?;
    for (name, tensor) in tensors {
        // What has no place in the trunk may be wrapped like the rest.
        let bare = || unwrapped(&name).last().map_or_else(|| name.clone(), |bare| rename(bare, renames));
        let short = inside(store, &name, trunk, renames).unwrap_or_else(bare);
        // What classifies whole images, and says where they are looked at, has no place here.
        if ["classifier", "attention"].iter().any(|part| under(&short, part)) {
            not_needed += 1;
        } else if own.insert(format!("{}.{short}", trunk.prefix), tensor).is_some() {
            return Err(in_file(path, &Error::Weights(format!("two entries stand for `{short}`"))));
        }
    }
    let heads = |name: &str| !under(name, trunk.prefix);
    let mut report = load_where(store, own, &[], strict, &heads).map_err(|e| in_file(path, &e))?;
    report.ignored += not_needed;
    report.unchecked = !checked;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{rename_back, save_file};
    use crate::{MgaModel, ModelSettings, builtin};
    use candle_core::{DType, Device};
    use mga_registry::OwnSettings;
    use mga_registry::Registry;
    use serde_json::Map;

    fn network(registry: &Registry, seed: u64) -> ParameterStore {
        let mut store = ParameterStore::new(seed, DType::F32, &Device::Cpu);
        let (network, none) = (Networks::of(registry).network("fcn_resnet50").unwrap(), Map::new());
        network.build(store.root(), 4, OwnSettings::new("model", &none)).unwrap();
        store
    }

    fn numbers(store: &ParameterStore, name: &str) -> Vec<f32> {
        store.get(name).unwrap().tensor().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_classifier_starts_the_trunk_and_leaves_the_heads() {
        let (registry, folder) = (builtin(), tempfile::tempdir().unwrap());
        let networks = Networks::of(&registry);
        let settings =
            ModelSettings { attention: "residual".into(), mask_guidance: true, ..ModelSettings::new("resnet50", 10) };
        let classifier = ParameterStore::new(1, DType::F32, &Device::Cpu);
        let classifier = MgaModel::new(&registry, settings, classifier).unwrap();
        let renames = networks.renames("resnet50");
        // Under torchvision's names, and under the authors'.
        for theirs in ["fc", "features"] {
            let path = folder.path().join("w.safetensors");
            let named = |name: &str| rename_back(name, &renames, |from| from.starts_with(theirs));
            let tensors: Vec<_> = classifier.store().tensors().into_iter().map(|(n, t)| (named(&n), t)).collect();
            save_file(&tensors, HashMap::new(), &path).unwrap();
            let (store, fresh) = (network(&registry, 2), network(&registry, 2));
            let report = load_network(&store, &path, networks, "fcn_resnet50", true).unwrap();
            let trunk = store.entries().iter().filter(|entry| under(entry.name(), "backbone")).count();
            assert_eq!((report.matched, report.ignored), (trunk, 3), "{report}");
            assert_eq!(report.reinitialised.len(), store.entries().len() - trunk);
            assert!(report.is_exact() && report.to_string().contains("classifier.4.weight"), "{report}");
            let name = "layer3.5.conv2.weight";
            assert_eq!(numbers(&store, &format!("backbone.{name}")), numbers(classifier.store(), name));
            assert_eq!(numbers(&store, "classifier.0.weight"), numbers(&fresh, "classifier.0.weight"));
            // Wrapped as training programs do.
            let tensors: Vec<_> = tensors.into_iter().map(|(n, t)| (format!("model.encoder.{n}"), t)).collect();
            save_file(&tensors, HashMap::new(), &path).unwrap();
            let report = load_network(&network(&registry, 5), &path, networks, "fcn_resnet50", true).unwrap();
            assert_eq!((report.matched, report.ignored), (trunk, 3), "{report}");
        }
        // The network's own trunk without its heads.
        let (store, path) = (network(&registry, 3), folder.path().join("trunk.safetensors"));
        let trunk: Vec<_> = store.tensors().into_iter().filter(|(name, _)| under(name, "backbone")).collect();
        save_file(&trunk, HashMap::new(), &path).unwrap();
        let report = load_network(&network(&registry, 4), &path, networks, "fcn_resnet50", true).unwrap();
        assert_eq!((report.matched, report.reinitialised.len()), (trunk.len(), store.entries().len() - trunk.len()));
        // The network's own file is taken as it is; a part of the trunk is refused.
        let (store, path) = (network(&registry, 3), folder.path().join("own.safetensors"));
        save_file(&store.tensors(), HashMap::new(), &path).unwrap();
        let target = network(&registry, 4);
        assert_eq!(
            load_network(&target, &path, networks, "fcn_resnet50", true).unwrap().matched,
            store.entries().len()
        );
        let few: Vec<_> = classifier.store().tensors().into_iter().take(20).collect();
        save_file(&few, HashMap::new(), &path).unwrap();
        let message = load_network(&target, &path, networks, "fcn_resnet50", true).unwrap_err().to_string();
        assert!(message.contains("backbone.layer4.2.conv3.weight") && message.contains("missing"), "{message}");
    }
}
