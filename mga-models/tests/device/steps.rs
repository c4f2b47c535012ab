//! Steps of a network with every operator in it, ties and broken numbers: as on the CPU.

use candle_core::{DType, Device, Tensor};
use mga_core::gradient_check::Place;
use mga_core::ops;
use mga_core::optim::{OptimiserSettings, clip_norm};
use mga_core::tape::{Engine, Tape};

use crate::compare::{Comparison, norm, numbers};
use crate::network::{Network, Sizes};
use crate::place;

/// Losses, gradient norms and, at the end, every parameter and running statistic of three steps of SGD.
fn run(place: &Place, dtype: DType) -> Vec<(String, Vec<f64>)> {
    let network = Network::new(&Sizes { width: 16, groups: 4, classes: 5 }, dtype, &place.device);
    let mut optimiser = OptimiserSettings::default().build(&mga_core::components(), &network.store).unwrap();
    let images = mga_core::formula::images(2, (64, 64), dtype).unwrap().to_device(&place.device).unwrap();
    let mut all = vec![];
    for step in 0..3 {
        let mut tape = Tape::train(0, step).with_engine(place.engine);
        let loss = network.loss(&mut tape, &images);
        all.push((format!("loss {step}"), numbers(loss.tensor())));
        let mut gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
        all.push((format!("norm {step}"), numbers(&clip_norm(&mut gradients, 1.0).unwrap())));
        optimiser.step(&network.store, &gradients, 1.0).unwrap();
    }
    all.extend(network.store.tensors().iter().map(|(name, tensor)| (name.clone(), numbers(tensor))));
    all
}

#[test]
fn steps_are_those_of_the_cpu() {
    let cpu = Place { engine: Engine::Kernels, device: Device::Cpu };
    for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-3)] {
        let mut c = Comparison::new(format!("three steps in {dtype:?}, {}", place()));
        for ((name, got), (_, want)) in run(&place(), dtype).iter().zip(&run(&cpu, dtype)) {
            let apart = norm(&got.iter().zip(want).map(|(got, want)| got - want).collect::<Vec<_>>());
            // A bias before a norm starts at zero and has no gradient: what is in it is rounding, relative to nothing.
            c.within(name, apart / norm(want).max(1e-3), tolerance);
        }
        c.finish();
    }
}

#[test]
fn ties_and_broken_numbers_are_those_of_the_cpu() {
    let side = 3000;
    // Equal maxima in channels that different threads of a block look at.
    let mut values = vec![0f32; side];
    for channel in [1, 2, 1023, 1024, 2999] {
        values[channel] = 6.0;
    }
    let gradient = |device: &Device| {
        let mut tape = Tape::train(0, 0).with_engine(Engine::Composed);
        let x = tape.variable(&Tensor::from_slice(&values, (1, side, 1, 1), device).unwrap()).unwrap();
        let y = ops::channel_mean_max(&mut tape, x.clone()).unwrap();
        let y = ops::candle_node(&mut tape, &[y], |t| t[0].sum_all()).unwrap();
        numbers(&tape.backward(&y, 1.0).unwrap().take(&x).unwrap())
    };
    assert_eq!(gradient(&place().device), gradient(&Device::Cpu));

    let x = Tensor::new(&[f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -1.0, 2.0], &place().device).unwrap();
    let mut tape = Tape::eval().with_engine(place().engine);
    let x = tape.constant(&x).unwrap();
    let y = numbers(ops::relu(&mut tape, x).unwrap().tensor());
    assert!(y[0].is_nan() && y[1..] == [0.0, f64::INFINITY, 0.0, 2.0], "{y:?}");
}
