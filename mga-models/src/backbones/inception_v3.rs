//! Inception v3 (Szegedy et al. 2016), as torchvision builds it: pools round down, the average pools count their border,
//! and batch norms have eps 1e-3. Its auxiliary classifier is not built; `AuxLogits` in a file is passed over.
//!
//! torchvision's own constructor re-normalises its input where it loads weights (`transform_input`); here that is a
//! matter of preprocessing: the published weights expect mean and deviation 0.5. The authors freeze it through `Mixed_6c`
//! in their code, and so does an experiment here that starts from weights and does not say `freeze_through`.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Entry, OwnSettings};
use serde_json::json;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;
use crate::weights::PublishedWeights;

/// Inception v3. Images of at least 75 x 75.
pub(super) fn entry() -> Entry<Backbones> {
    let about = "Inception v3 (Szegedy et al. 2016), torchvision's inception_v3; images of 75 x 75 at least";
    Entry::<Backbones>::new("inception_v3", about, Arc::new(Registered))
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, "inception_v3")?;
        Ok(Box::new(InceptionV3::new(builder)?))
    }

    fn head(&self) -> Choice {
        Choice::new("linear", json!({ "dropout": 0.5 }))
    }

    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        &[("fc", "classifier")]
    }

    fn freeze_through(&self) -> Option<&'static str> {
        Some("Mixed_6c")
    }

    fn program(&self) -> Option<BackboneProgram> {
        let features = "for name, child in net.named_children():\n            if name == \"avgpool\":\n                \
                        return x\n            x = child(x)";
        let build = "torchvision.models.inception_v3(weights=None, num_classes={classes}, aux_logits=False, init_weights=False)";
        let program = BackboneProgram::torchvision("inception_v3", "fc");
        Some(BackboneProgram { features, build: build.to_owned(), ..program })
    }
}

/// Published weights: torchvision's, which Google trained; they expect colours from -1 to 1.
pub(super) const WEIGHTS: &[PublishedWeights] = &[PublishedWeights {
    name: "timm/inception_v3.tv_in1k",
    repo: "timm/inception_v3.tv_in1k",
    component: "inception_v3",
    mean: [0.5; 3],
    std: [0.5; 3],
    size: 299,
    licence: "apache-2.0",
    ..PublishedWeights::TIMM
}];

const HALVE: Pool2dSettings = Pool2dSettings { kernel: 3, stride: 2, padding: 0 };
const SMOOTH: Pool2dSettings = Pool2dSettings { kernel: 3, stride: 1, padding: 1 };

