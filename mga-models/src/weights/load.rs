//! Reading weights into a model, with a complete account of what fitted and what did not.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Tensor};
use mga_core::parameter::{ParameterStore, under};
use mga_core::{Error, Result};

use super::rename::{normalise, rename};

/// Prefixes of entries that files carry and that a model without them does not need.
const NOT_NEEDED: [&str; 2] = ["AuxLogits", "aux_classifier"];

/// Layers as wide as there are classes: of classifiers, and of segmentation networks.
const HEADS: [&str; 5] = ["classifier", "aux_classifier", "decode_head.classifier", "ocr.cls_head", "ocr.aux_head.2"];

/// What loading a file did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Entries of the model that were set.
    pub matched: usize,
    /// Entries of the model that the file lacks.
    pub missing: Vec<String>,
    /// Entries of the file that the model lacks (and that are not known to be superfluous).
    pub unexpected: Vec<String>,
    /// Entries of another shape, with both.
    pub misshapen: Vec<String>,
    /// The classifier of another width, which keeps its fresh values; said, never an error.
    pub reinitialised: Vec<String>,
    /// Entries that no model needs, such as `num_batches_tracked`.
    pub ignored: usize,
}

impl LoadReport {
    /// Whether nothing is missing, unexpected or mis-shapen.
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tensors loaded", self.matched)?;
        if self.ignored > 0 {
            write!(f, ", {} not needed", self.ignored)?;
        }
        let lists = [
            ("missing in the file", &self.missing),
            ("not in the model", &self.unexpected),
            ("of another shape", &self.misshapen),
            ("freshly initialised (the classifier has another width)", &self.reinitialised),
        ];
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "\n  {} {what}:", names.len())?;
            names.iter().try_for_each(|name| write!(f, "\n    {name}"))?;
        }
        Ok(())
    }
}

/// Reads a safetensors file into `store`; see [`load_tensors`].
pub fn load_file(store: &ParameterStore, path: &Path, renames: &[(&str, &str)], strict: bool) -> Result<LoadReport> {
    let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
    if !path.is_file() {
        return Err(failed("there is no such weight file".into()));
    }
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).map_err(|e| {
        failed(format!("not a readable safetensors file ({e}); PyTorch's .pth files have to be converted first"))
    })?;
    load_tensors(store, tensors, renames, strict).map_err(|e| failed(e.to_string()))
}

/// Sets the model's entries from named tensors. Nothing is set where `strict` and an entry is missing, unexpected or
/// mis-shapen. A fresh `attention.weight` is missing from every plain classifier's file, and that is no error; neither is
/// a classifier of another width.
pub fn load_tensors(
    store: &ParameterStore,
    tensors: HashMap<String, Tensor>,
    renames: &[(&str, &str)],
    strict: bool,
) -> Result<LoadReport> {
    let mut report = LoadReport::default();
    let mut found: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut names: Vec<_> = tensors.into_iter().collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, tensor) in names {
        let short = normalise(&name);
        // A name of ours is never renamed: our own checkpoints hold `features.1` of VGG and DenseNet as they are.
        let ours = if store.get(short).is_some() { short.to_owned() } else { rename(&name, renames) };
        if super::is_optimiser_state(&name)
            || ours.ends_with("num_batches_tracked")
            || store.get(&ours).is_none() && NOT_NEEDED.iter().any(|prefix| under(&ours, prefix))
        {
            report.ignored += 1;
        } else if store.get(&ours).is_none() {
            report.unexpected.push(name);
        } else if found.insert(ours.clone(), tensor).is_some() {
            return Err(Error::Weights(format!("two entries of the file stand for `{ours}`, the second is `{name}`")));
        }
    }
    let mut fitting = vec![];
    for entry in store.entries() {
        let (name, wanted) = (entry.name(), entry.tensor());
        match found.remove(name) {
            None if name == "attention.weight" => report.reinitialised.push(format!("{name} (not in the file)")),
            None => report.missing.push(name.to_owned()),
            Some(tensor) if tensor.dims() == wanted.dims() => {
                fitting.push((entry, convert(&tensor, wanted.dtype())?.to_device(wanted.device())?));
            }
            Some(tensor) => {
                let line = format!("{name}: {:?} in the file, {:?} in the model", tensor.dims(), wanted.dims());
                let head = HEADS.iter().any(|head| under(name, head)) && tensor.dims().len() == wanted.dims().len();
                if head { &mut report.reinitialised } else { &mut report.misshapen }.push(line);
            }
        }
    }
    if strict && !report.is_exact() {
        return Err(Error::Weights(format!(
            "the weights do not fit the model (model.strict = false loads what fits)\n{report}"
        )));
    }
    report.matched = fitting.len();
    fitting.into_iter().try_for_each(|(entry, tensor)| entry.set(tensor))?;
    Ok(report)
}

