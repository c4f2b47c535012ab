//! Summing the gradients of micro-batches.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::element::{has_kernels, read, tensor, with_element};
use crate::error::{Error, Result};
use crate::kernels::elementwise;
use crate::parameter::ParameterId;

/// Adds the gradients of one more micro-batch to `sum`; the first ones are moved in. Scale the losses by 1 / batches
/// ([`crate::tape::Tape::backward`]) and the sum is their mean.
///
/// Batches may have gradients of different parameters.
pub fn accumulate(sum: &mut Option<Vec<(ParameterId, Tensor)>>, gradients: Vec<(ParameterId, Tensor)>) -> Result<()> {
    let Some(sum) = sum else {
        *sum = Some(gradients);
        return Ok(());
    };
    let mut more: BTreeMap<ParameterId, Tensor> = gradients.into_iter().collect();
    for (id, present) in sum.iter_mut() {
        if let Some(gradient) = more.remove(id) {
            *present = added(present, &gradient)?;
        }
    }
    sum.extend(more);
    Ok(())
}

/// A new tensor, not `a` changed: two parameters whose sum is used share one gradient tensor.
fn added(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() || a.dtype() != b.dtype() {
        let what = format!("{:?} {:?} and {:?} {:?} of one parameter", a.dtype(), a.dims(), b.dtype(), b.dims());
        return Err(Error::shape("accumulate", what));
    }
    if !has_kernels(a) || !b.device().is_cpu() {
        return Ok((a + b)?);
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    with_element!(a, T => {
        tensor(read::<T, _>(&a, |x| read::<T, _>(&b, |y| elementwise::zip(x, y, |x, y| x + y)))??, a.dims())
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::parameter::{Init, ParameterStore};

    #[test]
    fn sums_by_parameter() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
        let ids = ["a", "b", "c"].map(|name| store.root().weight(name, 2, Init::Constant(0.0)).unwrap().id());
        let values = |x: f32| Tensor::new(&[x, 10.0 * x], &Device::Cpu);
        let shared = values(1.0)?;
        let mut sum = None;
        accumulate(&mut sum, vec![(ids[0], shared.clone()), (ids[1], shared)])?;
        accumulate(&mut sum, vec![(ids[1], values(2.0)?), (ids[0], values(3.0)?)])?;
        accumulate(&mut sum, vec![(ids[2], values(5.0)?), (ids[0], values(0.5)?)])?;
        let sum = sum.unwrap();
        let found: Vec<_> = sum.iter().map(|(id, t)| (*id, t.to_vec1::<f32>().unwrap())).collect();
        assert_eq!(found, [(ids[0], vec![4.5, 45.0]), (ids[1], vec![3.0, 30.0]), (ids[2], vec![5.0, 50.0])]);
        let wrong = vec![(ids[0], Tensor::new(&[1f32], &Device::Cpu)?)];
        assert!(accumulate(&mut Some(sum), wrong).is_err());
        Ok(())
    }
}
