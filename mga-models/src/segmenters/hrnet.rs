//! HRNet-W48 (Sun et al. 2019; Wang et al. 2020): branches at a quarter to a thirty-second of the image's size, side by
//! side, that exchange what they see after every module. Names as NVIDIA's published weights have them.

use mga_core::ops::{self, Activation};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};

use crate::backbones::{Block, ConvNorm, Spacing};

/// Channels of the branches, from the finest.
const WIDTHS: [usize; 4] = [48, 96, 192, 384];
/// Modules of `stage2`, `stage3` and `stage4`, which have 2, 3 and 4 branches.
const MODULES: [usize; 3] = [1, 4, 3];
/// Residual blocks of a branch in a module, and bottlenecks of `layer1`.
const BLOCKS: usize = 4;
/// Channels that come out of `layer1`.
const FIRST: usize = 256;

/// Images `[N, 3, H, W]` to features `[N, 720, H / 4, W / 4]`, rounded up.
pub(super) struct HrNet {
    stem: [ConvNorm; 2],
    first: Vec<Block>,
    stages: Vec<Stage>,
}

/// A new, coarser branch, and the modules that follow.
struct Stage {
    /// Brings the only branch so far to its width: in front of `stage2` alone.
    adapt: Option<ConvNorm>,
    /// Opens the new branch out of the coarsest.
    open: ConvNorm,
    modules: Vec<Module>,
}

impl HrNet {
    /// Channels that come out.
    pub(super) const CHANNELS: usize = WIDTHS[0] + WIDTHS[1] + WIDTHS[2] + WIDTHS[3];

    pub(super) fn new(mut builder: Builder<'_>) -> Result<Self> {
        let halve = Spacing::stride(2);
        let stem = [
            ConvNorm::new(&mut builder, ("conv1", "bn1"), (3, 64), 3, halve)?,
            ConvNorm::new(&mut builder, ("conv2", "bn2"), (64, 64), 3, halve)?,
        ];
        let mut first = vec![];
        for block in 0..BLOCKS {
            let channels = if block == 0 { 64 } else { FIRST };
            first.push(Block::new(builder.pp("layer1").pp(block), channels, 64, Spacing::DENSE, true)?.0);
        }
        let mut stages = vec![];
        for (index, count) in MODULES.into_iter().enumerate() {
            let branches = index + 2;
            let mut transition = builder.pp(format!("transition{}", index + 1));
            let coarsest = if index == 0 { FIRST } else { WIDTHS[index] };
            let adapt = if index == 0 {
                Some(ConvNorm::new(&mut transition.pp(0), ("0", "1"), (FIRST, WIDTHS[0]), 3, Spacing::DENSE)?)
            } else {
                None
            };
            let mut fresh = transition.pp(branches - 1);
            let open = ConvNorm::new(&mut fresh.pp(0), ("0", "1"), (coarsest, WIDTHS[branches - 1]), 3, halve)?;
            let mut stage = builder.pp(format!("stage{branches}"));
            let modules = (0..count).map(|at| Module::new(stage.pp(at), branches)).collect::<Result<_>>()?;
            stages.push(Stage { adapt, open, modules });
        }
        Ok(Self { stem, first, stages })
    }

    pub(super) fn forward(&self, tape: &mut Tape, images: Value) -> Result<Value> {
        let mut x = images;
        for layer in &self.stem {
            x = layer.forward(tape, x, Activation::Relu)?;
        }
        for block in &self.first {
            x = block.forward(tape, x)?;
        }
        let mut branches = vec![x];
        for stage in &self.stages {
            branches = stage.forward(tape, branches)?;
        }
        let (_, _, h, w) = branches[0].dims4()?;
        let mut parts = vec![];
        for branch in branches {
            parts.push(ops::resize_bilinear(tape, branch, (h, w))?);
        }
        ops::concat_channels(tape, &parts)
    }
}

