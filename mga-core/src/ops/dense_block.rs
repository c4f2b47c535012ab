//! The dense block of DenseNet as one operator, which never copies its concatenation.

use candle_core::{DType, Tensor};

use super::batch_norm::vector_of;
use super::{Activation, BatchNormInputs, Conv2dSettings, Statistics, batch_norm, concat_channels, conv2d};
use crate::element::{Element, modify, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::kernels::batch_norm::{self as norm_kernel, Planes, Saved};
use crate::kernels::convolution;
use crate::kernels::dense_layer::{self, Owed};
use crate::kernels::maps::Maps;
use crate::kernels::shape::ConvShape;
use crate::recorder::Operator;
use crate::tape::{Gradient, Gradients, Slot, Tape, Value};

/// The parameters of one layer of a dense block: norm, ReLU, 1 x 1 convolution, norm, ReLU, 3 x 3 convolution with
/// padding 1.
pub struct DenseLayerInputs {
    /// The norm of the channels before the layer.
    pub norm1: BatchNormInputs,
    /// `[inner, channels before, 1, 1]`.
    pub conv1: Value,
    /// The norm of the `inner` channels.
    pub norm2: BatchNormInputs,
    /// `[growth, inner, 3, 3]`.
    pub conv2: Value,
}

/// Computes a dense block, `[N, C, H, W]` to `[N, C + layers * growth, H, W]`. Each layer adds `growth` channels,
/// computed from all channels before it (Huang et al. 2017). It also returns the batch statistics of the two norms of
/// each layer, if they used them.
///
/// f32 and f64 on the CPU: one buffer for all channels, with shared statistics; where the tape recomputes, the way back
/// computes the inner maps again. Otherwise composed of the tape's operators (f16 and bf16 as those do it).
pub fn dense_block(
    tape: &mut Tape,
    x: Value,
    layers: Vec<DenseLayerInputs>,
) -> Result<(Value, Vec<[Option<Statistics>; 2]>)> {
    let mut channels = x.dims4()?.1;
    for layer in &layers {
        let ((inner, c, ..), (growth, width, ..)) = (layer.conv1.dims4()?, layer.conv2.dims4()?);
        let norms = [(&layer.norm1, channels), (&layer.norm2, inner)];
        let norms = norms.iter().all(|(norm, c)| norm.weight.dims() == [*c] && norm.bias.dims() == [*c]);
        if c != channels
            || width != inner
            || !norms
            || layer.conv1.dims()[2..] != [1, 1]
            || layer.conv2.dims()[2..] != [3, 3]
        {
            let (a, b) = (layer.conv1.dims(), layer.conv2.dims());
            return Err(Error::shape(
                "dense_block",
                format!("{channels} channels before a layer with {a:?} and {b:?}"),
            ));
        }
        channels += growth;
    }
    let (n, _, h, w) = x.dims4()?;
    if n * h * w < 2 || !tape.kernels(x.tensor()) {
        return composed(tape, x, layers);
    }
    with_element!(x.tensor(), T => with_kernels::<T>(tape, &x, layers, channels))
}

fn composed(tape: &mut Tape, x: Value, layers: Vec<DenseLayerInputs>) -> Result<(Value, Vec<[Option<Statistics>; 2]>)> {
    let (mut joint, mut statistics) = (x, vec![]);
    for layer in layers {
        let (y, first) = batch_norm(tape, joint.clone(), layer.norm1, Activation::Relu)?;
        let y = conv2d(tape, y, layer.conv1, Conv2dSettings::default())?;
        let (y, second) = batch_norm(tape, y, layer.norm2, Activation::Relu)?;
        let y = conv2d(tape, y, layer.conv2, Conv2dSettings { padding: (1, 1), ..Conv2dSettings::default() })?;
        joint = concat_channels(tape, &[joint, y])?;
        statistics.push([first, second]);
    }
    Ok((joint, statistics))
}

/// What the way back needs of a layer.
struct Layer<T> {
    conv1: ConvShape,
    conv2: ConvShape,
    weights: [Tensor; 2],
    norms: [Saved<T>; 2],
    /// The maps between the convolutions, unless they are computed again.
    inner: Option<Vec<T>>,
    /// Of norm1's weight and bias, conv1, norm2's weight and bias, conv2.
    slots: [Option<Slot>; 6],
    /// Of the weights and biases of the norms.
    types: [DType; 4],
}

impl<T: Element> Layer<T> {
    fn planes(&self, of: usize) -> Planes {
        let (c, h, w) = self.conv1.input;
        Planes { n: self.conv1.n, c, area: h * w, of }
    }

    fn inner_planes(&self) -> Planes {
        let (c, h, w) = self.conv1.output;
        Planes { n: self.conv1.n, c, area: h * w, of: c }
    }
}

/// norm1, relu and the 1 x 1 convolution, on the first channels of a buffer of `of`.
fn inner_maps<T: Element>(conv: &ConvShape, norm: &Saved<T>, w: &Tensor, of: usize, buffer: &[T]) -> Result<Vec<T>> {
    let (c, h, width) = conv.input;
    let area = h * width;
    let mut inner = zeros::<T>(conv.n * conv.output.0 * area);
    let x = dense_layer::normalised(Planes { n: conv.n, c, area, of }, buffer, norm);
    read::<T, _>(w, |w| convolution::forward(conv, x, w, None, &mut inner, conv.output.0 * area))?;
    Ok(inner)
}

fn saved<T: Element>(norm: &BatchNormInputs, mean: &[f64], variance: &[f64]) -> Result<Saved<T>> {
    let (gamma, beta) = norm.weights::<T>()?;
    let window = Activation::Relu.window();
    if norm.batch_statistics {
        return Ok(Saved::new((mean, variance), (&gamma, &beta, norm.eps), window, true));
    }
    let running = norm.running_wide()?;
    Ok(Saved::new((&running.0, &running.1), (&gamma, &beta, norm.eps), window, false))
}

fn with_kernels<T: Element>(
    tape: &mut Tape,
    x: &Value,
    inputs: Vec<DenseLayerInputs>,
    total: usize,
) -> Result<(Value, Vec<[Option<Statistics>; 2]>)> {
    let (n, c, h, w) = x.dims4()?;
    let area = h * w;
    let mut buffer = zeros::<T>(n * total * area);
    read::<T, _>(x.tensor(), |x| {
        for (x, buffer) in x.chunks_exact(c * area).zip(buffer.chunks_exact_mut(total * area)) {
            buffer[..c * area].copy_from_slice(x);
        }
    })?;
    let mut values = vec![x.clone()];
    let (mut mean, mut variance) = (vec![], vec![]);
    let (mut layers, mut statistics) = (Vec::<Layer<T>>::new(), vec![]);
    let mut settings: Vec<(f64, bool)> = vec![];
    let shared = inputs.iter().any(|layer| layer.norm1.batch_statistics);
    let mut channels = c;
    for layer in inputs {
        let ((inner, ..), (growth, ..)) = (layer.conv1.dims4()?, layer.conv2.dims4()?);
        if shared {
            // Of the channels that came since the last layer: each channel's statistics are computed once.
            let fresh = Planes { n, c: channels - mean.len(), area, of: total };
            let (m, v) = norm_kernel::statistics(fresh, &buffer[mean.len() * area..]);
            mean.extend(m);
            variance.extend(v);
        }
        let plain = |input: usize, output: usize, kernel: usize| ConvShape {
            n,
            input: (input, h, w),
            output: (output, h, w),
            kernel: (kernel, kernel),
            stride: 1,
            padding: (kernel / 2, kernel / 2),
            dilation: 1,
            groups: 1,
        };
        let (conv1, conv2) = (plain(channels, inner, 1), plain(inner, growth, 3));
        let weights = [layer.conv1.tensor().clone(), layer.conv2.tensor().clone()];
        let norm1 = saved::<T>(&layer.norm1, &mean, &variance)?;
        let maps = inner_maps(&conv1, &norm1, &weights[0], total, &buffer)?;
        let planes = Planes { n, c: inner, area, of: inner };
        let (m, v) =
            if layer.norm2.batch_statistics { norm_kernel::statistics(planes, &maps) } else { (vec![], vec![]) };
        let norm2 = saved::<T>(&layer.norm2, &m, &v)?;
        read::<T, _>(&weights[1], |w| {
            let x = Maps { affine: Some(norm2.affine()), ..Maps::whole(&maps, inner, area) };
            convolution::forward(&conv2, x, w, None, &mut buffer[channels * area..], total * area);
        })?;
        statistics.push([layer.norm1.statistics::<T>(&mean, &variance)?, layer.norm2.statistics::<T>(&m, &v)?]);
        let types = [&layer.norm1.weight, &layer.norm1.bias, &layer.norm2.weight, &layer.norm2.bias];
        let types = types.map(|value| value.tensor().dtype());
        settings.extend([&layer.norm1, &layer.norm2].map(|norm| (norm.eps, norm.batch_statistics)));
        let slots = [
            &layer.norm1.weight,
            &layer.norm1.bias,
            &layer.conv1,
            &layer.norm2.weight,
            &layer.norm2.bias,
            &layer.conv2,
        ];
        let slots = slots.map(Value::slot);
        for (norm, conv) in [(layer.norm1, layer.conv1), (layer.norm2, layer.conv2)] {
            values.extend([norm.weight, norm.bias]);
            if !norm.batch_statistics {
                values.extend([norm.running.0, norm.running.1]);
            }
            values.push(conv);
        }
        if tape.needs_gradient(&values.iter().collect::<Vec<_>>()) {
            let inner = (!tape.recomputes()).then_some(maps);
            layers.push(Layer { conv1, conv2, weights, norms: [norm1, norm2], inner, slots, types });
        }
        channels += growth;
    }
    let output = tensor(buffer, (n, total, h, w))?;
    let kept = output.clone();
    let (x_slot, dims) = (x.slot(), x.dims().to_vec());
    // Of every layer's two norms, in order; the inputs come in the same order, running statistics behind the bias where a
    // norm uses them.
    let attributes = || {
        let (eps, batch): (Vec<f64>, Vec<usize>) =
            settings.iter().map(|(eps, batch)| (*eps, usize::from(*batch))).unzip();
        vec![("layers", (batch.len() / 2).into()), ("eps", eps.into()), ("batch_statistics", batch[..].into())]
    };
    let operator = Operator::with("dense_block", &attributes);
    let value = tape.record(operator, &values.iter().collect::<Vec<_>>(), output, move |dy, gradients| {
        let dy = dy.into_owned()?;
        read::<T, _>(&kept, |buffer| {
            modify::<T, _>(&dy, |dy| backward(layers, (buffer, total), &mean, (x_slot, &dims), dy, gradients))
        })??
    });
    Ok((value, statistics))
}

/// The way back: `dy` is the gradient of the buffer, and is used up.
fn backward<T: Element>(
    layers: Vec<Layer<T>>,
    (buffer, total): (&[T], usize),
    mean: &[f64],
    (x_slot, dims): (Option<Slot>, &[usize]),
    dy: &mut [T],
    gradients: &mut Gradients,
) -> Result<()> {
    let (n, c, area) = (dims[0], dims[1], dims[2] * dims[3]);
    let mut owed = Owed::nothing(total);
    // Without batch statistics nothing is owed, and the means do not matter.
    let settle = |owed: &Owed, channels: std::ops::Range<usize>, dy: &mut [T]| {
        if !mean.is_empty() {
            let known = channels.start..channels.end.min(mean.len());
            owed.settle(Planes { n, c: total, area, of: total }, known, buffer, mean, dy);
        }
    };
    let needs: Vec<bool> = layers
        .iter()
        .scan(x_slot.is_some(), |below, layer| {
            // Whether anything before the layer's first convolution, and the layer before, is trained.
            let own = *below;
            *below |= layer.slots.iter().any(Option::is_some);
            Some(own)
        })
        .collect();
    for (mut layer, below) in layers.into_iter().zip(needs).rev() {
        let (channels, growth) = (layer.conv1.input.0, layer.conv2.output.0);
        settle(&owed, channels..channels + growth, dy);
        let inner = match layer.inner.take() {
            Some(inner) => inner,
            None => inner_maps(&layer.conv1, &layer.norms[0], &layer.weights[0], total, buffer)?,
        };
        let [w1, b1, c1, w2, b2, c2] = layer.slots;
        let [w1_type, b1_type, w2_type, b2_type] = layer.types;
        let planes = layer.inner_planes();
        let dy_own = Maps { numbers: &dy[channels * area..], image: total * area, affine: None };
        if let Some(slot) = c2 {
            let x = Maps { affine: Some(layer.norms[1].affine()), ..Maps::whole(&inner, planes.c, area) };
            gradients.accumulate::<T>(slot, layer.weights[1].dims(), |dw, _| {
                convolution::backward_weight(&layer.conv2, x, dy_own, dw);
            })?;
        }
        if !below && [w1, b1, c1, w2, b2].iter().all(Option::is_none) {
            continue;
        }
        let mut dz = zeros::<T>(inner.len());
        read::<T, _>(&layer.weights[1], |w| convolution::backward_input(&layer.conv2, w, dy_own, &mut dz, true))?;
        let (dw, db) = norm_kernel::backward(planes, &inner, &mut dz, &layer.norms[1], true);
        gradients.add(w2, Gradient::new(vector_of(dw, w2_type)?))?;
        gradients.add(b2, Gradient::new(vector_of(db, b2_type)?))?;
        drop(inner);
        let input = layer.planes(total);
        if let Some(slot) = c1 {
            let x = dense_layer::normalised(input, buffer, &layer.norms[0]);
            gradients.accumulate::<T>(slot, layer.weights[0].dims(), |dw, _| {
                convolution::backward_weight(&layer.conv1, x, Maps::whole(&dz, planes.c, area), dw);
            })?;
        }
        if below || w1.is_some() || b1.is_some() {
            let (dw, db) = read::<T, _>(&layer.weights[0], |w| {
                let norm = &layer.norms[0];
                dense_layer::backward_norm_conv(&layer.conv1, input, (buffer, &dz, w), norm, &mut owed, dy)
            })?;
            gradients.add(w1, Gradient::new(vector_of(dw, w1_type)?))?;
            gradients.add(b1, Gradient::new(vector_of(db, b1_type)?))?;
        }
    }
    if x_slot.is_none() {
        return Ok(());
    }
    settle(&owed, 0..c, dy);
    let mut dx = Vec::with_capacity(n * c * area);
    dy.chunks_exact(total * area).for_each(|image| dx.extend_from_slice(&image[..c * area]));
    gradients.add(x_slot, Gradient::new(tensor(dx, dims)?))
}

#[cfg(test)]
mod tests;
