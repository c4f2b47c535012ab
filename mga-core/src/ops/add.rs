//! Sums of values.

use candle_core::Tensor;

use super::relu::{gate, rectified};
use crate::element::{read, tensor, with_element};
use crate::error::{Error, Result};
use crate::kernels::elementwise;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `a + b` for two values of one shape, in their own type.
pub fn add(tape: &mut Tape, a: Value, b: Value) -> Result<Value> {
    let y = sum(tape, &a, &b, false)?;
    let (a_slot, b_slot) = (a.slot(), b.slot());
    Ok(tape.record(Operator::new("add"), &[&a, &b], y, move |dy, gradients| {
        gradients.add(a_slot, dy.clone())?;
        gradients.add(b_slot, dy)
    }))
}

/// Computes `max(a + b, 0)`, the end of a residual block, in the type of the values. NaN stays NaN.
pub fn add_relu(tape: &mut Tape, a: Value, b: Value) -> Result<Value> {
    let kernels = tape.kernels(a.tensor());
    let y = sum(tape, &a, &b, true)?;
    let (a_slot, b_slot, saved) = (a.slot(), b.slot(), y.clone());
    Ok(tape.record(Operator::new("add_relu"), &[&a, &b], y, move |dy, gradients| {
        let dy = Gradient::new(gate(dy.into_owned()?, &saved, kernels)?);
        gradients.add(a_slot, dy.clone())?;
        gradients.add(b_slot, dy)
    }))
}

fn sum(tape: &Tape, a: &Value, b: &Value, relu: bool) -> Result<Tensor> {
    if a.dims() != b.dims() {
        return Err(Error::shape("add", format!("{:?} and {:?}", a.dims(), b.dims())));
    }
    if !tape.kernels(a.tensor()) {
        let sum = (a.tensor() + b.tensor())?;
        return if relu { rectified(&sum) } else { Ok(sum) };
    }
    with_element!(a.tensor(), T => {
        let floor: T = if relu { 0.0 } else { T::NEG_INFINITY };
        let add = |a: T, b: T| { let v = a + b; if v < floor { floor } else { v } };
        let y = read::<T, _>(a.tensor(), |a| read::<T, _>(b.tensor(), |b| elementwise::zip(a, b, add)))??;
        tensor(y, a.dims())
    })
}

/// Computes `sum_i weight_i * value_i` for values of one shape and type, in their own type. It joins the terms of a
/// loss; losses of `f16` and `bf16` are already `f32`.
pub fn scaled_sum(tape: &mut Tape, terms: &[(Value, f64)]) -> Result<Value> {
    let mut total: Option<Tensor> = None;
    for (value, weight) in terms {
        let term = (value.tensor() * *weight)?;
        total = Some(match total {
            None => term,
            Some(total) => (total + term)?,
        });
    }
    let total = total.ok_or_else(|| Error::shape("scaled_sum", "nothing to add"))?;
    let slots: Vec<_> = terms.iter().map(|(value, weight)| (value.slot(), *weight)).collect();
    let inputs: Vec<&Value> = terms.iter().map(|(value, _)| value).collect();
    let attributes = || vec![("weights", terms.iter().map(|(_, weight)| *weight).collect::<Vec<f64>>().into())];
    Ok(tape.record(Operator::with("scaled_sum", &attributes), &inputs, total, move |dy, gradients| {
        for (slot, weight) in slots.into_iter().filter(|(slot, _)| slot.is_some()) {
            gradients.add(slot, Gradient::new((dy.tensor() * weight)?))?;
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
        let dims = [2, 3, 5, 3];
        check(&[&dims, &dims], |tape, v| add(tape, v[0].clone(), v[1].clone()));
        check(&[&dims, &dims], |tape, v| add_relu(tape, v[0].clone(), v[1].clone()));
        check(&[&dims, &dims], |tape, v| scaled_sum(tape, &[(v[0].clone(), 0.3), (v[1].clone(), -2.0)]));
        check_half(&[&dims, &dims], |tape, v| add(tape, v[0].clone(), v[1].clone()));
        check_half(&[&dims, &dims], |tape, v| add_relu(tape, v[0].clone(), v[1].clone()));
        check_half(&[&dims, &dims], |tape, v| scaled_sum(tape, &[(v[0].clone(), 0.3), (v[1].clone(), -2.0)]));
    }

    #[test]
    fn a_shared_gradient_is_not_changed_under_its_other_owner() {
        // Both branches get one gradient; relu changes its own in place, and x collects from both.
        check(&[&[1, 2, 3, 3]], |tape, v| {
            let branch = super::super::relu(tape, v[0].clone())?;
            let twice = add(tape, branch.clone(), v[0].clone())?;
            let sum = add(tape, twice, branch)?;
            add(tape, sum.clone(), sum)
        });
    }
}