impl Stage {
    fn forward(&self, tape: &mut Tape, mut branches: Vec<Value>) -> Result<Vec<Value>> {
        let coarsest = branches.last().ok_or_else(|| Error::shape("hrnet", "it has no branches"))?.clone();
        let opened = self.open.forward(tape, coarsest, Activation::Relu)?;
        if let Some(adapt) = &self.adapt
            && let Some(only) = branches.pop()
        {
            branches.push(adapt.forward(tape, only, Activation::Relu)?);
        }
        branches.push(opened);
        for module in &self.modules {
            branches = module.forward(tape, branches)?;
        }
        Ok(branches)
    }
}

/// Residual blocks on every branch, then the exchange.
struct Module {
    branches: Vec<Vec<Block>>,
    /// `[to][from]`.
    exchange: Vec<Vec<Path>>,
}

/// How one branch reaches another.
enum Path {
    /// Itself.
    Same,
    /// From a coarser one: 1 x 1, then bilinear to its size.
    Up(ConvNorm),
    /// From a finer one: 3 x 3 of stride 2, once for every halving, rectified but for the last.
    Down(Vec<ConvNorm>),
}

impl Module {
    fn new(mut builder: Builder<'_>, count: usize) -> Result<Self> {
        let widths = &WIDTHS[..count];
        let (mut branches, mut root) = (vec![], builder.pp("branches"));
        for (at, &width) in widths.iter().enumerate() {
            let mut builder = root.pp(at);
            let block = |index| Ok(Block::new(builder.pp(index), width, width, Spacing::DENSE, false)?.0);
            branches.push((0..BLOCKS).map(block).collect::<Result<_>>()?);
        }
        let (mut exchange, mut root) = (vec![], builder.pp("fuse_layers"));
        for to in 0..count {
            let mut builder = root.pp(to);
            let path = |from| Path::new(builder.pp(from), from, to);
            exchange.push((0..count).map(path).collect::<Result<_>>()?);
        }
        Ok(Self { branches, exchange })
    }

    fn forward(&self, tape: &mut Tape, inputs: Vec<Value>) -> Result<Vec<Value>> {
        let mut outputs = vec![];
        for (blocks, x) in self.branches.iter().zip(inputs) {
            outputs.push(blocks.iter().try_fold(x, |x, block| block.forward(tape, x))?);
        }
        let mut fused = vec![];
        for (to, paths) in self.exchange.iter().enumerate() {
            let (_, _, h, w) = outputs[to].dims4()?;
            let mut sum: Option<Value> = None;
            for (from, (path, x)) in paths.iter().zip(&outputs).enumerate() {
                let part = path.forward(tape, x.clone(), (h, w))?;
                sum = Some(match sum {
                    None => part,
                    Some(sum) if from + 1 == paths.len() => ops::add_relu(tape, sum, part)?,
                    Some(sum) => ops::add(tape, sum, part)?,
                });
            }
            fused.push(sum.ok_or_else(|| Error::shape("hrnet", "a module has no branches"))?);
        }
        Ok(fused)
    }
}

impl Path {
    fn new(mut builder: Builder<'_>, from: usize, to: usize) -> Result<Self> {
        if from == to {
            return Ok(Self::Same);
        }
        if from > to {
            let channels = (WIDTHS[from], WIDTHS[to]);
            return Ok(Self::Up(ConvNorm::new(&mut builder, ("0", "1"), channels, 1, Spacing::DENSE)?));
        }
        let halving = |index: usize| {
            let out = if index + 1 == to - from { to } else { from };
            let channels = (WIDTHS[from], WIDTHS[out]);
            ConvNorm::new(&mut builder.pp(index), ("0", "1"), channels, 3, Spacing::stride(2))
        };
        Ok(Self::Down((0..to - from).map(halving).collect::<Result<_>>()?))
    }

    fn forward(&self, tape: &mut Tape, x: Value, size: (usize, usize)) -> Result<Value> {
        match self {
            Self::Same => Ok(x),
            Self::Up(layer) => {
                let y = layer.forward(tape, x, Activation::Identity)?;
                ops::resize_bilinear(tape, y, size)
            }
            Self::Down(layers) => {
                let mut y = x;
                for (index, layer) in layers.iter().enumerate() {
                    let last = index + 1 == layers.len();
                    y = layer.forward(tape, y, if last { Activation::Identity } else { Activation::Relu })?;
                }
                Ok(y)
            }
        }
    }
}
