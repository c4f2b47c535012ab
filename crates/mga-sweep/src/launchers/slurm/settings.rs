//! The keys of `[launcher]` that belong to SLURM: what a run on a cluster may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run on a cluster may use. What is left out is the cluster's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SlurmSettings {
    /// The partition to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub partition: Option<String>,
    /// The account that is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub account: Option<String>,
    /// Time limit of a run as SLURM writes it: "MINUTES", "HH:MM:SS", "DAYS-HH". A run that takes longer is saved, put back
    /// into the queue, and goes on: the limit may be shorter than a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub time: Option<String>,
    /// Cores of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub cpus: Option<u32>,
    /// Memory of a run, such as "16G".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub memory: Option<String>,
    /// GPUs of a run: a number, or a kind and a number such as "a100:1".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Gpus>,
    /// Runs at once, at most; 0: as many as the cluster gives.
    pub concurrent: u32,
    /// Seconds before the time limit at which a run is asked to save and end. It has to evaluate no more than that many
    /// seconds between two steps, and SLURM may ask up to a minute earlier.
    #[schemars(range(min = 1))]
    pub save_before: u32,
    /// The number of times that a run is requeued at its time limit.
    pub requeues: u32,
    /// Make the masks that a segmenter makes before runs are submitted, on the machine that submits and its processor;
    /// otherwise the runs make them.
    pub masks_first: bool,
    /// Further options of sbatch, such as "--qos=long" or "--gres=gpu:1".
    pub options: Vec<String>,
    /// Lines of shell before the run, such as "module load cuda/12.4".
    pub setup: Vec<String>,
}

/// GPUs of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Gpus {
    /// Of any kind.
    Number(u32),
    /// "KIND:NUMBER".
    Kind(String),
}

impl Default for SlurmSettings {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            time: None,
            cpus: None,
            memory: None,
            gpus: None,
            concurrent: 0,
            save_before: 120,
            requeues: 100,
            masks_first: true,
            options: vec![],
            setup: vec![],
        }
    }
}

impl SlurmSettings {
    /// Options of sbatch: the resources, then those that were written out.
    ///
    /// # Errors
    /// An option that is none, or a value that would end the line it stands in.
    pub fn sbatch_options(&self) -> anyhow::Result<Vec<String>> {
        let named = [
            ("partition", self.partition.clone()),
            ("account", self.account.clone()),
            ("time", self.time.clone()),
            ("cpus-per-task", self.cpus.map(|cpus| cpus.to_string())),
            ("mem", self.memory.clone()),
            (
                "gpus",
                self.gpus.as_ref().map(|gpus| match gpus {
                    Gpus::Number(number) => number.to_string(),
                    Gpus::Kind(kind) => kind.clone(),
                }),
            ),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        let options: Vec<String> = named.chain(self.options.iter().cloned()).collect();
        for option in &options {
            let sound = option.starts_with("--") && option.len() > 2 && !option.contains(['\n', '\r']);
            anyhow::ensure!(
                sound,
                "[launcher]: {option:?} is no option of sbatch; expected one of the form \"--name=value\", on one line"
            );
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_options_of_sbatch() {
        let text = "partition = \"gpu\"\ntime = \"04:00:00\"\ncpus = 8\ngpus = \"a100:1\"\noptions = [\"--qos=long\"]";
        let settings: SlurmSettings = toml::from_str(text).unwrap();
        assert_eq!(
            settings.sbatch_options().unwrap(),
            ["--partition=gpu", "--time=04:00:00", "--cpus-per-task=8", "--gpus=a100:1", "--qos=long"]
        );
        assert_eq!((settings.concurrent, settings.save_before), (0, 120));
        assert!(SlurmSettings::default().sbatch_options().unwrap().is_empty());
        let number: SlurmSettings = toml::from_str("gpus = 2").unwrap();
        assert_eq!(number.sbatch_options().unwrap(), ["--gpus=2"]);
        for wrong in ["options = [\"qos=long\"]", "account = \"a\\n#SBATCH --exclusive\""] {
            let settings: SlurmSettings = toml::from_str(wrong).unwrap();
            assert!(settings.sbatch_options().is_err(), "{wrong}");
        }
    }
}
