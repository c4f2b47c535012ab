//! From views into storages to tensors of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mga_core::Result;
use safetensors::Dtype;

use super::archive::Archive;
use super::object::TensorSpec;
use super::refused;
use super::state_dict::{Checkpoint, Found};

/// A tensor as its bytes: row by row, little-endian, of any type that safetensors knows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Number type.
    pub dtype: Dtype,
    /// Shape; none for a single number.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub data: Vec<u8>,
}

impl safetensors::View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// Reads the numbers of every tensor; each storage is read once, however many share it.
///
/// # Errors
/// A view beyond its storage; tensors that together are out of all proportion to the file (a step of 0 makes any size of
/// one number).
pub(super) fn read_all(archive: &mut Archive, found: Found) -> Result<Checkpoint> {
    let Found { tensors: specs, below, left_out } = found;
    let allowed = archive.length().saturating_mul(8).saturating_add(16 << 20);
    let mut total: u64 = 0;
    let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (name, spec)) in specs.iter().enumerate() {
        let bytes = count(spec).and_then(|count| count.checked_mul(spec.storage.element.size as u64));
        total = bytes.and_then(|bytes| total.checked_add(bytes)).unwrap_or(u64::MAX);
        if total > allowed {
            return Err(refused(format!(
                "{name} {:?}: with it the tensors are larger than a file of {} bytes can mean",
                spec.shape,
                archive.length()
            )));
        }
        users.entry(&spec.storage.key).or_default().push(place);
    }
    let mut data: Vec<Vec<u8>> = vec![vec![]; specs.len()];
    for (key, places) in users {
        let storage = archive.storage(key)?;
        for place in places {
            if let (Some((name, spec)), Some(data)) = (specs.get(place), data.get_mut(place)) {
                *data = gather(spec, &storage).map_err(|error| refused(format!("{name}: {error}")))?;
            }
        }
    }
    let whole = |((name, spec), data): ((String, TensorSpec), Vec<u8>)| {
        (name, StoredTensor { dtype: spec.storage.element.dtype, shape: spec.shape, data })
    };
    Ok(Checkpoint { tensors: specs.into_iter().zip(data).map(whole).collect(), below, left_out })
}

/// Numbers in a tensor; `None` beyond 64 bits.
fn count(spec: &TensorSpec) -> Option<u64> {
    if spec.shape.contains(&0) {
        return Some(0);
    }
    spec.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64))
}

/// The tensor's numbers out of its storage's, row by row.
fn gather(spec: &TensorSpec, storage: &[u8]) -> Result<Vec<u8>> {
    let size = spec.storage.element.size;
    let present = storage.len() / size;
    if spec.storage.count > present {
        return Err(refused(format!(
            "data/{} has {present} numbers, expected {}",
            spec.storage.key, spec.storage.count
        )));
    }
    let total = count(spec).and_then(|count| usize::try_from(count).ok()).ok_or_else(|| refused("too large"))?;
    if total == 0 {
        return Ok(vec![]);
    }
    // The last number that the view reaches.
    let reach = spec
        .shape
        .iter()
        .zip(&spec.strides)
        .try_fold(spec.offset, |at, (&count, &stride)| at.checked_add((count - 1).checked_mul(stride)?));
    if reach.is_none_or(|reach| reach >= present) {
        return Err(refused(format!(
            "a view of {:?} with steps {:?} from {} reaches beyond the {present} numbers of data/{}",
            spec.shape, spec.strides, spec.offset, spec.storage.key
        )));
    }
    // A row of numbers that lie side by side is copied at once: the innermost sizes that are packed.
    let mut row = 1;
    let mut outer = spec.shape.len();
    while let Some(inner) = outer.checked_sub(1)
        && (spec.strides[inner] == row || spec.shape[inner] == 1)
    {
        row *= spec.shape[inner];
        outer = inner;
    }
    let mut data = Vec::with_capacity(total * size);
    let (mut index, mut at) = (vec![0; outer], spec.offset);
    loop {
        // Within the storage: `at` never passes `reach`.
        data.extend_from_slice(&storage[at * size..(at + row) * size]);
        let mut side = outer;
        loop {
            let Some(inner) = side.checked_sub(1) else { return Ok(data) };
            side = inner;
            index[side] += 1;
            at += spec.strides[side];
            if index[side] < spec.shape[side] {
                break;
            }
            at -= spec.strides[side] * spec.shape[side];
            index[side] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::globals::Element;
    use super::super::object::Storage;
    use super::*;

    fn view(shape: &[usize], strides: &[usize], offset: usize) -> TensorSpec {
        let element = Element { dtype: Dtype::I16, size: 2 };
        let storage = Storage { key: "0".to_owned(), element, count: 12 };
        TensorSpec { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    fn numbers(spec: &TensorSpec) -> Result<Vec<u16>> {
        let storage: Vec<u8> = (0..12u16).flat_map(u16::to_le_bytes).collect();
        Ok(gather(spec, &storage)?.as_chunks::<2>().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect())
    }

    #[test]
    fn views_are_read_row_by_row() -> Result<()> {
        assert_eq!(numbers(&view(&[3, 4], &[4, 1], 0))?, (0..12).collect::<Vec<_>>());
        assert_eq!(numbers(&view(&[4, 3], &[1, 4], 0))?, [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        assert_eq!(numbers(&view(&[2, 2], &[4, 1], 5))?, [5, 6, 9, 10]);
        assert_eq!(numbers(&view(&[3, 2], &[0, 1], 1))?, [1, 2, 1, 2, 1, 2]);
        assert_eq!(numbers(&view(&[2, 1, 3], &[6, 99, 2], 0))?, [0, 2, 4, 6, 8, 10]);
        assert_eq!(numbers(&view(&[], &[], 7))?, [7]);
        assert_eq!(numbers(&view(&[2, 0], &[1, 1], 500))?, [] as [u16; 0]);
        Ok(())
    }

    #[test]
    fn views_beyond_the_storage_are_errors() {
        for (shape, strides, offset) in [
            (vec![13], vec![1], 0),
            (vec![2], vec![12], 0),
            (vec![1], vec![1], 12),
            (vec![2, 2], vec![usize::MAX, 1], 1),
        ] {
            let message = numbers(&view(&shape, &strides, offset)).expect_err("beyond").to_string();
            assert!(message.contains("beyond"), "{message}");
        }
        let mut short = view(&[1], &[1], 0);
        short.storage.count = 13;
        assert!(numbers(&short).expect_err("short").to_string().contains("12 numbers, expected 13"));
    }

    #[test]
    fn sizes_that_overflow_are_no_counts() {
        assert_eq!(count(&view(&[usize::MAX, 2], &[0, 0], 0)), None);
        assert_eq!(count(&view(&[usize::MAX, 0], &[0, 0], 0)), Some(0));
    }
}
