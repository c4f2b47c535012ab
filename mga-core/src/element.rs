//! The number types of the CPU kernels, and access to the storage of CPU tensors.

use std::cell::{Cell, RefCell};

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Storage, Tensor, WithDType};

use crate::error::{Error, Result};

/// A number type with CPU kernels: `f32` for work, `f64` for gradient checks and exact fixtures.
///
/// `f16` and `bf16` have none: on such tensors every operator composes candle's own operators.
pub(crate) trait Element:
    crate::kernels::tile::Tiled + WithDType + num_traits::Float + Send + Sync + std::iter::Sum + std::ops::AddAssign
{
    /// Rounds an `f64`.
    fn of(value: f64) -> Self;
    /// Widens to `f64`.
    fn wide(self) -> f64;
    /// The numbers of a CPU storage, to change in place.
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

macro_rules! element {
    ($type:ty, $variant:ident) => {
        impl Element for $type {
            fn of(value: f64) -> Self {
                value as $type
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
                match storage {
                    CpuStorage::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);

/// Whether the CPU kernels can work on this tensor.
pub(crate) fn has_kernels(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64)
}

/// Calls `$body` with `$type` as the element type of a tensor for which [`has_kernels`] holds.
macro_rules! with_element {
    ($tensor:expr, $type:ident => $body:expr) => {
        match $tensor.dtype() {
            candle_core::DType::F64 => {
                type $type = f64;
                $body
            }
            _ => {
                type $type = f32;
                $body
            }
        }
    };
}
pub(crate) use with_element;

/// Reads the numbers of a contiguous CPU tensor.
pub(crate) fn read<T: Element, R>(tensor: &Tensor, f: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(cpu), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(Error::shape("kernel", format!("needs a contiguous CPU tensor, got {layout:?}")));
    };
    Ok(f(&T::cpu_storage_as_slice(cpu)?[start..end]))
}

/// Changes the numbers of a contiguous CPU tensor in place. Every tensor that shares its storage sees the change.
pub(crate) fn modify<T: Element, R>(tensor: &Tensor, f: impl FnOnce(&mut [T]) -> R) -> Result<R> {
    struct Modify<F, R>(Cell<Option<F>>, RefCell<Option<R>>, std::marker::PhantomData<fn() -> R>);
    struct Typed<T, F, R>(Modify<F, R>, std::marker::PhantomData<fn() -> T>);
    impl<T: Element, R, F: FnOnce(&mut [T]) -> R> InplaceOp1 for Typed<T, F, R> {
        fn name(&self) -> &'static str {
            "mga-modify"
        }
        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            let dtype = storage_dtype(storage);
            match (T::slice_mut(storage), layout.contiguous_offsets(), self.0.0.take()) {
                (Some(values), Some((start, end)), Some(f)) => {
                    *self.0.1.borrow_mut() = Some(f(&mut values[start..end]));
                    Ok(())
                }
                _ => candle_core::bail!(
                    "kernel needs a contiguous CPU tensor of {:?}, got {dtype:?} {layout:?}",
                    T::DTYPE
                ),
            }
        }
    }
    let op = Typed(Modify(Cell::new(Some(f)), RefCell::new(None), std::marker::PhantomData), std::marker::PhantomData);
    tensor.inplace_op1(&op)?;
    op.0.1.into_inner().ok_or_else(|| Error::shape("kernel", "the operation did not run"))
}

fn storage_dtype(storage: &CpuStorage) -> DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// A CPU tensor that takes over `values`.
pub(crate) fn tensor<T: Element>(values: Vec<T>, shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, shape.into(), &candle_core::Device::Cpu)?)
}

/// A vector of `count` numbers that `fill` writes, every one, before it reads any: memory is not cleared first, which
/// would be one more pass over it.
///
/// # Safety
/// `fill` leaves no number unwritten, and reads none that it has not written.
pub(crate) unsafe fn written<T: Element, R>(count: usize, fill: impl FnOnce(&mut [T]) -> R) -> (Vec<T>, R) {
    let mut values = Vec::<T>::with_capacity(count);
    // SAFETY: the memory is the vector's own, aligned and large enough; the caller's promise is that nothing in it is read
    // before it is written.
    let result = fill(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr(), count) });
    // SAFETY: the caller's promise.
    unsafe { values.set_len(count) };
    (values, result)
}

/// Zeros, fresh from the system where the vector is large (so no page is touched before it is written).
pub(crate) fn zeros<T: Element>(count: usize) -> Vec<T> {
    vec![T::of(0.0); count]
}
