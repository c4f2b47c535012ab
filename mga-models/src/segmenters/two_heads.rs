//! The common parts of torchvision's segmentation networks: a trunk, a head on its last stage, and in training an
//! auxiliary head on an earlier one. Entries `backbone.*`, `classifier.*`, `aux_classifier.*`.

use mga_core::tape::{Phase, Tape, Value};
use mga_core::{Error, Result, ops};

use crate::backbone::{Backbone, StageId};
use crate::segmenter::{SegmentationNetwork, SegmentationOutput};

/// Features `[N, C, h, w]` to logits `[N, K, h, w]`.
pub(super) trait PixelHead: Send + Sync {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value>;
}

/// The network; `taps` are the stages of the auxiliary head and of the head.
pub(super) struct TwoHeads {
    pub(super) trunk: Box<dyn Backbone>,
    pub(super) taps: [StageId; 2],
    pub(super) head: Box<dyn PixelHead>,
    pub(super) auxiliary: Box<dyn PixelHead>,
    pub(super) classes: usize,
}

impl SegmentationNetwork for TwoHeads {
    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, tape: &mut Tape, images: Value) -> Result<SegmentationOutput> {
        let (_, _, h, w) = images.dims4()?;
        let training = tape.phase() == Phase::Train;
        let taps = if training { &self.taps[..] } else { &self.taps[1..] };
        let mut features = self.trunk.forward(tape, images, taps)?;
        let (_, last) = features.maps.pop().ok_or_else(|| Error::shape("segmenter", "its trunk has no stages"))?;
        let logits = self.head.forward(tape, last)?;
        let logits = ops::resize_bilinear(tape, logits, (h, w))?;
        let auxiliary = match features.maps.pop() {
            None => None,
            Some((_, features)) => {
                let auxiliary = self.auxiliary.forward(tape, features)?;
                Some(ops::resize_bilinear(tape, auxiliary, (h, w))?)
            }
        };
        Ok(SegmentationOutput { logits, auxiliary })
    }
}
