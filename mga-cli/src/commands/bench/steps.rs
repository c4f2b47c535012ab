//! Timed steps of one network on images of noise.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::optim::{OptimiserSettings, SgdSettings};
use mga_core::parameter::ParameterStore;
use mga_core::random::Generator;
use mga_core::tape::{Tape, Value};
use mga_experiment::Components;
use mga_models::{MgaModel, ModelSettings};

/// Classes of the timed classifier.
pub(super) const CLASSES: usize = 100;
const WARM_UP: usize = 2;

/// What a step does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// Forward, backward, update.
    Train {
        /// Drop what can be computed again.
        recompute: bool,
    },
    /// Forward in evaluation mode.
    Infer,
}

/// The network, its input, and how long it is timed.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) backbone: String,
    pub(super) size: usize,
    pub(super) batch: usize,
    pub(super) attention: Option<String>,
    pub(super) freeze_through: Option<String>,
    pub(super) device: String,
    /// Steps and seconds, at least.
    pub(super) least: (usize, f64),
}

/// What `--json` prints. A step is forward, backward and update, or forward alone.
#[derive(Debug, serde::Serialize)]
pub(super) struct Times {
    work: &'static str,
    backbone: String,
    size: usize,
    batch: usize,
    threads: usize,
    steps: usize,
    median_ms: f64,
    min_ms: f64,
    max_ms: f64,
    images_per_second: f64,
    /// The process's largest resident memory; `None` where the system does not tell.
    peak_memory_mib: Option<f64>,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} {}, {} px, batch {}, {} threads",
            self.work, self.backbone, self.size, self.batch, self.threads
        )?;
        let (median, min, max) = (self.median_ms, self.min_ms, self.max_ms);
        writeln!(f, "a step: median {median:.1} ms, from {min:.1} to {max:.1} ms in {} steps", self.steps)?;
        writeln!(f, "{:.2} images a second", self.images_per_second)?;
        match self.peak_memory_mib {
            Some(memory) => writeln!(f, "peak memory {memory:.0} MiB"),
            None => Ok(()),
        }
    }
}

/// The model of a setting, with fresh weights; `dropout` in place of its own.
pub(super) fn model(
    setting: &Setting,
    dtype: DType,
    device: &Device,
    components: &Components,
    dropout: Option<f64>,
) -> anyhow::Result<MgaModel> {
    let networks = components.networks();
    if networks.backbone(&setting.backbone).is_none() {
        let names: Vec<&str> = networks.backbone_names().collect();
        anyhow::bail!("--backbone {}: not known; there are {}", setting.backbone, names.join(", "));
    }
    let attention = setting.attention.as_deref().unwrap_or("none");
    networks.known_attention(attention).map_err(|error| anyhow::anyhow!("--attention: {error}"))?;
    let settings = ModelSettings {
        attention: attention.into(),
        mask_guidance: setting.attention.is_some(),
        freeze_through: setting.freeze_through.clone(),
        dropout,
        ..ModelSettings::new(setting.backbone.as_str(), CLASSES)
    };
    Ok(MgaModel::new(&components.kinds, settings, ParameterStore::new(1, dtype, device))?)
}

/// A batch to learn from.
pub(super) struct Batch {
    pub(super) images: Tensor,
    pub(super) labels: Vec<u32>,
    /// `[N, 1, H, W]`, where the model has an attention map.
    pub(super) masks: Option<Tensor>,
}

impl Batch {
    fn noise(setting: &Setting, device: &Device) -> anyhow::Result<Self> {
        let (n, size) = (setting.batch, setting.size);
        let mut generator = Generator::new(1, "bench", &[]);
        let images: Vec<f32> = (0..n * 3 * size * size).map(|_| generator.normal() as f32).collect();
        let masks: Vec<f32> = (0..n * size * size).map(|_| generator.uniform() as f32).collect();
        let masks = Tensor::from_vec(masks, (n, 1, size, size), device)?;
        Ok(Self {
            images: Tensor::from_vec(images, (n, 3, size, size), device)?,
            labels: (0..n as u32).map(|i| i * 7 % CLASSES as u32).collect(),
            masks: setting.attention.is_some().then_some(masks),
        })
    }

