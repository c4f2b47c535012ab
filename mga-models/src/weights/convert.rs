//! The conversion of PyTorch checkpoints to safetensors: unwrapped, under plain names.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use mga_core::{Error, Result};

use super::pickle::{StoredTensor, is_float, read_checkpoint};
use super::rename::{normalise, rename, wrapper};
use super::save::save_views;
use crate::backbone::RegisteredBackbone;
use crate::networks::{Networks, builtin};

/// Names that are published as PyTorch checkpoints alone and are turned into ours. All others (torchvision's, timm's,
/// those of segmenters) stay, since loading knows them.
struct Layout {
    about: &'static str,
    /// Whose rename table applies.
    backbone: &'static str,
    /// Names that are all there, and one that is not.
    present: &'static [&'static str],
    absent: &'static str,
}

const LAYOUTS: [Layout; 2] = [
    Layout {
        about: "the names of efficientnet-lite ports, as timm's tf_efficientnet_lite0",
        backbone: "efficientnet_lite0",
        present: &["_conv_stem.weight", "_blocks.0._depthwise_conv.weight", "_blocks.15._bn2.weight", "_fc.weight"],
        // Lite1 and larger go on.
        absent: "_blocks.16._bn2.weight",
    },
    Layout {
        about: "the MGA authors' names of a ResNet, as torchvision's",
        backbone: "resnet18",
        present: &["features.0.weight", "features.1.running_mean", "features.4.0.conv1.weight"],
        absent: "layer1.0.conv1.weight",
    },
];

/// The result of a conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The tensors, by name.
    pub tensors: BTreeMap<String, StoredTensor>,
    /// The keys they lay below in the checkpoint, from the outside.
    pub below: Vec<String>,
    /// The entries of the checkpoint that were left out, with their kind.
    pub left_out: Vec<String>,
    /// The prefix that was removed from all names, such as `model.backbone.`; empty if there was none.
    pub wrapper: String,
    /// Notes on other weights in the file, and how to select them.
    pub notes: Vec<String>,
    /// The source whose names were recognised and renamed to ours.
    pub layout: Option<&'static str>,
}

impl Converted {
    /// Returns the count of numbers in all tensors, counters included.
    pub fn numbers(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.shape.iter().product::<usize>()).sum()
    }

    /// Returns the number types and how many tensors have each, by name of the type.
    pub fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for tensor in self.tensors.values() {
            *types.entry(format!("{:?}", tensor.dtype)).or_default() += 1;
        }
        types
    }
}

/// What `AveragedModel` counts beside the weights.
pub(super) const AVERAGED: &str = "n_averaged";

/// Reads a PyTorch checkpoint without running anything in it, of what lies below `key` where one is given; see
/// [`read_checkpoint`] for what is refused.
///
/// # Errors
/// What reading says; two names that are one without their `module.`; no tensor of numbers at all.
pub fn convert(path: &Path, key: Option<&str>) -> Result<Converted> {
    let mut checkpoint = read_checkpoint(path, key)?;
    let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
    let mut tensors = BTreeMap::new();
    for (name, tensor) in checkpoint.tensors {
        let short = normalise(&name).into_owned();
        if short == AVERAGED {
            checkpoint.left_out.push(format!("{AVERAGED} (how many models were averaged)"));
        } else if tensors.insert(short, tensor).is_some() {
            return Err(failed(format!("two entries stand for `{}`", normalise(&name))));
        }
    }
    if !tensors.values().any(|tensor| is_float(Some(tensor.dtype))) {
        return Err(failed("holds no tensor of floating-point numbers, so no weights".to_owned()));
    }
    let mut wrapped = String::new();
    while let Some(common) = common_wrapper(&tensors) {
        wrapped += &common;
        let inner = |name: String| name.get(common.len()..).unwrap_or_default().to_owned();
        tensors = tensors.into_iter().map(|(name, tensor)| (inner(name), tensor)).collect();
    }
    let layout = LAYOUTS.iter().find(|layout| {
        layout.present.iter().all(|&name| tensors.contains_key(name)) && !tensors.contains_key(layout.absent)
    });
    if let Some(layout) = layout {
        let registry = builtin();
        let table = Networks::of(&registry).backbone(layout.backbone).map_or(&[][..], RegisteredBackbone::renames);
        tensors = tensors.into_iter().map(|(name, tensor)| (rename(&name, table), tensor)).collect();
    }
    Ok(Converted {
        tensors,
        below: checkpoint.below,
        left_out: checkpoint.left_out,
        wrapper: wrapped,
        notes: checkpoint.notes,
        layout: layout.map(|layout| layout.about),
    })
}

/// The wrapper that every name begins with, with its dot.
fn common_wrapper(tensors: &BTreeMap<String, StoredTensor>) -> Option<String> {
    let common = wrapper(tensors.keys().next()?)?.to_owned() + ".";
    tensors.keys().all(|name| name.starts_with(&common)).then_some(common)
}

/// Writes what was converted: the file is whole or not there.
///
/// # Errors
/// The file cannot be written.
pub fn write_converted(converted: &Converted, path: &Path) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = converted.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    save_views(views.collect(), metadata, path)
}
