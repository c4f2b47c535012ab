//! An optimiser: Lion (Chen et al. 2023), which moves every number by a step of the same size.

use std::collections::HashMap;

use candle_core::Tensor;
use mga_core::optim::{OptimisedParameters, Optimiser, Optimisers, Slots, UpdateRule};
use mga_core::parameter::{ParameterId, ParameterStore};
use mga_core::{Error, Result};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Its state in checkpoints: `optimiser.lion.momentum.PARAMETER`.
const MOMENTUM: &str = "momentum";

/// Returns the optimiser that an experiment selects with `[optimiser] name = "lion"`.
pub fn entry() -> Entry<Optimisers> {
    let about = "Lion (Chen et al. 2023): p = p - learning_rate (sign(beta1 m + (1 - beta1) g) + weight_decay p)";
    Entry::<Optimisers>::from_settings("lion", about, |settings: LionSettings| {
        Box::new(settings) as Box<dyn UpdateRule>
    })
}

/// The settings, which stand beside `name` in `[optimiser]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct LionSettings {
    /// Step size at the start of the schedule.
    #[schemars(range(min = 0.0))]
    learning_rate: f64,
    /// Share of the momentum in the direction of a step.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    beta1: f64,
    /// Share of the momentum that is kept.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    beta2: f64,
    /// Each step multiplies every trained tensor by one minus this times the learning rate.
    #[schemars(range(min = 0.0))]
    weight_decay: f64,
}

impl Default for LionSettings {
    fn default() -> Self {
        Self { learning_rate: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl UpdateRule for LionSettings {
    /// Where the schedule starts.
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> usize {
        1
    }

    /// The schema has the bounds of each setting; here is what several say together.
    fn check(&self) -> Result<()> {
        if self.beta1 > self.beta2 {
            let what = format!("expected at most optimiser.beta2, {}, found {}", self.beta2, self.beta1);
            return Err(Error::setting("optimiser.beta1", what));
        }
        Ok(())
    }

    fn build(&self, parameters: OptimisedParameters) -> Result<Box<dyn Optimiser>> {
        Ok(Box::new(Lion { settings: self.clone(), parameters, momentum: Slots::new() }))
    }
}

struct Lion {
    settings: LionSettings,
    parameters: OptimisedParameters,
    momentum: Slots,
}

impl Optimiser for Lion {
    fn step(&mut self, store: &ParameterStore, gradients: &[(ParameterId, Tensor)], factor: f64) -> Result<()> {
        for (id, gradient) in gradients {
            let moved = self.parameters.prepare(store, *id, gradient)?;
            let momentum = self.momentum.get(id).cloned().map_or_else(|| moved.gradient.zeros_like(), Ok)?;
            let mean = |keep: f64| (&momentum * keep)? + (&moved.gradient * (1.0 - keep))?;
            let parameter = moved.parameter.tensor();
            let step = (mean(self.settings.beta1)?.sign()? + (&parameter * self.settings.weight_decay)?)?;
            moved.parameter.set((parameter - (step * (moved.rate * factor))?)?)?;
            self.momentum.insert(*id, mean(self.settings.beta2)?);
        }
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.parameters.save(MOMENTUM, &self.momentum)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.momentum = self.parameters.load(MOMENTUM, state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use mga_core::optim::OptimiserSettings;
    use mga_core::parameter::Init;

    use super::*;

    #[test]
    fn three_steps_by_hand_and_a_saved_state() {
        let kinds = mga_core::components().with(entry());
        let settings = LionSettings { learning_rate: 0.5, beta1: 0.5, beta2: 0.75, weight_decay: 0.5 };
        let settings = OptimiserSettings::of("lion", &settings).unwrap();
        let mut store = ParameterStore::new(0, DType::F64, &Device::Cpu);
        let id = store.root().weight("p", 1, Init::Constant(1.0)).unwrap().id();
        let mut lion = settings.build(&kinds, &store).unwrap();
        let mut found = vec![];
        for gradient in [1.0, -0.25, -1.0] {
            // What goes on from a checkpoint goes on with the same numbers.
            let state = lion.state().unwrap().into_iter().collect();
            lion = settings.build(&kinds, &store).unwrap();
            lion.load_state(&state).unwrap();
            lion.step(&store, &[(id, Tensor::new(&[gradient], &Device::Cpu).unwrap())], 0.5).unwrap();
            found.extend(store.tensors()[0].1.to_vec1::<f64>().unwrap());
        }
        // 1 - (1 + 0.5) / 4; m = 0.25, which stands against -0.25: no sign; m = 0.125 against -1.
        let second = 0.625 - 0.625 / 8.0;
        assert_eq!(found, [0.625, second, second - (second / 2.0 - 1.0) / 4.0]);
        assert_eq!(lion.state().unwrap()[0].0, "optimiser.lion.momentum.p");
    }
}
