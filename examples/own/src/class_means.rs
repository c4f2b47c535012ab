//! Classes told apart by the mean of their features: an image is of the class whose mean is nearest.

use candle_core::{Device, Tensor};

/// Sums of features by class. They are kept in double precision and added in the order of the images, so that the same
/// images give the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMeans {
    /// Numbers of a feature vector; 0 as long as nothing was added.
    width: usize,
    /// Class by class.
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl ClassMeans {
    /// Creates the means of `classes` classes, without images.
    pub fn new(classes: usize) -> Self {
        Self { width: 0, sums: Vec::new(), counts: vec![0.0; classes] }
    }

    /// Adds the features of an image of this class. Those of another width than the first, and classes that are not there,
    /// are an error.
    ///
    /// # Errors
    /// As said.
    pub fn add(&mut self, features: &[f32], class: usize) -> anyhow::Result<()> {
        if self.width == 0 {
            self.width = features.len();
            self.sums = vec![0.0; self.width * self.counts.len()];
        }
        let place = class * self.width..(class + 1) * self.width;
        let sums = self.sums.get_mut(place).filter(|sums| sums.len() == features.len());
        let sums = sums.ok_or_else(|| anyhow::anyhow!("{} features of class {class} do not fit", features.len()))?;
        sums.iter_mut().zip(features).for_each(|(sum, value)| *sum += f64::from(*value));
        self.counts[class] += 1.0;
        Ok(())
    }

    /// Returns whether no image was added.
    pub fn is_empty(&self) -> bool {
        self.width == 0
    }

    /// Scores the classes by minus the squared distance to their means. A class without images scores lower than all
    /// classes with images.
    pub fn scores(&self, features: &[f32]) -> Vec<f32> {
        let distance = |(sums, count): (&[f64], &f64)| -> Option<f32> {
            let difference = |(sum, value): (&f64, &f32)| (sum / count - f64::from(*value)).powi(2);
            (*count > 0.0).then(|| sums.iter().zip(features).map(difference).sum::<f64>() as f32)
        };
        let distances: Vec<Option<f32>> = self.sums.chunks(self.width.max(1)).zip(&self.counts).map(distance).collect();
        let farthest = distances.iter().flatten().copied().fold(0.0, f32::max);
        distances.into_iter().map(|distance| -distance.unwrap_or(farthest + 10.0)).collect()
    }

    /// Returns sums `[classes, width]` and counts `[classes]`, for a checkpoint; none as long as nothing was added.
    ///
    /// # Errors
    /// Tensors for which there is no room.
    pub fn tensors(&self) -> anyhow::Result<Vec<(String, Tensor)>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let classes = self.counts.len();
        let sums = Tensor::from_slice(&self.sums, (classes, self.width), &Device::Cpu)?;
        let counts = Tensor::from_slice(&self.counts, classes, &Device::Cpu)?;
        Ok(vec![("counts".to_owned(), counts), ("sums".to_owned(), sums)])
    }

    /// Takes up what [`Self::tensors`] gave.
    ///
    /// # Errors
    /// Tensors of something else.
    pub fn load(&mut self, tensors: &[(String, Tensor)]) -> anyhow::Result<()> {
        let classes = self.counts.len();
        *self = Self::new(classes);
        let named = |name: &str| tensors.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor);
        if let (Some(counts), Some(sums)) = (named("counts"), named("sums")) {
            let (known, width) = sums.dims2()?;
            anyhow::ensure!(
                known == classes && counts.dims() == [classes],
                "means of {known} classes, not of {classes}"
            );
            (self.width, self.counts, self.sums) = (width, counts.to_vec1()?, sums.flatten_all()?.to_vec1()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mean_scores_highest() -> anyhow::Result<()> {
        let mut means = ClassMeans::new(3);
        means.add(&[0.0, 0.0], 0)?;
        means.add(&[2.0, 0.0], 0)?;
        means.add(&[5.0, 5.0], 2)?;
        assert_eq!(means.scores(&[1.0, 1.0]), [-1.0, -42.0, -32.0]);
        assert!(means.add(&[1.0], 0).is_err() && means.add(&[1.0, 1.0], 3).is_err());
        let mut loaded = ClassMeans::new(3);
        loaded.load(&means.tensors()?)?;
        assert_eq!(loaded, means);
        Ok(())
    }
}
