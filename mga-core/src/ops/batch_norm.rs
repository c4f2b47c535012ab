//! Batch normalisation with the activation behind it (Ioffe and Szegedy 2015).

use candle_core::{DType, Tensor};

use super::precision::{channel_sums, sum_type, widened};
use super::relu::rectified;
use crate::element::{Element, modify, read, tensor, with_element, written};
use crate::error::{Error, Result};
use crate::kernels::affine::Window;
use crate::kernels::batch_norm::{self, Planes, Saved};
use crate::recorder::{Attributes, Operator};
use crate::tape::{Gradient, Tape, Value};

/// The activation after a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`; the gradient at 0 is 0.
    Relu,
    /// `min(max(x, 0), 6)`; the gradient at 0 and 6 is 0.
    Relu6,
}

impl Activation {
    /// Its name, for a recorder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
        }
    }

    pub(crate) fn window(self) -> Window {
        match self {
            Self::Identity => Window { low: f64::NEG_INFINITY, high: f64::INFINITY },
            Self::Relu => Window { low: 0.0, high: f64::INFINITY },
            Self::Relu6 => Window { low: 0.0, high: 6.0 },
        }
    }
}

/// The tensors of a batch norm beside its input, each `[C]`.
pub struct BatchNormInputs {
    /// The scale, gamma.
    pub weight: Value,
    /// The shift, beta.
    pub bias: Value,
    /// Running mean and variance, used where `batch_statistics` is false.
    pub running: (Value, Value),
    /// Normalise by the batch's own mean and biased variance.
    pub batch_statistics: bool,
    /// Added to the variance.
    pub eps: f64,
}

impl BatchNormInputs {
    /// What a norm of `x` reads, the running statistics only where it uses them.
    pub(super) fn values<'a>(&'a self, x: &'a Value) -> Vec<&'a Value> {
        let mut values = vec![x, &self.weight, &self.bias];
        if !self.batch_statistics {
            values.extend([&self.running.0, &self.running.1]);
        }
        values
    }

    /// Its settings, for a recorder.
    pub(super) fn attributes(&self, activation: Activation) -> Attributes {
        vec![
            ("eps", self.eps.into()),
            ("batch_statistics", self.batch_statistics.into()),
            ("activation", activation.name().into()),
        ]
    }

    /// Weight and bias as numbers of the kernels, whatever their own type.
    pub(super) fn weights<T: Element>(&self) -> Result<(Vec<T>, Vec<T>)> {
        Ok((vector(self.weight.tensor())?, vector(self.bias.tensor())?))
    }

    /// The running mean and variance in `f64`.
    pub(super) fn running_wide(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        Ok((vector(self.running.0.tensor())?, vector(self.running.1.tensor())?))
    }

    /// Statistics of the batch, in the type of the running ones, rounded to the type that was computed in first.
    pub(super) fn statistics<T: Element>(&self, mean: &[f64], variance: &[f64]) -> Result<Option<Statistics>> {
        if !self.batch_statistics {
            return Ok(None);
        }
        let narrow = |values: &[f64], like: &Value| -> Result<Tensor> {
            let values: Vec<T> = values.iter().map(|&v| T::of(v)).collect();
            Ok(tensor(values, mean.len())?.to_dtype(like.tensor().dtype())?)
        };
        Ok(Some((narrow(mean, &self.running.0)?, narrow(variance, &self.running.1)?)))
    }
}

/// A vector as numbers of the kernels.
pub(super) fn vector<T: Element>(values: &Tensor) -> Result<Vec<T>> {
    Ok(values.to_dtype(T::DTYPE)?.to_vec1()?)
}

/// A vector of the kernels as a tensor of the type `dtype`: a parameter's gradient.
pub(super) fn vector_of<T: Element>(values: Vec<T>, dtype: DType) -> Result<Tensor> {
    let count = values.len();
    Ok(tensor(values, count)?.to_dtype(dtype)?)
}

