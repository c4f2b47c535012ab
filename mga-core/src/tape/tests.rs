//! The tape: gradients, what is dropped, and what is told.

use candle_core::Device;

use super::*;
use crate::parameter::{Init, ParameterStore};

#[test]
fn a_deep_chain_needs_no_deep_stack() -> Result<()> {
    // Candle's own backward recurses, and overflows a thread's usual 2 MiB between 1500 and 2000 operators.
    let chain = || -> Result<Vec<f64>> {
        let mut tape = Tape::train(0, 0);
        let x = tape.variable(&Tensor::new(&[1f64], &Device::Cpu)?)?;
        let mut y = x.clone();
        for _ in 0..20_000 {
            y = crate::ops::scaled_sum(&mut tape, &[(y, 1.0)])?;
        }
        let dx = tape.backward(&y, 1.0)?.take(&x).map(|dx| dx.to_vec1()).transpose()?;
        Ok(dx.unwrap_or_default())
    };
    let small = std::thread::Builder::new().stack_size(256 << 10).spawn(move || chain().unwrap_or_default());
    assert_eq!(small.unwrap().join().unwrap(), [1.0]);
    Ok(())
}

#[test]
fn a_frozen_prefix_records_nothing() -> Result<()> {
    let mut tape = Tape::train(0, 0);
    let x = tape.constant(&Tensor::new(&[1f32], &Device::Cpu)?)?;
    let y = crate::ops::relu(&mut tape, x)?;
    assert_eq!((tape.recorded(), y.slot()), (0, None));
    Ok(())
}

#[test]
fn a_value_that_the_loss_does_not_use_costs_nothing() -> Result<()> {
    let mut tape = Tape::train(0, 0);
    let x = tape.variable(&Tensor::new(&[2f64], &Device::Cpu)?)?;
    let _unused = crate::ops::relu(&mut tape, x.clone())?;
    let loss = crate::ops::scaled_sum(&mut tape, &[(x.clone(), 3.0)])?;
    assert_eq!(tape.backward(&loss, 0.5)?.take(&x).map(|g| g.to_vec1::<f64>()).transpose()?, Some(vec![1.5]));
    Ok(())
}

/// Two linear layers of one weight, and a bias that is used once.
fn twice(store: &ParameterStore, tape: &mut Tape) -> Result<Value> {
    let [weight, first, second, _unused] = store.entries() else {
        return Err(Error::settings("four entries"));
    };
    let x = tape.constant(&Tensor::new(&[[0.3f32, -0.7], [1.1, 0.2]], &Device::Cpu)?)?;
    let (w, b) = (tape.parameter(weight)?, tape.parameter(first)?);
    let x = crate::ops::linear(tape, x, w, b)?;
    let x = crate::ops::gelu(tape, x)?;
    let (w, b) = (tape.parameter(weight)?, tape.parameter(second)?);
    let x = crate::ops::linear(tape, x, w, b)?;
    crate::loss::cross_entropy(tape, x, &[0, 1], 0.1)
}

fn store(dtype: DType) -> Result<ParameterStore> {
    let mut store = ParameterStore::new(3, dtype, &Device::Cpu);
    store.root().weight("weight", (2, 2), Init::Normal(1.0))?;
    for name in ["first", "second", "unused"] {
        store.root().weight(name, 2, Init::Normal(1.0))?;
    }
    Ok(store)
}

