//! Grad-CAM (Selvaraju et al., ICCV 2017): which places of the last features speak for a class.

use candle_core::{DType, Tensor};
use mga_core::tape::{Phase, Tape, Value};
use mga_core::{Error, Result, ops};

use crate::features::Features;
use crate::model::MgaModel;

/// Computes Grad-CAM maps from features whose last map is `F` `[N, C, h, w]` ([`MgaModel::features`]) and one class per image:
///
/// ```text
/// w_k = mean over h, w of d logit_class / d F_k        G = relu(sum_k w_k F_k)
/// ```
///
/// Each map is divided by its own maximum, `[N, 1, h, w]` in 0 to 1, and is zero if nothing speaks for the class. The
/// model is in evaluation mode: running statistics, no dropout. The gradient runs only through attention and
/// classifier, whatever the backbone.
///
/// # Errors
/// Another number of classes than of images; a class that the network does not have.
pub fn grad_cam(model: &MgaModel, features: &Features, classes: &[usize]) -> Result<Tensor> {
    let last = features.last()?.tensor().clone();
    let (n, c, h, w) = last.dims4()?;
    let known = model.settings().classes;
    if classes.len() != n || classes.iter().any(|&class| class >= known) {
        let what = format!("{n} images need as many classes, below {known}; got {classes:?}");
        return Err(Error::settings(format!("grad_cam: {what}")));
    }
    let mut tape = Tape::new(Phase::Eval, true, 0, 0);
    let variable = tape.variable(&last)?;
    let features = detached(&mut tape, features)?.with_last(variable.clone());
    let logits = model.classify(&mut tape, features)?.logits;
    let score = chosen(&mut tape, logits, classes)?;
    let gradient = match tape.backward(&score, 1.0)?.take(&variable) {
        Some(gradient) => gradient,
        None => last.zeros_like()?,
    };
    let weights = gradient.mean_keepdim((2, 3))?;
    let maps = last.broadcast_mul(&weights)?.sum_keepdim(1)?.relu()?;
    let flat = maps.reshape((n, h * w))?;
    // The least positive number of the type where a map is zero everywhere, which then stays so.
    let least = if maps.dtype() == DType::F64 { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) };
    let top = flat.max_keepdim(1)?.maximum(least)?;
    debug_assert_eq!(weights.dims(), [n, c, 1, 1]);
    Ok(flat.broadcast_div(&top)?.reshape((n, 1, h, w))?)
}

/// The same features as constants of a tape.
fn detached(tape: &mut Tape, features: &Features) -> Result<Features> {
    let mut constant = |value: &Value| tape.constant(value.tensor());
    let mut maps = Vec::with_capacity(features.maps.len());
    for (stage, map) in &features.maps {
        maps.push((*stage, constant(map)?));
    }
    Ok(Features {
        maps,
        prefix: features.prefix.as_ref().map(&mut constant).transpose()?,
        pooled: features.pooled.as_ref().map(&mut constant).transpose()?,
        masks: features.masks.as_ref().map(&mut constant).transpose()?,
    })
}

/// The sum over the images of the score of each one's class: images do not mix, so its gradient is each one's own.
fn chosen(tape: &mut Tape, logits: Value, classes: &[usize]) -> Result<Value> {
    let (n, count) = logits.tensor().dims2()?;
    let mut one_hot = vec![0f32; n * count];
    classes.iter().enumerate().for_each(|(image, class)| one_hot[image * count + class] = 1.0);
    let tensor = logits.tensor();
    let one_hot = Tensor::from_vec(one_hot, (n, count), tensor.device())?.to_dtype(tensor.dtype())?;
    ops::candle_node(tape, &[logits], |t| (&t[0] * &one_hot)?.sum_all())
}
