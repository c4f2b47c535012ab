//! Clipping gradients by their joint length.

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use crate::element::{Element, has_kernels, read, tensor, with_element};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::parameter::ParameterId;

/// Numbers summed by one task.
const PIECE: usize = 1 << 15;

/// The 2-norm of all gradients together, which are scaled down to `max` where it is more: `torch.nn.utils.clip_grad_norm_`.
///
/// Summed in `f64`, in the order of the store. `max = 0` only measures; so does a norm that is not finite, which the
/// caller should stop at.
pub fn clip_norm(gradients: &mut [(ParameterId, Tensor)], max: f64) -> Result<f64> {
    let mut ordered: Vec<&(ParameterId, Tensor)> = gradients.iter().collect();
    ordered.sort_by_key(|(id, _)| *id);
    let ordered: Vec<&Tensor> = ordered.into_iter().map(|(_, gradient)| gradient).collect();
    let norm = squares(&ordered)?.iter().sum::<f64>().sqrt();
    // PyTorch's small term keeps the scaled norm from ending above the limit by rounding.
    let factor = max / (norm + 1e-6);
    if max > 0.0 && norm.is_finite() && factor < 1.0 {
        for (_, gradient) in gradients {
            // Not in place: two parameters whose sum is used share one gradient tensor.
            *gradient = scaled(gradient, factor)?;
        }
    }
    Ok(norm)
}

/// The squared 2-norm of each. Composed, the host waits for a GPU once and not at every gradient.
fn squares(gradients: &[&Tensor]) -> Result<Vec<f64>> {
    if gradients.iter().all(|gradient| has_kernels(gradient)) {
        let square = |gradient: &&Tensor| {
            let gradient = gradient.contiguous()?;
            with_element!(gradient, T => read::<T, _>(&gradient, sum_of_squares))
        };
        return gradients.iter().map(square).collect();
    }
    let square = |gradient: &&Tensor| {
        let squares = gradient.to_dtype(DType::F64)?.sqr()?;
        // Row by row first: on CUDA a sum to one number is the work of a single block.
        let rows = if squares.rank() > 1 { squares.flatten_from(1)?.sum(1)? } else { squares };
        Ok(rows.sum_all()?)
    };
    Ok(Tensor::stack(&gradients.iter().map(square).collect::<Result<Vec<_>>>()?, 0)?.to_vec1()?)
}

fn sum_of_squares<T: Element>(values: &[T]) -> f64 {
    let piece = |values: &[T]| values.iter().map(|v| v.wide() * v.wide()).sum::<f64>();
    values.par_chunks(PIECE).map(piece).collect::<Vec<f64>>().iter().sum()
}

fn scaled(gradient: &Tensor, factor: f64) -> Result<Tensor> {
    if !has_kernels(gradient) {
        return Ok((gradient * factor)?);
    }
    let gradient = gradient.contiguous()?;
    with_element!(gradient, T => {
        let factor = T::of(factor);
        tensor(read::<T, _>(&gradient, |values| elementwise::map(values, |v| v * factor))?, gradient.dims())
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

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
            let norm = clip_norm(&mut gradients, max)?;
            let first = gradients[0].1.flatten_all()?.to_vec1::<f32>()?[0];
            Ok((norm, clip_norm(&mut gradients, 0.0)?, first))
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
        assert_eq!(clip_norm(&mut [], 1.0)?, 0.0);
        Ok(())
    }

    #[test]
    fn candles_operators_give_the_same_norm() -> Result<()> {
        let half = Tensor::new(&[3f32, 4.0], &Device::Cpu)?.to_dtype(DType::F16)?;
        assert_eq!(squares(&[&half, &half])?, [25.0, 25.0]);
        assert_eq!(scaled(&half, 0.5)?.to_dtype(DType::F32)?.to_vec1::<f32>()?, [1.5, 2.0]);
        Ok(())
    }
}
