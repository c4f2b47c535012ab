//! Finite-difference checks in `f64`, on both engines.
//!
//! Meant for tests (ours and those of crates that add operators): a failure panics with the place and both numbers.

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
use crate::random::Generator;
use crate::tape::{Engine, Phase, Tape, Value};

const ENGINES: [Engine; 2] = [Engine::Kernels, Engine::Composed];

/// Checks the gradient of `op` for every element of every input, in training mode, against central differences.
///
/// The inputs are distinct numbers between -2 and 2 that keep clear of 0 and of each other by far more than the step, so
/// that kinks (relu, maxima) are not stepped over.
///
/// # Panics
/// Where a gradient is wrong by more than 1e-6 relative to the largest of its tensor, or an engine differs from the other.
#[expect(clippy::panic, reason = "a failed check is a failed test")]
pub fn check(shapes: &[&[usize]], op: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    if let Err(error) = try_check(shapes, &op) {
        panic!("gradient check of {shapes:?}: {error}");
    }
}

#[expect(clippy::panic, reason = "a failed check is a failed test")]
fn try_check(shapes: &[&[usize]], op: &impl Fn(&mut Tape, &[Value]) -> Result<Value>) -> Result<()> {
    let inputs: Vec<Vec<f64>> =
        shapes.iter().enumerate().map(|(i, shape)| distinct(shape.iter().product(), i)).collect();
    let mut outputs: Vec<Vec<f64>> = vec![];
    for engine in ENGINES {
        let tensors = |inputs: &[Vec<f64>]| -> Result<Vec<Tensor>> {
            inputs.iter().zip(shapes).map(|(v, &s)| Ok(Tensor::from_slice(v, s, &Device::Cpu)?)).collect()
        };
        // The scalar is <output, fixed random weights>, so that every output element counts.
        let loss = |inputs: &[Vec<f64>]| -> Result<(f64, Vec<f64>)> {
            let mut tape = Tape::new(Phase::Train, false, 5, 0).with_engine(engine);
            let values: Vec<Value> = tensors(inputs)?.iter().map(|t| tape.constant(t)).collect::<Result<_>>()?;
            let y = op(&mut tape, &values)?.tensor().flatten_all()?.to_vec1::<f64>()?;
            Ok((y.iter().zip(weights(y.len())).map(|(y, w)| y * w).sum(), y))
        };
        let mut tape = Tape::new(Phase::Train, true, 5, 0).with_engine(engine);
        let values: Vec<Value> = tensors(&inputs)?.iter().map(|t| tape.variable(t)).collect::<Result<_>>()?;
        let y = op(&mut tape, &values)?;
        let scalar = crate::ops::candle_node(&mut tape, std::slice::from_ref(&y), |t| {
            let w = Tensor::from_vec(weights(t[0].elem_count()), t[0].dims(), &Device::Cpu)?;
            (&t[0] * w)?.sum_all()
        })?;
        let mut gradients = tape.backward(&scalar, 1.0)?;
        outputs.push(y.tensor().flatten_all()?.to_vec1()?);
        for (which, value) in values.iter().enumerate() {
            let count = inputs[which].len();
            let found = match gradients.take(value) {
                Some(gradient) => gradient.flatten_all()?.to_vec1::<f64>()?,
                None => vec![0.0; count],
            };
            let mut expected = vec![0.0; count];
            for place in 0..count {
                let step = 1e-5;
                let mut moved = inputs.clone();
                moved[which][place] += step;
                let above = loss(&moved)?.0;
                moved[which][place] -= 2.0 * step;
                expected[place] = (above - loss(&moved)?.0) / (2.0 * step);
            }
            let largest = expected.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
            for (place, (f, e)) in found.iter().zip(&expected).enumerate() {
                if (f - e).abs() > 1e-6 * largest {
                    panic!("{engine:?}, input {which} of {shapes:?}, element {place}: gradient {f}, difference {e}");
                }
            }
        }
    }
    let apart = outputs[0].iter().zip(&outputs[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(outputs[0].len() == outputs[1].len() && apart < 1e-10, "the engines' outputs differ by {apart}");
    Ok(())
}

/// Checks `op` in `f16` and `bf16`, composed, against itself in `f64` on the same rounded inputs: output and gradients, in
/// training mode.
///
/// # Panics
/// Where one is further off than eight times the type's rounding (2^-11, 2^-8) in relative L2, or its gradients come in
/// another type. An output may come in `f32`, as losses do.
#[expect(clippy::panic, reason = "a failed check is a failed test")]
pub fn check_half(shapes: &[&[usize]], op: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    for (dtype, rounding) in [(DType::F16, 2f64.powi(-11)), (DType::BF16, 2f64.powi(-8))] {
        let runs = half_run(shapes, &op, dtype, dtype).and_then(|f| Ok((f, half_run(shapes, &op, dtype, DType::F64)?)));
        let (found, exact) = runs.unwrap_or_else(|error| panic!("{dtype:?}, {shapes:?}: {error}"));
        for (which, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
            let apart = norm(&mut found.iter().zip(exact).map(|(f, e)| f - e));
            let allowed = 8.0 * rounding * norm(&mut exact.iter().copied());
            assert!(
                found.len() == exact.len() && apart <= allowed,
                "{dtype:?}, {shapes:?}, output and gradients in order, number {which}: {found:?}, expected {exact:?}"
            );
        }
    }
}

/// Output and gradients of `op` in `dtype`, everything that goes in rounded to `half` first.
fn half_run(
    shapes: &[&[usize]],
    op: &impl Fn(&mut Tape, &[Value]) -> Result<Value>,
    half: DType,
    dtype: DType,
) -> Result<Vec<Vec<f64>>> {
    let numbers = |t: &Tensor| -> Result<Vec<f64>> { Ok(t.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?) };
    let mut tape = Tape::new(Phase::Train, true, 5, 0).with_engine(Engine::Composed);
    let input = |(which, shape): (usize, &&[usize])| -> Result<Tensor> {
        let values = distinct(shape.iter().product(), which);
        Ok(Tensor::from_vec(values, *shape, &Device::Cpu)?.to_dtype(half)?.to_dtype(dtype)?)
    };
    let tensors = shapes.iter().enumerate().map(input).collect::<Result<Vec<_>>>()?;
    let values: Vec<Value> = tensors.iter().map(|t| tape.variable(t)).collect::<Result<_>>()?;
    let y = op(&mut tape, &values)?;
    let mut all = vec![numbers(y.tensor())?];
    let scalar = crate::ops::candle_node(&mut tape, std::slice::from_ref(&y), |t| {
        let w = Tensor::from_vec(weights(t[0].elem_count()), t[0].dims(), &Device::Cpu)?.to_dtype(half)?;
        (&t[0] * w.to_dtype(t[0].dtype())?)?.sum_all()
    })?;
    let mut gradients = tape.backward(&scalar, 1.0)?;
    for (value, tensor) in values.iter().zip(&tensors) {
        let gradient = gradients.take(value).map_or_else(|| tensor.zeros_like(), Ok)?;
        if gradient.dtype() != dtype {
            return Err(crate::Error::shape("check_half", format!("a gradient of {:?}", gradient.dtype())));
        }
        all.push(numbers(&gradient)?);
    }
    Ok(all)
}

/// The gradient of `sum(op(x))` in `x`, once per engine: for cases whose answer is known by hand.
///
/// # Panics
/// Where the operator fails or gives no gradient.
#[expect(clippy::expect_used, reason = "a failed check is a failed test")]
pub fn gradient(x: &Tensor, op: impl Fn(&mut Tape, Value) -> Result<Value>) -> Vec<Vec<f64>> {
    let one = |engine| -> Result<Vec<f64>> {
        let mut tape = Tape::train(0, 0).with_engine(engine);
        let value = tape.variable(x)?;
        let y = op(&mut tape, value.clone())?;
        let sum = crate::ops::candle_node(&mut tape, &[y], |t| t[0].sum_all())?;
        let dx = tape
            .backward(&sum, 1.0)?
            .take(&value)
            .map_or_else(|| x.zeros_like().map_err(Into::into), Ok::<_, crate::Error>)?;
        Ok(dx.flatten_all()?.to_vec1()?)
    };
    ENGINES.map(|engine| one(engine).expect("the operator runs")).to_vec()
}

/// `count` distinct numbers in random order, evenly spread over -2 to 2 but for 0.
fn distinct(count: usize, which: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..count).map(|i| ((i as f64 + 0.5) / count as f64 - 0.5) * 4.0 + 1e-3).collect();
    Generator::new(11, "gradient check", &[which as u64]).shuffle(&mut values);
    values
}

fn weights(count: usize) -> Vec<f64> {
    let mut generator = Generator::new(12, "gradient check", &[]);
    (0..count).map(|_| generator.normal()).collect()
}
