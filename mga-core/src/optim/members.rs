//! The parameters an optimiser moves: their learning rates, and the names and shapes of their state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};

use super::require::require;
use crate::error::{Error, Result};
use crate::parameter::{Kind, Parameter, ParameterId, ParameterStore, under};

/// A tensor of an optimiser's state for each parameter that has moved.
pub(super) type Slots = BTreeMap<ParameterId, Tensor>;

/// Every weight of a store, in building order.
pub(super) struct Members {
    members: BTreeMap<ParameterId, Member>,
    device: Device,
}

struct Member {
    name: String,
    dims: Vec<usize>,
    dtype: DType,
    rate: f64,
    /// Whether its tensor is known to be shared with nobody outside the store, so that it may change in place.
    owned: bool,
}

/// What a rule needs for one parameter.
pub(super) struct Move {
    pub(super) parameter: Parameter,
    /// Contiguous, of the parameter's shape and type.
    pub(super) gradient: Tensor,
    /// The learning rate, before the schedule.
    pub(super) rate: f64,
}

impl Members {
    pub(super) fn new(store: &ParameterStore, rate: f64, rates: &BTreeMap<String, f64>) -> Result<Self> {
        let weights: Vec<&Parameter> = store.entries().iter().filter(|p| p.kind() == Kind::Weight).collect();
        for (prefix, &rate) in rates {
            let key = format!("optimiser.learning_rates.{prefix:?}");
            require(rate >= 0.0, &key, "at least 0", rate)?;
            if !weights.iter().any(|p| under(p.name(), prefix)) {
                let tops: BTreeSet<&str> = weights.iter().filter_map(|p| p.name().split('.').next()).collect();
                let tops: Vec<String> = tops.into_iter().map(|top| format!("`{top}`")).collect();
                let what = format!("no parameter lies below it; expected one below {}", tops.join(", "));
                return Err(Error::setting(key, what));
            }
        }
        let member = |p: &Parameter| {
            let longest =
                rates.iter().filter(|(prefix, _)| under(p.name(), prefix)).max_by_key(|(prefix, _)| prefix.len());
            let tensor = p.tensor();
            let rate = longest.map_or(rate, |(_, &rate)| rate);
            Member {
                name: p.name().to_owned(),
                dims: tensor.dims().to_vec(),
                dtype: tensor.dtype(),
                rate,
                owned: false,
            }
        };
        let members = weights.into_iter().map(|p| (p.id(), member(p))).collect();
        Ok(Self { members, device: store.device().clone() })
    }

    /// Readies one parameter and its gradient for an update in place.
    pub(super) fn prepare(&mut self, store: &ParameterStore, id: ParameterId, gradient: &Tensor) -> Result<Move> {
        let (Some(member), Some(parameter)) = (self.members.get_mut(&id), store.by_id(id)) else {
            let message = "a gradient of a parameter the optimiser was not built with; build it after the model";
            return Err(Error::Settings(message.to_owned()));
        };
        if gradient.dims() != member.dims || gradient.dtype() != member.dtype {
            let (dtype, dims) = (gradient.dtype(), gradient.dims());
            return Err(Error::shape(
                "optimiser",
                format!("{}: gradient {dtype:?} {dims:?}, parameter {:?} {:?}", member.name, member.dtype, member.dims),
            ));
        }
        if !member.owned {
            // Loaded weights may still be held by whoever loaded them, or be a view of a larger tensor.
            parameter.set(parameter.tensor().copy()?)?;
            member.owned = true;
        }
        Ok(Move { parameter: parameter.clone(), gradient: gradient.contiguous()?, rate: member.rate })
    }

    /// Every parameter's place, in order.
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = ParameterId> + '_ {
        self.members.keys().copied()
    }

    /// Copies of a state under their names, `PREFIX.NAME`.
    pub(super) fn save(&self, prefix: &str, slots: &Slots) -> Result<Vec<(String, Tensor)>> {
        let moved = self.members.iter().filter_map(|(id, member)| slots.get(id).map(|tensor| (member, tensor)));
        moved.map(|(member, tensor)| Ok((format!("{prefix}.{}", member.name), tensor.copy()?))).collect()
    }

    /// Copies of the entries of `state` named `PREFIX.NAME`.
    pub(super) fn load(&self, prefix: &str, state: &HashMap<String, Tensor>) -> Result<Slots> {
        let mut slots = Slots::new();
        for (id, member) in &self.members {
            let name = format!("{prefix}.{}", member.name);
            let Some(tensor) = state.get(&name) else { continue };
            if tensor.dims() != member.dims || tensor.dtype() != member.dtype {
                let (dtype, dims) = (tensor.dtype(), tensor.dims());
                let message =
                    format!("{name}: expected {:?} {:?}, found {dtype:?} {dims:?}", member.dtype, member.dims);
                return Err(Error::Weights(message));
            }
            slots.insert(*id, tensor.to_device(&self.device)?.copy()?);
        }
        let known: BTreeSet<&str> = self.members.values().map(|member| member.name.as_str()).collect();
        let below = state.keys().filter_map(|key| key.strip_prefix(prefix)?.strip_prefix('.'));
        match below.filter(|name| !known.contains(name)).min() {
            Some(name) => {
                let message = format!("{prefix}.{name}: optimiser state of a parameter that the model does not have");
                Err(Error::Weights(message))
            }
            None => Ok(slots),
        }
    }

    /// The name of a parameter, for messages.
    pub(super) fn name(&self, id: ParameterId) -> &str {
        self.members.get(&id).map_or("?", |member| &member.name)
    }
}

/// Refuses a checkpoint that holds state of the optimiser `other`.
pub(super) fn refuse_state_of(other: &str, own: &str, state: &HashMap<String, Tensor>) -> Result<()> {
    let prefix = format!("{other}.");
    match state.keys().filter(|key| key.starts_with(&prefix)).min() {
        None => Ok(()),
        Some(key) => Err(Error::Weights(format!(
            "{key}: optimiser state of `{other}`, but the run uses `{own}`; resume with optimiser.name = \"{other}\""
        ))),
    }
}
