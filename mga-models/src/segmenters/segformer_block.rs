//! The transformer block of SegFormer: attention to a shrunk map, and a mixing network with a depthwise convolution in it
//! that stands for position. Tokens are `[N, L, C]`, the pixels of a map `[N, C, h, w]` row by row.

use mga_core::Result;
use mga_core::nn::{Conv2d, ConvInit, LayerNorm, Linear};
use mga_core::ops::{self, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};

/// eps of every layer norm.
pub(super) const EPS: f64 = 1e-5;

/// `[N, C, h, w]` to tokens.
pub(super) fn tokens(tape: &mut Tape, map: Value) -> Result<Value> {
    let (n, c, h, w) = map.dims4()?;
    let rows = ops::permute(tape, map, &[0, 2, 3, 1])?;
    ops::reshape(tape, rows, &[n, h * w, c])
}

/// Tokens to `[N, C, h, w]`.
pub(super) fn map(tape: &mut Tape, tokens: Value, (h, w): (usize, usize)) -> Result<Value> {
    let (n, _, c) = tokens.tensor().dims3()?;
    let rows = ops::reshape(tape, tokens, &[n, h, w, c])?;
    ops::permute(tape, rows, &[0, 3, 1, 2])
}

/// A linear layer on every token.
pub(super) fn each(tape: &mut Tape, layer: &Linear, tokens: Value) -> Result<Value> {
    let (n, l, c) = tokens.tensor().dims3()?;
    let rows = ops::reshape(tape, tokens, &[n * l, c])?;
    let rows = layer.forward(tape, rows)?;
    let width = rows.dims()[1];
    ops::reshape(tape, rows, &[n, l, width])
}

/// Sizes of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockSizes {
    pub(super) channels: usize,
    pub(super) heads: usize,
    /// By how much the map is shrunk before it is looked at.
    pub(super) reduction: usize,
    /// The probability with which training leaves out either half of the block, image by image.
    pub(super) drop_path: f64,
}

/// `x + attention(norm(x))`, then `x + mix(norm(x))`.
pub(super) struct TransformerBlock {
    norms: [LayerNorm; 2],
    attention: Attention,
    mix: Mix,
    drop_path: f64,
}

impl TransformerBlock {
    pub(super) fn new(mut builder: Builder<'_>, sizes: BlockSizes) -> Result<Self> {
        let before = LayerNorm::new(builder.pp("layer_norm_1"), sizes.channels, EPS)?;
        let attention = Attention::new(builder.pp("attention"), sizes)?;
        let between = LayerNorm::new(builder.pp("layer_norm_2"), sizes.channels, EPS)?;
        let mix = Mix::new(builder.pp("mlp"), sizes.channels)?;
        Ok(Self { norms: [before, between], attention, mix, drop_path: sizes.drop_path })
    }

    /// Tokens of a map of `size` to tokens.
    pub(super) fn forward(&self, tape: &mut Tape, x: Value, size: (usize, usize)) -> Result<Value> {
        let y = self.norms[0].forward(tape, x.clone())?;
        let y = self.attention.forward(tape, y, size)?;
        let y = self.drop(tape, y)?;
        let x = ops::add(tape, x, y)?;
        let y = self.norms[1].forward(tape, x.clone())?;
        let y = self.mix.forward(tape, y, size)?;
        let y = self.drop(tape, y)?;
        ops::add(tape, x, y)
    }

    fn drop(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (n, l, c) = x.tensor().dims3()?;
        let whole = ops::reshape(tape, x, &[n, 1, l, c])?;
        let whole = ops::channel_dropout(tape, whole, self.drop_path)?;
        ops::reshape(tape, whole, &[n, l, c])
    }
}

/// Scaled dot product attention of every token to those of the map shrunk by a strided convolution.
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    shrink: Option<(Conv2d, LayerNorm)>,
    output: Linear,
    heads: usize,
}