    /// The authors' loss; the cross entropy alone where there are no masks.
    pub(super) fn loss(&self, model: &MgaModel, tape: &mut Tape) -> anyhow::Result<Value> {
        let images = tape.constant(&self.images)?;
        let prediction = model.forward(tape, images)?;
        let has_mask = vec![true; self.labels.len()];
        let guided = |(attention, masks)| Guidance { attention, masks, counted: None, has_mask: &has_mask };
        let guidance = prediction.attention.zip(self.masks.as_ref()).map(guided);
        Ok(MaskGuidedLoss::default().forward(tape, prediction.logits, &self.labels, guidance)?.total)
    }
}

/// Times steps of the setting.
///
/// # Errors
/// An unknown name, or a size the network cannot take.
pub(super) fn time(setting: &Setting, work: Work, components: &Components) -> anyhow::Result<Times> {
    if setting.batch == 0 || setting.least.0 == 0 {
        anyhow::bail!("--batch and --steps must be at least 1");
    }
    let device =
        mga_train::assemble::device_called(&setting.device).map_err(|why| anyhow::anyhow!("--device: {why}"))?;
    let model = model(setting, DType::F32, &device, components, None)?;
    let batch = Batch::noise(setting, &device)?;
    let settings = OptimiserSettings::of("sgd", &SgdSettings { learning_rate: 1e-4, ..SgdSettings::default() })?;
    let mut optimiser = settings.build(&components.kinds, model.store())?;
    let mut milliseconds: Vec<f64> = vec![];
    let mut step = |number: u64| -> anyhow::Result<f64> {
        let started = Instant::now();
        match work {
            Work::Train { recompute } => {
                let mut tape = Tape::train(1, number).with_recompute(recompute);
                let loss = batch.loss(&model, &mut tape)?;
                let gradients = tape.backward(&loss, 1.0)?.into_parameters();
                optimiser.step(model.store(), &gradients, 1.0)?;
            }
            Work::Infer => {
                let mut tape = Tape::eval();
                let images = tape.constant(&batch.images)?;
                model.forward(&mut tape, images)?;
            }
        }
        device.synchronize()?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    for number in 0..WARM_UP {
        step(number as u64)?;
    }
    let started = Instant::now();
    while milliseconds.len() < setting.least.0 || started.elapsed().as_secs_f64() < setting.least.1 {
        milliseconds.push(step((WARM_UP + milliseconds.len()) as u64)?);
    }
    milliseconds.sort_by(f64::total_cmp);
    let count = milliseconds.len();
    let median = (milliseconds[(count - 1) / 2] + milliseconds[count / 2]) / 2.0;
    Ok(Times {
        work: if matches!(work, Work::Infer) { "infer" } else { "train" },
        backbone: setting.backbone.clone(),
        size: setting.size,
        batch: setting.batch,
        threads: rayon::current_num_threads(),
        steps: count,
        median_ms: median,
        min_ms: milliseconds[0],
        max_ms: milliseconds[count - 1],
        images_per_second: setting.batch as f64 / median * 1e3,
        peak_memory_mib: peak_memory(),
    })
}

/// Largest resident memory of this process so far, in MiB.
fn peak_memory() -> Option<f64> {
    #[cfg(unix)]
    {
        // SAFETY: `getrusage` fills the structure it is given; all its fields are numbers, for which zeros are valid.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::getrusage(libc::RUSAGE_SELF, &mut usage) == 0).then_some(usage)
        };
        // Linux counts KiB, macOS bytes.
        let unit = if cfg!(target_os = "macos") { 1.0 } else { 1024.0 };
        usage.map(|usage| usage.ru_maxrss as f64 * unit / f64::from(1 << 20))
    }
    #[cfg(not(unix))]
    None
}
