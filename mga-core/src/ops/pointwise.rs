//! Functions of one number, applied to each: what hard-swish, hard-sigmoid and GELU share.

use candle_core::Tensor;

use super::precision::widened;
use crate::element::{Element, modify, read, tensor, with_element};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// A function and its derivative, for the kernels and composed of candle's operators.
pub(super) trait Pointwise: 'static {
    const NAME: &'static str;
    fn value<T: Element>(x: T) -> T;
    fn slope<T: Element>(x: T) -> T;
    fn composed(x: &Tensor) -> Result<Tensor>;
    fn composed_slope(x: &Tensor) -> Result<Tensor>;
}

/// `F` of every number of `x`, of any shape. `f16` and `bf16`: computed in `f32` and rounded once.
pub(super) fn pointwise<F: Pointwise>(tape: &mut Tape, x: Value) -> Result<Value> {
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => {
            let y = read::<T, _>(x.tensor(), |x| elementwise::map(x, F::value))?;
            tensor(y, x.dims())?
        })
    } else {
        F::composed(&widened(x.tensor())?)?.to_dtype(x.tensor().dtype())?
    };
    let (slot, saved) = (x.slot(), x.tensor().clone());
    Ok(tape.record(Operator::new(F::NAME), &[&x], y, move |dy, gradients| {
        if !kernels {
            let dx = (widened(dy.tensor())? * F::composed_slope(&widened(&saved)?)?)?;
            return gradients.add(slot, Gradient::new(dx.to_dtype(saved.dtype())?));
        }
        let dy = dy.into_owned()?;
        with_element!(saved, T => read::<T, _>(&saved, |x| {
            modify::<T, _>(&dy, |dy| elementwise::update(dy, x, |g, x| *g *= F::slope(x)))
        })??);
        gradients.add(slot, Gradient::new(dy))
    }))
}
