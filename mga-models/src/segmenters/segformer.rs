//! SegFormer (Xie et al. 2021): a transformer in four stages and a decoder of linear layers, under the names of
//! `nvidia/segformer-*`. The decoder upsamples bilinearly, as the original does.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit, LayerNorm, Linear};
use mga_core::ops::{self, Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};

use super::fcn::scores;
use super::registered::{RegisteredNetwork, RegisteredSegmenter, Segmenters};
use super::segformer_block::{BlockSizes, EPS, TransformerBlock, each, map, tokens};
use crate::segmenter::{SegmentationNetwork, SegmentationOutput};
use crate::settings::no_settings;
use crate::weights::PublishedWeights;

/// The settings that distinguish the six sizes, from table 6 of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegFormerSizes {
    /// Channels of the stages.
    pub channels: [usize; 4],
    /// Their blocks.
    pub blocks: [usize; 4],
    /// Channels of the decoder.
    pub decoder: usize,
}

/// Attention heads of the stages.
const HEADS: [usize; 4] = [1, 2, 5, 8];
/// By how much their maps are shrunk before they are looked at.
const REDUCTIONS: [usize; 4] = [8, 4, 2, 1];
/// Kernel and stride of the convolution in front of each stage.
const PATCHES: [(usize, usize); 4] = [(7, 4), (3, 2), (3, 2), (3, 2)];
/// Stochastic depth of the last block; it grows from 0 at the first.
const DROP_PATH: f64 = 0.1;

/// From 3.8 to 84.7 million parameters.
pub(super) fn entries() -> Vec<Entry<Segmenters>> {
    let entry = |name: &'static str, channels, blocks, decoder| {
        let about = format!("SegFormer (Xie et al. 2021), {name} as nvidia publishes it");
        let member = Member { name, sizes: SegFormerSizes { channels, blocks, decoder } };
        Entry::<Segmenters>::new(name, about, Arc::new(RegisteredSegmenter::Network(Box::new(member))))
    };
    vec![
        entry("segformer_b0", [32, 64, 160, 256], [2, 2, 2, 2], 256),
        entry("segformer_b1", [64, 128, 320, 512], [2, 2, 2, 2], 256),
        entry("segformer_b2", [64, 128, 320, 512], [3, 4, 6, 3], 768),
        entry("segformer_b3", [64, 128, 320, 512], [3, 4, 18, 3], 768),
        entry("segformer_b4", [64, 128, 320, 512], [3, 8, 27, 3], 768),
        entry("segformer_b5", [64, 128, 320, 512], [3, 6, 40, 3], 768),
    ]
}

struct Member {
    name: &'static str,
    sizes: SegFormerSizes,
}

impl RegisteredNetwork for Member {
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        no_settings(settings, self.name)?;
        Ok(Box::new(SegFormer::new(builder, self.sizes, classes)?))
    }
}

macro_rules! published {
    ($component:literal, $name:literal, $size:literal, $revision:literal) => {
        PublishedWeights {
            name: concat!("nvidia/", $name),
            repo: concat!("nvidia/", $name),
            component: $component,
            revision: $revision,
            size: $size,
            interpolation: "bilinear",
            crop_pct: 1.0,
            classes: 150,
            licence: "other",
            ..PublishedWeights::TIMM
        }
    };
}

/// Published weights: trained on ADE20K's 150 classes, none of which is a background. The licence is NVIDIA's own, for
/// non-commercial use. Of all but the smallest, safetensors lie in a pull request of the hub's conversion alone.
pub(super) const WEIGHTS: &[PublishedWeights] = &[
    published!("segformer_b0", "segformer-b0-finetuned-ade-512-512", 512, "main"),
    published!("segformer_b1", "segformer-b1-finetuned-ade-512-512", 512, "refs/pr/2"),
    published!("segformer_b2", "segformer-b2-finetuned-ade-512-512", 512, "refs/pr/2"),
    published!("segformer_b3", "segformer-b3-finetuned-ade-512-512", 512, "d49ce4e74ab8bbcd9e7886e52d716add0c8f5136"),
    published!("segformer_b4", "segformer-b4-finetuned-ade-512-512", 512, "refs/pr/3"),
    published!("segformer_b5", "segformer-b5-finetuned-ade-640-640", 640, "refs/pr/3"),
];

/// The network.
pub struct SegFormer {
    stages: Vec<Stage>,
    decoder: Decoder,
    classes: usize,
}

struct Stage {
    embedding: Conv2d,
    embedding_norm: LayerNorm,
    blocks: Vec<TransformerBlock>,
    norm: LayerNorm,
}