/// The batch's mean and biased variance, `[C]` each.
pub type Statistics = (Tensor, Tensor);

/// Computes `act((x - mean) / sqrt(var + eps) * weight + bias)` for `x` `[N, C, H, W]`, and returns the statistics of
/// the batch if it used them. Kernels sum in `f64`. The composed engine sums `f32` and `f64` in their own type, in
/// stages; it computes `f16` and `bf16` in `f32` and rounds at the end. NaN stays NaN.
pub fn batch_norm(
    tape: &mut Tape,
    x: Value,
    inputs: BatchNormInputs,
    activation: Activation,
) -> Result<(Value, Option<Statistics>)> {
    let (n, c, h, w) = x.dims4()?;
    if inputs.weight.dims() != [c] || inputs.bias.dims() != [c] {
        return Err(Error::shape(
            "batch_norm",
            format!("x {:?} with a weight of {:?}", x.dims(), inputs.weight.dims()),
        ));
    }
    if inputs.batch_statistics && n * h * w < 2 {
        return Err(Error::shape(
            "batch_norm",
            format!("{:?} gives one number a channel, which has no variance; use a larger batch or image", x.dims()),
        ));
    }
    if tape.kernels(x.tensor()) {
        with_element!(x.tensor(), T => with_kernels::<T>(tape, x, inputs, activation, Planes { n, c, area: h * w, of: c }))
    } else {
        composed(tape, x, inputs, activation)
    }
}

fn with_kernels<T: Element>(
    tape: &mut Tape,
    x: Value,
    inputs: BatchNormInputs,
    activation: Activation,
    planes: Planes,
) -> Result<(Value, Option<Statistics>)> {
    let (gamma, beta) = inputs.weights::<T>()?;
    let window = activation.window();
    let (settings, count) = ((gamma.as_slice(), beta.as_slice(), inputs.eps), x.tensor().elem_count());
    let (y, saved, mean, variance) = if inputs.batch_statistics {
        // SAFETY: every plane of every image is written.
        let normalise = |x: &[T]| unsafe { written(count, |y| batch_norm::normalise(planes, x, settings, window, y)) };
        let (y, (mean, variance)) = read::<T, _>(x.tensor(), normalise)?;
        (y, Saved::new((&mean, &variance), settings, window, true), mean, variance)
    } else {
        let (mean, variance) = inputs.running_wide()?;
        let saved = Saved::new((&mean, &variance), settings, window, false);
        let (scale, shift) = (&saved.scale, &saved.shift);
        // SAFETY: as above.
        let apply = |x: &[T]| unsafe { written(count, |y| batch_norm::apply(planes, x, scale, shift, window, y)) };
        (read::<T, _>(x.tensor(), apply)?.0, saved, mean, variance)
    };
    let statistics = inputs.statistics::<T>(&mean, &variance)?;
    let y = tensor(y, x.dims())?;
    let (x_slot, w_slot, b_slot) = (x.slot(), inputs.weight.slot(), inputs.bias.slot());
    let (x_saved, w_type, b_type) = (x.tensor().clone(), inputs.weight.tensor().dtype(), inputs.bias.tensor().dtype());
    let attributes = || inputs.attributes(activation);
    let operator = Operator::with("batch_norm", &attributes);
    let value = tape.record(operator, &inputs.values(&x), y, move |dy, gradients| {
        let dy = dy.into_owned()?;
        let (dw, db) = read::<T, _>(&x_saved, |x| {
            modify::<T, _>(&dy, |dy| batch_norm::backward(planes, x, dy, &saved, x_slot.is_some()))
        })??;
        gradients.add(w_slot, Gradient::new(vector_of(dw, w_type)?))?;
        gradients.add(b_slot, Gradient::new(vector_of(db, b_type)?))?;
        gradients.add(x_slot, Gradient::new(dy))
    });
    Ok((value, statistics))
}

