//! Optimisers, learning rate schedules, and what is done to gradients before a step.
//!
//! ```text
//! gradients of micro-batches -> accumulate -> clip_norm -> Optimiser::step(factor of the schedule)
//! ```

mod accumulate;
mod adamw;
mod clip;
mod members;
mod optimiser;
mod require;
mod schedule;
mod sgd;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use accumulate::accumulate;
use adamw::AdamW;
pub use adamw::AdamWSettings;
pub use clip::clip_norm;
pub use optimiser::Optimiser;
pub use schedule::{PolynomialSettings, Position, ScheduleSettings, Shape, StepSettings};
use sgd::Sgd;
pub use sgd::SgdSettings;

use crate::error::Result;
use crate::parameter::ParameterStore;
use members::Members;

/// How parameters are updated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Optimiser")]
pub struct OptimiserSettings {
    /// The rule and its settings.
    #[serde(flatten)]
    pub rule: UpdateRule,
    /// Learning rates of layers, in place of `learning_rate`: `{ "classifier" = 0.1 }` is that of `classifier.weight` and
    /// `classifier.bias`. A key is the whole name of a parameter, or of a layer that it lies below; the longest key that
    /// fits counts. A key that fits no parameter is an error.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "number", "minimum": 0.0 }))]
    pub learning_rates: BTreeMap<String, f64>,
}

/// An update rule, by its `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum UpdateRule {
    /// Stochastic gradient descent: v = momentum v + g + weight_decay p; p = p - learning_rate v.
    Sgd(SgdSettings),
    /// Adam with decoupled weight decay.
    Adamw(AdamWSettings),
}

impl Default for UpdateRule {
    fn default() -> Self {
        Self::Sgd(SgdSettings::default())
    }
}

