//! An operator written in plain candle, differentiated by candle's own backward.

use candle_core::{Tensor, Var};

use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Runs `f` on the inputs with candle's autograd inside one node of the tape. Use it to try a new operator before it
/// has a gradient of its own. Errors of candle's backward pass (see `clippy.toml`) appear here too, and it recurses, so
/// keep `f` short. `f64`, `f16` and `bf16` behave as in the candle operators of `f`.
pub fn candle_node(
    tape: &mut Tape,
    inputs: &[Value],
    f: impl FnOnce(&[Tensor]) -> candle_core::Result<Tensor>,
) -> Result<Value> {
    let all: Vec<&Value> = inputs.iter().collect();
    if !tape.needs_gradient(&all) {
        let tensors: Vec<Tensor> = inputs.iter().map(|input| input.tensor().clone()).collect();
        let y = f(&tensors)?.contiguous()?;
        let attributes = || vec![("shape", y.dims().into())];
        return Ok(tape.record(Operator::with("candle_node", &attributes), &all, y.clone(), |_, _| Ok(())));
    }
    let variables =
        inputs.iter().map(|input| Var::from_tensor(input.tensor())).collect::<candle_core::Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let y = f(&tensors)?.contiguous()?;
    let slots: Vec<_> = inputs.iter().map(Value::slot).collect();
    let graph = y.clone();
    let attributes = || vec![("shape", y.dims().into())];
    Ok(tape.record(Operator::with("candle_node", &attributes), &all, y.detach(), move |dy, gradients| {
        let found = (graph * dy.tensor())?.sum_all()?.backward()?;
        for (slot, variable) in slots.into_iter().zip(&variables) {
            if let (Some(_), Some(gradient)) = (slot, found.get(variable)) {
                gradients.add(slot, Gradient::new(gradient.contiguous()?.copy()?))?;
            }
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3], &[2, 3]], |tape, v| candle_node(tape, v, |t| (t[0].sin()? * &t[1])?.exp()));
    }
}