fn composed(
    tape: &mut Tape,
    x: Value,
    inputs: BatchNormInputs,
    activation: Activation,
) -> Result<(Value, Option<Statistics>)> {
    let dtype = x.tensor().dtype();
    // Half precision cannot hold sums over a batch: the arithmetic is f32, the result the input's type again.
    let inner = sum_type(dtype);
    let (n, c, h, w) = x.dims4()?;
    let count = (n * h * w) as f64;
    let row = move |t: &Tensor| -> Result<Tensor> { Ok(t.to_dtype(inner)?.reshape((1, c, 1, 1))?) };
    let wide = widened(x.tensor())?;
    let (mean, variance) = if inputs.batch_statistics {
        let mean = (channel_sums(&wide)? / count)?;
        let variance = (channel_sums(&wide.broadcast_sub(&mean)?.sqr()?)? / count)?;
        (mean, variance)
    } else {
        (row(inputs.running.0.tensor())?, row(inputs.running.1.tensor())?)
    };
    let inverse = (&variance + inputs.eps)?.sqrt()?.recip()?;
    let scale = (&inverse * row(inputs.weight.tensor())?)?;
    let linear = wide.broadcast_sub(&mean)?.broadcast_mul(&scale)?.broadcast_add(&row(inputs.bias.tensor())?)?;
    let window = activation.window();
    let (y, mask) = match activation {
        Activation::Identity => (linear, None),
        _ => {
            let mut mask = linear.gt(window.low)?;
            if window.high.is_finite() {
                mask = (mask * linear.lt(window.high)?)?;
            }
            (activated(&linear, activation)?, Some(mask))
        }
    };
    let statistics = if inputs.batch_statistics {
        let flat = |t: &Tensor| -> Result<Tensor> { Ok(t.reshape(c)?.to_dtype(inputs.running.0.tensor().dtype())?) };
        Some((flat(&mean)?, flat(&variance)?))
    } else {
        None
    };
    let (x_slot, w_slot, b_slot) = (x.slot(), inputs.weight.slot(), inputs.bias.slot());
    let (x_saved, batch_statistics) = (x.tensor().clone(), inputs.batch_statistics);
    let (w_type, b_type) = (inputs.weight.tensor().dtype(), inputs.bias.tensor().dtype());
    let attributes = || inputs.attributes(activation);
    let operator = Operator::with("batch_norm", &attributes);
    let value = tape.record(operator, &inputs.values(&x), y.to_dtype(dtype)?, move |dy, gradients| {
        let mut g = dy.tensor().to_dtype(inner)?;
        if let Some(mask) = &mask {
            // Chosen, not multiplied: 0 times infinity is no 0.
            g = mask.where_cond(&g, &g.zeros_like()?)?;
        }
        let normalised = x_saved.to_dtype(inner)?.broadcast_sub(&mean)?.broadcast_mul(&inverse)?;
        let db = channel_sums(&g)?;
        let dw = channel_sums(&(&g * &normalised)?)?;
        gradients.add(w_slot, Gradient::new(dw.reshape(c)?.to_dtype(w_type)?))?;
        gradients.add(b_slot, Gradient::new(db.reshape(c)?.to_dtype(b_type)?))?;
        if x_slot.is_none() {
            return Ok(());
        }
        let inside = if batch_statistics {
            let centred = g.broadcast_sub(&(db / count)?)?;
            (centred - normalised.broadcast_mul(&(dw / count)?)?)?
        } else {
            g
        };
        gradients.add(x_slot, Gradient::new(inside.broadcast_mul(&scale)?.to_dtype(dtype)?))
    });
    Ok((value, statistics))
}