impl OptimiserSettings {
    /// Step size at the start of the schedule, of parameters without a rate of their own.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match &self.rule {
            UpdateRule::Sgd(sgd) => sgd.learning_rate,
            UpdateRule::Adamw(adamw) => adamw.learning_rate,
        }
    }

    /// Weight decay of every trained tensor.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        match &self.rule {
            UpdateRule::Sgd(sgd) => sgd.weight_decay,
            UpdateRule::Adamw(adamw) => adamw.weight_decay,
        }
    }

    /// An optimiser of the parameters of `store`, which must be complete.
    ///
    /// # Errors
    /// A setting out of range; a key of `learning_rates` that no parameter lies below.
    pub fn build(&self, store: &ParameterStore) -> Result<Box<dyn Optimiser>> {
        let members = Members::new(store, self.learning_rate(), &self.learning_rates)?;
        Ok(match &self.rule {
            UpdateRule::Sgd(settings) => Box::new(Sgd::new(settings.clone(), members)?),
            UpdateRule::Adamw(settings) => Box::new(AdamW::new(settings.clone(), members)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::parameter::{Init, ParameterId};

    fn store() -> Result<ParameterStore> {
        let mut store = ParameterStore::new(5, DType::F32, &Device::Cpu);
        // Longer than one piece of a pass, and no multiple of it.
        store.root().pp("features").weight("weight", 70_001, Init::Normal(1.0))?;
        store.root().pp("classifier").weight("weight", (3, 5), Init::Normal(1.0))?;
        store.root().pp("classifier").weight("bias", 3, Init::Normal(1.0))?;
        Ok(store)
    }

    fn gradients(store: &ParameterStore, step: u64) -> Result<Vec<(ParameterId, Tensor)>> {
        let draw = |p: &crate::parameter::Parameter| {
            Init::Normal(0.1).draw(step, p.name(), p.tensor().shape(), store.dtype(), store.device())
        };
        store.entries().iter().map(|p| Ok((p.id(), draw(p)?))).collect()
    }

    fn bits(tensors: &[(String, Tensor)]) -> Result<Vec<(String, Vec<u64>)>> {
        let bits = |t: &Tensor| -> Result<Vec<u64>> {
            Ok(t.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().map(f64::to_bits).collect())
        };
        tensors.iter().map(|(name, t)| Ok((name.clone(), bits(t)?))).collect()
    }

    fn rules() -> [OptimiserSettings; 3] {
        let learning_rates = BTreeMap::from([("classifier".to_owned(), 0.2)]);
        [
            UpdateRule::default(),
            UpdateRule::Sgd(SgdSettings { momentum: 0.0, ..SgdSettings::default() }),
            UpdateRule::Adamw(AdamWSettings::default()),
        ]
        .map(|rule| OptimiserSettings { rule, learning_rates: learning_rates.clone() })
    }

    type Saved = Vec<(String, Tensor)>;

    fn run(
        settings: &OptimiserSettings,
        steps: std::ops::Range<u64>,
        from: Option<&(Saved, Saved)>,
    ) -> Result<(Saved, Saved)> {
        let store = store()?;
        let mut optimiser = settings.build(&store)?;
        if let Some((weights, state)) = from {
            for (name, tensor) in weights {
                store.get(name).unwrap().set(tensor.clone())?;
            }
            optimiser.load_state(&state.iter().chain(weights).cloned().collect())?;
        }
        for step in steps {
            let mut gradients = gradients(&store, step)?;
            if step == 0 {
                // A parameter that joins later.
                gradients.remove(1);
            }
            optimiser.step(&store, &gradients, 1.0 / (step + 1) as f64)?;
        }
        Ok((store.tensors(), optimiser.state()?))
    }

    #[test]
    fn a_resumed_run_is_the_same_to_the_bit() -> Result<()> {
        for settings in rules() {
            let whole = run(&settings, 0..4, None)?;
            let half = run(&settings, 0..2, None)?;
            let before = (bits(&half.0)?, bits(&half.1)?);
            let resumed = run(&settings, 2..4, Some(&half))?;
            assert_eq!(bits(&whole.0)?, bits(&resumed.0)?);
            assert_eq!(bits(&whole.1)?, bits(&resumed.1)?);
            // Neither the weights nor the state that were loaded moved with the run.
            assert_eq!(before, (bits(&half.0)?, bits(&half.1)?));
        }
        Ok(())
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() -> Result<()> {
        for settings in rules() {
            let mut results = vec![];
            for threads in [1, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                results.push(pool.install(|| run(&settings, 0..3, None).and_then(|(weights, _)| bits(&weights)))?);
            }
            assert_eq!(results[0], results[1]);
        }
        Ok(())
    }

    #[test]
    fn the_longest_prefix_gives_the_rate() -> Result<()> {
        let store = store()?;
        let rule =
            UpdateRule::Sgd(SgdSettings { learning_rate: 1.0, momentum: 0.0, nesterov: false, weight_decay: 0.0 });
        let rates = [("classifier", 0.5), ("classifier.bias", 0.0), ("feat", 9.0)];
        let with = |count: usize| OptimiserSettings {
            rule: rule.clone(),
            learning_rates: rates[..count].iter().map(|(key, rate)| ((*key).to_owned(), *rate)).collect(),
        };
        let before: Vec<Tensor> =
            store.entries().iter().map(|p| p.tensor().copy()).collect::<candle_core::Result<_>>()?;
        let ones: Vec<_> =
            store.entries().iter().map(|p| Ok((p.id(), p.tensor().ones_like()?))).collect::<Result<_>>()?;
        with(2).build(&store)?.step(&store, &ones, 0.5)?;
        for (parameter, (before, moved)) in store.entries().iter().zip(before.iter().zip([0.5, 0.25, 0.0])) {
            let step = (before - parameter.tensor())?.flatten_all()?.to_vec1::<f32>()?;
            assert!(step.iter().all(|step| (step - moved).abs() < 1e-5), "{parameter:?} {:?}", &step[..3]);
        }
        // `feat` is no prefix at a dot.
        let error = with(3).build(&store).err().unwrap().to_string();
        assert!(error.contains("optimiser.learning_rates.\"feat\"") && error.contains("`features`"), "{error}");
        Ok(())
    }

    #[test]
    fn state_that_does_not_fit_is_refused() -> Result<()> {
        let [sgd, _, adamw] = rules();
        let refusal = |settings: &OptimiserSettings, state: Saved| -> Result<String> {
            let store = store()?;
            let mut optimiser = settings.build(&store)?;
            let error = optimiser.load_state(&state.into_iter().collect()).unwrap_err().to_string();
            assert!(optimiser.state()?.iter().all(|(name, _)| name == "adamw.step"), "half a state was loaded");
            Ok(error)
        };
        let adamw_state = run(&adamw, 0..1, None)?.1;
        assert!(refusal(&sgd, adamw_state.clone())?.contains("adamw."));
        assert!(refusal(&adamw, run(&sgd, 0..1, None)?.1)?.contains("sgd."));
        assert!(refusal(&adamw, vec![])?.contains("adamw.step"));
        let one = |name: &str, dims: usize| -> Result<Saved> {
            Ok(vec![(name.to_owned(), Tensor::zeros(dims, DType::F32, &Device::Cpu)?)])
        };
        assert!(refusal(&sgd, one("sgd.velocity.classifier.bias", 4)?)?.contains("[4]"));
        assert!(refusal(&sgd, one("sgd.velocity.head.bias", 3)?)?.contains("head.bias"));
        let mut partial = adamw_state;
        partial.retain(|(name, _)| name != "adamw.v.classifier.bias");
        assert!(refusal(&adamw, partial)?.contains("adamw.v.classifier.bias"));
        Ok(())
    }

    #[test]
    fn settings_out_of_range_are_named() -> Result<()> {
        let store = store()?;
        let sgd = |settings| UpdateRule::Sgd(settings);
        let cases = [
            (sgd(SgdSettings { learning_rate: -1.0, ..SgdSettings::default() }), "optimiser.learning_rate"),
            (sgd(SgdSettings { momentum: 1.0, ..SgdSettings::default() }), "optimiser.momentum"),
            (sgd(SgdSettings { momentum: 0.0, nesterov: true, ..SgdSettings::default() }), "optimiser.nesterov"),
            (sgd(SgdSettings { weight_decay: f64::NAN, ..SgdSettings::default() }), "optimiser.weight_decay"),
            (UpdateRule::Adamw(AdamWSettings { beta2: 1.0, ..AdamWSettings::default() }), "optimiser.beta2"),
            (UpdateRule::Adamw(AdamWSettings { eps: 0.0, ..AdamWSettings::default() }), "optimiser.eps"),
        ];
        for (rule, key) in cases {
            let settings = OptimiserSettings { rule, learning_rates: BTreeMap::new() };
            let error = settings.build(&store).err().unwrap().to_string();
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
        }
        Ok(())
    }
}