#[test]
fn a_gradient_is_told_once_and_complete_the_last_layers_first() -> Result<()> {
    let store = store(DType::F32)?;
    for compute in [None, Some(DType::F64)] {
        let tape = || compute.map_or(Ok(Tape::train(0, 0)), |dtype| Tape::train(0, 0).with_compute_type(dtype));
        let numbers = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1()?) };
        let mut plain = tape()?;
        let loss = twice(&store, &mut plain)?;
        let expected = plain.backward(&loss, 0.25)?.into_parameters();
        let (mut told, mut telling) = (vec![], tape()?);
        // A parameter that only a value beside the loss uses.
        let unused = telling.parameter(&store.entries()[3])?;
        let _beside = crate::ops::relu(&mut telling, unused)?;
        let loss = twice(&store, &mut telling)?;
        let found = telling.backward_telling(&loss, 0.25, &mut |id, gradient| {
            // As it is now: a later addition in place would show.
            told.push((id, numbers(gradient)?));
            Ok(())
        })?;
        let names = told.iter().map(|(id, _)| store.by_id(*id).unwrap().name()).collect::<Vec<_>>();
        assert_eq!(names, ["second", "first", "weight"], "{compute:?}");
        let found = found.into_parameters();
        assert_eq!(expected.len(), 3);
        for (id, expected) in expected {
            let of = |all: &[(ParameterId, Vec<f32>)]| all.iter().find(|(own, _)| *own == id).unwrap().1.clone();
            let found = found.iter().map(|(id, t)| Ok((*id, numbers(t)?))).collect::<Result<Vec<_>>>()?;
            assert_eq!((of(&told), of(&found)), (numbers(&expected)?, numbers(&expected)?), "{compute:?}");
        }
    }
    Ok(())
}

#[test]
fn a_gradient_after_the_last_use_is_an_error() -> Result<()> {
    let store = store(DType::F32)?;
    let mut tape = Tape::train(0, 0);
    let first = tape.parameter(&store.entries()[1])?;
    let (slot, same) = (first.slot(), first.tensor().clone());
    // Adds to a parameter that is none of its inputs.
    let second = tape.parameter(&store.entries()[2])?;
    let wrong = tape.record(Operator::new("wrong"), &[&second], same, move |dy, gradients| gradients.add(slot, dy));
    let y = crate::ops::add(&mut tape, first, wrong)?;
    let loss = crate::ops::candle_node(&mut tape, &[y], |t| t[0].sum_all())?;
    let error = tape.backward(&loss, 1.0).err().unwrap().to_string();
    assert!(error.contains("after its last use"), "{error}");
    Ok(())
}

#[test]
fn another_type_is_computed_in() -> Result<()> {
    let (wide, narrow) = (store(DType::F64)?, store(DType::F32)?);
    for (wide, narrow) in wide.entries().iter().zip(narrow.entries()) {
        wide.set(narrow.tensor().to_dtype(DType::F64)?)?;
    }
    let run = |store: &ParameterStore, mut tape: Tape| -> Result<(Tensor, Vec<(ParameterId, Tensor)>)> {
        let loss = twice(store, &mut tape)?;
        Ok((loss.tensor().clone(), tape.backward(&loss, 1.0)?.into_parameters()))
    };
    let (loss, gradients) = run(&wide, Tape::train(0, 0).with_compute_type(DType::F32)?)?;
    let (same, expected) = run(&narrow, Tape::train(0, 0))?;
    assert_eq!(loss.dtype(), DType::F32);
    assert_eq!(loss.to_vec0::<f32>()?, same.to_vec0::<f32>()?);
    for ((_, found), (_, expected)) in gradients.iter().zip(&expected) {
        assert_eq!(found.dtype(), DType::F64);
        let found: Vec<f64> = found.flatten_all()?.to_vec1()?;
        let expected: Vec<f64> = expected.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
        found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{found:?} {expected:?}"));
    }
    for half in [DType::F16, DType::BF16] {
        let (loss, gradients) = run(&narrow, Tape::train(0, 0).with_compute_type(half)?)?;
        assert_eq!(loss.dtype(), DType::F32);
        assert!(gradients.iter().all(|(_, gradient)| gradient.dtype() == DType::F32));
        let apart = (loss.to_vec0::<f32>()? - same.to_vec0::<f32>()?).abs();
        assert!(apart > 0.0 && apart < 0.03, "{half:?}: {apart}");
    }
    let error = Tape::train(0, 0).with_compute_type(DType::U8).err().unwrap().to_string();
    assert!(error.contains("U8") && error.contains("F16"), "{error}");
    Ok(())
}
