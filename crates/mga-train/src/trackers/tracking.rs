//! The trackers of a run, at work.

use std::cell::{Cell, RefCell};

use mga_experiment::{Components, ExperimentError, Loaded};
use mga_registry::{Choice, OwnSettings, SettingFault};
use serde_json::Value;

use super::tracker::{RunEnd, TrackedRun, Tracker, Trackers};
use crate::interrupt::Interrupted;
use crate::progress::Listener;

/// The key of the experiment.
const KEY: &str = "trackers";

/// The tracker of experiments that name none.
const USUAL: &str = "tensorboard";

/// The trackers of a run. What goes wrong with one is told once, and the run goes on without it.
pub struct Tracking<'a> {
    /// Each with its name.
    trackers: RefCell<Vec<(String, Box<dyn Tracker>)>>,
    /// Whether the run has begun: of one that was refused before, no tracker hears.
    begun: Cell<bool>,
    voice: &'a dyn Listener,
}

impl<'a> Tracking<'a> {
    /// Builds the trackers that an experiment names; of one that names none, TensorBoard's.
    ///
    /// # Errors
    /// Settings that a tracker cannot use, at their key.
    pub fn of(loaded: &Loaded, components: &Components, voice: &'a dyn Listener) -> Result<Self, ExperimentError> {
        let choices = loaded.experiment.list(KEY).unwrap_or_else(|| vec![Choice::from(USUAL)]);
        let mut trackers = Vec::new();
        for Choice { name, settings } in choices {
            let Some(entry) = components.kinds.get::<Trackers>(&name) else {
                return Err(loaded.error(KEY, format!("no tracker `{name}` is registered")));
            };
            let built = entry.item.build(&OwnSettings::new(KEY, &settings));
            let built = built.map_err(|SettingFault { key, what }| {
                let setting = key.strip_prefix(KEY).unwrap_or(&key).trim_start_matches('.');
                let of = if setting.is_empty() { String::new() } else { format!(", `{setting}`") };
                loaded.error(KEY, format!("`{name}`{of}: {what}"))
            })?;
            trackers.push((name, built));
        }
        Ok(Self { trackers: RefCell::new(trackers), begun: Cell::new(false), voice })
    }

    /// Returns a run's trackers where it has none.
    #[must_use]
    pub fn none(voice: &'a dyn Listener) -> Self {
        Self { trackers: RefCell::default(), begun: Cell::new(false), voice }
    }

    /// Tells that the run begins or goes on.
    pub fn begins(&self, run: &TrackedRun<'_>) {
        self.begun.set(true);
        self.tell(|tracker| tracker.begins(run));
    }

    /// Tells a line of the log.
    pub fn line(&self, line: &Value) {
        self.tell(|tracker| tracker.line(line));
    }

    /// Tells that the run ends with this outcome, where it has begun.
    pub fn ends<T>(&self, outcome: &anyhow::Result<T>) {
        if !self.begun.get() {
            return;
        }
        match outcome {
            Ok(_) => self.tell(|tracker| tracker.ends(RunEnd::Finished)),
            Err(error) if error.is::<Interrupted>() => self.tell(|tracker| tracker.ends(RunEnd::Interrupted)),
            Err(error) => {
                let message = format!("{error:#}");
                self.tell(|tracker| tracker.ends(RunEnd::Failed(&message)));
            }
        }
    }

