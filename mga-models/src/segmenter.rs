//! The interface of a segmenter, which gives each image a mask: a trait for everything that does, one for the networks
//! among them, and the way from the second to the first.

use candle_core::{Device, Tensor};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gives each image a mask. Images come as RGB in 0..=1, not normalised: a segmenter normalises by itself.
pub trait Segmenter: Send + Sync {
    /// `images` `[N, 3, H, W]` to masks `[N, 1, H, W]` in 0..=1.
    fn masks(&self, images: &Tensor) -> Result<Tensor>;
}

/// A segmentation network that the tape can train.
pub trait SegmentationNetwork: Send + Sync {
    /// Classes it tells apart.
    fn classes(&self) -> usize;

    /// Normalised images `[N, 3, H, W]` to logits `[N, K, H, W]` at the images' own size, and those of the auxiliary head
    /// where the network has one and the tape trains. Freezing goes by state-dict prefixes, [`under`] a dot.
    ///
    /// [`under`]: mga_core::parameter::under
    fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput>;

    /// At which sizes, relative to the image, evaluation looks, and whether at the mirrored image too: for a network that
    /// joins scales by itself (`hmsa`). Others refuse; their masks can still be averaged over scales outside.
    fn set_scales(&mut self, scales: &[f64], flip: bool) -> Result<()> {
        Err(Error::settings(format!(
            "this segmentation network looks at one scale, so it cannot join the scales {scales:?} (flip = {flip}); \
             leave its scales out, or take `hmsa`"
        )))
    }
}

/// The output of a segmentation network for a batch, `[N, K, H, W]` each.
#[derive(Debug, Clone)]
pub struct SegmentationOutput {
    /// Scores.
    pub logits: Value,
    /// Scores of the auxiliary head: in training, where the network has one.
    pub auxiliary: Option<Value>,
}

/// Which classes are foreground, and whether the mask is soft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForegroundSettings {
    /// The classes whose probabilities add up to the mask; `[0]` for a network with a single class.
    pub classes: Vec<usize>,
    /// 1 from this probability on and 0 below; left out, the mask is the probability itself.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// A network turned into a [`Segmenter`]: normalisation, which classes are foreground, soft or thresholded.
pub struct NetworkSegmenter {
    network: Box<dyn SegmentationNetwork>,
    mean: [f64; 3],
    std: [f64; 3],
    foreground: ForegroundSettings,
}

impl NetworkSegmenter {
    /// Creates a segmenter; `mean` and `std` are those of the weights, per channel of RGB in 0..=1.
    ///
    /// # Errors
    /// A foreground class that the network does not have or that is named twice, no class at all, a threshold outside
    /// 0..=1, a standard deviation that is not above 0.
    pub fn new(
        network: Box<dyn SegmentationNetwork>,
        mean: [f64; 3],
        std: [f64; 3],
        foreground: ForegroundSettings,
    ) -> Result<Self> {
        let (classes, known) = (&foreground.classes, network.classes());
        if classes.is_empty() {
            return Err(Error::settings("a segmenter needs at least one foreground class, none is named"));
        }
        if let Some(class) = classes.iter().find(|&&class| class >= known) {
            return Err(Error::settings(format!("foreground class {class}: the network has {known}, counted from 0")));
        }
        if let Some((_, class)) = classes.iter().enumerate().find(|(at, class)| classes[..*at].contains(class)) {
            return Err(Error::settings(format!("foreground class {class} is named twice")));
        }
        if let Some(threshold) = foreground.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            return Err(Error::settings(format!("a mask's threshold must lie in 0 to 1, got {threshold}")));
        }
        if std.iter().any(|&deviation| deviation.is_nan() || deviation <= 0.0) {
            return Err(Error::settings(format!("standard deviations must be above 0, got {std:?}")));
        }
        Ok(Self { network, mean, std, foreground })
    }

    /// Returns the network.
    pub fn network(&self) -> &dyn SegmentationNetwork {
        self.network.as_ref()
    }

    fn normalised(&self, images: &Tensor) -> Result<Tensor> {
        let channel = |values: [f64; 3]| -> Result<Tensor> {
            let row = Tensor::from_slice(&values, (1, 3, 1, 1), &Device::Cpu)?;
            Ok(row.to_dtype(images.dtype())?.to_device(images.device())?)
        };
        Ok(images.broadcast_sub(&channel(self.mean)?)?.broadcast_div(&channel(self.std)?)?)
    }
}

