//! `logits.safetensors`: the scores behind the predictions.

use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device};

/// Scores of the test images, a row each, as in `predictions.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    /// Numbers in a row.
    pub classes: usize,
    /// `[N, classes]`, row by row.
    pub values: Vec<f32>,
}

impl Logits {
    /// Reads a run folder's file.
    ///
    /// # Errors
    /// It is not there, or holds no tensor `logits` `[N, classes]`.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("logits.safetensors");
        let failed = || format!("{}: expected a tensor `logits` [N, classes]", path.display());
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).with_context(failed)?;
        let tensor = tensors.get("logits").with_context(failed)?;
        let (_, classes) = tensor.dims2().with_context(failed)?;
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1().with_context(failed)?;
        Ok(Self { classes, values })
    }

    /// Returns the rows, one for each image.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.classes.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Logits::read(folder.path()).is_err());
        let tensor = candle_core::Tensor::new(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]], &Device::Cpu).unwrap();
        let file = folder.path().join("logits.safetensors");
        candle_core::safetensors::save(&[("logits", tensor)].into(), &file).unwrap();
        let logits = Logits::read(folder.path()).unwrap();
        assert_eq!(logits.rows().last(), Some([4f32, 5.0, 6.0].as_slice()));
    }
}
