//! Clipping gradients by their joint length.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::element::{Element, has_kernels, read, tensor, with_element};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::parameter::ParameterId;

/// Numbers summed by one task.
const PIECE: usize = 1 << 15;
/// PyTorch's small term, which keeps the scaled norm from ending above the limit by rounding.
const SMALL: f64 = 1e-6;

/// Scales all gradients together down to the 2-norm `max` where theirs is more, as `torch.nn.utils.clip_grad_norm_`, and
/// returns the norm before, a scalar in `f64` on their device.
///
/// Summed in `f64`, in the order of the store. `max = 0` only measures. On a GPU the host waits for nothing: neither the norm
/// nor the factor is read. A norm that is not finite leaves gradients that nobody should use.
///
/// # Errors
/// Gradients on devices of their own.
pub fn clip_norm(gradients: &mut [(ParameterId, Tensor)], max: f64) -> Result<Tensor> {
    let mut ordered: Vec<&(ParameterId, Tensor)> = gradients.iter().collect();
    ordered.sort_by_key(|(id, _)| *id);
    let ordered: Vec<&Tensor> = ordered.into_iter().map(|(_, gradient)| gradient).collect();
    if ordered.iter().all(|gradient| has_kernels(gradient)) {
        let norm = squares(&ordered)?.iter().sum::<f64>().sqrt();
        let factor = max / (norm + SMALL);
        if max > 0.0 && norm.is_finite() && factor < 1.0 {
            for (_, gradient) in gradients {
                // Not in place: two parameters whose sum is used share one gradient tensor.
                *gradient = scaled(gradient, factor)?;
            }
        }
        return Ok(Tensor::new(norm, &Device::Cpu)?);
    }
    let norm = composed_squares(&ordered)?.sum_all()?.sqrt()?;
    if max > 0.0 {
        // 1 where the norm is within the limit: a product with it changes nothing.
        let factor = (Tensor::full(max, (), norm.device())? / (&norm + SMALL)?)?.minimum(1.0)?;
        for (_, gradient) in gradients {
            *gradient = gradient.broadcast_mul(&factor.to_dtype(gradient.dtype())?)?;
        }
    }
    Ok(norm)
}

/// The squared 2-norm of each, with kernels.
fn squares(gradients: &[&Tensor]) -> Result<Vec<f64>> {
    let square = |gradient: &&Tensor| {
        let gradient = gradient.contiguous()?;
        with_element!(gradient, T => read::<T, _>(&gradient, sum_of_squares))
    };
    gradients.iter().map(square).collect()
}

/// The same composed, `[gradients]` in `f64` on their device.
fn composed_squares(gradients: &[&Tensor]) -> Result<Tensor> {
    let square = |gradient: &&Tensor| {
        let squares = gradient.to_dtype(DType::F64)?.sqr()?;
        // Row by row first: on CUDA a sum to one number is the work of a single block.
        let rows = if squares.rank() > 1 { squares.flatten_from(1)?.sum(1)? } else { squares };
        Ok(rows.sum_all()?)
    };
    Ok(Tensor::stack(&gradients.iter().map(square).collect::<Result<Vec<_>>>()?, 0)?)
}

fn sum_of_squares<T: Element>(values: &[T]) -> f64 {
    let piece = |values: &[T]| values.iter().map(|v| v.wide() * v.wide()).sum::<f64>();
    values.par_chunks(PIECE).map(piece).collect::<Vec<f64>>().iter().sum()
}

fn scaled(gradient: &Tensor, factor: f64) -> Result<Tensor> {
    let gradient = gradient.contiguous()?;
    with_element!(gradient, T => {
        let factor = T::of(factor);
        tensor(read::<T, _>(&gradient, |values| elementwise::map(values, |v| v * factor))?, gradient.dims())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{Init, ParameterStore};

    #[test]
    fn scales_to_the_limit_and_no_further() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
        let a = store.root().weight("a", 2, Init::Constant(0.0))?.id();
        let b = store.root().weight("b", 2, Init::Constant(0.0))?.id();
        let shared = Tensor::new(&[3f32, 0.0], &Device::Cpu)?;
        let other = Tensor::new(&[[2f32, 2.0], [2.0, 2.0]], &Device::Cpu)?.t()?;
        let norm_of = |gradients: &[(ParameterId, Tensor)], max: f64| -> Result<(f64, f64, f32)> {
            let mut gradients = gradients.to_vec();
            let norm = clip_norm(&mut gradients, max)?.to_vec0()?;
            let first = gradients[0].1.flatten_all()?.to_vec1::<f32>()?[0];
            Ok((norm, clip_norm(&mut gradients, 0.0)?.to_vec0()?, first))
        };
        // 9 + 16 is 5 squared.
        assert_eq!(norm_of(&[(a, shared.clone()), (b, other.clone())], 0.0)?, (5.0, 5.0, 3.0));
        assert_eq!(norm_of(&[(a, shared.clone()), (b, other.clone())], 5.1)?, (5.0, 5.0, 3.0));
        let (norm, after, first) = norm_of(&[(b, shared.clone()), (a, other.clone())], 1.0)?;
        assert!(norm == 5.0 && (after - 1.0).abs() < 1e-6 && (first - 0.6).abs() < 1e-6, "{norm} {after} {first}");
        // One tensor for two parameters is scaled once.
        let (norm, after, first) = norm_of(&[(a, shared.clone()), (b, shared.clone())], 1.0)?;
        assert!((norm - 18f64.sqrt()).abs() < 1e-12 && (after - 1.0).abs() < 1e-6, "{norm} {after} {first}");
        assert_eq!(shared.to_vec1::<f32>()?, [3.0, 0.0]);
        let endless = Tensor::new(&[f32::INFINITY, 1.0], &Device::Cpu)?;
        assert!(norm_of(&[(a, shared), (b, endless)], 1.0)?.0.is_infinite());
        assert_eq!(clip_norm(&mut [], 1.0)?.to_vec0::<f64>()?, 0.0);
        Ok(())
    }

    #[test]
    fn candles_operators_give_the_same_norm() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F16, &Device::Cpu);
        let ids = ["a", "b"].map(|name| store.root().weight(name, 2, Init::Constant(0.0)).unwrap().id());
        let half = Tensor::new(&[3f32, 4.0], &Device::Cpu)?.to_dtype(DType::F16)?;
        let clipped = |max: f64| -> Result<(f64, Vec<f32>)> {
            let mut gradients = vec![(ids[0], half.clone()), (ids[1], (&half * 2f64.sqrt())?)];
            let norm = clip_norm(&mut gradients, max)?.to_vec0::<f64>()?;
            Ok((norm, gradients[0].1.to_dtype(DType::F32)?.to_vec1::<f32>()?))
        };
        let (norm, first) = clipped(0.0)?;
        assert!((norm - 75f64.sqrt()).abs() < 0.01 && first == [3.0, 4.0], "{norm} {first:?}");
        assert_eq!(clipped(norm + 0.1)?.1, [3.0, 4.0]);
        let half = clipped(norm / 2.0)?.1;
        assert!((half[0] - 1.5).abs() < 2e-3 && (half[1] - 2.0).abs() < 2e-3, "{half:?}");
        Ok(())
    }
}
