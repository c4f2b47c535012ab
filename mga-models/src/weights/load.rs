//! Reading weights into a model, with a complete account of what fitted and what did not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use candle_core::{DType, Tensor};
use mga_core::parameter::{MASK_CHANNEL, ParameterStore, under};
use mga_core::{Error, Result};

use super::convert::AVERAGED;
use super::optimiser_state::is_optimiser_state;
use super::read::read_tensors;
use super::rename::{normalise, ours, rename, unwrapped};

/// Prefixes of entries that files carry and that a model without them does not need.
const NOT_NEEDED: [&str; 2] = ["AuxLogits", "aux_classifier"];

/// Layers as wide as there are classes: of classifiers, and of segmentation networks.
const HEADS: [&str; 5] = ["classifier", "aux_classifier", "decode_head.classifier", "ocr.cls_head", "ocr.aux_head.2"];

/// A tensor that did not find its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The name: ours if the model has one, else the file's.
    pub name: String,
    /// The shape in the file; `None` if the file lacks the entry.
    pub file: Option<Vec<usize>>,
    /// The shape in the model; `None` if the model lacks the entry.
    pub model: Option<Vec<usize>>,
}

/// The result of loading a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Entries of the model that were set.
    pub matched: usize,
    /// Entries of the model that the file lacks.
    pub missing: Vec<Misfit>,
    /// Entries of the file that the model lacks (and that are not known to be superfluous).
    pub unexpected: Vec<Misfit>,
    /// Entries of another shape.
    pub misshapen: Vec<Misfit>,
    /// Entries that keep their fresh values: the classifier of another width or that the file lacks, an attention map that
    /// it lacks. Said, never an error.
    pub reinitialised: Vec<Misfit>,
    /// Entries of the file's classifier, which is another than the model's. Said, never an error.
    pub of_other_head: Vec<Misfit>,
    /// Entries that no model needs, such as `num_batches_tracked`.
    pub ignored: usize,
    /// The prefixes that were removed from names of the file, such as `model.backbone.`.
    pub wrappers: BTreeSet<String>,
    /// Whether the file carries no hash over its content: damage would not show.
    pub unchecked: bool,
}

