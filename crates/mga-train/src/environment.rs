//! The environment of a run: `environment.json`.

use serde::Serialize;

/// Program, machine and command line.
#[derive(Debug, Serialize)]
pub struct Environment {
    mga: &'static str,
    candle: &'static str,
    system: &'static str,
    processor: &'static str,
    cores: usize,
    threads: usize,
    device: String,
    features: Vec<&'static str>,
    command: Vec<String>,
    started_unix_seconds: u64,
}

impl Environment {
    /// Describes this process, which is about to work on `device`.
    pub fn here(device: &candle_core::Device) -> Self {
        let features = [("cuda", cfg!(feature = "cuda")), ("cudnn", cfg!(feature = "cudnn"))];
        Self {
            mga: env!("CARGO_PKG_VERSION"),
            candle: "0.11.1",
            system: std::env::consts::OS,
            processor: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            device: crate::assemble::device_name(device),
            features: features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
            command: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
            started_unix_seconds: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_secs()),
        }
    }
}
