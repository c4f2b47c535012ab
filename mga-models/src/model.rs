//! The classifier with mask guided attention: backbone, attention map, head.

use candle_core::Tensor;
use mga_core::parameter::{Kind, MASK_CHANNEL, ParameterStore, under};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};
use mga_registry::{Choice, OwnSettings, Registry};

use crate::attention::{Attended, Attention, AttentionOpening};
use crate::backbone::{Backbone, Stage, StageId};
use crate::features::Features;
use crate::head::{Head, HeadOpening};
use crate::input::Input;
use crate::networks::Networks;

/// Settings that a model is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// The registered backbone, with its own settings.
    pub backbone: Choice,
    /// Classes.
    pub classes: usize,
    /// The input of the network.
    pub input: Input,
    /// The registered attention, with its own settings.
    pub attention: Choice,
    /// Weights of the features and of the attended features, for attentions that add them.
    pub residual_weights: (f64, f64),
    /// Whether the map is computed even where `attention` is none: the mask supervises it all the same.
    pub mask_guidance: bool,
    /// The last frozen stage; `None` trains everything.
    pub freeze_through: Option<String>,
    /// Whether batch norms of frozen stages keep to their running statistics.
    pub freeze_norm: bool,
    /// The registered head, with its own settings; `None`: the backbone's.
    pub head: Option<Choice>,
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
            attention: Choice::from("none"),
            residual_weights: (0.5, 0.5),
            mask_guidance: false,
            freeze_through: None,
            freeze_norm: false,
            head: None,
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
/// use mga_core::parameter::ParameterStore;
/// use mga_core::tape::Tape;
/// use mga_models::{MgaModel, ModelSettings, builtin};
///
/// let settings = ModelSettings { attention: "residual".into(), ..ModelSettings::new("conv4", 10) };
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
    attention: Option<Box<dyn Attention>>,
    attention_needs_masks: bool,
    gives_map: bool,
    head: Box<dyn Head>,
    settings: ModelSettings,
    frozen: usize,
    /// The stages whose maps are wanted, ascending.
    taps: Vec<StageId>,
}

impl MgaModel {
    /// Builds it into `store`: backbone, `mask_channel.weight` (where the mask is a channel of the input), what the attention
    /// has below `attention`, what the head has below `classifier`.
    ///
    /// # Errors
    /// A backbone, attention or head that `registry` does not have; settings that do not fit them; fewer than two classes.
    pub fn new(registry: &Registry, settings: ModelSettings, mut store: ParameterStore) -> Result<Self> {
        let networks = Networks::of(registry);
        let name = settings.backbone.name.as_str();
        let entry = networks.known_backbone(name)?;
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
        let kind = networks.known_attention(&settings.attention.name)?;
        let attention = kind.build(AttentionOpening {
            builder: store.root().pp("attention"),
            settings: OwnSettings::new("model.attention", &settings.attention.settings),
            stages: backbone.stages(),
            guided: settings.mask_guidance,
            residual_weights: settings.residual_weights,
        })?;
        let attended = |(index, stage): (usize, &Stage)| {
            let channels =
                attention.as_ref().map_or(stage.channels, |map| map.channels(StageId(index), stage.channels));
            Stage { channels, ..stage.clone() }
        };
        let stages: Vec<Stage> = backbone.stages().iter().enumerate().map(attended).collect();
        let (choice, head) = networks.head_of(name, settings.head.as_ref())?;
        let head = head.build(HeadOpening {
            builder: store.root().pp("classifier"),
            settings: OwnSettings::new("model.head", &choice.settings),
            stages: &stages,
            pooled: backbone.pooled_channels(),
            classes: settings.classes,
            dropout: settings.dropout,
        })?;
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
        let mut taps = vec![backbone.last()];
        taps.extend(attention.as_ref().map(|attention| attention.stages()).unwrap_or_default());
        taps.extend(head.stages());
        taps.sort_unstable();
        taps.dedup();
        let (attention_needs_masks, gives_map) = (kind.needs_masks(), kind.gives_map());
        let model = Self { store, backbone, attention, attention_needs_masks, gives_map, head, settings, frozen, taps };
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

    /// Returns the network's input made of normalised images `[N, 3, H, W]` and masks `[N, 1, H, W]` in 0 to 1: what
    /// [`Input::tensor`] makes of them, followed by the masks where the attention needs them.
    ///
    /// # Errors
    /// Masks of another size than the images, where it needs masks.
    pub fn input(&self, images: &Tensor, masks: &Tensor) -> Result<Tensor> {
        let input = self.settings.input.tensor(images, masks)?;
        if !self.attention_needs_masks {
            return Ok(input);
        }
        let (n, _, h, w) = images.dims4()?;
        if masks.dims() != [n, 1, h, w] {
            return Err(Error::shape("input", format!("images {:?} with masks {:?}", images.dims(), masks.dims())));
        }
        Ok(Tensor::cat(&[&input, &masks.to_dtype(input.dtype())?], 1)?)
    }

    /// Returns whether it needs a mask with every image, to evaluate and predict too.
    pub fn needs_masks(&self) -> bool {
        self.settings.input.needs_masks() || self.attention_needs_masks
    }

    /// Computes scores and attention from normalised `images` `[N, 3, H, W]`. A network that needs masks takes what
    /// [`Self::input`] makes of images and masks.
    pub fn forward(&self, tape: &mut Tape, images: Value) -> Result<Prediction> {
        let features = self.features(tape, images)?;
        self.classify(tape, features)
    }

    /// Computes scores and attention from what the backbone gives.
    pub fn classify(&self, tape: &mut Tape, features: Features) -> Result<Prediction> {
        let Attended { features, map } = self.attend(tape, features)?;
        Ok(Prediction { logits: self.head.forward(tape, features)?, attention: map })
    }

    /// Returns the features that the head sees, and the attention map, from what the backbone gives.
    pub fn attend(&self, tape: &mut Tape, features: Features) -> Result<Attended> {
        match &self.attention {
            Some(attention) => attention.forward(tape, features),
            None => Ok(Attended { features, map: None }),
        }
    }

    /// Returns what the backbone gives of the network's input, before attention. The last map is `[N, C, h, w]`.
    pub fn features(&self, tape: &mut Tape, images: Value) -> Result<Features> {
        let own = self.settings.input.channels();
        let channels = own + usize::from(self.attention_needs_masks);
        if images.dims4()?.1 != channels {
            let what = format!("its input has {channels} channels, got {:?}", images.dims());
            return Err(Error::shape("model", what));
        }
        if !self.attention_needs_masks {
            return self.backbone.forward(tape, images, &self.taps);
        }
        let masks = tape.constant(&images.tensor().narrow(1, own, 1)?.contiguous()?)?;
        let images = tape.constant(&images.tensor().narrow(1, 0, own)?.contiguous()?)?;
        Ok(Features { masks: Some(masks), ..self.backbone.forward(tape, images, &self.taps)? })
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
        self.attention.is_some() && self.gives_map
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
        let gate = self.attention.as_ref().map_or(0, |attention| attention.norms().len());
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