/// A convolution of one of torchvision's `BasicConv2d`: name, output channels, kernel, stride, padding.
type Spec = (&'static str, usize, (usize, usize), usize, (usize, usize));

fn point(name: &'static str, out: usize) -> Spec {
    (name, out, (1, 1), 1, (0, 0))
}

/// Keeps the size.
fn wide(name: &'static str, out: usize, kernel: (usize, usize)) -> Spec {
    (name, out, kernel, 1, (kernel.0 / 2, kernel.1 / 2))
}

/// Halves the size, without a border.
fn halving(name: &'static str, out: usize) -> Spec {
    (name, out, (3, 3), 2, (0, 0))
}

/// `conv` without bias, `bn`, rectified.
struct BasicConv {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl BasicConv {
    fn new(mut builder: Builder<'_>, channels: usize, spec: Spec) -> Result<Self> {
        let (name, out, kernel, stride, padding) = spec;
        let mut builder = builder.pp(name);
        let settings = Conv2dSettings { stride, padding, ..Conv2dSettings::default() };
        // torchvision draws from a truncated normal of deviation 0.1 whatever the fan; the norm behind takes the scale out.
        let conv = Conv2d::new(builder.pp("conv"), (channels, out), kernel, settings, ConvInit::HeFanIn)?;
        let norm = BatchNormSettings { eps: 1e-3, ..BatchNormSettings::default() };
        Ok(Self { conv, norm: BatchNorm2d::new(builder.pp("bn"), out, norm)? })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let y = self.conv.forward(tape, x)?;
        self.norm.forward(tape, y, Activation::Relu)
    }
}

/// What the pooling branch of a block does before its convolution, if it has one.
#[derive(Clone, Copy, PartialEq)]
enum Pool {
    None,
    Average,
    Max,
}

/// One way through a block: pool, convolutions in a row, and at the end two side by side (`split`), concatenated.
struct Branch {
    pool: Pool,
    chain: Vec<BasicConv>,
    split: Vec<BasicConv>,
}

impl Branch {
    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Vec<Value>> {
        let mut y = match self.pool {
            Pool::None => x,
            Pool::Average => ops::avg_pool2d(tape, x, SMOOTH)?,
            Pool::Max => ops::max_pool2d(tape, x, HALVE)?,
        };
        for layer in &self.chain {
            y = layer.forward(tape, y)?;
        }
        if self.split.is_empty() {
            return Ok(vec![y]);
        }
        self.split.iter().map(|layer| layer.forward(tape, y.clone())).collect()
    }

    fn norms(&self) -> impl Iterator<Item = &BatchNorm2d> {
        self.chain.iter().chain(&self.split).map(|layer| &layer.norm)
    }
}

/// One stage: a plain convolution, a pool, or a block of branches side by side.
enum Part {
    Conv(BasicConv),
    Pool,
    Mixed(Vec<Branch>),
}

/// Stages `Conv2d_1a_3x3` to `Conv2d_2b_3x3`, `maxpool1`, `Conv2d_3b_1x1`, `Conv2d_4a_3x3`, `maxpool2`, `Mixed_5b` to
/// `Mixed_7c`.
struct InceptionV3 {
    stages: Vec<Stage>,
    parts: Vec<Part>,
}

/// A branch before it is built.
struct Plan {
    pool: Pool,
    chain: Vec<Spec>,
    split: Vec<Spec>,
}

fn chain(chain: Vec<Spec>) -> Plan {
    Plan { pool: Pool::None, chain, split: vec![] }
}

fn pooled(pool: Pool, chain: Vec<Spec>) -> Plan {
    Plan { pool, chain, split: vec![] }
}

/// 35 x 35: figure 5 of the paper.
fn block_a(pool: usize) -> Vec<Plan> {
    let double = [point("branch3x3dbl_1", 64), wide("branch3x3dbl_2", 96, (3, 3)), wide("branch3x3dbl_3", 96, (3, 3))];
    vec![
        chain(vec![point("branch1x1", 64)]),
        chain(vec![point("branch5x5_1", 48), wide("branch5x5_2", 64, (5, 5))]),
        chain(double.to_vec()),
        pooled(Pool::Average, vec![point("branch_pool", pool)]),
    ]
}

/// 35 x 35 to 17 x 17: figure 10.
fn block_b() -> Vec<Plan> {
    let double = [point("branch3x3dbl_1", 64), wide("branch3x3dbl_2", 96, (3, 3)), halving("branch3x3dbl_3", 96)];
    vec![chain(vec![halving("branch3x3", 384)]), chain(double.to_vec()), pooled(Pool::Max, vec![])]
}

/// 17 x 17, with the 7 x 7 taken apart: figure 6.
fn block_c(width: usize) -> Vec<Plan> {
    let (down, across) = ((7, 1), (1, 7));
    let single = [point("branch7x7_1", width), wide("branch7x7_2", width, across), wide("branch7x7_3", 192, down)];
    let double = [
        point("branch7x7dbl_1", width),
        wide("branch7x7dbl_2", width, down),
        wide("branch7x7dbl_3", width, across),
        wide("branch7x7dbl_4", width, down),
        wide("branch7x7dbl_5", 192, across),
    ];
    vec![
        chain(vec![point("branch1x1", 192)]),
        chain(single.to_vec()),
        chain(double.to_vec()),
        pooled(Pool::Average, vec![point("branch_pool", 192)]),
    ]
}

/// 17 x 17 to 8 x 8.
fn block_d() -> Vec<Plan> {
    let long = [
        point("branch7x7x3_1", 192),
        wide("branch7x7x3_2", 192, (1, 7)),
        wide("branch7x7x3_3", 192, (7, 1)),
        halving("branch7x7x3_4", 192),
    ];
    vec![
        chain(vec![point("branch3x3_1", 192), halving("branch3x3_2", 320)]),
        chain(long.to_vec()),
        pooled(Pool::Max, vec![]),
    ]
}

/// 8 x 8, which fans out at the end: figure 7.
fn block_e() -> Vec<Plan> {
    let fan = |a, b| vec![wide(a, 384, (1, 3)), wide(b, 384, (3, 1))];
    let double = vec![point("branch3x3dbl_1", 448), wide("branch3x3dbl_2", 384, (3, 3))];
    vec![
        chain(vec![point("branch1x1", 320)]),
        Plan { split: fan("branch3x3_2a", "branch3x3_2b"), ..chain(vec![point("branch3x3_1", 384)]) },
        Plan { split: fan("branch3x3dbl_3a", "branch3x3dbl_3b"), ..chain(double) },
        pooled(Pool::Average, vec![point("branch_pool", 192)]),
    ]
}

/// Builds the branches; says how many channels come out of them together.
fn mixed(mut builder: Builder<'_>, channels: usize, plans: Vec<Plan>) -> Result<(Vec<Branch>, usize)> {
    let (mut branches, mut total) = (vec![], 0);
    for plan in plans {
        let mut inside = channels;
        let mut built = vec![];
        for spec in plan.chain {
            built.push(BasicConv::new(builder.reborrow(), inside, spec)?);
            inside = spec.1;
        }
        total += if plan.split.is_empty() { inside } else { plan.split.iter().map(|spec| spec.1).sum() };
        let split = plan.split.into_iter().map(|spec| BasicConv::new(builder.reborrow(), inside, spec));
        branches.push(Branch { pool: plan.pool, chain: built, split: split.collect::<Result<_>>()? });
    }
    Ok((branches, total))
}

impl InceptionV3 {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let (mut stages, mut parts) = (vec![], vec![]);
        let own = |name: &str, channels| Stage { name: name.to_owned(), prefixes: vec![name.to_owned()], channels };
        let pool = |name: &str, channels| Stage { name: name.to_owned(), prefixes: vec![], channels };
        let mut channels = 3;
        let narrow = |name, out| (name, out, (3, 3), 1, (0, 0));
        let stem = [
            halving("Conv2d_1a_3x3", 32),
            narrow("Conv2d_2a_3x3", 32),
            wide("Conv2d_2b_3x3", 64, (3, 3)),
            point("Conv2d_3b_1x1", 80),
            narrow("Conv2d_4a_3x3", 192),
        ];
        for (index, spec) in stem.into_iter().enumerate() {
            let place = builder.reborrow();
            let place = if index == 0 { place.of_images() } else { place };
            parts.push(Part::Conv(BasicConv::new(place, channels, spec)?));
            channels = spec.1;
            stages.push(own(spec.0, channels));
            if let 2 | 4 = index {
                stages.push(pool(if index == 2 { "maxpool1" } else { "maxpool2" }, channels));
                parts.push(Part::Pool);
            }
        }
        let blocks = [
            ("Mixed_5b", block_a(32)),
            ("Mixed_5c", block_a(64)),
            ("Mixed_5d", block_a(64)),
            ("Mixed_6a", block_b()),
            ("Mixed_6b", block_c(128)),
            ("Mixed_6c", block_c(160)),
            ("Mixed_6d", block_c(160)),
            ("Mixed_6e", block_c(192)),
            ("Mixed_7a", block_d()),
            ("Mixed_7b", block_e()),
            ("Mixed_7c", block_e()),
        ];
        for (name, plans) in blocks {
            // A pool with no convolution behind it passes its input's channels on, which `mixed` counts.
            let (branches, out) = mixed(builder.pp(name), channels, plans)?;
            channels = out;
            stages.push(own(name, channels));
            parts.push(Part::Mixed(branches));
        }
        Ok(Self { stages, parts })
    }
}

impl Backbone for InceptionV3 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| match &self.parts[stage] {
            Part::Conv(layer) => layer.forward(tape, x),
            Part::Pool => ops::max_pool2d(tape, x, HALVE),
            Part::Mixed(branches) => {
                let mut outputs = vec![];
                for branch in branches {
                    outputs.extend(branch.forward(tape, x.clone())?);
                }
                ops::concat_channels(tape, &outputs)
            }
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        let mut norms = vec![];
        for part in &self.parts {
            match part {
                Part::Conv(layer) => norms.push(&layer.norm),
                Part::Pool => {}
                Part::Mixed(branches) => norms.extend(branches.iter().flat_map(Branch::norms)),
            }
        }
        norms
    }
}
