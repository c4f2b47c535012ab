//! Classifiers on top of the attended features.

use mga_core::Result;
use mga_core::nn::Linear;
use mga_core::ops;
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};

/// The kind of a backbone's classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeadKind {
    /// Global average pool, dropout, one linear layer called `name`; `relu` rectifies before pooling (DenseNets).
    Linear {
        /// Rectify first.
        relu: bool,
        /// Dropout before the linear layer.
        dropout: f64,
        /// State-dict name of the linear layer.
        name: &'static str,
    },
    /// 7 x 7 pool and `classifier.0`, `.3`, `.6` of 4096, 4096 and the classes, with dropout behind the first two.
    Vgg {
        /// Dropout.
        dropout: f64,
    },
}

/// Features `[N, C, h, w]` to scores `[N, classes]`.
pub trait Head: Send + Sync {
    /// The scores.
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value>;
}

impl HeadKind {
    /// Builds it for `channels` features; `dropout` replaces the kind's own.
    pub fn build(
        self,
        mut builder: Builder<'_>,
        channels: usize,
        classes: usize,
        dropout: Option<f64>,
    ) -> Result<Box<dyn Head>> {
        Ok(match self {
            Self::Linear { relu, dropout: own, name } => {
                let mut builder = builder;
                let layer = Linear::new(builder.pp(name), channels, classes)?;
                Box::new(LinearHead { relu, dropout: dropout.unwrap_or(own), layer })
            }
            Self::Vgg { dropout: own } => {
                let mut builder = builder.pp("classifier");
                let layers = [
                    Linear::new(builder.pp(0), channels * 49, 4096)?,
                    Linear::new(builder.pp(3), 4096, 4096)?,
                    Linear::new(builder.pp(6), 4096, classes)?,
                ];
                Box::new(VggHead { dropout: dropout.unwrap_or(own), layers })
            }
        })
    }
}

struct LinearHead {
    relu: bool,
    dropout: f64,
    layer: Linear,
}

impl Head for LinearHead {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let x = if self.relu { ops::relu(tape, features)? } else { features };
        let x = ops::adaptive_avg_pool2d(tape, x, (1, 1))?;
        let x = ops::flatten(tape, x)?;
        let x = ops::dropout(tape, x, self.dropout)?;
        self.layer.forward(tape, x)
    }
}

struct VggHead {
    dropout: f64,
    layers: [Linear; 3],
}

impl Head for VggHead {
    fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let x = ops::adaptive_avg_pool2d(tape, features, (7, 7))?;
        let mut x = ops::flatten(tape, x)?;
        for layer in &self.layers[..2] {
            x = layer.forward(tape, x)?;
            x = ops::relu(tape, x)?;
            x = ops::dropout(tape, x, self.dropout)?;
        }
        self.layers[2].forward(tape, x)
    }
}
