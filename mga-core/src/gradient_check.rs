//! Finite-difference checks in `f64`, on both engines and, where [`DEVICE_VARIABLE`] names one, on a device.
//!
//! Meant for tests (ours and those of crates that add operators): a failure panics with the place and both numbers.

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
use crate::random::Generator;
use crate::tape::{Engine, Phase, Tape, Value};

/// The environment variable that names the device which tests compute on beside the CPU: `cpu`, `cuda` or `cuda:1`. A
/// variable, for the test harness keeps the arguments to itself.
pub const DEVICE_VARIABLE: &str = "MGA_TEST_DEVICE";

/// Returns the device that [`DEVICE_VARIABLE`] names; `None` if it is not set. It is opened once, and all tests of a
/// process share it.
///
/// # Panics
/// Where the name is no device, or the device cannot be used.
#[expect(clippy::panic, reason = "a test without its device is a failed test")]
pub fn test_device() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let open = || {
        let name = std::env::var(DEVICE_VARIABLE).ok()?;
        let number = match name.as_str() {
            "cpu" => return Some(Device::Cpu),
            "cuda" => Some(0),
            _ => name.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        let number = number.unwrap_or_else(|| panic!("{DEVICE_VARIABLE}={name}: expected cpu, cuda or cuda:N"));
        Some(Device::new_cuda(number).unwrap_or_else(|error| panic!("{DEVICE_VARIABLE}={name}: {error}")))
    };
    DEVICE.get_or_init(open).clone()
}

/// An engine and a device that an operator is computed on.
#[derive(Debug, Clone)]
pub struct Place {
    /// The engine of the tape.
    pub engine: Engine,
    /// The device of the tensors.
    pub device: Device,
}

impl Place {
    /// Returns the place that a run uses on this device. On the CPU this is the composed engine, which is the nearest
    /// to a GPU without one.
    pub fn on(device: Device) -> Self {
        Self { engine: if device.is_cpu() { Engine::Composed } else { Engine::default() }, device }
    }

    /// Both engines on the CPU, and the device of the tests.
    pub(crate) fn all() -> Vec<Self> {
        let cpu = [Engine::Kernels, Engine::Composed].map(|engine| Self { engine, device: Device::Cpu });
        cpu.into_iter().chain(test_device().map(Self::on)).collect()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {:?}", self.engine, self.device.location())
    }
}

/// Checks the gradient of `op` for every element of every input, in training mode, against central differences. Those are
/// computed on the CPU, for a device takes long over thousands of tiny passes.
///
/// The inputs are distinct numbers between -2 and 2 that keep clear of 0 and of each other by far more than the step, so
/// that kinks (relu, maxima) are not stepped over.
///
/// # Panics
/// Where a gradient is wrong by more than 1e-6 relative to the largest of its tensor, or an output differs from that of the
/// CPU's kernels.
#[expect(clippy::panic, reason = "a failed check is a failed test")]
pub fn check(shapes: &[&[usize]], op: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    if let Err(error) = try_check(shapes, &op) {
        panic!("gradient check of {shapes:?}: {error}");
    }
}

