//! What a recorder hears of a forward pass: of every registered backbone, a graph from the images to the logits whose
//! shapes follow from the attributes.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::{Kind, ParameterStore};
use mga_core::recorder::{Attribute, Graph, Recorded, Source, ValueId};
use mga_core::tape::{Engine, Phase, Tape};
use mga_models::{Backbones, MgaModel, ModelSettings, builtin};

fn model(name: &str, dtype: DType) -> MgaModel {
    let settings = ModelSettings {
        attention: "residual".into(),
        mask_guidance: true,
        dropout: Some(0.1),
        ..ModelSettings::new(name, 3)
    };
    MgaModel::new(&builtin(), settings, ParameterStore::new(1, dtype, &Device::Cpu)).unwrap()
}

fn images(name: &str) -> Tensor {
    let side = if name == "inception_v3" { 107 } else { 64 };
    let values: Vec<f32> = (0..2 * 3 * side * side).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
    Tensor::from_vec(values, (2, 3, side, side), &Device::Cpu).unwrap()
}

/// The graph of a forward pass, with the identities of the images and the logits.
fn recorded(model: &MgaModel, tape: Tape, images: &Tensor) -> (Graph, ValueId, ValueId) {
    let graph = Rc::new(RefCell::new(Graph::default()));
    let mut tape = tape.with_recorder(graph.clone());
    let x = tape.constant(images).unwrap();
    let start = x.id();
    let end = model.forward(&mut tape, x).unwrap().logits.id();
    let graph = graph.borrow().clone();
    (graph, start, end)
}

fn integer(operator: &Recorded, name: &str) -> usize {
    match operator.attribute(name) {
        Some(Attribute::Integer(value)) => usize::try_from(*value).unwrap(),
        other => panic!("{}: {name} is {other:?}", operator.name),
    }
}

fn integers(operator: &Recorded, name: &str) -> Vec<usize> {
    match operator.attribute(name) {
        Some(Attribute::Integers(values)) => values.iter().map(|&value| usize::try_from(value).unwrap()).collect(),
        other => panic!("{}: {name} is {other:?}", operator.name),
    }
}

