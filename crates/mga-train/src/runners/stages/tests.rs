//! Runs of several stages: interrupted, begun from other weights, with images that cannot be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mga_experiment::{Components, Experiment, Metrics, Overrides};
use mga_registry::{Entry, OwnSettings, SettingFault};
use mga_testing::pictures;

use self::staged::Staged;
use super::*;
use crate::checkpoint::Progress;
use crate::progress::{Counter, EpochEnd, ProgressReport, Silent};
use crate::trackers::{RegisteredTracker, RunEnd, TrackedRun, Tracker, Trackers};
use crate::world::World;
use crate::world::threads::Threads;
use crate::{Run, Weights};

mod staged;

/// Raises an interruption after some steps of a run, and keeps what is said.
#[derive(Default)]
struct Ear {
    said: Mutex<Vec<String>>,
    interrupt: Interrupt,
    /// The stage in which it interrupts, after its second step.
    stage: &'static str,
}

struct AfterTwo(Interrupt);

impl Listener for Ear {
    fn say(&self, line: &str) {
        self.said.lock().unwrap().push(line.to_owned());
    }

    fn images(&self, images: usize) -> Box<dyn Counter> {
        Silent.images(images)
    }

    fn run(&self, experiment: &Experiment, metric: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport> {
        match experiment.stage() == Some(self.stage) {
            true => Arc::new(AfterTwo(self.interrupt.clone())),
            false => Silent.run(experiment, metric),
        }
    }
}

impl ProgressReport for AfterTwo {
    fn step(&self, progress: &Progress, _: usize, _: f64, _: f64) {
        if progress.step == 2 {
            self.0.raise();
        }
    }

    fn evaluating(&self, _: &str, _: usize) {}

    fn evaluated(&self, _: usize) {}

