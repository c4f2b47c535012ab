//! The conversion of views into storages to tensors of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mga_core::Result;
use safetensors::Dtype;

use super::container::Container;
use super::refusal::refused;

/// A tensor as its bytes: row by row, little-endian, of any type that safetensors knows.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Number type.
    pub dtype: Dtype,
    /// Shape; none for a single number.
    pub shape: Vec<usize>,
    /// The numbers of the tensor.
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

/// A view into a storage, in elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The storage's entry.
    pub(super) key: String,
    /// Numbers that the pickle says the storage has, and the bytes of one.
    pub(super) stored: (usize, usize),
    pub(super) dtype: Dtype,
    /// Bytes of one number of the tensor.
    pub(super) size: usize,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Reads the numbers of every tensor; each storage is read once, however many share it.
///
/// # Errors
/// A view beyond its storage; tensors that together are out of all proportion to the file (a step of 0 makes any size of
/// one number), or storages that are (entries of an archive can name the same bytes).
pub(super) fn read_all(file: &mut Container, views: &[(String, View)]) -> Result<Vec<(String, StoredTensor)>> {
    let allowed = file.length().saturating_mul(8).saturating_add(16 << 20);
    let mut total: u64 = 0;
    let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (name, view)) in views.iter().enumerate() {
        let bytes = count(view).and_then(|count| count.checked_mul(view.size as u64));
        total = bytes.and_then(|bytes| total.checked_add(bytes)).unwrap_or(u64::MAX);
        if total > allowed {
            return Err(refused(format!(
                "{name} {:?}: with it the tensors are larger than a file of {} bytes can mean",
                view.shape,
                file.length()
            )));
        }
        users.entry(&view.key).or_default().push(place);
    }
    let mut data: Vec<Vec<u8>> = vec![vec![]; views.len()];
    let mut left = allowed;
    for (key, places) in users {
        let storage = file.storage(key, left)?;
        left = left.saturating_sub(storage.len() as u64);
        for place in places {
            if let (Some((name, view)), Some(data)) = (views.get(place), data.get_mut(place)) {
                *data = gather(view, &storage).map_err(|error| refused(format!("{name}: {error}")))?;
                if file.is_big_endian() {
                    data.chunks_exact_mut(unit(view)).for_each(<[u8]>::reverse);
                }
            }
        }
    }
    let whole = |((name, view), data): (&(String, View), Vec<u8>)| {
        (name.clone(), StoredTensor { dtype: view.dtype, shape: view.shape.clone(), data })
    };
    Ok(views.iter().zip(data).map(whole).collect())
}

/// Whether numbers of this type may be weights.
pub(in super::super) fn is_float(dtype: Option<Dtype>) -> bool {
    matches!(
        dtype,
        Some(
            Dtype::F16
                | Dtype::BF16
                | Dtype::F32
                | Dtype::F64
                | Dtype::F8_E4M3
                | Dtype::F8_E5M2
                | Dtype::F8_E4M3FNUZ
                | Dtype::F8_E5M2FNUZ
                | Dtype::F8_E8M0
        )
    )
}

/// Bytes that are turned around together: of a complex number each half.
fn unit(view: &View) -> usize {
    if view.dtype == Dtype::C64 { view.size / 2 } else { view.size }
}

/// Numbers in a tensor; `None` beyond 64 bits.
fn count(view: &View) -> Option<u64> {
    if view.shape.contains(&0) {
        return Some(0);
    }
    view.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64))
}

/// The tensor's numbers out of its storage's, row by row.
fn gather(view: &View, storage: &[u8]) -> Result<Vec<u8>> {
    let size = view.size;
    let ((claimed, stored), present) = (view.stored, storage.len() / size);
    if claimed > storage.len() / stored {
        return Err(refused(format!(
            "storage {} has {} numbers, expected {claimed}",
            view.key,
            storage.len() / stored
        )));
    }
    let total = count(view).and_then(|count| usize::try_from(count).ok()).ok_or_else(|| refused("too large"))?;
    if total == 0 {
        return Ok(vec![]);
    }
    // The last number that the view reaches.
    let reach = view
        .shape
        .iter()
        .zip(&view.strides)
        .try_fold(view.offset, |at, (&count, &stride)| at.checked_add((count - 1).checked_mul(stride)?));
    if reach.is_none_or(|reach| reach >= present) {
        return Err(refused(format!(
            "a view of {:?} with steps {:?} from {} reaches beyond the {present} numbers of storage {}",
            view.shape, view.strides, view.offset, view.key
        )));
    }
    // A row of numbers that lie side by side is copied at once: the innermost sizes that are packed.
    let mut row = 1;
    let mut outer = view.shape.len();
    while let Some(inner) = outer.checked_sub(1)
        && (view.strides[inner] == row || view.shape[inner] == 1)
    {
        row *= view.shape[inner];
        outer = inner;
    }
    let mut data = Vec::with_capacity(total * size);
    let (mut index, mut at) = (vec![0; outer], view.offset);
    loop {
        // Within the storage: `at` never passes `reach`.
        data.extend_from_slice(&storage[at * size..(at + row) * size]);
        let mut side = outer;
        loop {
            let Some(inner) = side.checked_sub(1) else { return Ok(data) };
            side = inner;
            index[side] += 1;
            at += view.strides[side];
            if index[side] < view.shape[side] {
                break;
            }
            at -= view.strides[side] * view.shape[side];
            index[side] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[usize], strides: &[usize], offset: usize) -> View {
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        View { key: "0".to_owned(), stored: (12, 2), dtype: Dtype::I16, size: 2, offset, shape, strides }
    }

    fn numbers(spec: &View) -> Result<Vec<u16>> {
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
        short.stored.0 = 13;
        assert!(numbers(&short).expect_err("short").to_string().contains("12 numbers, expected 13"));
    }

    #[test]
    fn sizes_that_overflow_are_no_counts() {
        assert_eq!(count(&view(&[usize::MAX, 2], &[0, 0], 0)), None);
        assert_eq!(count(&view(&[usize::MAX, 0], &[0, 0], 0)), Some(0));
    }
}
