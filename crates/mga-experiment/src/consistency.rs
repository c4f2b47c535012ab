//! Checks of settings that are valid one by one but do not fit together: settings that contradict each other, and files
//! that are not there.

use std::path::Path;

use mga_data::Pipeline;
use mga_data::masks::{EmptyMask, MadeOf, MissingMask};
use mga_data::registry::{Datasets, PATH_MARK, Root};
use mga_hub::Repo;

use super::check::Check;
use super::data::Masks;
use super::data_in_advance::{may_have_validation, reads_root};
use super::evaluation::SelectOn;
use super::key_path::KeyPath;
use super::problem::Problem;
use super::settings::Experiment;
use super::sources::Sources;
use super::task::{NetworkKind, StageWork, TaskRules};
use super::training::Training;
use super::weight_file::{PREVIOUS, default_name, weight_file};
use super::wording::one_of;
use crate::Components;
use mga_registry::{Choice, nearest};

/// Everything that is wrong with `experiment` as a whole. `unsound` are settings that were already found faulty;
/// what depends on them is left alone. With `weights_read` it does not matter whether `model.weights` is there. `follows`:
/// another stage of the run comes before.
pub(super) fn problems(
    experiment: &Experiment,
    sources: &Sources,
    components: &Components,
    unsound: &[KeyPath],
    weights_read: bool,
    follows: bool,
) -> Vec<Problem> {
    let mut check = Check::new(sources, unsound);
    check.device(experiment);
    check.data(experiment, components);
    check.task(experiment, components);
    check.masks(experiment, components);
    check.segmenter(experiment, components);
    check.model(experiment, components, weights_read, follows);
    check.optimiser(experiment, components);
    if components.work(experiment) == StageWork::Fit {
        check.selection(experiment, components);
    }
    check.transforms(experiment, components);
    check.found()
}