impl LoadReport {
    /// Returns whether nothing is missing, unexpected or mis-shapen.
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

/// A line of what matched, then a table of what did not.
impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tensors loaded", self.matched)?;
        if self.ignored > 0 {
            write!(f, ", {} not needed", self.ignored)?;
        }
        for wrapper in &self.wrappers {
            write!(f, ", names without `{wrapper}`")?;
        }
        if self.unchecked {
            f.write_str("; the file carries no hash of its content, so damage to it would not show")?;
        }
        let lists = [
            ("missing in the file", &self.missing),
            ("not in the model", &self.unexpected),
            ("of another shape", &self.misshapen),
            ("drawn anew", &self.reinitialised),
            ("of another head, left out", &self.of_other_head),
        ];
        let shape =
            |shape: &Option<Vec<usize>>| shape.as_ref().map_or_else(|| "-".to_owned(), |dims| format!("{dims:?}"));
        let mut rows = vec![["tensor".to_owned(), "in the file".to_owned(), "in the model".to_owned(), String::new()]];
        for (what, misfits) in lists {
            let row = |misfit: &Misfit| {
                let what = if misfit.name == MASK_CHANNEL { "starts at zero" } else { what };
                [misfit.name.clone(), shape(&misfit.file), shape(&misfit.model), what.to_owned()]
            };
            rows.extend(misfits.iter().map(row));
        }
        if rows.len() == 1 {
            return Ok(());
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [name, file, model, what] in &rows {
            let [first, second, third] = widths;
            let line = format!("{name:first$}  {file:second$}  {model:third$}  {what}");
            write!(f, "\n  {}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Reads a safetensors file into `store`; see [`load_tensors`].
pub fn load_file(store: &ParameterStore, path: &Path, renames: &[(&str, &str)], strict: bool) -> Result<LoadReport> {
    let known = |name: &str| ours(name, renames, |place| store.get(place).is_some()).is_some();
    let (tensors, checked) = read_tensors(path, &known)?;
    let report = load_tensors(store, tensors, renames, strict).map_err(|e| in_file(path, &e))?;
    Ok(LoadReport { unchecked: !checked, ..report })
}

/// Loads a file like [`load_file`], into a network with another head than its backbone's own. Where the file holds exactly
/// the network's entries below `classifier`, it is of the same head. Otherwise none of its entries there is taken up, be it
/// of the same name, and the network's keep their fresh values; the report lists both.
///
/// # Errors
/// As of [`load_file`].
pub fn load_file_for_other_head(
    store: &ParameterStore,
    path: &Path,
    renames: &[(&str, &str)],
    strict: bool,
) -> Result<LoadReport> {
    let known = |name: &str| ours(name, renames, |place| store.get(place).is_some()).is_some();
    let (tensors, checked) = read_tensors(path, &known)?;
    let report = load_for_other_head(store, tensors, renames, strict).map_err(|e| in_file(path, &e))?;
    Ok(LoadReport { unchecked: !checked, ..report })
}

fn load_for_other_head(
    store: &ParameterStore,
    mut tensors: HashMap<String, Tensor>,
    renames: &[(&str, &str)],
    strict: bool,
) -> Result<LoadReport> {
    let of_head = |name: &str| under(name, HEADS[0]);
    let place = |name: &str| {
        let plain = normalise(name);
        let bare = || unwrapped(&plain).last().map_or_else(|| name.to_owned(), |bare| rename(bare, renames));
        ours(name, renames, |place| store.get(place).is_some()).map_or_else(bare, |(place, _)| place)
    };
    let theirs: BTreeMap<String, String> = tensors
        .keys()
        .filter(|name| !is_optimiser_state(name) && !name.ends_with("num_batches_tracked"))
        .map(|name| (name.clone(), place(name)))
        .filter(|(_, place)| of_head(place))
        .collect();
    let wanted: BTreeSet<&str> =
        store.entries().iter().map(|entry| entry.name()).filter(|name| of_head(name)).collect();
    if theirs.values().map(String::as_str).collect::<BTreeSet<_>>() == wanted {
        return load_tensors(store, tensors, renames, strict);
    }
    let mut left = Vec::new();
    for (name, place) in theirs {
        let file = tensors.remove(&name).map(|tensor| tensor.dims().to_vec());
        left.push(Misfit { name: place, file, model: None });
    }
    let fresh = |name: &str| under(name, "attention") || of_head(name);
    let report = load_where(store, tensors, renames, strict, &fresh)?;
    Ok(LoadReport { of_other_head: left, ..report })
}

pub(super) fn in_file(path: &Path, error: &Error) -> Error {
    Error::Weights(format!("{}: {error}", path.display()))
}

/// Sets the model's entries from named tensors. Nothing is set if `strict` is true and an entry is missing, unexpected
/// or mis-shaped. It is no error if a new attention, a classifier of another width, or the whole classifier next to a
/// complete backbone is missing. Weights for the mask as a further channel may be missing too: they start at zero, so
/// that the network begins as the published one and learns how far to use the mask.
pub fn load_tensors(
    store: &ParameterStore,
    tensors: HashMap<String, Tensor>,
    renames: &[(&str, &str)],
    strict: bool,
) -> Result<LoadReport> {
    load_where(store, tensors, renames, strict, &|name| under(name, "attention"))
}

/// As [`load_tensors`]; the file may lack the entries that `fresh` accepts, which then keep their values.
pub(super) fn load_where(
    store: &ParameterStore,
    tensors: HashMap<String, Tensor>,
    renames: &[(&str, &str)],
    strict: bool,
    fresh: &dyn Fn(&str) -> bool,
) -> Result<LoadReport> {
    let mut report = LoadReport::default();
    let mut found: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut names: Vec<_> = tensors.into_iter().collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, tensor) in names {
        let place = ours(&name, renames, |place| store.get(place).is_some());
        let not_needed = || {
            let short = normalise(&name);
            unwrapped(&short).any(|inner| NOT_NEEDED.iter().any(|prefix| under(inner, prefix))) || short == AVERAGED
        };
        match place {
            _ if is_optimiser_state(&name) || name.ends_with("num_batches_tracked") => report.ignored += 1,
            None if not_needed() => report.ignored += 1,
            None => report.unexpected.push(Misfit { name, file: Some(tensor.dims().to_vec()), model: None }),
            Some((place, wrapper)) => {
                if found.insert(place.clone(), tensor).is_some() {
                    let what = format!("two entries of the file stand for `{place}`, the second is `{name}`");
                    return Err(Error::Weights(what));
                }
                if !wrapper.is_empty() {
                    report.wrappers.insert(wrapper);
                }
            }
        }
    }
    let headless: Vec<&str> = HEADS.into_iter().filter(|head| !found.keys().any(|name| under(name, head))).collect();
    let (mut fitting, mut blank) = (vec![], vec![]);
    for entry in store.entries() {
        let (name, wanted) = (entry.name(), entry.tensor());
        let misfit = |file: Option<&Tensor>| Misfit {
            name: name.to_owned(),
            file: file.map(|tensor| tensor.dims().to_vec()),
            model: Some(wanted.dims().to_vec()),
        };
        match found.remove(name) {
            None if fresh(name) => report.reinitialised.push(misfit(None)),
            None if name == MASK_CHANNEL => {
                report.reinitialised.push(misfit(None));
                blank.push((entry, wanted.zeros_like()?));
            }
            None => report.missing.push(misfit(None)),
            Some(tensor) => match fit(&tensor, wanted.dims())? {
                Some(fitted) => {
                    let tensor = convert(name, &fitted, wanted.dtype())?.to_device(wanted.device())?;
                    fitting.push((entry, tensor));
                }
                None => {
                    let head = HEADS.iter().any(|head| under(name, head)) && tensor.dims().len() == wanted.dims().len();
                    if head { &mut report.reinitialised } else { &mut report.misshapen }.push(misfit(Some(&tensor)));
                }
            },
        }
    }
    // The whole of the backbone and nothing of a classifier: somebody cut it off, and nothing is amiss.
    let of_head = |misfit: &Misfit| headless.iter().any(|head| under(&misfit.name, head));
    if !fitting.is_empty() && report.missing.iter().all(of_head) {
        report.reinitialised.append(&mut report.missing);
    }
    if strict && !report.is_exact() {
        return Err(Error::Weights(format!(
            "the weights do not fit the model (model.strict = false loads what fits)\n{report}"
        )));
    }
    report.matched = fitting.len();
    fitting.into_iter().chain(blank).try_for_each(|(entry, tensor)| entry.set(tensor))?;
    Ok(report)
}

/// The tensor in the shape that is wanted; `None`: it is another. A convolution that covers its whole input, as timm's
/// VGGs have for a classifier, holds the same numbers in the same order as a linear layer.
fn fit(tensor: &Tensor, wanted: &[usize]) -> Result<Option<Tensor>> {
    if tensor.dims() == wanted {
        return Ok(Some(tensor.clone()));
    }
    match (tensor.dims(), wanted) {
        (&[out, channels, height, width], &[rows, columns]) if out == rows && channels * height * width == columns => {
            Ok(Some(tensor.reshape(wanted)?))
        }
        _ => Ok(None),
    }
}

fn convert(name: &str, tensor: &Tensor, dtype: DType) -> Result<Tensor> {
    if !tensor.dtype().is_float() {
        let found = tensor.dtype();
        let what = format!("`{name}` holds {found:?}; expected floating-point weights (F16, BF16, F32 or F64)");
        return Err(Error::Weights(what));
    }
    Ok(tensor.to_dtype(dtype)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MgaModel, ModelSettings, Networks, builtin};
    use candle_core::Device;
    use mga_registry::Choice;

    fn model(classes: usize) -> MgaModel {
        let settings = ModelSettings {
            attention: "residual".into(),
            mask_guidance: true,
            ..ModelSettings::new("resnet18", classes)
        };
        let store = ParameterStore::new(classes as u64, DType::F32, &Device::Cpu);
        MgaModel::new(&builtin(), settings, store).unwrap()
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
        for part in ["bn1.weight", "layer9.weight", "[64, 3, 3, 3]  [64, 3, 7, 7]"] {
            assert!(message.contains(part), "{message}");
        }
        let after = target.store().get("layer1.0.conv1.weight").unwrap().tensor().sum_all().unwrap();
        assert_eq!(before.to_vec0::<f32>().unwrap(), after.to_vec0::<f32>().unwrap());
        let report = load_tensors(target.store(), file, &[], false).unwrap();
        assert_eq!((report.missing.len(), report.unexpected.len(), report.misshapen.len()), (1, 1, 1));
    }

    #[test]
    fn a_whole_backbone_without_classifier_fits_and_half_a_classifier_does_not() {
        let source = model(4);
        let mut file = tensors(&source);
        file.remove("classifier.bias");
        let half = load_tensors(model(4).store(), file.clone(), &[], true).unwrap_err().to_string();
        assert!(half.contains("classifier.bias") && half.contains("missing"), "{half}");
        file.remove("classifier.weight");
        let report = load_tensors(model(4).store(), file.clone(), &[], true).unwrap();
        assert_eq!((report.matched, report.reinitialised.len()), (source.store().entries().len() - 2, 2), "{report}");
        assert!(report.to_string().contains("classifier.weight"), "{report}");
        // The backbone is not whole.
        file.remove("bn1.weight");
        let torn = load_tensors(model(4).store(), file, &[], true).unwrap_err().to_string();
        assert!(torn.contains("bn1.weight") && torn.contains("classifier.weight"), "{torn}");
    }

    #[test]
    fn other_floating_point_types_become_the_models() {
        let source = model(4);
        let exact = |tensor: &Tensor| (tensor.ones_like().unwrap() * 1.5).unwrap();
        for dtype in [DType::F16, DType::BF16, DType::F64, DType::F8E4M3] {
            let cast = |(name, tensor): (String, Tensor)| (name, exact(&tensor).to_dtype(dtype).unwrap());
            let target = model(4);
            let report =
                load_tensors(target.store(), tensors(&source).into_iter().map(cast).collect(), &[], true).unwrap();
            assert_eq!(report.matched, source.store().entries().len());
            assert_eq!(target.store().get("bn1.weight").unwrap().tensor().to_vec1::<f32>().unwrap(), [1.5; 64]);
        }
    }

    #[test]
    fn wrappers_in_any_nesting_fit_and_are_said() {
        let source = model(4);
        for wrapper in
            ["model.", "net.", "backbone.", "encoder.", "model.net.module.", "_orig_mod.model._orig_mod.backbone."]
        {
            let mut file: HashMap<_, _> =
                tensors(&source).into_iter().map(|(name, t)| (format!("{wrapper}{name}"), t)).collect();
            file.insert("n_averaged".to_owned(), Tensor::new(3i64, &Device::Cpu).unwrap());
            let target = model(4);
            let report = load_tensors(target.store(), file, &[], true).unwrap();
            assert_eq!((report.matched, report.ignored), (source.store().entries().len(), 1), "{report}");
            let plain = wrapper.replace("module.", "").replace("_orig_mod.", "");
            assert!(report.to_string().contains(&format!("names without `{plain}`")), "{report}");
            let of = |model: &MgaModel| model.store().get("bn1.weight").unwrap().tensor().to_vec1::<f32>().unwrap();
            assert_eq!(of(&source), of(&target));
        }
        // A classifier beside the backbone, and not in it.
        let file = tensors(&source).into_iter().map(|(name, t)| match under(&name, "classifier") {
            true => (name.replace("classifier", "model.fc"), t),
            false => (format!("model.backbone.{name}"), t),
        });
        let report = load_tensors(model(4).store(), file.collect(), &[("fc", "classifier")], true).unwrap();
        assert_eq!(report.matched, source.store().entries().len(), "{report}");
        // Two networks under two wrappers are not mixed.
        let twice = |name: &String| [format!("encoder.{name}"), format!("backbone.{name}")];
        let file = tensors(&source).iter().flat_map(|(name, t)| twice(name).map(|name| (name, t.clone()))).collect();
        let message = load_tensors(model(4).store(), file, &[], true).unwrap_err().to_string();
        assert!(message.contains("two entries of the file stand for"), "{message}");
    }

    #[test]
    fn torchvision_and_the_authors_names_fit() {
        let registry = builtin();
        let renames = Networks::of(&registry).backbone("resnet18").unwrap().renames();
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

    #[test]
    fn nothing_of_another_head_is_taken_up() {
        let with_head = |head: &str| {
            let head = Some(Choice::from(head));
            let settings = ModelSettings { head, ..ModelSettings::new("conv4", 4) };
            MgaModel::new(&builtin(), settings, ParameterStore::new(1, DType::F32, &Device::Cpu)).unwrap()
        };
        let (linear, cosine) = (with_head("linear"), with_head("cosine"));
        let prototypes = || {
            let entry = cosine.store().get("classifier.weight").unwrap();
            entry.tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let fresh = prototypes();
        let report = load_for_other_head(cosine.store(), tensors(&linear), &[], true).unwrap();
        assert_eq!(prototypes(), fresh);
        let names = |list: &[Misfit]| list.iter().map(|misfit| misfit.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&report.of_other_head), ["classifier.bias", "classifier.weight"], "{report}");
        assert!(names(&report.reinitialised).contains(&"classifier.weight".to_owned()), "{report}");
        assert!(report.to_string().contains("classifier.bias"), "{report}");
        // Of the same head, everything is.
        let report = load_for_other_head(with_head("cosine").store(), tensors(&cosine), &[], true).unwrap();
        assert_eq!((report.matched, report.of_other_head.len()), (cosine.store().entries().len(), 0), "{report}");
    }
}
