//! Episodes to train on, and to test: the head tells query images by the features of support images.

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use mga_core::loss::{Guidance, MaskGuidedLoss, cross_entropy};
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::dataset::Split;
use mga_data::masks::EmptyMask;
use mga_data::sampler::Sampler;
use mga_data::samplers::episodes::EpisodeRole;
use mga_data::{Batch, Loader};
use mga_experiment::{Components, Loaded, StageWork};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;

use super::data::base_classes;
use super::encoder::{Encoded, encode};
use super::episodes::of_part;
use super::evaluation::{self, evaluate};
use super::head::{self, Episode, Teller};
use super::pictures;
use super::rehearsal;
use super::settings::EpisodesTable;
use crate::assemble;
use crate::data_set::OpenData;
use crate::looked::Looked;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::tasks::Job;

/// The stages `meta` and `test` at work.
pub(super) struct Meta<'a> {
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    model: MgaModel,
    teller: Teller,
}

impl<'a> Meta<'a> {
    /// The model has the classifier of the base classes, which is neither used nor moved: so its weights are those of the
    /// stage before, and the other way round.
    pub(super) fn new(
        data: &'a OpenData,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let model = assemble::fresh_model(loaded, components, base_classes(data).len(), device)?;
        model.store().freeze(&["classifier"]);
        Ok(Self { data, loaded, components, model, teller: head::teller(loaded)? })
    }

    /// The episode that a batch is, with its features on the tape, and the labels of its query images.
    fn episode(&self, tape: &mut Tape, encoded: &Encoded, batch: &Batch) -> anyhow::Result<(Episode<'_>, Vec<u32>)> {
        let EpisodesTable { way, shot, query, .. } = self.loaded.experiment.own(EpisodesTable::TABLE)?;
        let (images, support) = (batch.len(), way * shot);
        anyhow::ensure!(
            images == way * (shot + query),
            "an episode has {} images, and {images} are here: an episode is not shared out among several processes, and needs \
             every image; repair those that cannot be read",
            way * (shot + query)
        );
        let role = |at: usize| EpisodeRole { way: (at % way) as u16, is_query: at >= support };
        let in_order = batch.roles.iter().enumerate().all(|(at, &number)| EpisodeRole::of(number) == role(at));
        anyhow::ensure!(in_order, "the images of an episode are not in the order of the episodes");
        let mut part = |maps: &Value, from: usize, count: usize| {
            ops::candle_node(tape, std::slice::from_ref(maps), |inputs| inputs[0].narrow(0, from, count))
        };
        let both = |part: &mut dyn FnMut(&Value, usize, usize) -> mga_core::Result<Value>, maps: &Value| {
            Ok::<_, mga_core::Error>((part(maps, 0, support)?, part(maps, support, images - support)?))
        };
        let (support, query) = both(&mut part, &encoded.maps)?;
        let attention = encoded.attention.as_ref().map(|map| both(&mut part, map)).transpose()?;
        let (support_attention, query_attention) = attention.unzip();
        let transport = self.teller.transport.as_ref();
        let seed = self.loaded.experiment.seed ^ ((batch.position as u64) << 32);
        let labels = (0..images - way * shot).map(|at| (at % way) as u32).collect();
        let trains = true;
        Ok((Episode { way, shot, support, query, support_attention, query_attention, transport, trains, seed }, labels))
    }
}

impl Learner for Meta<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    /// The cross entropy of the query images; where masks guide the attention, with its error beside.
    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let encoded = encode(&self.model, tape, batch)?;
        let (episode, labels) = self.episode(tape, &encoded, batch)?;
        let scores = self.teller.head.scores(tape, &episode)?;
        let experiment = &self.loaded.experiment;
        let loss = cross_entropy(tape, scores, &labels, experiment.objective.label_smoothing)?;
        let masks = MaskGuidedLoss {
            mask_weight: experiment.objective.mask_weight,
            skip_blank_masks: experiment.data.masks.settings.empty == EmptyMask::Skip,
            ..MaskGuidedLoss::default()
        };
        let attention = encoded.attention.filter(|_| experiment.model.mask_guidance);
        let (values, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let guidance = attention.map(|attention| Guidance { attention, masks: values, counted, has_mask });
        let terms = masks.guide(tape, loss, guidance)?;
        let parts = vec![
            LossPart { name: "cross_entropy", value: Some(terms.classification), count: None },
            LossPart { name: "mask_mse", value: terms.mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        evaluate((self.loaded, self.data), (&self.model, &self.teller), loader, context)
    }

    fn time_evaluation(&self, loader: &Loader, most: usize) -> anyhow::Result<f64> {
        evaluation::time((self.loaded, self.data), (&self.model, &self.teller), loader, most)
    }
}

impl Job for Meta<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    /// Training takes episodes of the base classes.
    fn sampler(&self) -> anyhow::Result<Option<Arc<dyn Sampler>>> {
        if self.loaded.work != StageWork::Fit {
            return Ok(None);
        }
        Ok(Some(Arc::new(of_part(self.loaded, self.data, Split::Train)?)))
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearsal::rehearse(self.loaded, self.data, &self.model)
    }

    fn pictures(&self, _: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        pictures::write((self.loaded, self.data), (&self.model, &self.teller), folder)
    }

    fn describe(&self, _: &Looked) -> anyhow::Result<String> {
        rehearsal::described(self.loaded, self.data)
    }
}
