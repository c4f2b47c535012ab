//! Stochastic gradient descent with momentum, in PyTorch's form.

use std::collections::HashMap;

use candle_core::Tensor;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optimiser::{self, Optimiser, chosen};
use super::parameters::{Move, OptimisedParameters, Slots};
use super::require::require;
use super::rule::UpdateRule;
use crate::element::{Element, has_kernels, modify, read, with_element};
use crate::error::{Error, Result};
use crate::parameter::{ParameterId, ParameterStore};
use crate::tape::Engine;

/// Numbers a task works on.
const PIECE: usize = 1 << 15;
const VELOCITY: &str = "velocity";

/// Stochastic gradient descent, with PyTorch's meaning of momentum and weight decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SgdSettings {
    /// Step size at the start of the schedule.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Share of the last step that is kept.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Look ahead along the momentum.
    pub nesterov: bool,
    /// Added to the gradient: this times the parameter, for every trained tensor.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for SgdSettings {
    fn default() -> Self {
        Self { learning_rate: 0.05, momentum: 0.9, nesterov: false, weight_decay: 5e-4 }
    }
}

impl UpdateRule for SgdSettings {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> usize {
        1
    }

    fn check(&self) -> Result<()> {
        let &Self { learning_rate, momentum, nesterov, weight_decay } = self;
        require(learning_rate >= 0.0, "optimiser.learning_rate", "at least 0", learning_rate)?;
        require((0.0..1.0).contains(&momentum), "optimiser.momentum", "at least 0 and less than 1", momentum)?;
        require(weight_decay >= 0.0, "optimiser.weight_decay", "at least 0", weight_decay)?;
        if nesterov && momentum == 0.0 {
            return Err(Error::setting("optimiser.nesterov", "needs a momentum above 0; set optimiser.momentum"));
        }
        Ok(())
    }

    fn build(&self, parameters: OptimisedParameters) -> Result<Box<dyn Optimiser>> {
        Ok(Box::new(Sgd::new(self.clone(), parameters)))
    }
}

/// `d = g + weight_decay p; v = momentum v + d; p = p - learning_rate v`, or `p - learning_rate (d + momentum v)` with
/// Nesterov's momentum; `v` is `d` at a parameter's first step. `torch.optim.SGD` without dampening.
struct Sgd {
    settings: SgdSettings,
    parameters: OptimisedParameters,
    velocity: Slots,
    engine: Engine,
}

impl Sgd {
    fn new(settings: SgdSettings, parameters: OptimisedParameters) -> Self {
        Self { settings, parameters, velocity: Slots::new(), engine: Engine::default() }
    }

    fn fused<T: Element>(&self, moved: &Move, velocity: Option<&Tensor>, rate: f64) -> Result<()> {
        let (rate, momentum) = (T::of(rate), T::of(self.settings.momentum));
        let (decay, nesterov) = (T::of(self.settings.weight_decay), self.settings.nesterov);
        let parameter = moved.parameter.tensor();
        let Some(velocity) = velocity else {
            let update = |p: &mut T, g: T| *p -= rate * (g + decay * *p);
            return read::<T, _>(&moved.gradient, |g| {
                modify::<T, _>(&parameter, |p| crate::kernels::elementwise::update(p, g, update))
            })?;
        };
        let pass = |p: &mut [T], v: &mut [T], g: &[T]| {
            let pieces = (p.par_chunks_mut(PIECE), v.par_chunks_mut(PIECE), g.par_chunks(PIECE));
            pieces.into_par_iter().for_each(|(p, v, g)| {
                for ((p, v), &g) in p.iter_mut().zip(v).zip(g) {
                    let d = g + decay * *p;
                    *v = momentum * *v + d;
                    let step = if nesterov { d + momentum * *v } else { *v };
                    *p -= rate * step;
                }
            });
        };
        read::<T, _>(&moved.gradient, |g| modify::<T, _>(velocity, |v| modify::<T, _>(&parameter, |p| pass(p, v, g))))??
    }

    /// The same by candle's operators, where it applies; returns the new velocity.
    fn composed(
        &self,
        moved: &Move,
        velocity: Option<&Tensor>,
        rate: f64,
        applies: Option<&Tensor>,
    ) -> Result<Option<Tensor>> {
        let parameter = moved.parameter.tensor();
        let d = (&moved.gradient + (&parameter * self.settings.weight_decay)?)?;
        let (step, velocity) = match velocity {
            None => (d, None),
            Some(velocity) => {
                let v = ((velocity * self.settings.momentum)? + &d)?;
                let step = if self.settings.nesterov { (d + (&v * self.settings.momentum)?)? } else { v.clone() };
                (step, Some(chosen(applies, v, velocity)?))
            }
        };
        moved.parameter.set(chosen(applies, (&parameter - (step * rate)?)?, &parameter)?)?;
        Ok(velocity)
    }
}

