//! A convolution with what mostly follows it, done to each number as it is finished: a bias and an activation, or, where
//! running statistics are used and nothing is trained, a batch norm and an activation.

use candle_core::Tensor;

use super::conv2d::{Operands, conv2d_shape, output_of};
use super::{Activation, BatchNormInputs, Conv2dSettings, Statistics, batch_norm, conv2d};
use crate::element::{Element, modify, read, tensor, with_element};
use crate::error::{Error, Result};
use crate::kernels::batch_norm::{Planes, Saved, backward_bias};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `act(conv2d(x, weight) + bias)` for `bias` `[O]`.
///
/// f32 and f64 on the CPU: in one pass, and the gradient goes through the activation in place. Otherwise composed; `f16` and `bf16` as the
/// convolution and the norm do it.
pub fn conv2d_bias(
    tape: &mut Tape,
    x: Value,
    weight: Value,
    bias: Value,
    settings: Conv2dSettings,
    activation: Activation,
) -> Result<Value> {
    let shape = conv2d_shape(&x, &weight, settings)?;
    let c = shape.output.0;
    if bias.dims() != [c] {
        return Err(Error::shape("conv2d_bias", format!("weight {:?}, bias {:?}", weight.dims(), bias.dims())));
    }
    if !tape.kernels(x.tensor()) || !shape.has_kernel() {
        let y = conv2d(tape, x, weight, settings)?;
        // A batch norm that does nothing but add its bias and activate.
        let one = Tensor::ones(c, bias.tensor().dtype(), bias.tensor().device())?;
        let running = (tape.constant(&one.zeros_like()?)?, tape.constant(&one)?);
        let weight = running.1.clone();
        let norm = BatchNormInputs { weight, bias, running, batch_statistics: false, eps: 0.0 };
        return Ok(batch_norm(tape, y, norm, activation)?.0);
    }
    let window = activation.window();
    let y = with_element!(x.tensor(), T => {
        let (one, shift) = (vec![T::of(1.0); c], bias.tensor().to_vec1::<T>()?);
        let finish = crate::kernels::affine::Affine { scale: &one, shift: &shift, window };
        output_of::<T>(&shape, x.tensor(), weight.tensor(), Some(finish))?
    });
    let planes = Planes { n: shape.n, c, area: shape.out_area(), of: c };
    let operands = Operands::new(&shape, &x, &weight);
    let (b_slot, saved) = (bias.slot(), y.clone());
    let attributes = || [settings.attributes(), vec![("activation", activation.name().into())]].concat();
    Ok(tape.record(Operator::with("conv2d_bias", &attributes), &[&x, &weight, &bias], y, move |dy, gradients| {
        let dy = dy.into_owned()?;
        with_element!(dy, T => {
            let sums = read::<T, _>(&saved, |y| modify::<T, _>(&dy, |dy| backward_bias(planes, y, dy, window)))??;
            gradients.add(b_slot, Gradient::new(tensor(sums, c)?))?;
        });
        operands.backward(&dy, gradients)
    }))
}

/// Computes `act(batch_norm(conv2d(x, weight)))`, and returns the statistics of the batch if the norm used them.
///
/// f32 and f64 on the CPU, where the norm uses running statistics and nothing upstream is trained (evaluation, or a
/// frozen prefix with frozen norms): in one pass. Otherwise one operator after the other.
pub fn conv2d_norm(
    tape: &mut Tape,
    x: Value,
    weight: Value,
    settings: Conv2dSettings,
    norm: BatchNormInputs,
    activation: Activation,
) -> Result<(Value, Option<Statistics>)> {
    let shape = conv2d_shape(&x, &weight, settings)?;
    let plain = norm.batch_statistics
        || !tape.kernels(x.tensor())
        || !shape.has_kernel()
        || norm.weight.dims() != [shape.output.0]
        || tape.needs_gradient(&[&x, &weight, &norm.weight, &norm.bias]);
    if plain {
        let y = conv2d(tape, x, weight, settings)?;
        return batch_norm(tape, y, norm, activation);
    }
    let y = with_element!(x.tensor(), T => {
        let saved = running::<T>(&norm, activation)?;
        output_of::<T>(&shape, x.tensor(), weight.tensor(), Some(saved.affine()))?
    });
    let attributes = || [settings.attributes(), norm.attributes(activation)].concat();
    let inputs = [&[&x][..], &norm.values(&weight)].concat();
    // Nothing upstream is trained.
    Ok((tape.record(Operator::with("conv2d_norm", &attributes), &inputs, y, |_, _| Ok(())), None))
}

/// The affine map of a norm with running statistics.
fn running<T: Element>(norm: &BatchNormInputs, activation: Activation) -> Result<Saved<T>> {
    let (gamma, beta) = norm.weights::<T>()?;
    let (mean, variance) = norm.running_wide()?;
    Ok(Saved::new((&mean, &variance), (&gamma, &beta, norm.eps), activation.window(), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    const SAME: Conv2dSettings = Conv2dSettings { stride: 1, padding: (1, 1), dilation: 1, groups: 1 };

    #[test]
    fn gradients_are_right() {
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
            check(&[&[2, 3, 4, 5], &[4, 3, 3, 3], &[4]], |tape, v| {
                conv2d_bias(tape, v[0].clone(), v[1].clone(), v[2].clone(), SAME, activation)
            });
            check_half(&[&[2, 3, 4, 5], &[4, 3, 3, 3], &[4]], |tape, v| {
                conv2d_bias(tape, v[0].clone(), v[1].clone(), v[2].clone(), SAME, activation)
            });
            let depthwise = Conv2dSettings { groups: 3, ..SAME };
            check(&[&[1, 3, 4, 5], &[3, 1, 3, 3], &[3]], |tape, v| {
                conv2d_bias(tape, v[0].clone(), v[1].clone(), v[2].clone(), depthwise, activation)
            });
        }
    }

    #[test]
    fn a_norm_folded_in_is_the_norm() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let numbers = |dims: &[usize]| -> Result<Tensor> {
            let count: usize = dims.iter().product();
            let values: Vec<f64> = (0..count).map(|i| ((i * 37 + 11) % 101) as f64 / 50.0 - 1.0).collect();
            Ok(Tensor::from_vec(values, dims, &device)?)
        };
        for groups in [1, 3] {
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let mut tape = Tape::eval();
                let (x, w) = (numbers(&[2, 3, 7, 6])?, numbers(&[3, 3 / groups, 3, 3])?);
                let (x, w) = (tape.constant(&x)?, tape.constant(&w)?);
                let settings = Conv2dSettings { groups, ..SAME };
                let (weight, bias) = (tape.constant(&numbers(&[3])?)?, tape.constant(&numbers(&[3])?)?);
                let running = (tape.constant(&numbers(&[3])?)?, tape.constant(&numbers(&[3])?.sqr()?)?);
                let norm = || -> Result<BatchNormInputs> {
                    let running = running.clone();
                    let (weight, bias) = (weight.clone(), bias.clone());
                    Ok(BatchNormInputs { weight, bias, running, batch_statistics: false, eps: 1e-3 })
                };
                let (folded, _) = conv2d_norm(&mut tape, x.clone(), w.clone(), settings, norm()?, activation)?;
                let y = conv2d(&mut tape, x, w, settings)?;
                let (plain, _) = batch_norm(&mut tape, y, norm()?, activation)?;
                let apart = (folded.tensor() - plain.tensor())?.abs()?.max_all()?.to_scalar::<f64>()?;
                assert!(apart < 1e-12, "{apart}");
            }
        }
        Ok(())
    }
}
