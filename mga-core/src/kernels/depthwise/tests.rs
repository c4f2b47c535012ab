use super::super::convolution::reference;
use super::super::dispatch::same_at_every_level;
use super::*;
use crate::formula::uniform;

fn shape([n, c, h, w, kh, kw, stride, ph, pw, dilation]: [usize; 10]) -> ConvShape {
    let out = |size: usize, k: usize, p: usize| (size + 2 * p - dilation * (k - 1) - 1) / stride + 1;
    ConvShape {
        n,
        input: (c, h, w),
        output: (c, out(h, kh, ph), out(w, kw, pw)),
        kernel: (kh, kw),
        stride,
        padding: (ph, pw),
        dilation,
        groups: c,
    }
}

/// Images, channels, height, width, kernel height, kernel width, stride, both paddings, dilation.
const CASES: [[usize; 10]; 14] = [
    [2, 3, 7, 7, 3, 3, 1, 1, 1, 1],
    [3, 2, 14, 14, 3, 3, 2, 1, 1, 1],
    [1, 2, 112, 112, 3, 3, 1, 1, 1, 1],
    [1, 2, 112, 110, 3, 3, 2, 1, 1, 1],
    [2, 2, 33, 17, 3, 3, 2, 0, 0, 1],
    [2, 2, 9, 8, 3, 3, 2, 2, 2, 1],
    [1, 3, 8, 9, 5, 5, 1, 2, 2, 1],
    [1, 2, 20, 23, 3, 3, 1, 2, 2, 2],
    [1, 2, 20, 23, 3, 3, 2, 2, 2, 2],
    [1, 2, 13, 18, 1, 7, 1, 0, 3, 1],
    [1, 2, 19, 16, 5, 3, 3, 2, 1, 1],
    [1, 2, 5, 6, 1, 1, 1, 1, 2, 1],
    [2, 2, 4, 5, 1, 1, 2, 0, 0, 1],
    [1, 1, 3, 1, 3, 3, 1, 1, 1, 1],
];

fn numbers<T: Element>(name: &str, count: usize) -> Vec<T> {
    uniform(name, count).into_iter().map(|u| T::of(2.0 * u - 1.0)).collect()
}

/// `y`, `dx` and `dw`, the gradients added to what is there.
fn all<T: Element>(s: &ConvShape) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (inputs, outputs) = (s.n * s.input.0 * s.input.1 * s.input.2, s.n * s.output.0 * s.output.1 * s.output.2);
    let weights = s.input.0 * s.kernel.0 * s.kernel.1;
    let (x, w, dy) = (numbers::<T>("x", inputs), numbers::<T>("w", weights), numbers::<T>("dy", outputs));
    let (mut y, mut dx, mut dw) =
        (vec![T::of(f64::NAN); outputs], vec![T::of(0.5); inputs], vec![T::of(0.25); weights]);
    forward(s, &x, &w, &mut y);
    backward_input(s, &w, &dy, &mut dx);
    backward_weight(s, &x, &dy, &mut dw);
    (y, dx, dw)
}

#[test]
fn every_shape_agrees_with_the_definition() {
    for case in CASES {
        let s = shape(case);
        let (y, dx, dw) = all::<f64>(&s);
        let (x, w) = (numbers::<f64>("x", dx.len()), numbers::<f64>("w", dw.len()));
        let dy = numbers::<f64>("dy", y.len());
        let (mut y1, mut dx1, mut dw1) = (vec![0.0; y.len()], vec![0.5; dx.len()], vec![0.25; dw.len()]);
        reference::products(&s, |iy, ix, iw| {
            y1[iy] += x[ix] * w[iw];
            dx1[ix] += dy[iy] * w[iw];
            dw1[iw] += dy[iy] * x[ix];
        });
        for (what, found, expected) in [("y", &y, &y1), ("dx", &dx, &dx1), ("dw", &dw, &dw1)] {
            let worst = found
                .iter()
                .zip(expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, |a: f64, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
            assert!(worst < 1e-11, "{what} of {case:?}: {worst}");
        }
        // In f32 as near as rounding lets it be.
        let (narrow, _, narrow_dw) = all::<f32>(&s);
        let near = |a: &[f32], b: &[f64], bound: f64| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < bound);
        assert!(near(&narrow, &y1, 1e-5) && near(&narrow_dw, &dw1, 1e-3), "f32 of {case:?}");
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for case in CASES {
        same_at_every_level(|| all::<f32>(&shape(case)));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let s = shape([3, 40, 15, 13, 3, 3, 2, 1, 1, 1]);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| all::<f32>(&s))
    };
    assert_eq!(run(1), run(4));
}