impl SegFormer {
    /// Entries `segformer.encoder.*` and `decode_head.*`.
    pub fn new(mut builder: Builder<'_>, sizes: SegFormerSizes, classes: usize) -> Result<Self> {
        let mut root = builder.pp("segformer");
        let mut encoder = root.pp("encoder");
        // In the published order: all embeddings, all blocks, all norms.
        let (mut embeddings, mut blocks, mut norms) = (vec![], vec![], vec![]);
        let mut before = 3;
        for (stage, (&channels, (kernel, stride))) in sizes.channels.iter().zip(PATCHES).enumerate() {
            let mut root = encoder.pp("patch_embeddings");
            let mut builder = root.pp(stage);
            let settings = Conv2dSettings { stride, padding: (kernel / 2, kernel / 2), ..Conv2dSettings::default() };
            let (sides, kernel) = ((before, channels), (kernel, kernel));
            let conv = Conv2d::with_bias(builder.pp("proj"), sides, kernel, settings, ConvInit::HeFanOut)?;
            embeddings.push((conv, LayerNorm::new(builder.pp("layer_norm"), channels, EPS)?));
            before = channels;
        }
        let total: usize = sizes.blocks.iter().sum();
        let mut built = 0;
        for (stage, (&channels, &count)) in sizes.channels.iter().zip(&sizes.blocks).enumerate() {
            let mut root = encoder.pp("block");
            let mut builder = root.pp(stage);
            let mut row = vec![];
            for block in 0..count {
                let drop_path = DROP_PATH * built as f64 / (total - 1).max(1) as f64;
                let sizes = BlockSizes { channels, heads: HEADS[stage], reduction: REDUCTIONS[stage], drop_path };
                row.push(TransformerBlock::new(builder.pp(block), sizes)?);
                built += 1;
            }
            blocks.push(row);
        }
        for (stage, &channels) in sizes.channels.iter().enumerate() {
            norms.push(LayerNorm::new(encoder.pp("layer_norm").pp(stage), channels, EPS)?);
        }
        let stages = embeddings
            .into_iter()
            .zip(blocks)
            .zip(norms)
            .map(|(((embedding, embedding_norm), blocks), norm)| Stage { embedding, embedding_norm, blocks, norm });
        let stages = stages.collect();
        let decoder = Decoder::new(builder.pp("decode_head"), sizes, classes)?;
        Ok(Self { stages, decoder, classes })
    }

    /// Computes scores at a quarter of the size of `images` `[N, 3, H, W]`, which is the output of the original
    /// network.
    pub fn quarter_logits(&self, tape: &mut Tape, images: Value) -> Result<Value> {
        let mut maps = vec![];
        let mut x = images;
        for stage in &self.stages {
            x = stage.forward(tape, x)?;
            maps.push(x.clone());
        }
        self.decoder.forward(tape, maps)
    }
}

impl Stage {
    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let y = self.embedding.forward(tape, x)?;
        let (_, _, h, w) = y.dims4()?;
        let y = tokens(tape, y)?;
        let mut y = self.embedding_norm.forward(tape, y)?;
        for block in &self.blocks {
            y = block.forward(tape, y, (h, w))?;
        }
        let y = self.norm.forward(tape, y)?;
        map(tape, y, (h, w))
    }
}

impl SegmentationNetwork for SegFormer {
    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput> {
        let (_, _, h, w) = images.dims4()?;
        let quarter = self.quarter_logits(tape, images)?;
        Ok(SegmentationOutput { logits: ops::resize_bilinear(tape, quarter, (h, w))?, auxiliary: None })
    }
}

/// Every stage to one width and the first one's size, joined from the last to the first.
struct Decoder {
    linear: Vec<Linear>,
    fuse: Conv2d,
    norm: BatchNorm2d,
    scores: Conv2d,
}

impl Decoder {
    fn new(mut builder: Builder<'_>, sizes: SegFormerSizes, classes: usize) -> Result<Self> {
        let width = sizes.decoder;
        let mut linear = vec![];
        for (stage, &channels) in sizes.channels.iter().enumerate() {
            linear.push(Linear::new(builder.pp("linear_c").pp(stage).pp("proj"), channels, width)?);
        }
        let joint = (width * linear.len(), width);
        let fuse = builder.pp("linear_fuse");
        let fuse = Conv2d::new(fuse, joint, (1, 1), Conv2dSettings::default(), ConvInit::HeFanOut)?;
        let norm = BatchNorm2d::new(builder.pp("batch_norm"), width, BatchNormSettings::default())?;
        Ok(Self { linear, fuse, norm, scores: scores(builder.pp("classifier"), width, classes)? })
    }

    fn forward(&self, tape: &mut Tape, maps: Vec<Value>) -> Result<Value> {
        let (mut parts, mut first) = (vec![], None);
        for (linear, x) in self.linear.iter().zip(maps) {
            let (_, _, h, w) = x.dims4()?;
            let size = *first.get_or_insert((h, w));
            let y = tokens(tape, x)?;
            let y = each(tape, linear, y)?;
            let y = map(tape, y, (h, w))?;
            parts.push(ops::resize_bilinear(tape, y, size)?);
        }
        parts.reverse();
        let joint = ops::concat_channels(tape, &parts)?;
        let y = self.fuse.forward(tape, joint)?;
        let y = self.norm.forward(tape, y, Activation::Relu)?;
        let y = ops::dropout(tape, y, 0.1)?;
        self.scores.forward(tape, y)
    }
}
