use super::*;

fn layers(v: &[Value], batch_statistics: [bool; 2]) -> Result<Vec<DenseLayerInputs>> {
    let norm = |weight: &Value, bias: &Value, batch_statistics| -> Result<BatchNormInputs> {
        // Of their own, not of the weight: they are no inputs of the check.
        let index = Tensor::arange(0f64, weight.dims()[0] as f64, weight.tensor().device())?;
        let index = index.to_dtype(weight.tensor().dtype())?;
        let constant = |tensor: Tensor| Tape::eval().constant(&tensor);
        let running = (constant(index.affine(0.3, -0.5)?)?, constant(index.affine(0.2, 0.5)?)?);
        Ok(BatchNormInputs { weight: weight.clone(), bias: bias.clone(), running, batch_statistics, eps: 1e-5 })
    };
    v.chunks_exact(6)
        .map(|v| {
            Ok(DenseLayerInputs {
                norm1: norm(&v[0], &v[1], batch_statistics[0])?,
                conv1: v[2].clone(),
                norm2: norm(&v[3], &v[4], batch_statistics[1])?,
                conv2: v[5].clone(),
            })
        })
        .collect()
}

fn drawn(dtype: DType, x: &[usize], channels: &[usize], inner: usize, growth: usize) -> Result<Vec<Tensor>> {
    let mut generator = crate::random::Generator::new(3, "dense", &[]);
    let layer =
        |&c: &usize| [vec![c], vec![c], vec![inner, c, 1, 1], vec![inner], vec![inner], vec![growth, inner, 3, 3]];
    let dims = std::iter::once(x.to_vec()).chain(channels.iter().flat_map(layer));
    dims.map(|dims| {
        let values: Vec<f64> = (0..dims.iter().product()).map(|_| generator.normal()).collect();
        Ok(Tensor::from_vec(values, dims, &candle_core::Device::Cpu)?.to_dtype(dtype)?)
    })
    .collect()
}

/// The loss, and the gradients of the inputs that are not `frozen`.
fn run(
    mut tape: Tape,
    tensors: &[Tensor],
    batch_statistics: [bool; 2],
    frozen: std::ops::Range<usize>,
) -> Result<(f64, Vec<Option<Vec<f64>>>)> {
    let mut values = vec![];
    for (index, t) in tensors.iter().enumerate() {
        values.push(if frozen.contains(&index) { tape.constant(t)? } else { tape.variable(t)? });
    }
    let inputs = layers(&values[1..], batch_statistics)?;
    let (y, _) = dense_block(&mut tape, values[0].clone(), inputs)?;
    let loss = super::super::candle_node(&mut tape, &[y], |t| t[0].sqr()?.sum_all())?;
    let number = loss.tensor().to_dtype(DType::F64)?.to_scalar()?;
    let mut gradients = tape.backward(&loss, 1.0)?;
    let one = |value: &Value| -> Result<Option<Vec<f64>>> {
        Ok(gradients.take(value).map(|g| g.flatten_all()?.to_dtype(DType::F64)?.to_vec1()).transpose()?)
    };
    Ok((number, values.iter().map(one).collect::<Result<_>>()?))
}

#[test]
fn gradients_are_right() -> Result<()> {
    // Not `gradient_check::check`: so deep inside, its round numbers land on the kink of some relu.
    let tensors = drawn(DType::F64, &[2, 2, 4, 5], &[2, 5, 8], 4, 3)?;
    for batch_statistics in [[true, true], [false, false], [true, false], [false, true]] {
        let (_, ours) = run(Tape::train(0, 0), &tensors, batch_statistics, 0..0)?;
        for place in &crate::gradient_check::Place::all()[1..] {
            let moved: Vec<Tensor> =
                tensors.iter().map(|t| t.to_device(&place.device)).collect::<candle_core::Result<_>>()?;
            let composed = Tape::train(0, 0).with_engine(place.engine);
            let (_, parts) = run(composed, &moved, batch_statistics, 0..0)?;
            for (index, (ours, parts)) in ours.iter().zip(&parts).enumerate() {
                let (ours, parts) = (ours.as_ref().unwrap(), parts.as_ref().unwrap());
                let size = parts.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
                let apart = ours.iter().zip(parts).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(apart < 1e-10 * size, "{place}, {batch_statistics:?} {index}: {apart}");
            }
        }
        for (index, ours) in ours.iter().enumerate() {
            let ours = ours.as_ref().unwrap();
            // The slope along the gradient is its square.
            let moved = |step: f64| -> Result<f64> {
                let mut moved = tensors.clone();
                let along = Tensor::from_slice(ours, tensors[index].dims(), tensors[index].device())?;
                moved[index] = (&tensors[index] + (along * step)?)?;
                Ok(run(Tape::train(0, 0), &moved, batch_statistics, 0..0)?.0)
            };
            let square: f64 = ours.iter().map(|v| v * v).sum();
            let step = 1e-7 / square.sqrt().max(1e-3);
            let slope = (moved(step)? - moved(-step)?) / (2.0 * step);
            assert!((slope - square).abs() < 1e-4 * square.max(1e-3), "{batch_statistics:?} {index}: {slope} {square}");
        }
    }
    Ok(())
}

#[test]
fn half_precision_is_the_operators_own() {
    let shapes: [&[usize]; 7] = [&[2, 2, 4, 5], &[2], &[2], &[4, 2, 1, 1], &[4], &[4], &[3, 4, 3, 3]];
    crate::gradient_check::check_half(&shapes, |tape, v| {
        Ok(dense_block(tape, v[0].clone(), layers(&v[1..], [false, false])?)?.0)
    });
}

#[test]
fn frozen_parts_and_recomputing_change_no_gradient() -> Result<()> {
    let tensors = drawn(DType::F32, &[2, 5, 6, 7], &[5, 9], 6, 4)?;
    let (_, all) = run(Tape::train(0, 0), &tensors, [true, true], 0..0)?;
    assert!(all.iter().all(Option::is_some));
    assert_eq!(run(Tape::train(0, 0).with_recompute(true), &tensors, [true, true], 0..0)?.1, all);
    for frozen in [0..1, 0..7, 0..4, 3..5, 6..7, 7..13] {
        let (_, found) = run(Tape::train(0, 0), &tensors, [true, true], frozen.clone())?;
        for (index, (found, expected)) in found.iter().zip(&all).enumerate() {
            let expected = if frozen.contains(&index) { &None } else { expected };
            assert_eq!(found, expected, "{frozen:?} {index}");
        }
    }
    Ok(())
}