    fn epoch(&self, _: &EpochEnd<'_>) {}
}

/// A folder with pictures, for runs in it.
struct Place {
    folder: tempfile::TempDir,
    components: Components,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        pictures::photographs(folder.path());
        Self { folder, components: crate::builtin().with_task(Arc::new(Staged)) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An experiment of these stages, with more lines.
    fn text(&self, stages: &str, more: &str) -> String {
        format!(
            "task = \"staged\"\nrun_stages = [{stages}]\ndevice = \"cpu\"\nmodel.backbone = \"conv4\"\n\
             model.attention = \"none\"\nmodel.mask_guidance = false\nschedule.epochs = 1\n\
             train = {{ log_every = 1, checkpoint_every = 1 }}\n\
             data = {{ dataset = \"image-folder\", root = {:?}, batch_size = 2, workers = 1, verify = \"off\" }}\n{more}",
            self.path("images")
        )
    }

    fn train(&self, run: &Run<'_>, text: &str, out: &str) -> anyhow::Result<Trained> {
        run.train(&mut run.text(text)?, self.path(out))
    }

    fn trained(&self, text: &str, out: &str) {
        self.train(&Run::new(&self.components), text, out).unwrap();
    }

    fn tensors(&self, file: &str) -> BTreeMap<String, Vec<u8>> {
        let bytes = std::fs::read(self.path(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap()
    }

    fn log(&self, run: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter_mut().filter_map(Value::as_object_mut).for_each(|line| drop(line.remove("images_per_second")));
        lines
    }
}

/// Cuts a picture short behind its header; gives what it held.
fn truncate(path: &Path) -> Vec<u8> {
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, &whole[..60]).unwrap();
    whole
}

#[test]
fn the_way_to_shared_stages_goes_by_the_folder_of_the_sweep() {
    let sweep = tempfile::tempdir().unwrap();
    let way = between(&sweep.path().join("runs/a"), &sweep.path().join("stages")).unwrap();
    assert_eq!(way, Path::new("../../stages"));
}

#[test]
fn what_a_stage_takes_up_is_there_when_it_goes_on_and_when_it_is_evaluated() {
    let place = Place::new();
    place.trained(&place.text("\"first\"", ""), "weights");
    let named = format!("stages.second.model.weights = \"file:{}\"\n", place.path("weights").display());
    for (number, more) in ["", named.as_str()].into_iter().enumerate() {
        let (peace, cut) = (format!("peace{number}"), format!("cut{number}"));
        let text = place.text("\"first\", \"second\"", more);
        place.trained(&text, &peace);
        let ear = Ear { stage: "second", ..Ear::default() };
        let run = Run::new(&place.components).with_listener(&ear).with_interrupt(&ear.interrupt);
        let error = place.train(&run, &text, &cut).unwrap_err();
        assert!(error.is::<Interrupted>() && error.to_string().contains("after step 3 in epoch 0"), "{error:#}");
        let again = Ear::default();
        Run::new(&place.components).with_listener(&again).resume(place.path(&cut)).unwrap();
        let said = again.said.lock().unwrap();
        assert!(said.iter().any(|line| line.starts_with("stage `first` logged")), "{said:?}");
        for file in ["last", "best"] {
            let tensors = |run: &str| place.tensors(&format!("{run}/checkpoints/{file}.safetensors"));
            assert!(tensors(&cut) == tensors(&peace), "{file} with {more:?}");
        }
        assert_eq!(place.log(&cut), place.log(&peace));
        // A run that is evaluated alone.
        let run = Run::new(&place.components);
        let mut experiment = run.text(&text).unwrap();
        let last = place.path(&format!("{cut}/checkpoints/last.safetensors"));
        run.evaluate(&mut experiment, Weights::Checkpoint(&last), "test").unwrap();
    }
    // A stage between others, from its own folder; and where the one before is gone.
    place.trained(&place.text("\"first\", \"second\", \"test\"", ""), "three");
    let ear = Ear::default();
    let run = Run::new(&place.components).with_listener(&ear);
    let evaluated = |folder: &str| {
        let (folder, overrides) =
            (RunFolder::at(place.path(folder)), Overrides { weights_read: true, ..Overrides::default() });
        let mut experiment = mga_experiment::load(&folder.experiment(), &overrides, &place.components)?;
        run.evaluate(&mut experiment, Weights::Checkpoint(&folder.last()), "test").map(drop)
    };
    evaluated("three/stages/second").unwrap();
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    std::fs::rename(place.path("three/stages/second"), place.path("elsewhere/second")).unwrap();
    let alone = evaluated("elsewhere/second");
    assert!(alone.is_err_and(|error| error.to_string().contains("nothing was taken up")));
    let said = ear.said.lock().unwrap();
    assert!(said.iter().any(|line| line.contains("the stage before, ")), "{said:?}");
}

#[test]
fn images_that_are_skipped_while_a_stage_extracts_are_counted() {
    let place = Place::new();
    place.trained(&place.text("\"first\"", ""), "weights");
    truncate(&place.path("images/train/a/1.png"));
    let weights = format!("stages.features.model.weights = \"file:{}\"\n", place.path("weights").display());
    let text = place.text("\"features\"", &weights).replace("workers = 1", "workers = 1, on_error = \"skip\"");
    let run = Run::new(&place.components);
    let trained = place.train(&run, &text, "run").unwrap();
    let skipped = || place.json("run/summary.json")["skipped"].clone();
    assert!(trained.text.contains("skipped 1 image (see summary.json)"), "{}", trained.text);
    let lines = skipped();
    let lines = lines.as_array().unwrap();
    assert!(lines.len() == 1 && lines[0].as_str().unwrap().contains("train/a/1.png"), "{lines:?}");
    // They are known of a run that goes on with what was extracted.
    std::fs::remove_file(place.path("run/summary.json")).unwrap();
    run.resume(place.path("run")).unwrap();
    assert_eq!(skipped().as_array(), Some(lines));
}

#[test]
fn a_stage_that_trains_nothing_is_evaluated_again_when_a_test_image_was_repaired() {
    let place = Place::new();
    place.trained(&place.text("\"first\"", ""), "weights");
    let run = Run::new(&place.components);
    let image = place.path("images/test/b/3.png");
    for stage in ["features", "test"] {
        let weights = format!("stages.{stage}.model.weights = \"file:{}\"\n", place.path("weights").display());
        let text = place.text(&format!("{stage:?}"), &weights);
        place.trained(&text, &format!("{stage}-peace"));
        let whole = truncate(&image);
        let error = place.train(&run, &text, stage).unwrap_err();
        assert!(format!("{error:#}").contains("test/b/3.png"), "{error:#}");
        let begun = place.json(&format!("{stage}/identity.json"));
        std::fs::write(&image, whole).unwrap();
        let ear = Ear::default();
        Run::new(&place.components).with_listener(&ear).resume(place.path(stage)).unwrap();
        let said = ear.said.lock().unwrap();
        assert!(said.iter().any(|line| line.contains("it is evaluated again")), "{said:?}");
        let files = [format!("{stage}/summary.json"), format!("{stage}-peace/summary.json")];
        let [found, peace] = files.map(|file| place.json(&file));
        assert_eq!((&found["last"], &found["test_images_replaced"]), (&peace["last"], &Value::Bool(true)));
        let now = place.json(&format!("{stage}/identity.json"));
        assert_eq!(now["replaced"][0]["id"], begun["id"]);
        assert_eq!(now["id"], place.json(&format!("{stage}-peace/identity.json"))["id"]);
    }
}

/// Tells a list what it hears.
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, line: String) -> anyhow::Result<()> {
        self.0.lock().unwrap().push(line);
        Ok(())
    }
}

impl Tracker for Heard {
    fn begins(&mut self, run: &TrackedRun<'_>) -> anyhow::Result<()> {
        self.note(format!("{} begins after {}", run.experiment.stage().unwrap_or_default(), run.lines().count()))
    }

