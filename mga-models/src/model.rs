//! The classifier with mask guided attention: backbone, attention map, head.

use mga_core::attention::SpatialAttention;
use mga_core::cbam::SpatialGate;
use mga_core::ops::{self, Attention};
use mga_core::parameter::{Kind, MASK_CHANNEL, ParameterStore, under};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};
use mga_registry::{Choice, OwnSettings, Registry};

use crate::backbone::{Backbone, StageId};
use crate::head::Head;
use crate::input::Input;
use crate::networks::Networks;

/// Settings that a model is built from, besides its backbone.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// The registered backbone, with its own settings.
    pub backbone: Choice,
    /// Classes.
    pub classes: usize,
    /// The input of the network.
    pub input: Input,
    /// The effect of the attention on the features.
    pub attention: Attention,
    /// The two weights of [`Attention::Residual`].
    pub residual_weights: (f64, f64),
    /// Whether the map is computed even where `attention` is none: the mask supervises it all the same.
    pub mask_guidance: bool,
    /// The last frozen stage; `None` trains everything.
    pub freeze_through: Option<String>,
    /// Whether batch norms of frozen stages keep to their running statistics.
    pub freeze_norm: bool,
    /// The dropout that replaces the head's own.
    pub dropout: Option<f64>,
}

impl ModelSettings {
    /// Returns the settings of a plain classifier: all of it trains, on images alone, without attention.
    #[must_use]
    pub fn new(backbone: impl Into<Choice>, classes: usize) -> Self {
        Self {
            backbone: backbone.into(),
            classes,
            input: Input::Image,
            attention: Attention::None,
            residual_weights: (0.5, 0.5),
            mask_guidance: false,
            freeze_through: None,
            freeze_norm: false,
            dropout: None,
        }
    }
}

/// The output of a model for a batch.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Scores, `[N, classes]`.
    pub logits: Value,
    /// The attention map, `[N, 1, h, w]`; `None` for the plain baseline, which has none.
    pub attention: Option<Value>,
}

/// A summary of one stage for people, with what will train.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StageSummary {
    /// The name of the stage; `attention` and `classifier` follow the stages of the backbone.
    pub name: String,
    /// Learnable numbers.
    pub parameters: usize,
    /// Whether they keep their values.
    pub frozen: bool,
    /// Batch norms that normalise by the batch in training.
    pub norms_on_batch: usize,
    /// Batch norms that keep to their running statistics.
    pub norms_on_running: usize,
}

/// A classifier with its parameters.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use mga_core::ops::Attention;
/// use mga_core::parameter::ParameterStore;
/// use mga_core::tape::Tape;
/// use mga_models::{MgaModel, ModelSettings, builtin};
///
/// let settings = ModelSettings { attention: Attention::Residual, ..ModelSettings::new("conv4", 10) };
/// let store = ParameterStore::new(1, DType::F32, &Device::Cpu);
/// let model = MgaModel::new(&builtin(), settings, store)?;
///
/// let mut tape = Tape::eval();
/// let images = tape.constant(&Tensor::zeros((2, 3, 64, 64), DType::F32, &Device::Cpu)?)?;
/// let prediction = model.forward(&mut tape, images)?;
///
/// assert_eq!(prediction.logits.dims(), [2, 10]);
/// assert!(prediction.attention.is_some());
/// # Ok::<(), mga_core::Error>(())
/// ```
pub struct MgaModel {
    store: ParameterStore,
    backbone: Box<dyn Backbone>,
    attention: Option<Map>,
    head: Box<dyn Head>,
    settings: ModelSettings,
    frozen: usize,
}

/// Where the attention map comes from.
enum Map {
    /// MGA's 1 x 1 convolution.
    Mga(SpatialAttention),
    /// CBAM's 7 x 7 convolution and norm.
    Cbam(SpatialGate),
}

impl Map {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        match self {
            Self::Mga(attention) => attention.forward(tape, features),
            Self::Cbam(gate) => gate.forward(tape, features),
        }
    }
}

