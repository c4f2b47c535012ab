//! The effect of the attention map on the features.

use candle_core::Tensor;

use super::precision::widened;
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// The effect of a map A on features F.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// `plain F + gated A F`.
    Sum {
        /// What the features weigh.
        plain: f64,
        /// What the features times the map weigh.
        gated: f64,
    },
    /// F and A F side by side: twice the channels.
    Concat,
}

impl Gate {
    /// `A F`.
    pub const MULTIPLY: Self = Self::Sum { plain: 0.0, gated: 1.0 };
}

/// Applies the attention `A` `[N, 1, h, w]` to the features `F` `[N, C, h, w]`.
///
/// `f16` and `bf16`: the attention's gradient, a sum over the channels, is taken in `f32`.
pub fn attend(tape: &mut Tape, features: Value, attention: Value, gate: Gate) -> Result<Value> {
    let (n, c, h, w) = features.dims4()?;
    if attention.dims() != [n, 1, h, w] {
        let what = format!("features {:?} under an attention of {:?}", features.dims(), attention.dims());
        return Err(Error::shape("attend", what));
    }
    // F' = plain F + gated A F, one after the other where they are concatenated.
    let (concat, plain, gated) = match gate {
        Gate::Sum { plain, gated } => (false, plain, gated),
        Gate::Concat => (true, 1.0, 1.0),
    };
    let attributes = || vec![("concat", concat.into()), ("plain", plain.into()), ("gated", gated.into())];
    let (f, a) = (features.tensor().clone(), attention.tensor().clone());
    let y =
        if concat { Tensor::cat(&[&f, &f.broadcast_mul(&a)?], 1)? } else { f.broadcast_mul(&a.affine(gated, plain)?)? };
    let (f_slot, a_slot) = (features.slot(), attention.slot());
    Ok(tape.record(Operator::with("attend", &attributes), &[&features, &attention], y, move |dy, gradients| {
        let (direct, through) = if concat {
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
        for gate in [Gate::MULTIPLY, Gate::Sum { plain: 0.3, gated: 0.7 }, Gate::Concat] {
            let op = |tape: &mut Tape, v: &[Value]| attend(tape, v[0].clone(), v[1].clone(), gate);
            check(&[&[2, 3, 2, 5], &[2, 1, 2, 5]], op);
            check_half(&[&[2, 3, 2, 5], &[2, 1, 2, 5]], op);
        }
    }
}
