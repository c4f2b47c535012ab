//! The parameters an optimiser moves: their learning rates, and the names and shapes of its state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};

use super::require::require;
use crate::error::{Error, Result};
use crate::parameter::{Kind, Parameter, ParameterId, ParameterStore, under};

/// A tensor of an optimiser's state for each parameter that has moved.
pub type Slots = BTreeMap<ParameterId, Tensor>;

/// The parameters that an optimiser moves: every weight of a store, in building order, with its learning rate.
///
/// It also names the optimiser's state in checkpoints, `optimiser.NAME.SLOT.PARAMETER`, of the first two as
/// releases before wrote them: `sgd.velocity.classifier.bias`.
pub struct OptimisedParameters {
    members: BTreeMap<ParameterId, Member>,
    device: Device,
    /// The names of everything in the store, whose tensors lie beside the state in checkpoints.
    stored: BTreeSet<String>,
    /// The optimiser's name.
    optimiser: String,
    /// The names of the other optimisers.
    others: Vec<String>,
}

struct Member {
    name: String,
    dims: Vec<usize>,
    dtype: DType,
    rate: f64,
    /// Whether its tensor is known to be shared with nobody outside the store, so that it may change in place.
    owned: bool,
}

/// A parameter with its gradient, ready to be moved.
pub struct Move {
    /// The parameter, whose tensor nobody outside the store shares.
    pub parameter: Parameter,
    /// The gradient: contiguous, with the parameter's shape and type.
    pub gradient: Tensor,
    /// The learning rate, before the schedule.
    pub rate: f64,
}

impl OptimisedParameters {
    /// Creates the weights of `store`, which must be complete, for the optimiser called `optimiser`: each has the
    /// learning rate `rate`, or that of the longest key of `rates` that it lies below. `others` are the names of other
    /// optimisers, whose state is refused.
    ///
    /// # Errors
    /// A rate that is negative or not finite; a key of `rates` that no weight lies below.
    pub fn new(
        store: &ParameterStore,
        optimiser: impl Into<String>,
        others: Vec<String>,
        rate: f64,
        rates: &BTreeMap<String, f64>,
    ) -> Result<Self> {
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
        let stored = store.entries().iter().map(|p| p.name().to_owned()).collect();
        Ok(Self { members, device: store.device().clone(), stored, optimiser: optimiser.into(), others })
    }

    /// Readies one parameter and its gradient for an update, in place too.
    ///
    /// # Errors
    /// A parameter that the optimiser was not built with; a gradient of another shape or type.
    pub fn prepare(&mut self, store: &ParameterStore, id: ParameterId, gradient: &Tensor) -> Result<Move> {
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

    /// Returns the place of every parameter, in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = ParameterId> + '_ {
        self.members.keys().copied()
    }

    /// Returns the name of a parameter, for messages.
    #[must_use]
    pub fn name(&self, id: ParameterId) -> &str {
        self.members.get(&id).map_or("?", |member| &member.name)
    }

    /// Returns the name of a state in checkpoints, which that of the parameter follows: `sgd.velocity`.
    #[must_use]
    pub fn key(&self, slot: &str) -> String {
        format!("{}.{slot}", prefix(&self.optimiser))
    }

    /// Copies a state, under its names in checkpoints.
    ///
    /// # Errors
    /// A tensor that cannot be copied.
    pub fn save(&self, slot: &str, slots: &Slots) -> Result<Vec<(String, Tensor)>> {
        let key = self.key(slot);
        let moved = self.members.iter().filter_map(|(id, member)| slots.get(id).map(|tensor| (member, tensor)));
        moved.map(|(member, tensor)| Ok((format!("{key}.{}", member.name), tensor.copy()?))).collect()
    }

    /// Copies a state out of a checkpoint, for the parameters that have one there.
    ///
    /// # Errors
    /// State of another optimiser, of unknown parameters, of another shape or type.
    pub fn load(&self, slot: &str, state: &HashMap<String, Tensor>) -> Result<Slots> {
        self.refuse_others(state)?;
        let key = self.key(slot);
        let mut slots = Slots::new();
        for (id, member) in &self.members {
            let name = format!("{key}.{}", member.name);
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
        let below = state.keys().filter_map(|name| name.strip_prefix(&key)?.strip_prefix('.'));
        match below.filter(|name| !known.contains(name)).min() {
            Some(name) => {
                let message = format!("{key}.{name}: optimiser state of a parameter that the model does not have");
                Err(Error::Weights(message))
            }
            None => Ok(slots),
        }
    }

    /// Refuses a checkpoint that holds state of another optimiser.
    fn refuse_others(&self, state: &HashMap<String, Tensor>) -> Result<()> {
        let of = |key: &str| {
            let starts = |other: &&String| key.strip_prefix(&prefix(other)).is_some_and(|rest| rest.starts_with('.'));
            self.others.iter().find(starts).filter(|_| !self.stored.contains(key))
        };
        let found = state.keys().filter_map(|key| Some((key, of(key)?))).min();
        let Some((key, other)) = found else { return Ok(()) };
        let own = &self.optimiser;
        Err(Error::Weights(format!(
            "{key}: optimiser state of `{other}`, but the run uses `{own}`; resume with optimiser.name = \"{other}\""
        )))
    }
}

/// What the names of an optimiser's state begin with in checkpoints. Those of release 0.1.0 have no `optimiser.` before them,
/// by which the state of any other is known.
fn prefix(optimiser: &str) -> String {
    match optimiser {
        "sgd" | "adamw" => optimiser.to_owned(),
        other => format!("optimiser.{other}"),
    }
}
