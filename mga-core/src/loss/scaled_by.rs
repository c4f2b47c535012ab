//! A tensor times a number that lies on its device.

use candle_core::{DType, Tensor};

use crate::error::Result;

/// `x * above / below` for a scalar `above`, which nothing reads: the host would wait for the GPU. The factor is computed
/// in `f64` and rounded once, as a number of the host would be.
pub(super) fn scaled_by(x: &Tensor, above: &Tensor, below: f64) -> Result<Tensor> {
    let factor = (above.to_dtype(DType::F64)? / Tensor::full(below, above.shape(), above.device())?)?;
    // Adding 0 turns a negative zero into a positive one, as candle's product with a number of the host does.
    Ok((x.broadcast_mul(&factor.to_dtype(x.dtype())?)? + 0.0)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn it_is_the_product_with_a_number_of_the_host_to_the_bit() -> Result<()> {
        let x = Tensor::new(&[1.7f32, -0.3, 0.0, -0.0, 3e-39, -1e30], &Device::Cpu)?;
        for (above, below) in [(1f32, 3.0), (0.2, -7.0), (0.33, 11.5), (1e-6, 1.0)] {
            let bits =
                |t: &Tensor| -> Result<Vec<u32>> { Ok(t.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect()) };
            let scaled = scaled_by(&x, &Tensor::new(above, &Device::Cpu)?, below)?;
            assert_eq!(bits(&scaled)?, bits(&(&x * (f64::from(above) / below))?)?, "{above} / {below}");
        }
        Ok(())
    }
}