fn try_check(shapes: &[&[usize]], op: &impl Fn(&mut Tape, &[Value]) -> Result<Value>) -> Result<()> {
    let inputs: Vec<Vec<f64>> =
        shapes.iter().enumerate().map(|(i, shape)| distinct(shape.iter().product(), i)).collect();
    let mut outputs: Vec<Vec<f64>> = vec![];
    for place in Place::all() {
        let tensors = |inputs: &[Vec<f64>], device: &Device| -> Result<Vec<Tensor>> {
            inputs.iter().zip(shapes).map(|(v, &s)| Ok(Tensor::from_slice(v, s, device)?)).collect()
        };
        // The scalar is <output, fixed random weights>, so that every output element counts.
        let loss = |inputs: &[Vec<f64>]| -> Result<(f64, Vec<f64>)> {
            let mut tape = Tape::new(Phase::Train, false, 5, 0).with_engine(place.engine);
            let values: Vec<Value> =
                tensors(inputs, &Device::Cpu)?.iter().map(|t| tape.constant(t)).collect::<Result<_>>()?;
            let y = op(&mut tape, &values)?.tensor().flatten_all()?.to_vec1::<f64>()?;
            Ok((y.iter().zip(weights(y.len())).map(|(y, w)| y * w).sum(), y))
        };
        let mut tape = Tape::new(Phase::Train, true, 5, 0).with_engine(place.engine);
        let values: Vec<Value> =
            tensors(&inputs, &place.device)?.iter().map(|t| tape.variable(t)).collect::<Result<_>>()?;
        let y = op(&mut tape, &values)?;
        let scalar = crate::ops::candle_node(&mut tape, std::slice::from_ref(&y), |t| {
            let w = Tensor::from_vec(weights(t[0].elem_count()), t[0].dims(), t[0].device())?;
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
            for element in 0..count {
                let step = 1e-5;
                let mut moved = inputs.clone();
                moved[which][element] += step;
                let above = loss(&moved)?.0;
                moved[which][element] -= 2.0 * step;
                expected[element] = (above - loss(&moved)?.0) / (2.0 * step);
            }
            let largest = expected.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
            for (element, (f, e)) in found.iter().zip(&expected).enumerate() {
                // Written so that a NaN fails.
                let right = (f - e).abs() <= 1e-6 * largest;
                assert!(right, "{place}, input {which} of {shapes:?}, element {element}: gradient {f}, difference {e}");
            }
        }
    }
    for (place, output) in Place::all().iter().zip(&outputs).skip(1) {
        // Written so that a NaN fails.
        let same = output.iter().zip(&outputs[0]).all(|(a, b)| (a - b).abs() < 1e-10);
        let same = same && output.len() == outputs[0].len();
        assert!(same, "{place}, {shapes:?}: {output:?}, but the CPU's kernels give {:?}", outputs[0]);
    }
    Ok(())
}

/// Checks `op` in `f16` and `bf16`, composed, against itself in `f64` on the same rounded inputs: output and gradients, in
/// training mode. On the CPU, and on the device of the tests.
///
/// # Panics
/// Where one is further off than eight times the type's rounding (2^-11, 2^-8) in relative L2, or its gradients come in
/// another type. An output may come in `f32`, as losses do.
#[expect(clippy::panic, reason = "a failed check is a failed test")]
pub fn check_half(shapes: &[&[usize]], op: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    for (place, (dtype, rounding)) in Place::all()
        .iter()
        .skip(1)
        .flat_map(|place| [(place, (DType::F16, 2f64.powi(-11))), (place, (DType::BF16, 2f64.powi(-8)))])
    {
        let exact = half_run(shapes, &op, dtype, DType::F64, &Place::on(Device::Cpu));
        let runs = half_run(shapes, &op, dtype, dtype, place).and_then(|found| Ok((found, exact?)));
        let (found, exact) = runs.unwrap_or_else(|error| panic!("{place}, {dtype:?}, {shapes:?}: {error}"));
        for (which, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
            let apart = norm(&mut found.iter().zip(exact).map(|(f, e)| f - e));
            let allowed = 8.0 * rounding * norm(&mut exact.iter().copied());
            assert!(
                found.len() == exact.len() && apart <= allowed,
                "{place}, {dtype:?}, {shapes:?}, output and gradients in order, number {which}: {found:?}, expected {exact:?}"
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
    place: &Place,
) -> Result<Vec<Vec<f64>>> {
    let numbers = |t: &Tensor| -> Result<Vec<f64>> { Ok(t.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?) };
    let mut tape = Tape::new(Phase::Train, true, 5, 0).with_engine(place.engine);
    let input = |(which, shape): (usize, &&[usize])| -> Result<Tensor> {
        let values = distinct(shape.iter().product(), which);
        Ok(Tensor::from_vec(values, *shape, &Device::Cpu)?.to_dtype(half)?.to_dtype(dtype)?.to_device(&place.device)?)
    };
    let tensors = shapes.iter().enumerate().map(input).collect::<Result<Vec<_>>>()?;
    let values: Vec<Value> = tensors.iter().map(|t| tape.variable(t)).collect::<Result<_>>()?;
    let y = op(&mut tape, &values)?;
    let mut all = vec![numbers(y.tensor())?];
    let scalar = crate::ops::candle_node(&mut tape, std::slice::from_ref(&y), |t| {
        let w = Tensor::from_vec(weights(t[0].elem_count()), t[0].dims(), &Device::Cpu)?.to_dtype(half)?;
        (&t[0] * w.to_dtype(t[0].dtype())?.to_device(t[0].device())?)?.sum_all()
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

/// Computes the gradient of `sum(op(x))` in `x`, once per engine and device, for cases with a known answer.
///
/// # Panics
/// Where the operator fails or gives no gradient.
#[expect(clippy::expect_used, reason = "a failed check is a failed test")]
pub fn gradient(x: &Tensor, op: impl Fn(&mut Tape, Value) -> Result<Value>) -> Vec<Vec<f64>> {
    let one = |place: &Place| -> Result<Vec<f64>> {
        let mut tape = Tape::train(0, 0).with_engine(place.engine);
        let value = tape.variable(&x.to_device(&place.device)?)?;
        let y = op(&mut tape, value.clone())?;
        let sum = crate::ops::candle_node(&mut tape, &[y], |t| t[0].sum_all())?;
        let dx = tape
            .backward(&sum, 1.0)?
            .take(&value)
            .map_or_else(|| x.zeros_like().map_err(Into::into), Ok::<_, crate::Error>)?;
        Ok(dx.flatten_all()?.to_vec1()?)
    };
    Place::all().iter().map(|place| one(place).expect("the operator runs")).collect()
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
