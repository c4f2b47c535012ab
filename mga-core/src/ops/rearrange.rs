//! Operators that only change the shape or the order of numbers. No arithmetic: every type in itself.

use candle_core::Tensor;

use crate::element::{read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::kernels::transpose::transpose;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Reshapes `x` to `dims`, keeping its numbers in row-major order.
pub fn reshape(tape: &mut Tape, x: Value, dims: &[usize]) -> Result<Value> {
    if dims.iter().product::<usize>() != x.tensor().elem_count() {
        return Err(Error::shape("reshape", format!("{:?} to {dims:?}", x.dims())));
    }
    let (slot, before) = (x.slot(), x.dims().to_vec());
    let y = x.tensor().reshape(dims)?;
    let attributes = || vec![("shape", dims.into())];
    Ok(tape.record(Operator::with("reshape", &attributes), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new(dy.into_owned()?.reshape(before)?))
    }))
}

/// Permutes the dimensions of `x`: dimension `order[i]` becomes dimension `i`.
pub fn permute(tape: &mut Tape, x: Value, order: &[usize]) -> Result<Value> {
    let mut back = vec![usize::MAX; x.dims().len()];
    for (at, &from) in order.iter().enumerate() {
        if let Some(place) = back.get_mut(from) {
            *place = at;
        }
    }
    if order.len() != back.len() || back.contains(&usize::MAX) {
        return Err(Error::shape("permute", format!("{:?} in the order {order:?}", x.dims())));
    }
    let slot = x.slot();
    let kernels = tape.kernels(x.tensor());
    let y = permuted(x.tensor(), order, kernels)?;
    let attributes = || vec![("order", order.into())];
    Ok(tape.record(Operator::with("permute", &attributes), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new(permuted(&dy.into_owned()?, &back, kernels)?))
    }))
}

/// A contiguous tensor in another order. Swapping the last two dimensions has a kernel: one by one, as candle copies them,
/// numbers take ten times as long.
fn permuted(x: &Tensor, order: &[usize], kernels: bool) -> Result<Tensor> {
    let rank = order.len();
    let swaps = rank >= 2
        && order.iter().enumerate().all(|(to, &from)| match rank - to {
            1 => from == rank - 2,
            2 => from == rank - 1,
            _ => from == to,
        });
    if !(kernels && swaps && x.is_contiguous()) {
        return Ok(x.permute(order)?.contiguous()?);
    }
    let sizes = (x.dims()[rank - 2], x.dims()[rank - 1]);
    let dims: Vec<usize> = order.iter().map(|&from| x.dims()[from]).collect();
    with_element!(x, T => {
        let mut y = zeros::<T>(x.elem_count());
        read::<T, _>(x, |x| transpose(x, &mut y, sizes))?;
        tensor(y, dims)
    })
}

/// Mirrors `[N, C, H, W]` horizontally: the columns run from right to left.
pub fn mirror(tape: &mut Tape, x: Value) -> Result<Value> {
    x.dims4()?;
    let (slot, y) = (x.slot(), x.tensor().flip(&[3])?.contiguous()?);
    Ok(tape.record(Operator::new("mirror"), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new(dy.tensor().flip(&[3])?.contiguous()?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 4]], |tape, v| reshape(tape, v[0].clone(), &[6, 4]));
        for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1]] {
            check(&[&[2, 3, 4]], |tape, v| permute(tape, v[0].clone(), &order));
        }
        check(&[&[2, 1, 3, 4]], |tape, v| mirror(tape, v[0].clone()));
        check_half(&[&[2, 3, 4]], |tape, v| reshape(tape, v[0].clone(), &[6, 4]));
        check_half(&[&[2, 3, 4]], |tape, v| permute(tape, v[0].clone(), &[1, 2, 0]));
        check_half(&[&[2, 1, 3, 4]], |tape, v| mirror(tape, v[0].clone()));
    }

    #[test]
    fn numbers_go_where_they_should() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::arange(0f32, 6.0, &Device::Cpu)?.reshape((1, 2, 3))?)?;
        let turned = permute(&mut tape, x.clone(), &[2, 0, 1])?;
        assert_eq!(turned.tensor().to_vec3::<f32>()?, [[[0.0, 3.0]], [[1.0, 4.0]], [[2.0, 5.0]]]);
        let image = reshape(&mut tape, x.clone(), &[1, 1, 2, 3])?;
        let mirrored = mirror(&mut tape, image)?;
        assert_eq!(mirrored.tensor().flatten_all()?.to_vec1::<f32>()?, [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
        for order in [&[0, 1][..], &[0, 1, 1], &[0, 1, 3]] {
            assert!(permute(&mut tape, x.clone(), order).is_err());
        }
        assert!(reshape(&mut tape, x, &[5]).is_err());
        Ok(())
    }
}
