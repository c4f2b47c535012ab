//! Batch norm layer.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Tensor;

use crate::error::Result;
use crate::ops::{self, Activation, BatchNormInputs, Statistics};
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Phase, Tape, Value};

/// Settings of a batch norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormSettings {
    /// Added to the variance.
    pub eps: f64,
    /// Weight of the batch in the running statistics.
    pub momentum: f64,
}

impl Default for BatchNormSettings {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

/// Entries `weight`, `bias`, `running_mean` and `running_var`, `[C]` each.
///
/// In training it normalises by the batch's statistics and moves the running ones (mean, and variance by the unbiased
/// estimate n / (n - 1)), whether its weight is trained or not, unless it is frozen.
#[derive(Debug)]
pub struct BatchNorm2d {
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
    settings: BatchNormSettings,
    frozen: AtomicBool,
}

impl BatchNorm2d {
    /// Creates a batch norm with weight 1, bias 0, running mean 0 and running variance 1.
    pub fn new(mut builder: Builder<'_>, channels: usize, settings: BatchNormSettings) -> Result<Self> {
        Ok(Self {
            weight: builder.weight("weight", channels, Init::Constant(1.0))?,
            bias: builder.weight("bias", channels, Init::Constant(0.0))?,
            running_mean: builder.buffer("running_mean", channels, Init::Constant(0.0))?,
            running_var: builder.buffer("running_var", channels, Init::Constant(1.0))?,
            settings,
            frozen: AtomicBool::new(false),
        })
    }

    /// Creates a batch norm whose weight starts at `start`.
    pub fn starting_at(builder: Builder<'_>, channels: usize, settings: BatchNormSettings, start: f64) -> Result<Self> {
        let norm = Self::new(builder, channels, settings)?;
        norm.weight.set((norm.weight.tensor().ones_like()? * start)?)?;
        Ok(norm)
    }

    /// Keeps to the running statistics in training too (`freeze_norm`), and lets them be.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    /// Returns whether training uses the batch's statistics.
    pub fn uses_batch_statistics(&self) -> bool {
        !self.frozen.load(Ordering::Relaxed)
    }

    /// Returns the state-dict name of the weight, `layer1.0.bn1.weight`.
    pub fn name(&self) -> &str {
        self.weight.name()
    }

    /// Normalises and activates.
    pub fn forward(&self, tape: &mut Tape, x: Value, activation: Activation) -> Result<Value> {
        let (n, _, h, w) = x.dims4()?;
        let inputs = self.inputs(tape);
        let (y, statistics) = ops::batch_norm(tape, x, inputs, activation)?;
        self.move_running(statistics, n * h * w)?;
        Ok(y)
    }

    /// What the operator needs of this layer.
    pub(crate) fn inputs(&self, tape: &mut Tape) -> BatchNormInputs {
        BatchNormInputs {
            weight: tape.uncast(&self.weight),
            bias: tape.uncast(&self.bias),
            running: (tape.uncast(&self.running_mean), tape.uncast(&self.running_var)),
            batch_statistics: tape.phase() == Phase::Train && self.uses_batch_statistics(),
            eps: self.settings.eps,
        }
    }

    /// Moves the running statistics by those of a batch of `count` numbers a channel.
    pub(crate) fn move_running(&self, statistics: Option<Statistics>, count: usize) -> Result<()> {
        let Some((mean, variance)) = statistics else { return Ok(()) };
        let count = count as f64;
        self.update(&self.running_mean, &mean, 1.0)?;
        self.update(&self.running_var, &variance, count / (count - 1.0))
    }

    fn update(&self, running: &Parameter, batch: &Tensor, unbias: f64) -> Result<()> {
        let m = self.settings.momentum;
        running.set(((running.tensor() * (1.0 - m))? + (batch * (m * unbias))?)?)
    }
}