/// Not candle's `clamp`, which on CUDA makes a number of a NaN and would hide a broken step.
fn activated(linear: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Identity => Ok(linear.clone()),
        Activation::Relu => rectified(linear),
        Activation::Relu6 => {
            let y = rectified(linear)?;
            Ok(y.gt(6.0)?.where_cond(&(y.zeros_like()? + 6.0)?, &y)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use crate::tape::{Engine, Phase};

    #[test]
    fn gradients_are_right() {
        for (dims, batch_statistics) in [([3, 2, 3, 5], true), ([2, 3, 1, 1], true), ([1, 2, 5, 3], false)] {
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let c = [dims[1]];
                let op = |tape: &mut Tape, v: &[Value]| {
                    // Far enough apart that all three branches of relu6 are taken.
                    let weight = super::super::scaled_sum(tape, &[(v[1].clone(), 3.0)])?;
                    let ones = v[1].tensor().ones_like()?;
                    let running = (tape.constant(&ones.zeros_like()?)?, tape.constant(&ones)?);
                    let inputs = BatchNormInputs { weight, bias: v[2].clone(), running, batch_statistics, eps: 1e-5 };
                    Ok(batch_norm(tape, v[0].clone(), inputs, activation)?.0)
                };
                check(&[&dims, &c, &c], op);
                // Of two numbers a channel the gradient in x is nothing but what cancellation leaves over.
                if dims[2] > 1 {
                    check_half(&[&dims, &c, &c], op);
                }
            }
        }
    }

    #[test]
    fn statistics_survive_a_large_mean() -> Result<()> {
        let x: Vec<f32> = (0..512).map(|i| 10_000.0 + (i % 7) as f32).collect();
        let exact: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let mean = exact.iter().sum::<f64>() / 512.0;
        let variance = exact.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 512.0;
        let mut tape = Tape::new(Phase::Train, false, 0, 0);
        let x = tape.constant(&Tensor::from_vec(x, (2, 1, 16, 16), &candle_core::Device::Cpu)?)?;
        let one = tape.constant(&Tensor::ones(1, DType::F32, &candle_core::Device::Cpu)?)?;
        let inputs = BatchNormInputs {
            weight: one.clone(),
            bias: one.clone(),
            running: (one.clone(), one),
            batch_statistics: true,
            eps: 1e-5,
        };
        let (_, statistics) = batch_norm(&mut tape, x, inputs, Activation::Identity)?;
        let found = statistics.unwrap().1.to_vec1::<f32>()?[0];
        assert!((f64::from(found) / variance - 1.0).abs() < 1e-5, "{found} {variance}");
        Ok(())
    }

    #[test]
    fn half_precision_trains() -> Result<()> {
        // Candle's own batch norm refuses f16 in training mode.
        let mut tape = Tape::train(0, 0).with_engine(Engine::Composed);
        let cpu = candle_core::Device::Cpu;
        let x = tape.variable(&Tensor::arange(0f32, 24.0, &cpu)?.reshape((2, 3, 2, 2))?.to_dtype(DType::F16)?)?;
        let one = tape.constant(&Tensor::ones(3, DType::F16, &cpu)?)?;
        let running = (one.clone(), one.clone());
        let inputs = BatchNormInputs { weight: one.clone(), bias: one, running, batch_statistics: true, eps: 1e-5 };
        let (y, _) = batch_norm(&mut tape, x, inputs, Activation::Relu)?;
        assert_eq!(y.tensor().dtype(), DType::F16);
        Ok(())
    }

    #[test]
    fn one_number_a_channel_is_an_error() -> Result<()> {
        let mut tape = Tape::train(0, 0);
        let x = tape.constant(&Tensor::zeros((1, 1, 1, 1), DType::F32, &candle_core::Device::Cpu)?)?;
        let one = tape.constant(&Tensor::ones(1, DType::F32, &candle_core::Device::Cpu)?)?;
        let inputs = BatchNormInputs {
            weight: one.clone(),
            bias: one.clone(),
            running: (one.clone(), one),
            batch_statistics: true,
            eps: 1e-5,
        };
        assert!(batch_norm(&mut tape, x, inputs, Activation::Relu).is_err());
        Ok(())
    }
}