impl Attention {
    fn new(mut builder: Builder<'_>, BlockSizes { channels, heads, reduction, .. }: BlockSizes) -> Result<Self> {
        let mut inner = builder.pp("self");
        let [query, key, value] = ["query", "key", "value"].map(|name| Linear::new(inner.pp(name), channels, channels));
        let shrink = if reduction > 1 {
            let settings = Conv2dSettings { stride: reduction, ..Conv2dSettings::default() };
            let (sizes, kernel) = ((channels, channels), (reduction, reduction));
            let conv = Conv2d::with_bias(inner.pp("sr"), sizes, kernel, settings, ConvInit::HeFanOut)?;
            Some((conv, LayerNorm::new(inner.pp("layer_norm"), channels, EPS)?))
        } else {
            None
        };
        let output = Linear::new(builder.pp("output").pp("dense"), channels, channels)?;
        Ok(Self { query: query?, key: key?, value: value?, shrink, output, heads })
    }

    fn forward(&self, tape: &mut Tape, x: Value, size: (usize, usize)) -> Result<Value> {
        let (n, l, c) = x.tensor().dims3()?;
        let depth = c / self.heads;
        let seen = match &self.shrink {
            None => x.clone(),
            Some((conv, norm)) => {
                let whole = map(tape, x.clone(), size)?;
                let small = conv.forward(tape, whole)?;
                let small = tokens(tape, small)?;
                norm.forward(tape, small)?
            }
        };
        let query = self.split(tape, &self.query, x, [0, 2, 1, 3])?;
        let key = self.split(tape, &self.key, seen.clone(), [0, 2, 3, 1])?;
        let value = self.split(tape, &self.value, seen, [0, 2, 1, 3])?;
        let likeness = ops::batch_matmul(tape, query, key)?;
        let likeness = ops::scaled_sum(tape, &[(likeness, 1.0 / (depth as f64).sqrt())])?;
        let shares = ops::softmax(tape, likeness, 2)?;
        let context = ops::batch_matmul(tape, shares, value)?;
        let context = ops::reshape(tape, context, &[n, self.heads, l, depth])?;
        let context = ops::permute(tape, context, &[0, 2, 1, 3])?;
        let context = ops::reshape(tape, context, &[n, l, c])?;
        each(tape, &self.output, context)
    }

    /// Tokens through a layer, as `[N heads, a, b]`: the last two of `[N, L, heads, C / heads]` brought to `order`.
    fn split(&self, tape: &mut Tape, layer: &Linear, x: Value, order: [usize; 4]) -> Result<Value> {
        let y = each(tape, layer, x)?;
        let (n, l, c) = y.tensor().dims3()?;
        let y = ops::reshape(tape, y, &[n, l, self.heads, c / self.heads])?;
        let y = ops::permute(tape, y, &order)?;
        let (_, _, a, b) = y.dims4()?;
        ops::reshape(tape, y, &[n * self.heads, a, b])
    }
}

/// Four times as wide, a depthwise 3 x 3 convolution, GELU, and back.
struct Mix {
    widen: Linear,
    depthwise: Conv2d,
    narrow: Linear,
}

impl Mix {
    fn new(mut builder: Builder<'_>, channels: usize) -> Result<Self> {
        let wide = 4 * channels;
        let settings = Conv2dSettings { padding: (1, 1), groups: wide, ..Conv2dSettings::default() };
        let widen = Linear::new(builder.pp("dense1"), channels, wide)?;
        let mut inner = builder.pp("dwconv");
        let depthwise = Conv2d::with_bias(inner.pp("dwconv"), (wide, wide), (3, 3), settings, ConvInit::FanIn)?;
        Ok(Self { widen, depthwise, narrow: Linear::new(builder.pp("dense2"), wide, channels)? })
    }

    fn forward(&self, tape: &mut Tape, x: Value, size: (usize, usize)) -> Result<Value> {
        let y = each(tape, &self.widen, x)?;
        let y = map(tape, y, size)?;
        let y = self.depthwise.forward(tape, y)?;
        let y = tokens(tape, y)?;
        let y = ops::gelu(tape, y)?;
        each(tape, &self.narrow, y)
    }
}
