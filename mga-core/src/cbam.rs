//! The spatial gate of CBAM (Woo, Park, Lee, Kweon, *CBAM: Convolutional Block Attention Module*, ECCV 2018), on its own:
//! what a reviewer sets beside the attention of MGA.

use crate::error::Result;
use crate::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use crate::ops::{self, Activation, Conv2dSettings};
use crate::parameter::Builder;
use crate::tape::{Tape, Value};

/// Side of the kernel.
const KERNEL: usize = 7;

/// `A = sigmoid(bn(conv7x7([mean_c F ; max_c F])))`: two channels to one, padded by three, no bias. Entries `conv.weight`
/// `[1, 2, 7, 7]` and the norm's, below `bn`.
///
/// As the authors' program has it: the norm with momentum 0.01, its weight starting at 0 (so that the gate starts at one
/// half everywhere), the convolution drawn He normal by fan out. That program puts the maximum before the mean; here the
/// mean comes first, as in the paper's equation 3 and in MGA.
#[derive(Debug)]
pub struct SpatialGate {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl SpatialGate {
    /// Starts as the authors' does.
    pub fn new(mut builder: Builder<'_>) -> Result<Self> {
        let same = Conv2dSettings { padding: (KERNEL / 2, KERNEL / 2), ..Conv2dSettings::default() };
        let settings = BatchNormSettings { momentum: 0.01, ..BatchNormSettings::default() };
        Ok(Self {
            conv: Conv2d::new(builder.pp("conv"), (2, 1), (KERNEL, KERNEL), same, ConvInit::HeFanOut)?,
            norm: BatchNorm2d::starting_at(builder.pp("bn"), 1, settings, 0.0)?,
        })
    }

    /// Computes the gate `A` `[N, 1, h, w]`, in 0 to 1, from features `[N, C, h, w]`.
    pub fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let pooled = ops::channel_mean_max(tape, features)?;
        let scores = self.conv.forward_normalised(tape, pooled, &self.norm, Activation::Identity)?;
        ops::sigmoid(tape, scores)
    }

    /// Returns the batch norm of the gate.
    pub fn norm(&self) -> &BatchNorm2d {
        &self.norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::parameter::{Parameter, ParameterStore};
    use candle_core::{DType, Device, Tensor};

    fn gate() -> (SpatialGate, ParameterStore) {
        gate_on(&Device::Cpu)
    }

    fn gate_on(device: &Device) -> (SpatialGate, ParameterStore) {
        let mut store = ParameterStore::new(3, DType::F64, device);
        let gate = SpatialGate::new(store.root().pp("attention")).unwrap();
        (gate, store)
    }

    fn set(store: &ParameterStore, name: &str, values: &[f64]) {
        let entry = store.get(name).unwrap();
        let tensor = entry.tensor();
        entry.set(Tensor::from_slice(values, tensor.shape(), tensor.device()).unwrap()).unwrap();
    }

    #[test]
    fn it_starts_at_one_half_and_has_the_authors_entries() -> Result<()> {
        let (gate, store) = gate();
        let names: Vec<&str> = store.entries().iter().map(Parameter::name).collect();
        let bn = ["weight", "bias", "running_mean", "running_var"].map(|name| format!("attention.bn.{name}"));
        assert_eq!(names, [&["attention.conv.weight"], &bn.each_ref().map(String::as_str)[..]].concat());
        let mut tape = Tape::train(0, 0);
        let x = tape.constant(&Tensor::from_vec(crate::formula::uniform("x", 120), (2, 3, 4, 5), &Device::Cpu)?)?;
        let map = gate.forward(&mut tape, x)?;
        assert_eq!(map.dims(), [2, 1, 4, 5]);
        assert!(map.tensor().flatten_all()?.to_vec1::<f64>()?.iter().all(|&a| a == 0.5));
        // The running mean moves by a hundredth.
        let moved = store.get("attention.bn.running_var").unwrap().tensor().to_vec1::<f64>()?[0];
        assert!(moved > 0.98 && moved != 1.0, "{moved}");
        Ok(())
    }

    #[test]
    fn it_is_the_sum_it_says() -> Result<()> {
        // One pixel of 2 and -4 over two channels: mean -1, maximum 2. Only the kernel's middle sees it; running statistics
        // mean 1, variance 4 (eps aside).
        let (gate, store) = gate();
        let mut kernel = vec![9.0; 98];
        (kernel[24], kernel[49 + 24]) = (3.0, 5.0);
        set(&store, "attention.conv.weight", &kernel);
        let norm = [("weight", 0.5), ("bias", -0.25), ("running_mean", 1.0), ("running_var", 4.0 - 1e-5)];
        norm.iter().for_each(|(name, value)| set(&store, &format!("attention.bn.{name}"), &[*value]));
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::new(&[2f64, -4.0], &Device::Cpu)?.reshape((1, 2, 1, 1))?)?;
        let found = gate.forward(&mut tape, x)?.tensor().flatten_all()?.to_vec1::<f64>()?[0];
        let score: f64 = (5.0 * 2.0 - 3.0 - 1.0) / 2.0 * 0.5 - 0.25;
        assert!((found - 1.0 / (1.0 + (-score).exp())).abs() < 1e-12, "{found}");
        Ok(())
    }

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 4, 5]], |tape, v| {
            let (gate, store) = gate_on(v[0].tensor().device());
            set(&store, "attention.bn.weight", &[0.7]);
            let map = gate.forward(tape, v[0].clone())?;
            ops::attend(tape, v[0].clone(), map, ops::Gate::MULTIPLY)
        });
        // Of the kernel and the norm, with the features fixed.
        check(&[&[2, 3, 4, 5], &[1, 2, 7, 7], &[1], &[1]], |tape, v| {
            let pooled = ops::channel_mean_max(tape, v[0].clone())?;
            let same = Conv2dSettings { padding: (3, 3), ..Conv2dSettings::default() };
            let (_, store) = gate_on(v[0].tensor().device());
            let running = (
                tape.uncast(store.get("attention.bn.running_mean").unwrap()),
                tape.uncast(store.get("attention.bn.running_var").unwrap()),
            );
            let (weight, bias) = (v[2].clone(), v[3].clone());
            let inputs = ops::BatchNormInputs { weight, bias, running, batch_statistics: true, eps: 1e-5 };
            let (scores, _) = ops::conv2d_norm(tape, pooled, v[1].clone(), same, inputs, Activation::Identity)?;
            ops::sigmoid(tape, scores)
        });
    }
}
