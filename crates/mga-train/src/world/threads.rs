//! A world of threads, for tests.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use candle_core::Tensor;

use super::{Reduction, World};

/// A rank of a world of threads.
pub(crate) struct Threads {
    rank: usize,
    shared: Arc<Shared>,
}

struct Shared {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What each rank brought to the call that is under way.
    brought: HashMap<usize, Vec<Tensor>>,
    /// What all brought to the last call, and how many ranks have not fetched it.
    exchanged: Option<(Vec<Vec<Tensor>>, usize)>,
    failed: Option<String>,
}

impl Threads {
    /// The ranks of a world of that size.
    pub(crate) fn world(size: usize) -> Vec<Self> {
        let shared = Arc::new(Shared { size, state: Mutex::default(), changed: Condvar::new() });
        (0..size).map(|rank| Self { rank, shared: Arc::clone(&shared) }).collect()
    }

    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        until: impl Fn(&State) -> bool,
    ) -> anyhow::Result<MutexGuard<'a, State>> {
        let on = |state: &mut State| state.failed.is_none() && !until(state);
        let state = self.shared.changed.wait_while(state, on).unwrap();
        match &state.failed {
            Some(why) => Err(anyhow::anyhow!(why.clone())),
            None => Ok(state),
        }
    }

    fn exchange(&self, tensors: Vec<Tensor>) -> anyhow::Result<Vec<Vec<Tensor>>> {
        // The last call is over where nobody has to fetch anything from it.
        let mut state = self.wait(self.shared.state.lock().unwrap(), |state| state.exchanged.is_none())?;
        state.brought.insert(self.rank, tensors);
        if state.brought.len() == self.shared.size {
            let mut brought = std::mem::take(&mut state.brought);
            let all = (0..self.shared.size).map(|rank| brought.remove(&rank).unwrap()).collect();
            state.exchanged = Some((all, self.shared.size));
            self.shared.changed.notify_all();
        }
        let mut state = self.wait(state, |state| state.exchanged.is_some())?;
        let (all, left) = state.exchanged.take().unwrap();
        if left > 1 {
            state.exchanged = Some((all.clone(), left - 1));
        }
        self.shared.changed.notify_all();
        Ok(all)
    }
}

impl World for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn reduce(&self, tensors: Vec<Tensor>, reduction: Reduction) -> anyhow::Result<Vec<Tensor>> {
        let all = self.exchange(tensors)?;
        let reduced = |at: usize| -> anyhow::Result<Tensor> {
            let mut sum = all[0][at].clone();
            for other in &all[1..] {
                sum = (sum + &other[at])?;
            }
            Ok(if reduction == Reduction::Mean { (sum / self.size() as f64)? } else { sum })
        };
        anyhow::ensure!(all.iter().all(|tensors| tensors.len() == all[0].len()), "the ranks call different things");
        (0..all[0].len()).map(reduced).collect()
    }

    fn gather(&self, tensor: &Tensor) -> anyhow::Result<Vec<Tensor>> {
        Ok(self.exchange(vec![tensor.clone()])?.into_iter().flatten().collect())
    }

    fn barrier(&self) -> anyhow::Result<()> {
        self.exchange(vec![]).map(drop)
    }

    fn abort(&self, why: &str) {
        self.shared.state.lock().unwrap().failed.get_or_insert(why.to_owned());
        self.shared.changed.notify_all();
    }
}
