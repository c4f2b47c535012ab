//! Features of images, computed once for all episodes of an evaluation.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::encoder::Encoded;

/// Features by the index of their image.
#[derive(Default)]
pub(super) struct Cache {
    /// Where the features of an image begin: its number.
    of: HashMap<usize, usize>,
    maps: Rows,
    attention: Option<Rows>,
}

/// Rows of one shape.
#[derive(Default)]
struct Rows {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Rows {
    fn append(&mut self, rows: &Tensor) -> anyhow::Result<()> {
        let shape = rows.dims().get(1..).unwrap_or_default();
        if self.shape.is_empty() {
            self.shape = shape.to_vec();
        }
        anyhow::ensure!(
            self.shape == shape,
            "features of one evaluation differ in shape: {:?} and {shape:?}; end data.eval.transforms with a resize or a crop",
            self.shape
        );
        self.values.extend(rows.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    fn row(&self, number: usize) -> &[f32] {
        let size = self.shape.iter().product::<usize>();
        &self.values[number * size..(number + 1) * size]
    }

    fn gather(&self, numbers: &[usize]) -> candle_core::Result<Tensor> {
        let values: Vec<f32> = numbers.iter().flat_map(|&number| self.row(number)).copied().collect();
        let shape: Vec<usize> = std::iter::once(numbers.len()).chain(self.shape.iter().copied()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }
}

impl Cache {
    /// Adds the features of a batch.
    ///
    /// # Errors
    /// Features of another shape than before.
    pub(super) fn add(&mut self, indices: &[usize], encoded: &Encoded) -> anyhow::Result<()> {
        self.maps.append(encoded.maps.tensor())?;
        if let Some(attention) = &encoded.attention {
            self.attention.get_or_insert_default().append(attention.tensor())?;
        }
        for &index in indices {
            let number = self.of.len();
            self.of.insert(index, number);
        }
        Ok(())
    }

    /// The features of some images, `[n, C, h, w]`, and their attention `[n, 1, h, w]` where there is one.
    ///
    /// # Errors
    /// An image that was left out.
    pub(super) fn gather(&self, indices: &[usize]) -> anyhow::Result<(Tensor, Option<Tensor>)> {
        let number = |index: &usize| self.of.get(index).copied();
        let numbers: Option<Vec<usize>> = indices.iter().map(number).collect();
        let Some(numbers) = numbers else {
            anyhow::bail!(
                "an image of an episode could not be read and was left out; repair it, or leave it out of the data"
            )
        };
        let attention = self.attention.as_ref().map(|rows| rows.gather(&numbers)).transpose()?;
        Ok((self.maps.gather(&numbers)?, attention))
    }

    /// Images.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }
}

#[cfg(test)]
mod tests {
    use mga_core::tape::Tape;

    use super::*;

    fn encoded(values: &[f32], shape: (usize, usize, usize, usize)) -> Encoded {
        let maps = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
        Encoded { maps: Tape::eval().constant(&maps).unwrap(), attention: None }
    }

    #[test]
    fn features_come_back_in_any_order() {
        let mut cache = Cache::default();
        cache.add(&[7, 3], &encoded(&[1.0, 2.0, 3.0, 4.0], (2, 2, 1, 1))).unwrap();
        cache.add(&[5], &encoded(&[5.0, 6.0], (1, 2, 1, 1))).unwrap();
        let (maps, attention) = cache.gather(&[5, 7, 5]).unwrap();
        assert_eq!(maps.dims(), [3, 2, 1, 1]);
        assert_eq!(maps.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert!(attention.is_none() && cache.len() == 3);
        assert!(cache.gather(&[4]).unwrap_err().to_string().contains("left out"));
        let error = cache.add(&[9], &encoded(&[1.0], (1, 1, 1, 1))).unwrap_err().to_string();
        assert!(error.contains("differ in shape: [2, 1, 1] and [1, 1, 1]"), "{error}");
    }
}