    fn tell(&self, mut what: impl FnMut(&mut dyn Tracker) -> anyhow::Result<()>) {
        self.trackers.borrow_mut().retain_mut(|(name, tracker)| match what(tracker.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                self.voice.say(&format!("warning: the run goes on without its tracker `{name}`: {error:#}"));
                false
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use mga_experiment::{Experiment, Metrics, Overrides, experiment_schema, load_text};
    use mga_registry::Entry;

    use super::super::event_file::FILE;
    use super::super::tracker::RegisteredTracker;
    use super::*;
    use crate::identity::experiment_hash;
    use crate::progress::{Counter, ProgressReport, Silent};
    use crate::run_folder::RunFolder;

    /// Fails with its second line.
    struct Failing(usize);

    impl Tracker for Failing {
        fn begins(&mut self, _: &TrackedRun<'_>) -> anyhow::Result<()> {
            Ok(())
        }

        fn line(&mut self, _: &Value) -> anyhow::Result<()> {
            self.0 += 1;
            anyhow::ensure!(self.0 < 2, "the disk is full");
            Ok(())
        }

        fn ends(&mut self, _: RunEnd<'_>) -> anyhow::Result<()> {
            anyhow::bail!("it has not begun")
        }
    }

    struct Registered;

    impl RegisteredTracker for Registered {
        fn build(&self, settings: &OwnSettings<'_>) -> Result<Box<dyn Tracker>, SettingFault> {
            match settings.values().is_empty() {
                true => Ok(Box::new(Failing(0))),
                false => Err(SettingFault { key: settings.key("file"), what: "is no file".to_owned() }),
            }
        }
    }

    /// Keeps what is said.
    #[derive(Default)]
    struct Said(Mutex<Vec<String>>);

    impl Listener for Said {
        fn say(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }

        fn images(&self, images: usize) -> Box<dyn Counter> {
            Silent.images(images)
        }

        fn run(&self, experiment: &Experiment, metric: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport> {
            Silent.run(experiment, metric)
        }
    }

    fn loaded(trackers: &str, components: &Components) -> Result<Loaded, ExperimentError> {
        let text = format!(
            "task = \"classification\"\n{trackers}\ndata = {{ dataset = \"leaves\" }}\n\
             model = {{ backbone = \"conv4\", attention = \"none\", mask_guidance = false }}\neval.select_on = \"last\"\n"
        );
        load_text(&text, &Overrides::default(), components)
    }

    fn components() -> Components {
        let settings = schemars::json_schema!({ "type": "object", "properties": { "file": { "type": "string" } } });
        crate::builtin().with(Entry::<Trackers>::new("failing", "", Arc::new(Registered)).with_settings(settings))
    }

    #[test]
    fn a_tracker_that_fails_is_told_once_and_the_others_go_on() {
        let (folder, said, components) = (tempfile::tempdir().unwrap(), Said::default(), components());
        let loaded = loaded("trackers = [\"failing\", { name = \"tensorboard\" }]", &components).unwrap();
        let tracking = Tracking::of(&loaded, &components, &said).unwrap();
        let run = RunFolder::at(folder.path());
        tracking.ends(&Err::<(), _>(anyhow::anyhow!("it was refused before it began")));
        tracking.begins(&TrackedRun { experiment: &loaded.experiment, folder: &run, log: "" });
        (1..5).for_each(|step| tracking.line(&serde_json::json!({ "kind": "step", "step": step, "loss": 0.5 })));
        tracking.ends(&anyhow::Ok(()));
        let told = "warning: the run goes on without its tracker `failing`: the disk is full";
        assert_eq!(*said.0.lock().unwrap(), [told]);
        let file = folder.path().join(FILE);
        let length = std::fs::metadata(&file).unwrap().len();
        // The file's version and four events.
        assert!(length > 200, "{length}");
        // An event file that cannot be written is told too.
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let tracking = Tracking::of(&loaded, &components, &said).unwrap();
        tracking.begins(&TrackedRun { experiment: &loaded.experiment, folder: &run, log: "" });
        let said = said.0.lock().unwrap();
        assert!(said.len() == 2 && said[1].contains("tracker `tensorboard`: ") && said[1].contains(FILE), "{said:?}");
    }

    #[test]
    fn trackers_are_named_or_left_out() {
        let components = components();
        let names = |trackers: &str| -> Vec<String> {
            let loaded = loaded(trackers, &components).unwrap();
            let tracking = Tracking::of(&loaded, &components, &Silent).unwrap();
            tracking.trackers.borrow().iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(""), ["tensorboard"]);
        assert_eq!(names("trackers = []"), [""; 0]);
        assert_eq!(names("trackers = [\"failing\"]"), ["failing"]);
        let refused = |trackers: &str| {
            let loaded = loaded(trackers, &components)?;
            Tracking::of(&loaded, &components, &Silent).map(|_| ())
        };
        let error = refused("trackers = [{ name = \"failing\", file = \"x\" }]").unwrap_err().to_string();
        assert!(error.contains("trackers: `failing`, `file`: is no file"), "{error}");
        let error = refused("trackers = [\"tensorbord\"]").unwrap_err().to_string();
        assert!(error.contains("did you mean `tensorboard`?"), "{error}");
        let error = refused("trackers = [{ name = \"tensorboard\", fiel = 1 }]").unwrap_err().to_string();
        assert!(error.contains("unknown key"), "{error}");
        let error = refused("trackers = \"tensorboard\"").unwrap_err().to_string();
        assert!(error.contains("expected an array"), "{error}");
    }

    #[test]
    fn trackers_are_recorded_and_tell_runs_not_apart() {
        let components = components();
        let (with, without) =
            (loaded("trackers = [\"failing\", { name = \"tensorboard\" }]", &components), loaded("", &components));
        let (with, without) = (with.unwrap().experiment, without.unwrap().experiment);
        let schema = experiment_schema(&components);
        let hash = |experiment| experiment_hash(experiment, &schema).unwrap();
        assert_eq!(hash(&with), hash(&without));
        let text = with.resolved_toml().unwrap();
        assert_eq!(load_text(&text, &Overrides::default(), &components).unwrap().experiment, with, "{text}");
        assert!(!without.resolved_toml().unwrap().contains("trackers"));
    }
}