impl Check<'_> {
    fn device(&mut self, experiment: &Experiment) {
        let device = experiment.device.as_str();
        let ordinal = device.strip_prefix("cuda:").map(str::parse::<usize>);
        let known = ["auto", "cpu", "cuda"].contains(&device) || matches!(ordinal, Some(Ok(_)));
        if self.sound(&["device"]) && !known {
            self.error_at("device", format!("unknown device `{device}`; expected `auto`, `cpu`, `cuda` or `cuda:N`"));
        }
    }

    fn data(&mut self, experiment: &Experiment, components: &Components) {
        let data = &experiment.data;
        let entry = components.kinds.get::<Datasets>(&data.dataset);
        match &data.root {
            // A folder that is not looked into need not be there.
            Some(root) if self.sound(&["data.root"]) && reads_root(experiment, components) => match root.metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(_) => self.error_at("data.root", format!("{} is not a folder", root.display())),
                Err(_) => {
                    let message = format!("no such folder: {} ({})", root.display(), started_in(root));
                    self.error_at("data.root", message);
                }
            },
            None if self.sound(&["data"]) && entry.is_some_and(|entry| entry.item.root() == Root::Required) => {
                let message = format!("missing; data set `{}` reads a folder, expected its path", data.dataset);
                self.error_at("data.root", message);
            }
            _ => {}
        }
        let files = entry.into_iter().flat_map(|entry| entry.marked(PATH_MARK)).filter(|(_, mark)| *mark == "file");
        for (key, _) in files {
            let at = format!("data.{key}");
            if let Some(file) = data.settings.get(key).and_then(serde_json::Value::as_str)
                && self.sound(&[&at, "data.root"])
                && !Path::new(file).exists()
                && !data.root.as_ref().is_some_and(|root| root.join(file).exists())
            {
                self.error_at(&at, format!("no such file: {file} ({})", started_in(Path::new(file))));
            }
        }
        if self.sound(&["data.mean", "data.std"]) && data.mean.is_some() != data.std.is_some() {
            let (given, absent) = if data.mean.is_some() { ("mean", "std") } else { ("std", "mean") };
            let message = format!("needs `data.{absent}` beside it; leave out both for the weights' own");
            self.error_at(&format!("data.{given}"), message);
        }
        if self.sound(&["data.validation"]) && data.validation.fraction.is_some() && data.validation.per_class.is_some()
        {
            self.error_at("data.validation.per_class", "stands beside `fraction`; keep one of the two");
        }
    }

    /// Classifiers and segmentation networks share the key of their name; the task tells which it must be.
    fn task(&mut self, experiment: &Experiment, components: &Components) {
        let Some(task) = components.task(&experiment.task) else { return };
        if !self.sound(&["task", "model.backbone"]) {
            return;
        }
        self.network(task, &experiment.model.backbone, components);
        let metric = experiment.eval.metric.as_str();
        let gives = |task: &dyn TaskRules| components.metrics_of(task).any(|own| own.name == metric);
        if !gives(task) {
            let others = components.tasks.iter().filter(|task| gives(task.as_ref()));
            let others: Vec<String> = others.map(|task| format!("task = \"{}\"", task.name())).collect();
            let own: Vec<&str> = components.metrics_of(task).map(|own| own.name.as_str()).collect();
            let message = format!("belongs to {}; expected {}", others.join(" and "), one_of(&own));
            self.error_at("eval.metric", message);
        }
        task.problems(experiment, &components.known(), self);
    }

    fn network(&mut self, task: &dyn TaskRules, name: &str, components: &Components) {
        let (backbone, network) = (components.networks().backbone(name), components.networks().network(name));
        let message = match (task.network(), backbone, network) {
            (NetworkKind::Backbone, None, Some(_)) => {
                let others = components.tasks.iter().filter(|task| task.network() == NetworkKind::Segmenter);
                let others: Vec<String> = others.map(|task| format!("\"{}\"", task.name())).collect();
                let others = others.join(" or ");
                format!("`{name}` is a segmentation network; set task = {others}, or name a backbone")
            }
            (NetworkKind::Segmenter, _, None) => {
                let known: Vec<&str> = components.trained_networks().map(|(entry, _)| entry.name.as_str()).collect();
                format!("`{name}` classifies images; {} trains one of {}", task.name(), known.join(", "))
            }
            (NetworkKind::Segmenter, _, Some(network)) if !network.trainable() => {
                format!("`{name}` can be applied, but not trained here")
            }
            _ => return,
        };
        self.error_at("model.backbone", message);
    }

    /// What belongs to mask sources that are made or found outside the data set.
    fn segmenter(&mut self, experiment: &Experiment, components: &Components) {
        self.segmenter_of("data.masks", &experiment.data.masks, components);
        if let Some(reference) = &experiment.eval.reference_masks {
            self.segmenter_of("eval.reference_masks", reference, components);
        }
    }

    /// The same of one table of masks.
    fn segmenter_of(&mut self, table: &str, masks: &Masks, components: &Components) {
        if !self.sound(&[table]) {
            return;
        }
        let source = masks.settings.source.as_deref();
        let network = source.is_some_and(|name| components.networks().network(name).is_some());
        let Some(settings) = &masks.segmenter else {
            if network {
                let message = format!(
                    "a segmentation network needs its weights: set {table}.segmenter.weights, as \"file:PATH\" or by name"
                );
                self.error_at(&format!("{table}.source"), message);
            }
            return;
        };
        if network && settings.weights.is_none() {
            let message = "missing; a segmentation network needs its weights, as \"file:PATH\" or by name";
            self.error_at(&format!("{table}.segmenter.weights"), message);
        }
        if settings.tile > 0 && settings.overlap >= settings.tile {
            let message = format!("expected less than {table}.segmenter.tile, {}", settings.tile);
            self.error_at(&format!("{table}.segmenter.overlap"), message);
        }
    }

    /// A network that is shown masks needs one for every image.
    fn shown_masks(&mut self, experiment: &Experiment, components: &Components) {
        let masks = &experiment.data.masks.settings;
        if !experiment.model.needs_masks(&components.kinds)
            || !self.sound(&["data.masks", "model.input", "model.attention"])
        {
            return;
        }
        // Which of the two shows it.
        let (shows, without) = match experiment.model.input.needs_masks() {
            true => ("model.input", "model.input = \"image\""),
            false => ("model.attention", "another model.attention"),
        };
        if has_no_masks(experiment, components) && !experiment.model.mask_guidance {
            let message = format!(
                "`none`, but `{shows}` shows the network a mask with every image; name a source, or set {without}"
            );
            self.error_at("data.masks.source", message);
        }
        if masks.missing == MissingMask::NoLoss {
            let message = format!(
                "`no-loss` lets images go without a mask, but `{shows}` shows the network a mask with every image; expected \
                 `error`"
            );
            self.error_at("data.masks.missing", message);
        }
        if masks.empty == EmptyMask::Skip {
            let message = format!(
                "`skip` takes blank masks away, but `{shows}` shows the network a mask with every image; expected `ones`, \
                 which shows them as they are"
            );
            self.error_at("data.masks.empty", message);
        }
    }

    /// A number in mask files has one meaning.
    fn mask_files(&mut self, experiment: &Experiment) {
        let reference = experiment.eval.reference_masks.as_ref().map(|masks| ("eval.reference_masks", masks));
        for (table, masks) in [("data.masks", &experiment.data.masks)].into_iter().chain(reference) {
            if !self.sound(&[table]) {
                continue;
            }
            if let Some((number, one, other)) = masks.settings.reading.named_twice() {
                let message = format!("{number} stands in {table}.{one} too; a number has one meaning");
                self.error_at(&format!("{table}.{other}"), message);
            }
        }
    }

    fn masks(&mut self, experiment: &Experiment, components: &Components) {
        self.shown_masks(experiment, components);
        self.mask_files(experiment);
        if !self.sound(&["data.masks", "model.mask_guidance"]) || !experiment.model.mask_guidance {
            return;
        }
        let attention = components.networks().attention(&experiment.model.attention.name);
        if self.sound(&["model.attention"]) && attention.is_some_and(|attention| !attention.gives_map()) {
            let message = format!(
                "true, but model.attention = \"{}\" has no map that masks could guide; set it to false",
                experiment.model.attention.name
            );
            self.error_at("model.mask_guidance", message);
        } else if has_no_masks(experiment, components) {
            let message = "`none`, but `model.mask_guidance` trains the attention towards masks; \
                           name a source, or set model.mask_guidance = false";
            self.error_at("data.masks.source", message);
        } else if self.sound(&["objective"]) && experiment.objective.mask_weight == 0.0 {
            self.warn_at(
                "objective.mask_weight",
                "0 loads masks without learning from them; model.mask_guidance = false leaves them out",
            );
        }
    }

    fn model(&mut self, experiment: &Experiment, components: &Components, weights_read: bool, follows: bool) {
        let model = &experiment.model;
        let trains = components.work(experiment) == StageWork::Fit;
        if self.sound(&["model.weights", "model.backbone"]) && !weights_read {
            match model.weights.as_str() {
                "none" if !trains => self.error_at(
                    "model.weights",
                    "`none`, but this stage trains nothing: its network would be drawn from the seed; name weights, such \
                     as \"file:RUN\"",
                ),
                PREVIOUS if follows => {}
                PREVIOUS => self.error_at(
                    "model.weights",
                    "`previous` is the stage before, and none runs before this; name its weights, as \"file:RUN\"",
                ),
                weights => {
                    self.weights(weights, &model.backbone, components);
                    self.settings_of_weights(weights, &model.network(), components);
                }
            }
        }
    }

    fn weights(&mut self, weights: &str, backbone: &str, components: &Components) {
        let networks = components.networks();
        if let Some(file) = weights.strip_prefix("file:") {
            let path = Path::new(file);
            let fault = match path.is_dir() {
                true => weight_file(path).err().map(|error| error.to_string()),
                false => (!path.is_file()).then(|| format!("no such file: {file} ({})", started_in(path))),
            };
            if let Some(message) = fault {
                self.error_at("model.weights", message);
            }
            return;
        }
        let fault = match weights {
            "none" => None,
            "imagenet" if !networks.has_weights(backbone) => None,
            "imagenet" => default_name(backbone, networks).err().map(|error| error.to_string()),
            file if Path::new(file).is_file() => Some(format!("`{file}` is a file; write \"file:{file}\"")),
            name if !name.contains('/') => {
                let published = || networks.weights().filter(|weights| networks.starts(weights, backbone));
                let known = || ["none", "imagenet"].into_iter().chain(published().map(|weights| weights.name));
                let meant = nearest(name, known()).map(|meant| format!(", did you mean `{meant}`?"));
                let known: Vec<String> = known().map(|name| format!("`{name}`")).collect();
                let end = meant.as_deref().unwrap_or(";");
                let known = known.join(", ");
                Some(format!("unknown weights `{name}`{end} expected {known}, owner/name of the hub, or `file:PATH`"))
            }
            // Whether there is such a repository shows when it is asked for.
            name => match Repo::model(name) {
                Err(error) => Some(error.to_string()),
                Ok(repo) => networks
                    .published(&repo.id())
                    .filter(|weights| networks.has_weights(backbone) && !networks.starts(weights, backbone))
                    .map(|weights| {
                        format!(
                            "`{}` holds weights of {}, model.backbone is {backbone}",
                            weights.name, weights.component
                        )
                    }),
            },
        };
        if let Some(message) = fault {
            self.error_at("model.weights", message);
        }
    }

    /// Published weights can need settings of their backbone.
    fn settings_of_weights(&mut self, weights: &str, network: &Choice, components: &Components) {
        if let Some((key, message)) = components.networks().misfit(weights, network) {
            self.error_at(&format!("model.{key}"), message);
        }
    }

    fn optimiser(&mut self, experiment: &Experiment, components: &Components) {
        let predictions = components.predictions(&experiment.task);
        if let Err(error) = experiment.objective.check(predictions, &components.kinds)
            && self.sound(&["objective"])
        {
            self.refused("objective", &error);
        }
        let rule = experiment.optimiser.rule(&components.kinds);
        if let Err(error) = &rule
            && self.sound(&["optimiser"])
        {
            self.refused("optimiser", error);
        }
        let schedule = &experiment.schedule;
        if let Err(error) = schedule.shape(&components.kinds)
            && self.sound(&["schedule"])
        {
            self.refused("schedule", &error);
        }
        if self.sound(&["schedule"]) && schedule.warmup_epochs > schedule.epochs {
            let message = format!("expected at most schedule.epochs, {}", schedule.epochs);
            self.error_at("schedule.warmup_epochs", message);
        }
        if let Ok(start) = rule.map(|rule| rule.learning_rate())
            && self.sound(&["schedule", "optimiser"])
            && schedule.min_learning_rate > start
        {
            let message = format!("expected at most optimiser.learning_rate, {start}");
            self.error_at("schedule.min_learning_rate", message);
        }
    }

    fn selection(&mut self, experiment: &Experiment, components: &Components) {
        let Training { early_stopping, .. } = experiment.train;
        if !self.sound(&["data", "eval", "train"]) {
            return;
        }
        match experiment.eval.select_on {
            SelectOn::Validation => {
                if !may_have_validation(experiment, components) {
                    self.error_at("eval.select_on", no_validation());
                }
            }
            SelectOn::Last if early_stopping > 0 => {
                let message = "stops when the selected number no longer improves, \
                               but eval.select_on = \"last\" selects on none; set 0, or select on validation";
                self.error_at("train.early_stopping", message);
            }
            SelectOn::Test => self.warn_at(
                "eval.select_on",
                "`test` reports the epoch that is best on the very images it is measured on; tables flag it",
            ),
            SelectOn::Last => {}
        }
    }

    fn transforms(&mut self, experiment: &Experiment, components: &Components) {
        let lists = [
            ("data.train.transforms", &experiment.data.train.transforms),
            ("data.eval.transforms", &experiment.data.eval.transforms),
        ];
        for (key, transforms) in lists {
            if !self.sound(&[key]) {
                continue;
            }
            for (i, transform) in transforms.iter().enumerate() {
                let problems = match Pipeline::operation(transform, &components.kinds) {
                    Ok((_, operation)) => operation.problems(),
                    Err(error) => vec![error.to_string()],
                };
                for message in problems {
                    self.error(KeyPath::dotted(key).index(i), message);
                }
            }
        }
    }
}

/// Whether `data.masks.source` names one that gives no image a mask.
fn has_no_masks(experiment: &Experiment, components: &Components) -> bool {
    let source = experiment.data.masks.settings.source_name();
    source.and_then(|name| components.masks_made_of(name)) == Some(MadeOf::Nothing)
}

/// What to do about missing validation images.
pub(super) fn no_validation() -> &'static str {
    "`validation`, but there are no validation images: set data.validation.fraction (or per_class) to take some from \
     train, or eval.select_on = \"last\""
}

/// Relative paths count from where mga is started, which is the usual mistake.
fn started_in(path: &Path) -> String {
    if path.is_absolute() {
        return "an absolute path".to_owned();
    }
    match std::env::current_dir() {
        Ok(folder) => format!("looked from {}", folder.display()),
        Err(_) => "paths count from where mga is started".to_owned(),
    }
}