fn convert(tensor: &Tensor, dtype: DType) -> Result<Tensor> {
    if !tensor.dtype().is_float() {
        return Err(Error::Weights(format!("{:?} tensors cannot be weights", tensor.dtype())));
    }
    Ok(tensor.to_dtype(dtype)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MgaModel, ModelSettings, Registry};
    use candle_core::Device;
    use mga_core::ops::Attention;

    fn model(classes: usize) -> MgaModel {
        let registry = Registry::builtin();
        let settings = ModelSettings {
            classes,
            attention: Attention::Residual,
            residual_weights: (0.5, 0.5),
            mask_guidance: true,
            freeze_through: None,
            freeze_norm: false,
            dropout: None,
        };
        let store = ParameterStore::new(classes as u64, DType::F32, &Device::Cpu);
        MgaModel::new(registry.backbone("resnet18").unwrap(), settings, store).unwrap()
    }

    fn tensors(model: &MgaModel) -> HashMap<String, Tensor> {
        model.store().tensors().into_iter().collect()
    }

    #[test]
    fn every_misfit_is_listed_and_nothing_is_set() {
        let (source, target) = (model(4), model(4));
        let mut file = tensors(&source);
        file.remove("bn1.weight");
        file.insert("layer9.weight".into(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        file.insert("conv1.weight".into(), Tensor::zeros((64, 3, 3, 3), DType::F32, &Device::Cpu).unwrap());
        let before = target.store().get("layer1.0.conv1.weight").unwrap().tensor().sum_all().unwrap();
        let message = load_tensors(target.store(), file.clone(), &[], true).unwrap_err().to_string();
        for part in ["bn1.weight", "layer9.weight", "[64, 3, 3, 3] in the file, [64, 3, 7, 7] in the model"] {
            assert!(message.contains(part), "{message}");
        }
        let after = target.store().get("layer1.0.conv1.weight").unwrap().tensor().sum_all().unwrap();
        assert_eq!(before.to_vec0::<f32>().unwrap(), after.to_vec0::<f32>().unwrap());
        let report = load_tensors(target.store(), file, &[], false).unwrap();
        assert_eq!((report.missing.len(), report.unexpected.len(), report.misshapen.len()), (1, 1, 1));
    }

    #[test]
    fn torchvision_and_the_authors_names_fit() {
        let registry = Registry::builtin();
        let renames = registry.backbone("resnet18").unwrap().renames;
        let source = model(4);
        for (authors, module) in [(false, ""), (true, ""), (true, "module.")] {
            let back = |name: &str| rename_to(name, renames, authors);
            let file = tensors(&source).into_iter().map(|(name, t)| (format!("{module}{}", back(&name)), t)).collect();
            let report = load_tensors(model(4).store(), file, renames, true).unwrap();
            assert_eq!(report.matched, source.store().entries().len());
        }
    }

    fn rename_to(name: &str, table: &[(&str, &str)], authors: bool) -> String {
        super::super::rename_back(name, table, |from| from.starts_with("features") == authors)
    }

    #[test]
    fn a_classifier_of_another_width_stays_fresh() {
        let mut file = tensors(&model(7));
        file.remove("attention.weight");
        let report = load_tensors(model(4).store(), file, &[], true).unwrap();
        assert_eq!(report.reinitialised.len(), 3, "{report}");
    }
}