impl MgaModel {
    /// Builds it into `store`: backbone, `mask_channel.weight` (where the mask is a channel of the input),
    /// `attention.weight` (where there is a map; CBAM's gate has `attention.conv` and `attention.bn`), `classifier`.
    ///
    /// # Errors
    /// A backbone that `registry` does not have; settings that do not fit it; fewer than two classes.
    pub fn new(registry: &Registry, settings: ModelSettings, mut store: ParameterStore) -> Result<Self> {
        let name = settings.backbone.name.as_str();
        let entry = Networks::of(registry).backbone(name).ok_or_else(|| {
            let known: Vec<&str> = Networks::of(registry).backbone_names().collect();
            Error::setting("model.backbone", format!("no backbone `{name}`; expected one of {}", known.join(", ")))
        })?;
        if settings.classes < 2 {
            return Err(Error::settings(format!("a classifier needs at least two classes, got {}", settings.classes)));
        }
        let masked = settings.input == Input::ImageAndMask;
        let root = store.root();
        let own = OwnSettings::new("model", &settings.backbone.settings);
        let backbone = entry.build(if masked { root.with_mask_channel() } else { root }, own)?;
        if masked && store.get(MASK_CHANNEL).is_none() {
            let what =
                "does not say which convolution takes the images (Builder::of_images), so none can take the mask";
            return Err(Error::setting("model.input", format!("{name} {what}")));
        }
        let mut root = store.root();
        let place = root.pp("attention");
        let attention = match settings.attention {
            Attention::None if !settings.mask_guidance => None,
            Attention::CbamSpatial => Some(Map::Cbam(SpatialGate::new(place)?)),
            _ => Some(Map::Mga(SpatialAttention::new(place)?)),
        };
        let channels = backbone.stages()[backbone.last().0].channels;
        let channels = if settings.attention == Attention::Concat { 2 * channels } else { channels };
        let head = entry.head().build(store.root(), channels, settings.classes, settings.dropout)?;
        let frozen = match settings.freeze_through.as_deref() {
            None => 0,
            Some(name) => {
                1 + backbone.stages().iter().position(|stage| stage.name == name).ok_or_else(|| {
                    let names: Vec<&str> = backbone.stages().iter().map(|stage| stage.name.as_str()).collect();
                    let what = format!("{} has no stage `{name}`; it has {}", settings.backbone.name, names.join(", "));
                    Error::setting("model.freeze_through", what)
                })?
            }
        };
        let model = Self { store, backbone, attention, head, settings, frozen };
        let prefixes = model.frozen_prefixes();
        model.store.freeze(&prefixes);
        if model.settings.freeze_norm {
            let inside = |name: &str| prefixes.iter().any(|prefix| under(name, prefix));
            model.backbone.norms().into_iter().filter(|norm| inside(norm.name())).for_each(|norm| norm.freeze());
        }
        Ok(model)
    }

    fn frozen_prefixes(&self) -> Vec<&str> {
        self.backbone.stages()[..self.frozen]
            .iter()
            .flat_map(|stage| stage.prefixes.iter().map(String::as_str))
            .collect()
    }

    /// Computes scores and attention from normalised `images` `[N, 3, H, W]`. A network that takes masks as input needs
    /// what [`Input::tensor`] makes of images and masks.
    pub fn forward(&self, tape: &mut Tape, images: Value) -> Result<Prediction> {
        let features = self.features(tape, images)?;
        self.classify(tape, features)
    }

    /// Computes scores and attention from the last features of the backbone, `[N, C, h, w]`.
    pub fn classify(&self, tape: &mut Tape, features: Value) -> Result<Prediction> {
        let Some(attention) = &self.attention else {
            return Ok(Prediction { logits: self.head.forward(tape, features)?, attention: None });
        };
        let map = attention.forward(tape, features.clone())?;
        let attended =
            ops::attend(tape, features, map.clone(), self.settings.attention, self.settings.residual_weights)?;
        Ok(Prediction { logits: self.head.forward(tape, attended)?, attention: Some(map) })
    }

    /// Returns the backbone's last features `[N, C, h, w]`, before attention, of the network's input.
    pub fn features(&self, tape: &mut Tape, images: Value) -> Result<Value> {
        let channels = self.settings.input.channels();
        if images.dims4()?.1 != channels {
            let what = format!("its input has {channels} channels, got {:?}", images.dims());
            return Err(Error::shape("model", what));
        }
        let last: StageId = self.backbone.last();
        let outputs = self.backbone.forward(tape, images, &[last])?;
        outputs.into_iter().next().ok_or_else(|| Error::shape("backbone", "it has no stages"))
    }

    /// Returns the parameters.
    pub fn store(&self) -> &ParameterStore {
        &self.store
    }

    /// Returns the settings that it was built from.
    pub fn settings(&self) -> &ModelSettings {
        &self.settings
    }

    /// Returns whether it has an attention map.
    pub fn has_attention(&self) -> bool {
        self.attention.is_some()
    }

    /// Returns the backbone.
    pub fn backbone(&self) -> &dyn Backbone {
        self.backbone.as_ref()
    }

    /// Summarises what trains, stage by stage, then attention and classifier.
    pub fn summary(&self) -> Vec<StageSummary> {
        let count = |prefixes: &[String]| -> usize {
            let weights = self.store.entries().iter().filter(|e| e.kind() == Kind::Weight);
            weights.filter(|e| prefixes.iter().any(|p| under(e.name(), p))).map(|e| e.tensor().elem_count()).sum()
        };
        let norms = self.backbone.norms();
        let mut rows: Vec<StageSummary> = vec![];
        for (index, stage) in self.backbone.stages().iter().enumerate() {
            let inside = norms.iter().filter(|norm| stage.prefixes.iter().any(|prefix| under(norm.name(), prefix)));
            let (on_batch, on_running): (Vec<_>, Vec<_>) =
                inside.copied().partition(|norm: &&mga_core::nn::BatchNorm2d| norm.uses_batch_statistics());
            rows.push(StageSummary {
                name: stage.name.clone(),
                parameters: count(&stage.prefixes),
                frozen: index < self.frozen,
                norms_on_batch: on_batch.len(),
                norms_on_running: on_running.len(),
            });
        }
        let gate = usize::from(matches!(self.attention, Some(Map::Cbam(_))));
        for (name, norms_on_batch) in [("mask_channel", 0), ("attention", gate), ("classifier", 0)] {
            let parameters = count(&[name.to_owned()]);
            if parameters > 0 {
                let name = name.to_owned();
                rows.push(StageSummary { name, parameters, frozen: false, norms_on_batch, norms_on_running: 0 });
            }
        }
        rows
    }
}
