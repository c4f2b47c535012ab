//! A transport solver: every source sends what it has to the targets that are cheap for it, whatever they take.

use mga_core::tape::{Tape, Value};
use mga_core::transport::{Convergence, TransportSolver, TransportSolvers, Transported};
use mga_core::{Error, Result, ops};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns the transport solver that an experiment selects with `[transport] name = "one-sided"`.
pub fn entry() -> Entry<TransportSolvers> {
    let about = "each source sends what it has to the targets that are cheap for it, whatever they take";
    Entry::<TransportSolvers>::from_settings("one-sided", about, |settings: OneSided| {
        Box::new(settings) as Box<dyn TransportSolver>
    })
}

/// The settings, which stand beside `name` in `[transport]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct OneSided {
    /// How far a source spreads: the difference in cost at which a target gets e times less.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    softness: f64,
}

impl Default for OneSided {
    fn default() -> Self {
        Self { softness: 0.1 }
    }
}

impl TransportSolver for OneSided {
    fn check(&self) -> Result<()> {
        if self.softness > 0.0 {
            return Ok(());
        }
        Err(Error::setting("transport.softness", format!("expected a number above 0, found {}", self.softness)))
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    /// `cost` `[B, n, m]` and `supply` `[B, n]` to the flow `[B, n, m]`. There is nothing to converge.
    fn flow(&self, tape: &mut Tape, cost: Value, supply: Value, _demand: Value) -> Result<Transported> {
        let scores = ops::scaled_sum(tape, &[(cost, -1.0 / self.softness)])?;
        let shares = ops::softmax(tape, scores, 2)?;
        let flow = ops::candle_node(tape, &[shares, supply], |t| t[0].broadcast_mul(&t[1].unsqueeze(2)?))?;
        Ok(Transported { flow, convergence: Convergence::default() })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use mga_core::gradient_check::check;
    use mga_core::matching::{DeepEmd, NodeWeights};
    use mga_core::transport::transport_solver;
    use serde_json::json;

    use super::*;

    #[test]
    fn supplies_are_sent_whole_to_what_is_cheap() -> Result<()> {
        let mut tape = Tape::eval();
        let cost = tape.constant(&Tensor::new(&[[[0.0, 0.1 * 3f64.ln()], [1.0, 1.0]]], &Device::Cpu)?)?;
        let supply = tape.constant(&Tensor::new(&[[1f64, 2.0]], &Device::Cpu)?)?;
        let flow = OneSided::default().flow(&mut tape, cost, supply.clone(), supply)?.flow;
        let flow = flow.tensor().flatten_all()?.to_vec1::<f64>()?;
        assert!(flow.iter().zip([0.75, 0.25, 1.0, 1.0]).all(|(f, e)| (f - e).abs() < 1e-14), "{flow:?}");
        Ok(())
    }

    #[test]
    fn the_head_of_deepemd_takes_it_by_its_name() {
        let kinds = mga_core::components().with(entry());
        let named = |softness: f64| {
            let settings = json!({ "softness": softness });
            transport_solver(&kinds, "one-sided", settings.as_object().unwrap())
        };
        let solver = named(0.5).unwrap();
        let head = DeepEmd { solver: solver.as_ref(), temperature: 12.5, weights: NodeWeights::CrossReference };
        check(&[&[2, 5, 3], &[2, 5, 3]], |tape, v| Ok(head.forward(tape, v[0].clone(), v[1].clone())?.logits));
        assert!(named(0.0).err().unwrap().to_string().starts_with("transport.softness"));
    }
}
