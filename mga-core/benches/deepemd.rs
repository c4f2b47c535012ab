//! An evaluation episode of DeepEMD on features of 640 x 5 x 5: five classes of one support image and 75 queries, which are
//! 375 transport problems of 25 x 25 nodes. 5000 episodes are an evaluation. Queries resemble their class, as features do.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;

use candle_core::Tensor;
use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::matching::{DeepEmd, NodeWeights};
use mga_core::tape::Tape;
use mga_core::transport::{ExactSettings, ImplicitSettings, SinkhornSettings, TransportSolver};

fn episode() -> candle_core::Result<(Tensor, Tensor)> {
    let prototypes = common::noise(&[5, 640, 5, 5]).relu()?;
    let own = Tensor::cat(&[&prototypes; 15], 0)?;
    Ok((prototypes, (own + common::noise(&[75, 640, 5, 5]).relu()?)?))
}

fn deepemd(criterion: &mut Criterion) {
    common::prepare();
    let (prototypes, queries) = episode().expect("the features of an episode");
    let solvers: [(&str, Box<dyn TransportSolver>); 3] = [
        ("exact", Box::new(ExactSettings {})),
        ("implicit", Box::new(ImplicitSettings::default())),
        ("sinkhorn", Box::new(SinkhornSettings::default())),
    ];
    for (name, solver) in solvers {
        let head = DeepEmd { solver: solver.as_ref(), temperature: 12.5, weights: NodeWeights::CrossReference };
        criterion.bench_function(&format!("deepemd/{name}/episode"), |bencher| {
            bencher.iter(|| {
                let mut tape = Tape::eval();
                let prototypes = tape.constant(&prototypes).expect("prototypes");
                let queries = tape.constant(&queries).expect("queries");
                head.forward(&mut tape, prototypes, queries).expect("the queries are matched").logits
            });
        });
    }
}

criterion_group!(benches, deepemd);
criterion_main!(benches);