    fn line(&mut self, line: &Value) -> anyhow::Result<()> {
        self.note(format!("{} {}", line["kind"], line["split"]))
    }

    fn ends(&mut self, end: RunEnd<'_>) -> anyhow::Result<()> {
        self.note(format!("{end:?}"))
    }
}

struct Hears(Arc<Mutex<Vec<String>>>);

impl RegisteredTracker for Hears {
    fn build(&self, _: &OwnSettings<'_>) -> Result<Box<dyn Tracker>, SettingFault> {
        Ok(Box::new(Heard(Arc::clone(&self.0))))
    }
}

#[test]
fn trackers_hear_of_stages_that_train_nothing() {
    let (place, heard) = (Place::new(), Arc::new(Mutex::new(Vec::new())));
    let hears = Entry::<Trackers>::new("hears", "", Arc::new(Hears(Arc::clone(&heard))));
    let place = Place { components: place.components.with(hears), folder: place.folder };
    place.trained(&place.text("\"first\"", ""), "weights");
    let own = |stage: &str| format!("{stage}.model.weights = \"file:{}\"\n", place.path("weights").display());
    let text = place.text("\"features\", \"test\"", &format!("trackers = [\"hears\"]\nstages.{}", own("features")));
    place.trained(&text, "run");
    let of = |stage: &str| [format!("{stage} begins after 0"), "\"eval\" \"test\"".to_owned(), "Finished".to_owned()];
    assert_eq!(std::mem::take(&mut *heard.lock().unwrap()), [of("features"), of("test")].concat());
    // Again where the run is evaluated again, as the log has it.
    Run::new(&place.components).resume(place.path("run")).unwrap();
    assert_eq!(std::mem::take(&mut *heard.lock().unwrap()), of("test"));
    let line = &place.json("run/summary.json")["last"];
    assert_eq!(place.log("run"), std::slice::from_ref(line));
    // An error ends it too.
    truncate(&place.path("images/test/b/3.png"));
    let error = place.train(&Run::new(&place.components), &text, "torn").unwrap_err();
    let heard = heard.lock().unwrap();
    assert!(heard.len() == 2 && heard[1].starts_with("Failed"), "{heard:?} {error:#}");
}

#[test]
fn several_ranks_are_refused_before_anything_is_written() {
    let place = Place::new();
    place.trained(&place.text("\"first\"", ""), "weights");
    let own = format!("stages.test.model.weights = \"file:{}\"\n", place.path("weights").display());
    for text in [place.text("\"first\", \"second\"", ""), place.text("\"test\"", &own)] {
        let worlds = Threads::world(2);
        let rank = |world: &dyn World| {
            let components = crate::builtin().with_task(Arc::new(Staged));
            place.train(&Run::new(&components).with_world(world), &text, "run").map(drop)
        };
        let ended: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
            let threads: Vec<_> = worlds.iter().map(|world| scope.spawn(|| rank(world))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let told = "run_stages: several ranks share the training of one stage; choose one stage that trains";
        let refused = |ended: &anyhow::Result<()>| ended.as_ref().is_err_and(|error| error.to_string().contains(told));
        assert!(ended.iter().all(refused), "{ended:?}");
        assert!(!place.path("run").exists());
    }
}
