//! The segmentation networks: whole ones against numbers computed with PyTorch in float64, their state-dict keys, and
//! their training.

mod fixtures;
mod keys;
mod training;

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::{Builder, ParameterStore};
use mga_core::{Result, formula};

/// Classes of every fixture.
const CLASSES: usize = 5;
/// Height and width of their images.
const SIZE: (usize, usize) = (96, 128);

/// A network with weights by formula; `norms` multiplies the weights of norms.
fn by_formula<N>(build: impl FnOnce(Builder<'_>) -> Result<N>, norms: f64, dtype: DType) -> (N, ParameterStore) {
    let mut store = ParameterStore::new(0, dtype, &Device::Cpu);
    let network = build(store.root()).unwrap();
    for parameter in store.entries() {
        let (name, shape) = (parameter.name(), parameter.tensor().shape().clone());
        let mut value = formula::weight(name, &shape, dtype).unwrap();
        if shape.rank() == 1 && name.ends_with(".weight") {
            value = (value * norms).unwrap();
        }
        parameter.set(value).unwrap();
    }
    (network, store)
}

/// The two images of the fixtures, multiplied in float32 as there.
fn images(dtype: DType) -> Tensor {
    formula::images(2, SIZE, DType::F32).unwrap().to_dtype(dtype).unwrap()
}
