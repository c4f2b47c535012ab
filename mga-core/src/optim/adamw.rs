//! Adam with decoupled weight decay (Loshchilov and Hutter 2019), in PyTorch's form.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
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
const MEAN: &str = "m";
const SQUARE: &str = "v";
const STEP: &str = "step";

/// Adam with decoupled weight decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdamWSettings {
    /// Step size at the start of the schedule.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Decay of the running mean of gradients.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub eps: f64,
    /// Each step multiplies every trained tensor by one minus this times the learning rate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

impl UpdateRule for AdamWSettings {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> usize {
        2
    }

    fn check(&self) -> Result<()> {
        let &Self { learning_rate, beta1, beta2, eps, weight_decay } = self;
        require(learning_rate >= 0.0, "optimiser.learning_rate", "at least 0", learning_rate)?;
        require((0.0..1.0).contains(&beta1), "optimiser.beta1", "at least 0 and less than 1", beta1)?;
        require((0.0..1.0).contains(&beta2), "optimiser.beta2", "at least 0 and less than 1", beta2)?;
        require(eps > 0.0, "optimiser.eps", "more than 0", eps)?;
        require(weight_decay >= 0.0, "optimiser.weight_decay", "at least 0", weight_decay)
    }

    fn build(&self, parameters: OptimisedParameters) -> Result<Box<dyn Optimiser>> {
        Ok(Box::new(AdamW::new(self.clone(), parameters)))
    }
}

/// With a parameter's own step count `t` from 1 and learning rate `r`:
/// `p = (1 - r weight_decay) p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;`
/// `p = p - r / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)`. `torch.optim.AdamW` without amsgrad.
struct AdamW {
    settings: AdamWSettings,
    parameters: OptimisedParameters,
    mean: Slots,
    square: Slots,
    /// Steps each parameter has made: one thawed later starts its own bias correction.
    steps: BTreeMap<ParameterId, i64>,
    engine: Engine,
}

/// The factors of one parameter's step.
struct Factors {
    shrink: f64,
    step: f64,
    root: f64,
}

impl AdamW {
    fn new(settings: AdamWSettings, parameters: OptimisedParameters) -> Self {
        let (mean, square, steps) = (Slots::new(), Slots::new(), BTreeMap::new());
        Self { settings, parameters, mean, square, steps, engine: Engine::default() }
    }

    fn factors(&self, rate: f64, steps: i64) -> Factors {
        let AdamWSettings { beta1, beta2, weight_decay, .. } = self.settings;
        let correction = |beta: f64| 1.0 - beta.powf(steps as f64);
        Factors { shrink: 1.0 - rate * weight_decay, step: rate / correction(beta1), root: correction(beta2).sqrt() }
    }

