//! A training run of about a second, and what two runs are compared by.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use mga_testing::experiments::leaves;
use mga_testing::files::{names_below, tensors};
use mga_testing::place::Place;
use serde_json::Value;

use crate::place;

/// SGD in place of the experiment's AdamW.
pub(crate) const SGD: [&str; 3] = ["optimiser.name=sgd", "optimiser.learning_rate=0.02", "optimiser.momentum=0.9"];

/// A folder with an experiment in it; runs go beside it.
pub(crate) struct Tiny {
    place: Place,
    set: Vec<String>,
}

impl Deref for Tiny {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Tiny {
    /// Three epochs of four steps on drawn leaves, with `set` in every run.
    pub(crate) fn new(set: &[&str]) -> Self {
        let tiny = Self::of(&leaves(3));
        Self { set: set.iter().map(|set| (*set).to_owned()).collect(), ..tiny }
    }

    /// This experiment.
    pub(crate) fn of(experiment: &str) -> Self {
        let place = place();
        place.write("tiny.toml", experiment);
        Self { place, set: vec![] }
    }

    /// `mga train` into the run folder `out`, with more settings.
    pub(crate) fn train(&self, out: &str, set: &[&str]) -> Command {
        let mut command = self.mga(["train", "tiny.toml", "--out", out]);
        command.args(self.set.iter().map(String::as_str).chain(set.iter().copied()).flat_map(|set| ["--set", set]));
        command
    }

    /// `mga train --resume`, or `mga train` where the run came not even so far as to say what it trains.
    pub(crate) fn go_on(&self, out: &str) -> Command {
        let begun = self.path(out).join("experiment.toml").is_file();
        if begun { self.mga(["train", "--resume", out]) } else { self.train(out, &[]) }
    }

    /// What lies in the run folder `out`.
    pub(crate) fn run(&self, out: &str) -> Run {
        Run::read(&self.path(out))
    }
}

/// What a run leaves behind, without what tells of time and of the machine.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    /// Every file, by its path in the folder: temporary files must not be left.
    pub(crate) files: Vec<String>,
    /// Tensors of the checkpoints, to the bit: file and name, then shape and bytes.
    pub(crate) tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    /// `metrics.jsonl` without the speed.
    pub(crate) metrics: Vec<Value>,
    /// `summary.json` without the seconds.
    pub(crate) summary: Value,
    /// Number of TensorBoard's records.
    pub(crate) events: usize,
    /// The other files but `environment.json` and `experiment.toml`, as they are.
    pub(crate) rest: BTreeMap<String, Vec<u8>>,
}

impl Run {
    fn read(folder: &Path) -> Self {
        let mut run = Self {
            files: names_below(folder),
            tensors: BTreeMap::new(),
            metrics: vec![],
            summary: Value::Null,
            events: 0,
            rest: BTreeMap::new(),
        };
        for name in run.files.clone() {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            match name.as_str() {
                "environment.json" | "experiment.toml" => (),
                // Times are in it: as many records as there are lines in the log, and the one that says what it is.
                "events.out.tfevents.mga" => run.events = records(&bytes),
                "summary.json" => {
                    run.summary = serde_json::from_slice(&bytes).unwrap();
                    assert!(run.summary.as_object_mut().unwrap().remove("training_seconds").is_some());
                }
                "metrics.jsonl" => {
                    for line in std::str::from_utf8(&bytes).unwrap().lines() {
                        let mut line: Value = serde_json::from_str(line).unwrap();
                        line.as_object_mut().unwrap().remove("images_per_second");
                        run.metrics.push(line);
                    }
                }
                _ if name.ends_with(".safetensors") => {
                    for (tensor, shape, bits) in tensors(&folder.join(&name)) {
                        run.tensors.insert(format!("{name}: {tensor}"), (shape, bits));
                    }
                }
                _ => drop(run.rest.insert(name, bytes)),
            }
        }
        assert_eq!(run.events, run.metrics.len() + 1, "TensorBoard is told what the log says");
        run
    }

    /// Says what differs, not how: the bytes of a run fill many screens.
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_eq!(self.files, other.files);
        assert_eq!(self.metrics, other.metrics);
        assert_eq!(self.summary, other.summary);
        assert!(self.tensors.keys().eq(other.tensors.keys()), "other tensors");
        let differ: Vec<_> = self.tensors.iter().filter(|(name, bits)| other.tensors[*name] != **bits).collect();
        assert!(differ.is_empty(), "tensors differ: {:?}", differ.iter().map(|(name, _)| name).collect::<Vec<_>>());
        let differ: Vec<_> = self.rest.iter().filter(|(name, bytes)| other.rest[*name] != **bytes).collect();
        assert!(differ.is_empty(), "files differ: {:?}", differ.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

/// Records of TensorFlow's format: a length of eight bytes, four of its checksum, what it says, and four of that's.
fn records(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes = &bytes[8 + 4 + length + 4..];
        count += 1;
    }
    count
}
