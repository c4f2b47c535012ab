//! The episode heads of this workspace, one a file.

mod cosine;
mod deepemd;
mod protonet;
mod support;

use mga_registry::Entry;

use super::head::{EpisodeHead, EpisodeHeads};

/// Returns the heads of this workspace.
pub(super) fn builtin() -> Vec<Entry<EpisodeHeads>> {
    vec![
        Entry::<EpisodeHeads>::from_settings(
            "deepemd",
            "Optimal transport between the nodes of two images (Zhang and others 2020).",
            |settings: deepemd::DeepEmdSettings| -> Box<dyn EpisodeHead> { Box::new(settings) },
        ),
        Entry::<EpisodeHeads>::from_settings(
            "protonet",
            "Squared Euclidean distance of pooled features to the mean of a class (Snell and others 2017).",
            |settings: protonet::ProtonetSettings| -> Box<dyn EpisodeHead> { Box::new(settings) },
        ),
        Entry::<EpisodeHeads>::from_settings(
            "cosine",
            "Cosine of pooled features and the mean of a class.",
            |settings: cosine::CosineSettings| -> Box<dyn EpisodeHead> { Box::new(settings) },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use mga_core::transport::ExactSettings;
    use mga_registry::Registry;
    use serde_json::{Map, Value as Json, json};

    use mga_core::tape::Tape;

    use super::super::head::Episode;
    use super::*;

    /// Scores of queries that are near their classes, by a head with settings.
    fn scores(name: &str, settings: Json, shot: usize) -> Vec<Vec<f32>> {
        let registry = builtin().into_iter().fold(Registry::default(), Registry::with);
        let settings: Map<String, Json> = settings.as_object().cloned().unwrap();
        let head = registry.make::<EpisodeHeads, _>(name, &settings).unwrap();
        let (way, channels, side) = (3, 6, 2);
        // Each class has a channel of its own, in one half of the places.
        let image = |class: usize, noise: usize| -> Vec<f32> {
            let value = |channel: usize, place: usize| {
                let of_class = if channel == class && place < 2 { 2.0 } else { 0.0 };
                of_class + 0.01 * ((channel * 7 + place * 3 + noise * 5) % 11) as f32
            };
            (0..channels).flat_map(|c| (0..side * side).map(move |p| (c, p))).map(|(c, p)| value(c, p)).collect()
        };
        let maps = |count: usize, from: usize| {
            let values: Vec<f32> = (0..count).flat_map(|at| image(at % way, from + at)).collect();
            Tensor::from_vec(values, (count, channels, side, side), &Device::Cpu).unwrap()
        };
        let mut tape = Tape::eval();
        let support = tape.constant(&maps(way * shot, 0)).unwrap();
        let query = tape.constant(&maps(2 * way, 50)).unwrap();
        let map = |count: usize| Tensor::full(0.5f32, (count, 1, side, side), &Device::Cpu).unwrap();
        let (support_attention, query_attention) =
            (tape.constant(&map(way * shot)).unwrap(), tape.constant(&map(2 * way)).unwrap());
        let episode = Episode {
            way,
            shot,
            support,
            query,
            support_attention: Some(support_attention),
            query_attention: Some(query_attention),
            transport: &ExactSettings {},
            trains: false,
            seed: 1,
        };
        head.scores(&mut tape, &episode).unwrap().tensor().to_vec2().unwrap()
    }

    #[test]
    fn every_head_tells_what_is_near() {
        for (name, settings) in [
            ("protonet", json!({})),
            ("cosine", json!({})),
            ("deepemd", json!({})),
            ("deepemd", json!({ "feature_pyramid": [1] })),
            ("deepemd", json!({ "node_weights": "attention" })),
        ] {
            for shot in [1, 2] {
                for (at, row) in scores(name, settings.clone(), shot).iter().enumerate() {
                    let best = (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
                    assert_eq!(best, at % 3, "{name} {settings} {shot}-shot: {row:?}");
                }
            }
        }
    }
}
