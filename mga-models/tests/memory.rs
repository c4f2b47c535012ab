//! What a training step may hold in memory: the peak of live bytes during a step, over the numbers the tape records.
//!
//! Weights, gradients and velocities count too, so the images are as large as a test can afford. The test is in a binary
//! of its own, for its allocator counts everything in the process; its two cases run one after the other.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

use candle_core::{DType, Device, Tensor};
use mga_core::loss::cross_entropy;
use mga_core::optim::{Optimiser, OptimiserSettings};
use mga_core::parameter::ParameterStore;
use mga_core::tape::Tape;
use mga_models::{MgaModel, ModelSettings, builtin};
use mga_testing::allocation::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A training step's peak above what lived before it, in bytes, and the numbers that the forward pass recorded.
fn step(model: &MgaModel, optimiser: &mut dyn Optimiser, images: &Tensor, number: u64) -> (usize, usize) {
    let before = allocation::start();
    let mut tape = Tape::train(1, number);
    let x = tape.constant(images).unwrap();
    let prediction = model.forward(&mut tape, x).unwrap();
    let recorded = tape.recorded_bytes() / size_of::<f32>();
    let labels: Vec<u32> = (0..images.dims()[0] as u32).collect();
    let loss = cross_entropy(&mut tape, prediction.logits, &labels, 0.0).unwrap();
    let gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
    optimiser.step(model.store(), &gradients, 1.0).unwrap();
    drop(gradients);
    (allocation::peak() - before, recorded)
}

#[test]
fn a_step_stays_within_its_bytes_per_recorded_number() {
    // Measured on two threads, and a tenth more. A dense block records its output alone: what it keeps for the way back
    // comes on top.
    let mut over = vec![];
    for (backbone, bound) in [("resnet18", 7.0), ("densenet121", 8.2)] {
        let settings = ModelSettings::new(backbone, 10);
        let store = ParameterStore::new(1, DType::F32, &Device::Cpu);
        let model = MgaModel::new(&builtin(), settings, store).unwrap();
        let mut optimiser = OptimiserSettings::default().build(&mga_core::components(), model.store()).unwrap();
        let count = 4 * 3 * 160 * 160;
        let images = Tensor::arange(0f32, count as f32, &Device::Cpu).unwrap().sin().unwrap();
        let images = images.reshape((4, 3, 160, 160)).unwrap();
        // The first step makes what lasts: velocities, the threads' buffers.
        step(&model, optimiser.as_mut(), &images, 0);
        let after_one = allocation::live();
        let (peak, recorded) = step(&model, optimiser.as_mut(), &images, 1);
        let after_two = allocation::live();
        assert!(after_two <= after_one + (1 << 20), "{backbone} leaks: {after_one} bytes live, then {after_two}");
        let bytes = peak as f64 / recorded as f64;
        if bytes >= bound {
            over.push(format!("{backbone}: {peak} bytes at the peak, {bytes:.2} a recorded number; at most {bound}"));
        }
    }
    assert!(over.is_empty(), "{over:?}");
}
