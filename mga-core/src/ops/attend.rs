//! The effect of the attention map on the features.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::precision::widened;
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// How the attention map A acts on the features F.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// F: not at all.
    None,
    /// A F.
    Multiply,
    /// a F + b A F, with `residual_weights`.
    #[default]
    Residual,
    /// F and A F side by side: twice the channels for the classifier.
    Concat,
    /// A F, with the map of CBAM's spatial gate (Woo et al. 2018): a 7 x 7 convolution and a batch norm.
    CbamSpatial,
}

/// Applies the attention `A` `[N, 1, h, w]` to the features `F` `[N, C, h, w]`.
///
/// `residual` are the weights `(a, b)` of [`Attention::Residual`], the paper's `(0.5, 0.5)`.
/// `f16` and `bf16`: the attention's gradient, a sum over the channels, is taken in `f32`.
pub fn attend(
    tape: &mut Tape,
    features: Value,
    attention: Value,
    kind: Attention,
    residual: (f64, f64),
) -> Result<Value> {
    let (n, c, h, w) = features.dims4()?;
    if attention.dims() != [n, 1, h, w] {
        let what = format!("features {:?} under an attention of {:?}", features.dims(), attention.dims());
        return Err(Error::shape("attend", what));
    }
    // F' = plain F + gated A F, one after the other where they are concatenated.
    let (plain, gated) = match kind {
        Attention::None => return Ok(features),
        Attention::Multiply | Attention::CbamSpatial => (0.0, 1.0),
        Attention::Residual => residual,
        Attention::Concat => (1.0, 1.0),
    };
    let attributes =
        || vec![("concat", (kind == Attention::Concat).into()), ("plain", plain.into()), ("gated", gated.into())];
    let (f, a) = (features.tensor().clone(), attention.tensor().clone());
    let y = if kind == Attention::Concat {
        Tensor::cat(&[&f, &f.broadcast_mul(&a)?], 1)?
    } else {
        f.broadcast_mul(&a.affine(gated, plain)?)?
    };
    let (f_slot, a_slot) = (features.slot(), attention.slot());
    Ok(tape.record(Operator::with("attend", &attributes), &[&features, &attention], y, move |dy, gradients| {
        let (direct, through) = if kind == Attention::Concat {
            (Some(dy.tensor().narrow(1, 0, c)?.contiguous()?), dy.tensor().narrow(1, c, c)?.contiguous()?)
        } else {
            (None, dy.tensor().clone())
        };
        if a_slot.is_some() {
            let da = ((widened(&through)? * widened(&f)?)?.sum_keepdim(1)? * gated)?;
            gradients.add(a_slot, Gradient::new(da.to_dtype(a.dtype())?))?;
        }
        if f_slot.is_some() {
            let df = match direct {
                Some(direct) => (direct + through.broadcast_mul(&a)?)?,
                None => through.broadcast_mul(&a.affine(gated, plain)?)?,
            };
            gradients.add(f_slot, Gradient::new(df))?;
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        for kind in
            [Attention::None, Attention::Multiply, Attention::Residual, Attention::Concat, Attention::CbamSpatial]
        {
            let op = |tape: &mut Tape, v: &[Value]| attend(tape, v[0].clone(), v[1].clone(), kind, (0.3, 0.7));
            check(&[&[2, 3, 2, 5], &[2, 1, 2, 5]], op);
            check_half(&[&[2, 3, 2, 5], &[2, 1, 2, 5]], op);
        }
    }
}