impl Optimiser for Sgd {
    fn step(&mut self, store: &ParameterStore, gradients: &[(ParameterId, Tensor)], factor: f64) -> Result<()> {
        self.step_where(store, gradients, factor, None)
    }

    fn step_where(
        &mut self,
        store: &ParameterStore,
        gradients: &[(ParameterId, Tensor)],
        factor: f64,
        applies: Option<&Tensor>,
    ) -> Result<()> {
        for (id, gradient) in gradients {
            let moved = self.parameters.prepare(store, *id, gradient)?;
            let rate = moved.rate * factor;
            // From zero the first velocity is the first gradient.
            if self.settings.momentum != 0.0 && !self.velocity.contains_key(id) {
                self.velocity.insert(*id, moved.gradient.zeros_like()?);
            }
            let velocity = self.velocity.get(id);
            if self.engine == Engine::Kernels && has_kernels(&moved.gradient) {
                if optimiser::read(applies)? {
                    with_element!(moved.gradient, T => self.fused::<T>(&moved, velocity, rate))?;
                }
            } else if let Some(velocity) = self.composed(&moved, velocity, rate, applies)? {
                self.velocity.insert(*id, velocity);
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.parameters.save(VELOCITY, &self.velocity)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.velocity = self.parameters.load(VELOCITY, state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candle_core::{DType, Device};

    use super::*;
    use crate::parameter::Init;

    /// A parameter that starts at 1, moved along the gradients 1, 2, -1 on either engine.
    fn path(settings: &SgdSettings, engine: Engine, dtype: DType) -> Result<Vec<f64>> {
        let mut store = ParameterStore::new(0, dtype, &Device::Cpu);
        let parameter = store.root().weight("p", 1, Init::Constant(1.0))?;
        let parameters = OptimisedParameters::new(&store, "sgd", vec![], settings.learning_rate, &BTreeMap::new())?;
        let mut sgd = Sgd::new(settings.clone(), parameters);
        sgd.engine = engine;
        [1.0, 2.0, -1.0]
            .into_iter()
            .map(|g: f64| {
                let gradient = Tensor::new(&[g], &Device::Cpu)?.to_dtype(dtype)?;
                sgd.step(&store, &[(parameter.id(), gradient)], 1.0)?;
                Ok(parameter.tensor().to_dtype(DType::F64)?.to_vec1::<f64>()?[0])
            })
            .collect()
    }

    #[test]
    fn hand_computed_paths() -> Result<()> {
        let settings =
            |momentum, nesterov, weight_decay| SgdSettings { learning_rate: 0.1, momentum, nesterov, weight_decay };
        let cases = [
            // p: 1 - 0.1, 0.9 - 0.2, 0.7 + 0.1
            (settings(0.0, false, 0.0), [0.9, 0.7, 0.8]),
            // v: 1, 0.5 + 2, 1.25 - 1
            (settings(0.5, false, 0.0), [0.9, 0.65, 0.625]),
            // d + v / 2: 1 + 0.5, 2 + 1.25, -1 + 0.125
            (settings(0.5, true, 0.0), [0.85, 0.525, 0.6125]),
            // d: 1 + 0.5, 2 + 0.425, -1 + 0.30375
            (settings(0.0, false, 0.5), [0.85, 0.6075, 0.677125]),
            // d: 1.5, 2.425, -0.73375 (p = 0.5325); v: 1.5, 3.175, 0.85375
            (settings(0.5, false, 0.5), [0.85, 0.5325, 0.447125]),
        ];
        for (settings, expected) in cases {
            for (engine, dtype, tolerance) in [
                (Engine::Kernels, DType::F64, 1e-15),
                (Engine::Kernels, DType::F32, 1e-7),
                (Engine::Composed, DType::F64, 1e-15),
            ] {
                for (found, expected) in path(&settings, engine, dtype)?.into_iter().zip(expected) {
                    let close = (found - expected).abs() <= tolerance;
                    assert!(close, "{settings:?} {engine:?} {dtype:?}: {found}, not {expected}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_gradient_shared_by_two_parameters_stays_as_it_is() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F64, &Device::Cpu);
        let a = store.root().weight("a", 2, Init::Constant(1.0))?;
        let b = store.root().weight("b", 2, Init::Constant(3.0))?;
        let settings = SgdSettings::default();
        let parameters = OptimisedParameters::new(&store, "sgd", vec![], settings.learning_rate, &BTreeMap::new())?;
        let mut sgd = Sgd::new(settings.clone(), parameters);
        let gradient = Tensor::new(&[1.0f64, 2.0], &Device::Cpu)?;
        sgd.step(&store, &[(a.id(), gradient.clone()), (b.id(), gradient.clone())], 1.0)?;
        assert_eq!(gradient.to_vec1::<f64>()?, [1.0, 2.0]);
        let wrong = Tensor::new(&[1.0f64], &Device::Cpu)?;
        assert!(sgd.step(&store, &[(a.id(), wrong)], 1.0).unwrap_err().to_string().contains("a: gradient"));
        Ok(())
    }
}
