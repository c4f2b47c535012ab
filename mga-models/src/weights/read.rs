//! The tensors of a safetensors file.

use std::collections::HashMap;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use mga_core::{Error, Result};
use safetensors::{Dtype, SafeTensors};

use super::content::check_content;
use super::file_format::not_safetensors;

/// Every tensor of a safetensors file, by the file's names, and whether a hash says that they are what was saved. Those of number types that no weights have (truth values, 8-bit
/// and complex numbers) matter only to say that they are there: they come as zeros of their shape.
///
/// # Errors
/// No safetensors file, or a damaged one; numbers of such a type where `needed` says that they are weights.
pub(super) fn read_tensors(path: &Path, needed: &dyn Fn(&str) -> bool) -> Result<(HashMap<String, Tensor>, bool)> {
    let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
    if !path.is_file() {
        return Err(failed("there is no such weight file".into()));
    }
    let bytes = std::fs::read(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| failed(not_safetensors(path, &e)))?;
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let told = |e: candle_core::Error| failed(format!("{name}: {e}"));
        if is_known(view.dtype()) {
            let tensor = view.load(&Device::Cpu).map_err(told)?;
            return Ok((name, tensor));
        }
        if needed(&name) {
            return Err(failed(format!(
                "`{name}` holds numbers of type {:?}, as quantised weights do; expected floating-point weights (F16, BF16, \
                 F32 or F64)",
                view.dtype()
            )));
        }
        let tensor = Tensor::zeros(view.shape(), DType::U8, &Device::Cpu).map_err(told)?;
        Ok((name, tensor))
    };
    let tensors = file.tensors().into_iter().map(tensor).collect::<Result<_>>()?;
    Ok((tensors, check_content(&bytes, path)?))
}

/// Whether candle computes with numbers of this type, or at least knows what they are.
fn is_known(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::U8
            | Dtype::U16
            | Dtype::U32
            | Dtype::I16
            | Dtype::I32
            | Dtype::I64
            | Dtype::BF16
            | Dtype::F16
            | Dtype::F32
            | Dtype::F64
            | Dtype::F8_E4M3
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    struct Stored(Dtype, Vec<usize>, Vec<u8>);

    impl safetensors::View for &Stored {
        fn dtype(&self) -> Dtype {
            self.0
        }

        fn shape(&self) -> &[usize] {
            &self.1
        }

        fn data(&self) -> Cow<'_, [u8]> {
            Cow::Borrowed(&self.2)
        }

        fn data_len(&self) -> usize {
            self.2.len()
        }
    }

    #[test]
    fn types_that_are_no_weights_matter_only_where_they_are_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let kinds = [(Dtype::BOOL, 1), (Dtype::I8, 1), (Dtype::F8_E5M2, 1), (Dtype::C64, 8), (Dtype::U64, 8)];
        for (dtype, size) in kinds {
            let odd = Stored(dtype, vec![2, 3], vec![0; 6 * size]);
            let fine = Stored(Dtype::BF16, vec![1], vec![0x80, 0x3f]);
            safetensors::serialize_to_file([("fine", &fine), ("odd", &odd)], None, &path).unwrap();
            let (tensors, checked) = read_tensors(&path, &|name| name == "fine").unwrap();
            assert!(!checked, "of another program");
            assert_eq!(tensors["odd"].dims(), [2, 3]);
            let one = tensors["fine"].to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(one, [1.0]);
            let message = read_tensors(&path, &|name| name == "odd").unwrap_err().to_string();
            assert!(message.contains("`odd`") && message.contains(&format!("{dtype:?}")), "{message}");
        }
    }
}
