//! `[optimiser]`: how parameters are updated.

use std::collections::BTreeMap;

use mga_registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::optimiser::Optimiser;
use super::parameters::OptimisedParameters;
use super::rule::{Optimisers, UpdateRule};
use super::sgd::SgdSettings;
use crate::error::{Error, Result};
use crate::parameter::ParameterStore;

/// The optimiser of the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Optimiser")]
pub struct OptimiserSettings {
    /// A registered optimiser; `mga list` shows them.
    #[serde(default = "sgd")]
    pub name: String,
    /// The optimiser's own settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
    /// Learning rates of layers, in place of `learning_rate`: `{ "classifier" = 0.1 }` is that of `classifier.weight` and
    /// `classifier.bias`. A key is the whole name of a parameter, or of a layer that it lies below; the longest key that
    /// fits counts. A key that fits no parameter is an error.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "number", "minimum": 0.0 }))]
    pub learning_rates: BTreeMap<String, f64>,
}

fn sgd() -> String {
    "sgd".to_owned()
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        // Settings that are left out have their defaults.
        let bare = |_| Self { name: sgd(), settings: Map::new(), learning_rates: BTreeMap::new() };
        Self::of("sgd", &SgdSettings::default()).unwrap_or_else(bare)
    }
}

impl OptimiserSettings {
    /// Creates the optimiser `name` with these settings: `OptimiserSettings::of("sgd", &SgdSettings::default())`.
    ///
    /// # Errors
    /// Settings that are no table.
    pub fn of(name: &str, settings: &impl Serialize) -> Result<Self> {
        let settings = match serde_json::to_value(settings) {
            Ok(Value::Object(settings)) => settings,
            Ok(other) => return Err(Error::settings(format!("settings of {name}: expected a table, found {other}"))),
            Err(error) => return Err(Error::settings(format!("settings of {name}: {error}"))),
        };
        Ok(Self { name: name.to_owned(), settings, learning_rates: BTreeMap::new() })
    }

    /// Writes out every setting of the optimiser, defaults included, as the optimiser has them.
    ///
    /// # Errors
    /// No such optimiser; settings that it cannot read.
    pub fn complete(&mut self, kinds: &Registry) -> Result<()> {
        self.settings = kinds.complete::<Optimisers, _>(&self.name, &self.settings)?;
        Ok(())
    }

    /// Returns the update rule with its settings.
    ///
    /// # Errors
    /// No such optimiser; a setting out of range.
    pub fn rule(&self, kinds: &Registry) -> Result<Box<dyn UpdateRule>> {
        let rule = kinds.make::<Optimisers, _>(&self.name, &self.settings)?;
        rule.check()?;
        Ok(rule)
    }

    /// Builds an optimiser of the parameters of `store`, which must be complete. `kinds` holds the registered optimisers:
    /// [`crate::components`] those of this crate.
    ///
    /// # Errors
    /// As [`Self::rule`]; a key of `learning_rates` that no parameter lies below.
    pub fn build(&self, kinds: &Registry, store: &ParameterStore) -> Result<Box<dyn Optimiser>> {
        let (rule, name) = (self.rule(kinds)?, self.name.as_str());
        let others = kinds.all::<Optimisers>().iter().map(|entry| entry.name.clone()).filter(|other| other != name);
        let rates = &self.learning_rates;
        rule.build(OptimisedParameters::new(store, name, others.collect(), rule.learning_rate(), rates)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::super::adamw::AdamWSettings;
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
            OptimiserSettings::default(),
            OptimiserSettings::of("sgd", &SgdSettings { momentum: 0.0, ..SgdSettings::default() }).unwrap(),
            OptimiserSettings::of("adamw", &AdamWSettings::default()).unwrap(),
        ]
        .map(|settings| OptimiserSettings { learning_rates: learning_rates.clone(), ..settings })
    }

    type Saved = Vec<(String, Tensor)>;

