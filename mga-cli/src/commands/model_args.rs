//! The arguments of every command that shows images to a trained model.

use std::path::{Path, PathBuf};

use mga_experiment::Components;
use mga_experiment::weight_file;
use mga_experiment::{ExperimentError, KeyPath, Loaded};
use mga_models::MgaModel;
use mga_train::assemble;
use mga_train::data_set;
use mga_train::run_folder::RunFolder;
use mga_train::tasks::classification::of_checkpoint;

use super::train::load_run;

/// A trained model.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// A run folder (its best checkpoint, else its last), a checkpoint in one, or any weight file with --experiment.
    /// For images that are named also a folder or file written by `mga weights export`.
    #[arg(long, value_name = "RUN|FILE")]
    weights: PathBuf,
    /// The experiment that describes the model of the weights; left out: that of the run.
    #[arg(long, value_name = "FILE")]
    experiment: Option<PathBuf>,
    /// Set a key of the experiment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ModelArgs {
    /// Returns the best checkpoint of a run, else its last.
    pub fn of_run(run: &Path) -> Self {
        Self { weights: run.to_path_buf(), experiment: None, set: vec![] }
    }

    /// Returns the value of `--weights`.
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// Returns the settings of `--set`.
    pub fn set(&self) -> &[String] {
        &self.set
    }

    /// Returns whether an experiment describes the model: the one that is named, or that of the run that holds the
    /// weights.
    pub fn has_experiment(&self) -> bool {
        self.experiment.is_some() || self.run().is_some_and(|run| run.join("experiment.toml").is_file())
    }

    /// The run folder that the weights lie in.
    fn run(&self) -> Option<PathBuf> {
        if self.weights.is_dir() {
            return Some(self.weights.clone());
        }
        let run = self.weights.canonicalize().ok()?.parent()?.parent()?.to_path_buf();
        run.join("experiment.toml").is_file().then_some(run)
    }

    /// The weight file.
    fn file(&self) -> anyhow::Result<PathBuf> {
        weight_file(&self.weights)
    }

    /// Loads the experiment. What a run was trained from is not needed: its first weights, and with `without_data` its
    /// images, may be gone.
    ///
    /// # Errors
    /// A wrong experiment; weights of which no experiment is known.
    pub fn load(&self, components: &Components, without_data: bool) -> anyhow::Result<Loaded> {
        // The weights that count are those of the command line.
        let mut set = vec!["model.weights=none".to_owned()];
        set.extend(self.set.iter().cloned());
        let experiment = match (&self.experiment, self.run()) {
            (Some(experiment), _) => experiment.clone(),
            (None, Some(run)) => run,
            (None, None) => {
                self.file()?;
                anyhow::bail!(
                    "{}: lies in no run folder, and does not say what model it is for; name its experiment with --experiment, or predict \
                     with the --backbone of a plain published classifier",
                    self.weights.display()
                );
            }
        };
        match load_run(&experiment, &set, components) {
            Err(error) if without_data && is_about(&error, "data.root") => {
                set.push("data.root=.".to_owned());
                load_run(&experiment, &set, components)
            }
            loaded => loaded,
        }
    }

    /// Returns the class names: as a finished run wrote them down, else those of the data set.
    ///
    /// # Errors
    /// Neither can be read.
    pub fn classes(&self, loaded: &Loaded, components: &Components) -> anyhow::Result<Vec<String>> {
        let written = self.run().filter(|_| self.experiment.is_none()).and_then(|run| RunFolder::at(run).classes());
        match written {
            Some(classes) => Ok(classes),
            None => Ok(data_set::open_to_evaluate(loaded, components)?.dataset.classes().to_vec()),
        }
    }

    /// Builds the model and loads the weights.
    ///
    /// # Errors
    /// Weights that do not fit, or lack a classifier for these classes.
    pub fn model(&self, loaded: &Loaded, components: &Components, classes: &[String]) -> anyhow::Result<MgaModel> {
        let file = self.file()?;
        assemble::use_threads(loaded.experiment.threads);
        let device = assemble::device(loaded)?;
        if self.experiment.is_none() && self.run().is_some() {
            let (model, restored) = of_checkpoint(loaded, components, classes, &device, &file)?;
            restored.note.iter().for_each(|note| say!("note: {note}"));
            return Ok(model);
        }
        let classes = classes.len();
        let model = assemble::fresh_model(loaded, components, classes, &device)?;
        let report = assemble::load_file(loaded, components, &model, &file)?;
        anyhow::ensure!(
            report.reinitialised.is_empty(),
            "{}: it has no classifier for the {classes} classes of the experiment, or not all of its attention, so it cannot \
             predict them; train it with `mga train --weights`\n{report}",
            file.display()
        );
        say!("{}: {report}", file.display());
        Ok(model)
    }
}

/// Whether an experiment is wrong in nothing but `key`.
fn is_about(error: &anyhow::Error, key: &str) -> bool {
    let key = KeyPath::dotted(key);
    let problems = error.downcast_ref::<ExperimentError>().map(|error| error.problems.as_slice()).unwrap_or_default();
    let errors = || problems.iter().filter(|problem| problem.severity == mga_experiment::Severity::Error);
    errors().next().is_some() && errors().all(|problem| problem.key == key)
}
