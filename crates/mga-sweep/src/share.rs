//! The sharing of the machine by parallel runs: cores evenly, GPUs in turn.

use std::process::Command;

use mga_experiment::ENVIRONMENT_PREFIX;

use super::plan::Cell;

/// The share of the machine that a run may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// Threads, where the experiment does not say; `None`: all.
    pub threads: Option<usize>,
    /// The GPU, as CUDA_VISIBLE_DEVICES names it; `None`: as the environment says.
    pub gpu: Option<String>,
}

impl Share {
    /// Keeps a process that works on `cell` to its share, and the cell to what was planned.
    pub(super) fn apply(&self, cell: &Cell, command: &mut Command) {
        // What a cell asks for is settled: no variable may change it.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(ENVIRONMENT_PREFIX) {
                command.env_remove(name);
            }
        }
        // Computing and loading both follow it where the experiment leaves their threads open.
        if let Some(threads) = self.threads.filter(|_| cell.threads == 0) {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        if let Some(gpu) = self.gpu.as_ref().filter(|_| takes_any_gpu(cell)) {
            command.env("CUDA_VISIBLE_DEVICES", gpu);
        }
    }
}

/// Returns the shares of the runs that are active at once.
///
/// `jobs`: how many; `None`: one, or one a GPU where the runs use GPUs. `gpus` are those that may be used, as
/// CUDA_VISIBLE_DEVICES names them.
#[must_use]
pub fn shares(jobs: Option<usize>, cores: usize, gpus: &[String], on_gpu: bool) -> Vec<Share> {
    let gpus = if on_gpu { gpus } else { &[] };
    let jobs = jobs.unwrap_or(gpus.len()).max(1);
    let threads = (jobs > 1).then(|| (cores / jobs).max(1));
    (0..jobs).map(|job| Share { threads, gpu: gpus.get(job % gpus.len().max(1)).cloned() }).collect()
}

/// Returns whether a run can use any GPU. A run that names a GPU uses only that one.
#[must_use]
pub fn takes_any_gpu(cell: &Cell) -> bool {
    cell.device == "cuda" || cell.device == "auto" && candle_core::utils::cuda_is_available()
}

/// Returns the GPUs that may be used: those of CUDA_VISIBLE_DEVICES, else all that the driver knows.
#[must_use]
pub fn gpus() -> Vec<String> {
    if let Ok(named) = std::env::var("CUDA_VISIBLE_DEVICES") {
        return visible(&named);
    }
    let count = std::fs::read_dir("/proc/driver/nvidia/gpus").map_or(0, |entries| entries.flatten().count());
    (0..count).map(|gpu| gpu.to_string()).collect()
}

/// What CUDA_VISIBLE_DEVICES lists. Like CUDA, it reads up to the first that cannot be.
fn visible(named: &str) -> Vec<String> {
    let names = named.split(',').map(str::trim);
    names.take_while(|name| !name.is_empty() && *name != "-1").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(threads: Option<usize>, gpu: Option<&str>) -> Share {
        Share { threads, gpu: gpu.map(str::to_owned) }
    }

    #[test]
    fn cores_are_shared_evenly() {
        assert_eq!(shares(None, 16, &[], false), [share(None, None)]);
        assert_eq!(shares(Some(3), 16, &[], false), vec![share(Some(5), None); 3]);
        assert_eq!(shares(Some(4), 2, &[], false), vec![share(Some(1), None); 4]);
        assert_eq!(shares(Some(0), 2, &[], false).len(), 1);
    }

    #[test]
    fn every_gpu_gets_a_run_and_more_runs_take_turns() {
        let gpus = visible("3, GPU-1a,-1,7");
        assert_eq!(gpus, ["3", "GPU-1a"]);
        let told = |jobs, on| {
            let shares = shares(jobs, 8, &gpus, on);
            shares.iter().map(|share| share.gpu.clone().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(None, true), "3 GPU-1a");
        assert_eq!(told(Some(3), true), "3 GPU-1a 3");
        assert_eq!(told(Some(1), true), "3");
        assert_eq!(told(None, false), "");
        assert_eq!(shares(None, 8, &gpus, true)[0].threads, Some(4));
        assert!(visible("").is_empty());
    }
}
