//! The linear system behind smooth transport: how potentials answer to a change of the node sums.

/// Added to the diagonal, relative to its largest entry: potentials may be shifted against each other for nothing.
const SHIFT: f64 = 1e-13;

/// The matrix `[diag(W 1), W; W^T, diag(W^T 1)]` of weights `W` `[n, m]` from 0, factorised as `L D L^T`.
#[derive(Debug, Default)]
pub(super) struct Laplacian {
    size: usize,
    /// The lower triangle, `D` on its diagonal.
    factor: Vec<f64>,
}

impl Laplacian {
    /// Factorises the matrix of these weights, with `ridge` added to its diagonal.
    pub(super) fn factorise(&mut self, weights: &[f64], (n, m): (usize, usize), ridge: f64) {
        let size = n + m;
        self.size = size;
        self.factor.clear();
        self.factor.resize(size * size, 0.0);
        let mut largest: f64 = 0.0;
        for i in 0..n {
            for j in 0..m {
                let weight = weights[i * m + j];
                self.factor[(n + j) * size + i] = weight;
                self.factor[i * size + i] += weight;
                self.factor[(n + j) * size + n + j] += weight;
            }
        }
        (0..size).for_each(|at| largest = largest.max(self.factor[at * size + at]));
        let shift = ridge.max(SHIFT * largest).max(f64::MIN_POSITIVE);
        for row in 0..size {
            let (above, from) = self.factor.split_at_mut(row * size);
            let own = &mut from[..=row];
            // Row by row: own[k] holds L[row, k] D[k] until the diagonal is known.
            for column in 0..row {
                let other = &above[column * size..column * size + column];
                let sum: f64 = own[..column].iter().zip(other).map(|(own, other)| own * other).sum();
                own[column] -= sum;
            }
            let mut diagonal = own[row] + shift;
            for (column, value) in own[..row].iter_mut().enumerate() {
                let scaled = *value / above[column * size + column];
                diagonal -= scaled * *value;
                *value = scaled;
            }
            // Nodes that nothing flows between are cut off: they keep their potentials.
            own[row] = if diagonal > shift * 0.5 { diagonal } else { f64::INFINITY };
        }
    }

    /// Solves for `right`, in its place.
    pub(super) fn solve(&self, right: &mut [f64]) {
        let size = self.size;
        for row in 0..size {
            let own = &self.factor[row * size..row * size + row];
            right[row] -= own.iter().zip(&*right).map(|(own, right)| own * right).sum::<f64>();
        }
        (0..size).for_each(|row| right[row] /= self.factor[row * size + row]);
        for row in (0..size).rev() {
            let value = right[row];
            let own = &self.factor[row * size..row * size + row];
            right.iter_mut().zip(own).for_each(|(right, own)| *right -= own * value);
        }
    }
}
