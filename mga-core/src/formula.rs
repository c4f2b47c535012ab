//! Weights and inputs by formula, so that a whole network can be checked against numbers computed elsewhere with no
//! weight file: `shared` by every fixture. A tensor called NAME has at flat index `i`
//! `u = (splitmix64(fnv1a64(NAME) + i) >> 40) / 2^24`, from which its value follows by kind.

use candle_core::{DType, Device, Shape, Tensor};

use crate::error::Result;
use crate::random::{fnv1a64, splitmix64};

/// Returns `count` numbers in `[0, 1)` that depend only on `name`.
pub fn uniform(name: &str, count: usize) -> Vec<f64> {
    let hash = fnv1a64(name.as_bytes());
    (0..count as u64).map(|i| (splitmix64(hash.wrapping_add(i)) >> 40) as f64 / f64::from(1u32 << 24)).collect()
}

/// Returns the value of the state-dict entry `name`, rounded to `f32` and then widened or not: convolutions and linear
/// layers `(2u - 1) sqrt(6 / fan_in)`, running means and biases `(2u - 1) / 10`, running variances and norm weights
/// `0.5 + u`.
pub fn weight(name: &str, shape: &Shape, dtype: DType) -> Result<Tensor> {
    let dims = shape.dims();
    let bound = (6.0 / dims.iter().skip(1).product::<usize>() as f64).sqrt();
    let value = |u: f64| {
        if dims.len() >= 2 {
            (2.0 * u - 1.0) * bound
        } else if name.ends_with(".running_mean") || name.ends_with(".bias") {
            (2.0 * u - 1.0) * 0.1
        } else {
            0.5 + u
        }
    };
    let values: Vec<f32> = uniform(name, shape.elem_count()).into_iter().map(|u| value(u) as f32).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?)
}

/// Returns the images of the fixtures: `4 * image * cells`, cells of 32 x 32 pixels: `[n, 3, height, width]`.
pub fn images(n: usize, (height, width): (usize, usize), dtype: DType) -> Result<Tensor> {
    let image = uniform("input.image", n * 3 * height * width);
    let (rows, columns) = (height / 32, width / 32);
    let cells = uniform("input.cells", n * rows * columns);
    let values: Vec<f64> = image
        .into_iter()
        .enumerate()
        .map(|(i, v)| {
            let (x, y, n) = (i % width, i / width % height, i / (width * height * 3));
            4.0 * v * cells[(n * rows + y / 32) * columns + x / 32]
        })
        .collect();
    Ok(Tensor::from_vec(values, (n, 3, height, width), &Device::Cpu)?.to_dtype(dtype)?)
}