    fn fused<T: Element>(&self, moved: &Move, mean: &Tensor, square: &Tensor, factors: &Factors) -> Result<()> {
        let AdamWSettings { beta1, beta2, eps, .. } = self.settings;
        let (keep1, new1, keep2, new2) = (T::of(beta1), T::of(1.0 - beta1), T::of(beta2), T::of(1.0 - beta2));
        let (shrink, step, root, eps) = (T::of(factors.shrink), T::of(factors.step), T::of(factors.root), T::of(eps));
        let pass = |p: &mut [T], m: &mut [T], v: &mut [T], g: &[T]| {
            let pieces =
                (p.par_chunks_mut(PIECE), m.par_chunks_mut(PIECE), v.par_chunks_mut(PIECE), g.par_chunks(PIECE));
            pieces.into_par_iter().for_each(|(p, m, v, g)| {
                for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
                    *m = keep1 * *m + new1 * g;
                    *v = keep2 * *v + new2 * g * g;
                    *p = shrink * *p - step * (*m / (v.sqrt() / root + eps));
                }
            });
        };
        read::<T, _>(&moved.gradient, |g| {
            modify::<T, _>(mean, |m| {
                modify::<T, _>(square, |v| modify::<T, _>(&moved.parameter.tensor(), |p| pass(p, m, v, g)))
            })
        })???
    }

    /// The same by candle's operators, where it applies; returns the new means.
    fn composed(
        &self,
        moved: &Move,
        (mean, square): (&Tensor, &Tensor),
        factors: &Factors,
        applies: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        let AdamWSettings { beta1, beta2, eps, .. } = self.settings;
        let (g, parameter, before) = (&moved.gradient, moved.parameter.tensor(), (mean, square));
        let mean = ((mean * beta1)? + (g * (1.0 - beta1))?)?;
        let square = ((square * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
        let direction = (&mean / ((square.sqrt()? / factors.root)? + eps)?)?;
        let after = ((&parameter * factors.shrink)? - (direction * factors.step)?)?;
        moved.parameter.set(chosen(applies, after, &parameter)?)?;
        Ok((chosen(applies, mean, before.0)?, chosen(applies, square, before.1)?))
    }
}

impl Optimiser for AdamW {
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
            let steps = self.steps.get(id).copied().unwrap_or(0) + 1;
            let factors = self.factors(moved.rate * factor, steps);
            let present = |slots: &Slots| slots.get(id).cloned().map_or_else(|| moved.gradient.zeros_like(), Ok);
            let (mut mean, mut square) = (present(&self.mean)?, present(&self.square)?);
            if self.engine == Engine::Kernels && has_kernels(&moved.gradient) {
                if optimiser::read(applies)? {
                    with_element!(moved.gradient, T => self.fused::<T>(&moved, &mean, &square, &factors))?;
                }
            } else {
                (mean, square) = self.composed(&moved, (&mean, &square), &factors, applies)?;
            }
            self.mean.insert(*id, mean);
            self.square.insert(*id, square);
            self.steps.insert(*id, steps);
        }
        Ok(())
    }

    /// `adamw.m.NAME`, `adamw.v.NAME`, and `adamw.step`: the steps of every parameter, in building order.
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = self.parameters.save(MEAN, &self.mean)?;
        state.extend(self.parameters.save(SQUARE, &self.square)?);
        let steps: Vec<i64> = self.parameters.ids().map(|id| self.steps.get(&id).copied().unwrap_or(0)).collect();
        let count = steps.len();
        state.push((self.parameters.key(STEP), Tensor::from_vec(steps, count, &Device::Cpu)?));
        Ok(state)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let (mean, square) = (self.parameters.load(MEAN, state)?, self.parameters.load(SQUARE, state)?);
        let (key, expected) = (self.parameters.key(STEP), self.parameters.ids().len());
        let steps = match state.get(&key) {
            Some(steps) if steps.dims() == [expected] && steps.dtype() == DType::I64 => steps.to_vec1::<i64>()?,
            found => {
                let found = found.map_or("nothing".to_owned(), |t| format!("{:?} {:?}", t.dtype(), t.dims()));
                return Err(Error::Weights(format!("{key}: expected I64 [{expected}], found {found}")));
            }
        };
        let steps: BTreeMap<_, _> = self.parameters.ids().zip(steps).filter(|(_, steps)| *steps > 0).collect();
        for (slot, slots) in [(MEAN, &mean), (SQUARE, &square)] {
            if let Some(id) = steps.keys().find(|id| !slots.contains_key(id)) {
                let (key, name) = (self.parameters.key(slot), self.parameters.name(*id));
                return Err(Error::Weights(format!("{key}.{name}: missing from the checkpoint")));
            }
        }
        (self.mean, self.square, self.steps) = (mean, square, steps);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::Init;

    #[test]
    fn three_steps_follow_the_formula() -> Result<()> {
        // Gradients 1, 2, -1 from p = 1; each step written out from the definition with powers of the betas, not with
        // running means.
        let (rate, beta1, beta2, eps, decay) = (0.1, 0.9, 0.99, 1e-8, 0.5);
        let gradients: [f64; 3] = [1.0, 2.0, -1.0];
        let mean = |beta: f64, upto: usize, power: i32| -> f64 {
            let terms = gradients[..=upto].iter().enumerate();
            let sum: f64 = terms.map(|(i, g)| (1.0 - beta) * beta.powi((upto - i) as i32) * g.powi(power)).sum();
            sum / (1.0 - beta.powi(upto as i32 + 1))
        };
        let mut p = 1.0;
        let mut expected = vec![];
        for t in 0..3 {
            p = p - rate * decay * p - rate * mean(beta1, t, 1) / (mean(beta2, t, 2).sqrt() + eps);
            expected.push(p);
        }
        // By hand: the first step is 1 - 0.05 - 0.1, the second's direction is (0.09 + 0.2) / 0.19 over the root of
        // (0.0099 + 0.04) / 0.0199.
        assert!((expected[0] - 0.85).abs() < 1e-8);
        assert!((expected[1] - (0.8075 - 0.1 * (0.29 / 0.19) / (0.0499f64 / 0.0199).sqrt())).abs() < 1e-8);

        let settings = AdamWSettings { learning_rate: rate, beta1, beta2, eps, weight_decay: decay };
        for (engine, dtype, tolerance) in [
            (Engine::Kernels, DType::F64, 1e-14),
            (Engine::Kernels, DType::F32, 3e-7),
            (Engine::Composed, DType::F64, 1e-14),
        ] {
            let mut store = ParameterStore::new(0, dtype, &Device::Cpu);
            let parameter = store.root().weight("p", 1, Init::Constant(1.0))?;
            let parameters = OptimisedParameters::new(&store, "adamw", vec![], rate, &BTreeMap::new())?;
            let mut adamw = AdamW::new(settings.clone(), parameters);
            adamw.engine = engine;
            for (&g, &expected) in gradients.iter().zip(&expected) {
                let gradient = Tensor::new(&[g], &Device::Cpu)?.to_dtype(dtype)?;
                adamw.step(&store, &[(parameter.id(), gradient)], 1.0)?;
                let found = parameter.tensor().to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
                assert!((found - expected).abs() <= tolerance, "{engine:?} {dtype:?}: {found}, not {expected}");
            }
        }
        Ok(())
    }
}