impl Segmenter for NetworkSegmenter {
    fn masks(&self, images: &Tensor) -> Result<Tensor> {
        if images.dims4().ok().is_none_or(|(_, channels, _, _)| channels != 3) {
            return Err(Error::shape("segmenter", format!("needs images [N, 3, H, W], got {:?}", images.dims())));
        }
        let mut tape = Tape::eval();
        let x = tape.constant(&self.normalised(images)?)?;
        let logits = self.network.forward(&mut tape, x)?.logits.tensor().clone();
        let mask = foreground(&logits, &self.foreground.classes)?;
        match self.foreground.threshold {
            None => Ok(mask),
            Some(threshold) => Ok(mask.ge(threshold)?.to_dtype(mask.dtype())?),
        }
    }
}

/// The joint probability of `classes` under `logits` `[N, K, H, W]`, in `[N, 1, H, W]`: softmax, or for a single class
/// the logistic function.
fn foreground(logits: &Tensor, classes: &[usize]) -> Result<Tensor> {
    if logits.dim(1)? == 1 {
        return Ok(candle_nn::ops::sigmoid(logits)?);
    }
    let likelihoods = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
    let index: Vec<u32> = classes.iter().map(|&class| class as u32).collect();
    let index = Tensor::new(index, logits.device())?;
    let chosen = likelihoods.index_select(&index, 1)?.sum_keepdim(1)?;
    // Rounding may put the share of all classes a hair above 1.
    Ok((chosen / likelihoods.sum_keepdim(1)?)?.clamp(0f64, 1f64)?.to_dtype(logits.dtype())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    /// Its logits are the normalised channels: three classes, or the first channel alone.
    struct Channels(usize);

    impl SegmentationNetwork for Channels {
        fn classes(&self) -> usize {
            self.0
        }
        fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput> {
            let logits = tape.constant(&images.tensor().narrow(1, 0, self.0)?)?;
            Ok(SegmentationOutput { logits, auxiliary: None })
        }
    }

    fn segmenter(k: usize, classes: &[usize], threshold: Option<f64>) -> Result<NetworkSegmenter> {
        let settings = ForegroundSettings { classes: classes.to_vec(), threshold };
        NetworkSegmenter::new(Box::new(Channels(k)), [0.5, 0.0, 0.25], [0.5, 1.0, 0.25], settings)
    }

    fn pixel(segmenter: &NetworkSegmenter) -> Result<f64> {
        let image = Tensor::new(&[0.75f64, 0.25, 0.0], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
        let mask = segmenter.masks(&image)?;
        assert_eq!((mask.dims(), mask.dtype()), ([1, 1, 1, 1].as_slice(), DType::F64));
        Ok(mask.flatten_all()?.to_vec1::<f64>()?[0])
    }

    #[test]
    fn the_mask_is_the_share_of_the_foreground() -> Result<()> {
        // Normalised to 0.5, 0.25 and -1.
        let e = [0.5f64, 0.25, -1.0].map(f64::exp);
        let expected = (e[0] + e[2]) / e.iter().sum::<f64>();
        assert!((pixel(&segmenter(3, &[0, 2], None)?)? - expected).abs() < 1e-12);
        assert!((pixel(&segmenter(1, &[0], None)?)? - 1.0 / (1.0 + (-0.5f64).exp())).abs() < 1e-12);
        assert!(pixel(&segmenter(3, &[0, 1, 2], None)?)? <= 1.0);
        Ok(())
    }

    #[test]
    fn a_threshold_cuts() -> Result<()> {
        assert_eq!(pixel(&segmenter(3, &[0], Some(0.4))?)?, 1.0);
        assert_eq!(pixel(&segmenter(3, &[1], Some(0.4))?)?, 0.0);
        Ok(())
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let message =
            |classes: &[usize], threshold| segmenter(3, classes, threshold).err().map(|e| e.to_string()).unwrap();
        assert!(message(&[], None).contains("at least one"));
        assert!(message(&[3], None).contains("the network has 3"));
        assert!(message(&[1, 0, 1], None).contains("class 1 is named twice"));
        assert!(message(&[1], Some(1.5)).contains("1.5"));
        let mut network: Box<dyn SegmentationNetwork> = Box::new(Channels(3));
        assert!(network.set_scales(&[0.5, 1.0], false).unwrap_err().to_string().contains("hmsa"));
    }
}