/// The shape of what comes out, from those of what goes in and the attributes alone.
fn shape(operator: &Recorded) -> Vec<usize> {
    let input = |at: usize| operator.inputs[at].dims.clone();
    let windows = |size: usize, kernel: usize, stride: usize, padding: usize, dilation: usize| {
        (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
    };
    match operator.name {
        "conv2d" | "conv2d_bias" | "conv2d_norm" => {
            let (x, w, padding) = (input(0), input(1), integers(operator, "padding"));
            let (stride, dilation) = (integer(operator, "stride"), integer(operator, "dilation"));
            assert_eq!(w[1] * integer(operator, "groups"), x[1], "{operator:?}");
            let side = |at: usize| windows(x[at], w[at], stride, padding[at - 2], dilation);
            vec![x[0], w[0], side(2), side(3)]
        }
        "max_pool2d" | "avg_pool2d" => {
            let (x, kernel) = (input(0), integer(operator, "kernel"));
            let side = |at: usize| windows(x[at], kernel, integer(operator, "stride"), integer(operator, "padding"), 1);
            vec![x[0], x[1], side(2), side(3)]
        }
        "adaptive_avg_pool2d" | "resize_bilinear" => [input(0)[..2].to_vec(), integers(operator, "size")].concat(),
        "concat_channels" => {
            let channels = operator.inputs.iter().map(|input| input.dims[1]).sum();
            [&[input(0)[0], channels], &input(0)[2..]].concat()
        }
        "channel_mean_max" => [&[input(0)[0], 2], &input(0)[2..]].concat(),
        "dense_block" => {
            let layers = integer(operator, "layers");
            // In evaluation each norm has its running statistics beside its weight and bias.
            let each = (operator.inputs.len() - 1) / layers;
            let growth: usize = (1..=layers).map(|layer| input(layer * each)[0]).sum();
            [&[input(0)[0], input(0)[1] + growth], &input(0)[2..]].concat()
        }
        "linear" => vec![input(0)[0], input(1)[0]],
        "batch_matmul" => vec![input(0)[0], input(0)[1], input(1)[2]],
        "flatten" => vec![input(0)[0], input(0)[1..].iter().product()],
        "reshape" => integers(operator, "shape"),
        "permute" => integers(operator, "order").into_iter().map(|from| input(0)[from]).collect(),
        "attend" => {
            let doubled = operator.attribute("concat") == Some(&Attribute::Flag(true));
            [&[input(0)[0], input(0)[1] * (1 + usize::from(doubled))], &input(0)[2..]].concat()
        }
        "zero_pad2d" => {
            let (x, margins) = (input(0), integers(operator, "margins"));
            vec![x[0], x[1], x[2] + margins[0] + margins[1], x[3] + margins[2] + margins[3]]
        }
        "batch_norm" | "layer_norm" | "relu" | "leaky_relu" | "drop_block" | "gelu" | "hard_sigmoid" | "hard_swish"
        | "sigmoid" | "softmax" | "add" | "add_relu" | "add_bias" | "scale_channels" | "scaled_sum" | "dropout"
        | "mirror" | "cast" => input(0),
        other => panic!("nothing is known of the operator `{other}`"),
    }
}

/// Every operator is reached from the images and leads to the logits; what it uses was told before, in the same words.
fn is_connected(graph: &Graph, (start, end): (ValueId, ValueId)) {
    let mut known: HashMap<ValueId, _> = graph.sources.iter().map(|(value, _)| (value.id, value)).collect();
    assert_eq!(known.len(), graph.sources.len());
    let mut reached = HashSet::from([start]);
    for operator in &graph.operators {
        for input in &operator.inputs {
            assert_eq!(known.get(&input.id), Some(&input), "{operator:?}");
        }
        if operator.inputs.iter().any(|input| reached.contains(&input.id)) {
            reached.extend(operator.outputs.iter().map(|output| output.id));
        }
        for output in &operator.outputs {
            assert!(known.insert(output.id, output).is_none(), "{operator:?}");
        }
    }
    assert!(reached.contains(&end), "the logits are reached from the images");
    let mut used = HashSet::from([end]);
    for operator in graph.operators.iter().rev() {
        assert!(operator.outputs.iter().any(|output| used.contains(&output.id)), "leads nowhere: {operator:?}");
        used.extend(operator.inputs.iter().map(|input| input.id));
    }
}

#[test]
fn every_backbone_is_a_connected_graph() {
    for entry in builtin().all::<Backbones>() {
        let (model, images) = (model(&entry.name, DType::F32), images(&entry.name));
        let tapes =
            [|| Tape::eval(), || Tape::eval().with_engine(Engine::Composed), || Tape::new(Phase::Train, true, 0, 0)];
        for tape in tapes {
            let (graph, start, end) = recorded(&model, tape(), &images);
            is_connected(&graph, (start, end));
            for operator in &graph.operators {
                assert_eq!(vec![shape(operator)], [operator.outputs[0].dims.clone()], "{}: {operator:?}", entry.name);
            }
            if tape().phase() == Phase::Eval {
                // The same is launched again.
                assert_eq!(graph, recorded(&model, tape(), &images).0, "{}", entry.name);
            }
            let names: HashSet<&str> = graph
                .sources
                .iter()
                .filter_map(|(_, source)| if let Source::Parameter(name) = source { Some(name.as_str()) } else { None })
                .collect();
            let used = |kind: Kind| tape().phase() == Phase::Eval || kind == Kind::Weight;
            for entry in model.store().entries().iter().filter(|entry| used(entry.kind())) {
                // Inception's auxiliary classifier takes part in nothing.
                let seen = names.contains(entry.name()) || entry.name().starts_with("AuxLogits");
                assert!(seen, "{} is in the graph", entry.name());
            }
        }
    }
}

#[test]
fn whole_models_compute_in_another_type() {
    for name in ["conv4", "resnet18", "densenet121", "mobilenet_v2"] {
        let (narrow, wide, images) = (model(name, DType::F32), model(name, DType::F64), images(name));
        for (wide, narrow) in wide.store().entries().iter().zip(narrow.store().entries()) {
            wide.set(narrow.tensor().to_dtype(DType::F64).unwrap()).unwrap();
        }
        let step = |model: &MgaModel, mut tape: Tape| {
            let x = tape.constant(&images).unwrap();
            let logits = model.forward(&mut tape, x).unwrap().logits;
            let loss = mga_core::loss::cross_entropy(&mut tape, logits.clone(), &[2, 0], 0.0).unwrap();
            let gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
            let numbers =
                |t: &Tensor| -> Vec<f64> { t.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap() };
            let mut all = vec![numbers(logits.tensor())];
            for (id, gradient) in &gradients {
                assert_eq!(gradient.dtype(), model.store().dtype(), "{name}");
                assert!(model.store().by_id(*id).is_some());
                all.push(numbers(gradient));
            }
            all
        };
        let apart = |found: &[Vec<f64>], expected: &[Vec<f64>]| {
            assert_eq!(found.len(), expected.len());
            let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
            let difference = found.iter().zip(expected).map(|(a, b)| norm(&mut a.iter().zip(b).map(|(a, b)| a - b)));
            let sizes = expected.iter().map(|b| norm(&mut b.iter().copied()));
            norm(&mut difference.into_iter()) / norm(&mut sizes.into_iter())
        };
        let f32_tape = || Tape::train(0, 0);
        let expected = step(&narrow, f32_tape());
        let found = step(&wide, f32_tape().with_compute_type(DType::F32).unwrap());
        assert!(apart(&found, &expected) < 1e-5, "{name}: {}", apart(&found, &expected));
        if name == "conv4" || name == "resnet18" {
            for half in [DType::F16, DType::BF16] {
                let found = step(&narrow, f32_tape().with_compute_type(half).unwrap());
                let apart = apart(&found[..1], &expected[..1]);
                assert!(apart < 0.1, "{name} {half:?}: {apart}");
            }
        }
    }
}