    fn run(
        settings: &OptimiserSettings,
        steps: std::ops::Range<u64>,
        from: Option<&(Saved, Saved)>,
    ) -> Result<(Saved, Saved)> {
        let store = store()?;
        let mut optimiser = settings.build(&crate::components(), &store)?;
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
    fn a_step_that_does_not_apply_moves_nothing() -> Result<()> {
        for dtype in [DType::F32, DType::BF16] {
            for settings in rules() {
                let mut store = ParameterStore::new(5, dtype, &Device::Cpu);
                let parameter = store.root().pp("classifier").weight("weight", (3, 5), Init::Normal(1.0))?;
                let mut optimiser = settings.build(&crate::components(), &store)?;
                let gradient = Init::Normal(0.1).draw(1, "g", &(3, 5).into(), dtype, &Device::Cpu)?;
                let gradients = [(parameter.id(), gradient.clone())];
                let broken = [(parameter.id(), (gradient * f64::NAN)?)];
                let (yes, no) = (Tensor::new(1u8, &Device::Cpu)?, Tensor::new(0u8, &Device::Cpu)?);
                let tensors = |optimiser: &dyn Optimiser| -> Result<Vec<(String, Vec<u64>)>> {
                    let state = optimiser.state()?.into_iter().filter(|(name, _)| name != "adamw.step");
                    bits(&store.tensors().into_iter().chain(state).collect::<Vec<_>>())
                };
                optimiser.step_where(&store, &gradients, 1.0, Some(&yes))?;
                let before = tensors(optimiser.as_ref())?;
                optimiser.step_where(&store, &broken, 1.0, Some(&no))?;
                assert_eq!(before, tensors(optimiser.as_ref())?, "{dtype:?} {settings:?}");
                optimiser.step_where(&store, &gradients, 1.0, Some(&yes))?;
                assert_ne!(before, tensors(optimiser.as_ref())?, "{dtype:?} {settings:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_longest_prefix_gives_the_rate() -> Result<()> {
        let store = store()?;
        let sgd = SgdSettings { learning_rate: 1.0, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let base = OptimiserSettings::of("sgd", &sgd)?;
        let rates = [("classifier", 0.5), ("classifier.bias", 0.0), ("feat", 9.0)];
        let with = |count: usize| OptimiserSettings {
            learning_rates: rates[..count].iter().map(|(key, rate)| ((*key).to_owned(), *rate)).collect(),
            ..base.clone()
        };
        let before: Vec<Tensor> =
            store.entries().iter().map(|p| p.tensor().copy()).collect::<candle_core::Result<_>>()?;
        let ones: Vec<_> =
            store.entries().iter().map(|p| Ok((p.id(), p.tensor().ones_like()?))).collect::<Result<_>>()?;
        with(2).build(&crate::components(), &store)?.step(&store, &ones, 0.5)?;
        for (parameter, (before, moved)) in store.entries().iter().zip(before.iter().zip([0.5, 0.25, 0.0])) {
            let step = (before - parameter.tensor())?.flatten_all()?.to_vec1::<f32>()?;
            assert!(step.iter().all(|step| (step - moved).abs() < 1e-5), "{parameter:?} {:?}", &step[..3]);
        }
        // `feat` is no prefix at a dot.
        let error = with(3).build(&crate::components(), &store).err().unwrap().to_string();
        assert!(error.contains("optimiser.learning_rates.\"feat\"") && error.contains("`features`"), "{error}");
        Ok(())
    }

    #[test]
    fn state_that_does_not_fit_is_refused() -> Result<()> {
        let [sgd, _, adamw] = rules();
        let refusal = |settings: &OptimiserSettings, state: Saved| -> Result<String> {
            let store = store()?;
            let mut optimiser = settings.build(&crate::components(), &store)?;
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
    fn settings_out_of_range_are_named() {
        let sgd = |settings: SgdSettings| Box::new(settings) as Box<dyn UpdateRule>;
        let adamw = |settings: AdamWSettings| Box::new(settings) as Box<dyn UpdateRule>;
        let cases = [
            (sgd(SgdSettings { learning_rate: -1.0, ..SgdSettings::default() }), "optimiser.learning_rate"),
            (sgd(SgdSettings { momentum: 1.0, ..SgdSettings::default() }), "optimiser.momentum"),
            (sgd(SgdSettings { momentum: 0.0, nesterov: true, ..SgdSettings::default() }), "optimiser.nesterov"),
            (sgd(SgdSettings { weight_decay: f64::NAN, ..SgdSettings::default() }), "optimiser.weight_decay"),
            (adamw(AdamWSettings { beta2: 1.0, ..AdamWSettings::default() }), "optimiser.beta2"),
            (adamw(AdamWSettings { eps: 0.0, ..AdamWSettings::default() }), "optimiser.eps"),
        ];
        for (rule, key) in cases {
            let error = rule.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
        }
    }

    #[test]
    fn what_builds_no_optimiser_is_told() -> Result<()> {
        let (kinds, store) = (crate::components(), store()?);
        let refusal = |settings: OptimiserSettings| settings.build(&kinds, &store).err().unwrap().to_string();
        let unknown = refusal(OptimiserSettings::of("lion", &SgdSettings::default())?);
        assert!(unknown.starts_with("optimiser.name: unknown name `lion`") && unknown.contains("`adamw`"), "{unknown}");
        // A number that is none is no setting, and nothing takes its place.
        let nan = refusal(OptimiserSettings::of("sgd", &SgdSettings { momentum: f64::NAN, ..SgdSettings::default() })?);
        assert!(nan.starts_with("optimiser.momentum: "), "{nan}");
        let far = refusal(OptimiserSettings::of("sgd", &SgdSettings { momentum: 2.0, ..SgdSettings::default() })?);
        assert!(far.starts_with("optimiser.momentum: "), "{far}");
        Ok(())
    }

    #[test]
    fn settings_are_written_as_the_release_before_wrote_them() -> Result<()> {
        let table = r#"{"momentum":0,"learning_rates":{"classifier":1},"name":"sgd","learning_rate":0.1}"#;
        let mut settings: OptimiserSettings = serde_json::from_str(table).unwrap();
        settings.complete(&crate::components())?;
        let written = serde_json::to_string(&settings).unwrap();
        let expected = r#"{"name":"sgd","learning_rate":0.1,"momentum":0.0,"nesterov":false,"weight_decay":0.0005,"#;
        assert_eq!(written, format!("{expected}\"learning_rates\":{{\"classifier\":1.0}}}}"));
        Ok(())
    }
}
