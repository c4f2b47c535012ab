//! The nodes of an image: feature vectors, as the columns of `[N, C, L]`.

use crate::error::{Error, Result};
use crate::ops;
use crate::tape::{Tape, Value};

/// Returns every position of feature maps `[N, C, h, w]` as a node, and before them those of the maps pooled to `sizes`:
/// `[N, C, L]` with `L` the sum of `size * size` and of `h * w`. Without sizes these are the positions alone.
///
/// A size can be larger than the map; its bins overlap then.
///
/// # Errors
/// Maps of another rank; a size of 0.
pub fn feature_pyramid(tape: &mut Tape, maps: Value, sizes: &[usize]) -> Result<Value> {
    let (n, c, h, w) = maps.dims4()?;
    if sizes.contains(&0) {
        return Err(Error::settings(format!("a feature pyramid of sizes {sizes:?}; expected at least 1 each")));
    }
    let mut levels = Vec::with_capacity(sizes.len() + 1);
    for &size in sizes {
        let pooled = ops::adaptive_avg_pool2d(tape, maps.clone(), (size, size))?;
        levels.push(ops::reshape(tape, pooled, &[n, c, size * size])?);
    }
    levels.push(ops::reshape(tape, maps, &[n, c, h * w])?);
    match levels.len() {
        1 => Ok(levels.remove(0)),
        _ => ops::candle_node(tape, &levels, |levels| candle_core::Tensor::cat(levels, 2)),
    }
}

/// Returns the pooled features of patches, `[N * patches, C]` or `[N * patches, C, 1, 1]` with the patches of an image one
/// after the other, as the nodes of their images: `[N, C, patches]`.
///
/// # Errors
/// Features of another rank; rows that the number of patches does not divide.
pub fn stacked_patches(tape: &mut Tape, pooled: Value, patches: usize) -> Result<Value> {
    let (rows, channels) = match *pooled.dims() {
        [rows, channels] | [rows, channels, 1, 1] if patches > 0 && rows % patches == 0 => (rows, channels),
        ref dims => {
            let what = format!("{dims:?} with {patches} patches an image; expected [N * {patches}, C]");
            return Err(Error::shape("stacked_patches", what));
        }
    };
    let nodes = ops::reshape(tape, pooled, &[rows / patches, patches, channels])?;
    ops::permute(tape, nodes, &[0, 2, 1])
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients_are_right() {
        for sizes in [&[][..], &[1, 2], &[3]] {
            check(&[&[2, 3, 3, 3]], |tape, v| feature_pyramid(tape, v[0].clone(), sizes));
        }
        check(&[&[6, 4]], |tape, v| stacked_patches(tape, v[0].clone(), 3));
    }

    #[test]
    fn pooled_maps_come_first_and_patches_are_columns() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::arange(0f64, 8.0, &Device::Cpu)?.reshape((1, 2, 2, 2))?)?;
        let nodes = feature_pyramid(&mut tape, x.clone(), &[1])?;
        assert_eq!(nodes.tensor().to_vec3::<f64>()?, [[[1.5, 0.0, 1.0, 2.0, 3.0], [5.5, 4.0, 5.0, 6.0, 7.0]]]);
        assert!(feature_pyramid(&mut tape, x.clone(), &[2, 0]).unwrap_err().to_string().contains("[2, 0]"));
        let rows = ops::reshape(&mut tape, x, &[4, 2, 1, 1])?;
        let nodes = stacked_patches(&mut tape, rows.clone(), 2)?;
        assert_eq!(nodes.tensor().to_vec3::<f64>()?, [[[0.0, 2.0], [1.0, 3.0]], [[4.0, 6.0], [5.0, 7.0]]]);
        assert!(stacked_patches(&mut tape, rows, 3).unwrap_err().to_string().contains("3 patches an image"));
        Ok(())
    }
}
