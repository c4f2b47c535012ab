//! The precision of composed operators: long sums are taken in stages, and those of `f16` and `bf16` in `f32`.
//!
//! Numbers and gradients of half precision stay in their own type, eleven or eight bits of mantissa. A sum of many of them
//! would lose its small terms (and in `f16` overflow at 65 504), so it is taken in `f32` and rounded once. Matrix products
//! are candle's: cuBLAS adds in `f32` too. Nothing scales the loss, so gradients below 6e-8 are 0 in `f16`.

use candle_core::shape::Dims;
use candle_core::{DType, Tensor};

use crate::error::Result;

/// The type that sums over tensors of `dtype` are taken in.
pub(crate) fn sum_type(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype }
}

/// A tensor in the type that sums over it are taken in; itself but for half precision.
pub(crate) fn widened(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_dtype(sum_type(x.dtype()))?)
}

/// The sum over `dims`, which are dropped.
pub(super) fn sum(x: &Tensor, dims: impl Dims) -> Result<Tensor> {
    Ok(widened(x)?.sum(dims)?.to_dtype(x.dtype())?)
}

/// The sum over images and places, `[N, C, H, W]` to `[1, C, 1, 1]`, in the type that sums are taken in. Row by row, then
/// column by column: added one by one, thousands of `f32` numbers lose what batch statistics are made of.
pub(super) fn channel_sums(x: &Tensor) -> Result<Tensor> {
    Ok(widened(x)?.sum_keepdim(3)?.sum_keepdim(2)?.sum_keepdim(0)?)
}

/// The matrix product. Candle has none of `bf16` on the CPU, where it goes through `f32`.
pub(super) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() == DType::BF16 && a.device().is_cpu() {
        return Ok(widened(a)?.matmul(&widened(b)?)?.to_dtype(DType::BF16)?);
    }
    Ok(a.matmul(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn sums_keep_their_small_terms() -> Result<()> {
        for (dtype, ones) in [(DType::F16, 4096), (DType::BF16, 1024)] {
            // Added one by one in half precision, 1 + 1 + … stays at 2048 and 256.
            let x = Tensor::ones((ones, 2), dtype, &Device::Cpu)?;
            let found = sum(&x, 0)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert_eq!(found, [ones as f64; 2]);
        }
        Ok(())
    }

    #[test]
    fn matrix_products_of_every_type() -> Result<()> {
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let a = Tensor::arange(0f32, 6.0, &Device::Cpu)?.reshape((2, 3))?.to_dtype(dtype)?;
            let product = matmul(&a, &a.t()?.contiguous()?)?;
            assert_eq!(product.dtype(), dtype);
            assert_eq!(product.to_dtype(DType::F64)?.to_vec2::<f64>()?, [[5.0, 14.0], [14.0, 50.0]]);
        }
        Ok(())
    }
}
