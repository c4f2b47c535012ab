//! Episode heads as a kind of component: how the query images of an episode are told by its support images.

use mga_core::tape::{Tape, Value};
use mga_core::transport::{TransportSolver, TransportSolvers};
use mga_experiment::{Check, Experiment, ExperimentError, Known, Loaded};
use mga_registry::{FromSettings, Kind};
use serde_json::Map;

/// The kind of component that `episode_head.name` names.
#[derive(Debug, Clone, Copy)]
pub struct EpisodeHeads;

impl Kind for EpisodeHeads {
    type Item = FromSettings<dyn EpisodeHead>;
    const TITLE: &'static str = "episode heads";
    const KEY: &'static str = "episode_head.name";
}

/// Tells the query images of an episode by its support images: the settings that stand beside `name` in `[episode_head]`.
pub trait EpisodeHead: Send + Sync {
    /// Scores `[Q, way]` of the query images for the classes of the episode.
    ///
    /// # Errors
    /// Features of shapes that it cannot use.
    fn scores(&self, tape: &mut Tape, episode: &Episode<'_>) -> mga_core::Result<Value>;

    /// What flows between the places of each query image and those of each class, `[Q, way, h * w, h * w]`, for pictures.
    /// `None`: nothing flows.
    ///
    /// # Errors
    /// As of [`Self::scores`].
    fn flow(&self, _tape: &mut Tape, _episode: &Episode<'_>) -> mga_core::Result<Option<Value>> {
        Ok(None)
    }

    /// Whether it asks for [`Episode::transport`].
    fn uses_transport(&self) -> bool {
        false
    }

    /// Whether it asks for the attention of the images.
    fn uses_attention(&self) -> bool {
        false
    }

    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting that does not fit the others, at its key.
    fn check(&self) -> mga_core::Result<()> {
        Ok(())
    }
}

/// The features of an episode.
pub struct Episode<'a> {
    /// Classes.
    pub way: usize,
    /// Support images of each class.
    pub shot: usize,
    /// Features of the support images, `[shot * way, C, h, w]`: one of each class in turn, so that row `i` is of class
    /// `i % way`.
    pub support: Value,
    /// Features of the query images, `[Q, C, h, w]`.
    pub query: Value,
    /// Attention of the support images, `[shot * way, 1, h, w]` in 0 to 1, where the model has an attention map.
    pub support_attention: Option<Value>,
    /// Attention of the query images, `[Q, 1, h, w]` in 0 to 1, where the model has an attention map.
    pub query_attention: Option<Value>,
    /// The solver of transport problems.
    pub transport: &'a dyn TransportSolver,
    /// Whether the model is being trained.
    pub trains: bool,
    /// The seed of what the head draws in this episode.
    pub seed: u64,
}

/// The table of a component, and its own settings.
fn table<'a>(
    experiment: &'a Experiment,
    table: &str,
    unnamed: &'static str,
) -> (&'a str, Map<String, serde_json::Value>) {
    let (name, settings) = experiment.named(table).unwrap_or((unnamed, &serde_json::Value::Null));
    let mut settings = settings.as_object().cloned().unwrap_or_default();
    settings.shift_remove("name");
    (name, settings)
}

/// The head of an experiment, and the solver of transport problems that it may ask for.
pub(super) struct Teller {
    pub(super) head: Box<dyn EpisodeHead>,
    pub(super) transport: Box<dyn TransportSolver>,
}

/// Makes the head and the solver that an experiment names.
///
/// # Errors
/// Settings that do not fit, at their keys.
pub(super) fn teller(loaded: &Loaded) -> Result<Teller, ExperimentError> {
    let (name, settings) = table(&loaded.experiment, "episode_head", "deepemd");
    let head = loaded.kinds.make::<EpisodeHeads, _>(name, &settings);
    let head = head.map_err(|fault| loaded.error(&fault.key, fault.what))?;
    let (name, settings) = table(&loaded.experiment, "transport", "exact");
    let transport = loaded.kinds.make::<TransportSolvers, _>(name, &settings);
    let transport = transport.map_err(|fault| loaded.error(&fault.key, fault.what))?;
    Ok(Teller { head, transport })
}

/// What is wrong with the head of an experiment, or does nothing in it.
pub(super) fn problems(experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>) {
    let (name, settings) = table(experiment, "episode_head", "deepemd");
    if !check.sound(&["episode_head", "transport"]) {
        return;
    }
    let Ok(head) = known.kinds.make::<EpisodeHeads, _>(name, &settings) else { return };
    if let Err(error) = head.check() {
        check.refused("episode_head", &error);
    }
    if head.uses_attention() && !experiment.model.mask_guidance && experiment.model.attention.name == "none" {
        let message = "the head takes its weights from the attention map, and model.attention is \"none\"";
        check.error_at("episode_head", message);
    }
    if experiment.named("transport").is_some() && !head.uses_transport() {
        check.warn_at("transport", format!("does nothing: the head \"{name}\" solves no transport problem"));
    }
    let (name, settings) = table(experiment, "transport", "exact");
    if let Ok(solver) = known.kinds.make::<TransportSolvers, _>(name, &settings)
        && let Err(error) = solver.check()
    {
        check.refused("transport", &error);
    }
}
