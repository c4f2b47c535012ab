//! The likely cause of a loss that is not finite.

use mga_core::tape::Tape;
use mga_data::Batch;

use super::learner::Learner;
use super::loss_parts::number;

/// What to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    /// This image alone has a loss that is not finite.
    Image(String),
    /// No single image: training itself ran away. The image has the largest loss.
    Rate(String),
}

/// Looks at every image of the batch by itself, as evaluation would.
pub(super) fn suspect(learner: &dyn Learner, batch: &Batch) -> Suspect {
    let loss = |index: usize| -> anyhow::Result<f64> {
        let (loss, _) = learner.loss(&mut Tape::eval(), &batch.one(index)?)?;
        number(&loss)
    };
    // What cannot even be computed is as bad as what is not finite.
    let losses: Vec<f64> = (0..batch.len()).map(|index| loss(index).unwrap_or(f64::NAN)).collect();
    of_losses(&batch.ids, &losses)
}

fn of_losses(ids: &[String], losses: &[f64]) -> Suspect {
    let id = |index: usize| ids.get(index).cloned().unwrap_or_default();
    let wrong: Vec<usize> = (0..losses.len()).filter(|&index| !losses[index].is_finite()).collect();
    match wrong[..] {
        [only] if losses.len() > 1 => Suspect::Image(id(only)),
        [first, ..] => Suspect::Rate(id(first)),
        [] => {
            let largest = (0..losses.len()).max_by(|&a, &b| losses[a].total_cmp(&losses[b]));
            Suspect::Rate(largest.map_or_else(String::new, id))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_blamed_only_where_it_is_the_only_one() {
        let ids = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(of_losses(&ids, &[1.0, f64::NAN, 2.0]), Suspect::Image("b".to_owned()));
        assert_eq!(of_losses(&ids, &[f64::INFINITY, f64::NAN, 2.0]), Suspect::Rate("a".to_owned()));
        assert_eq!(of_losses(&ids, &[1.0, 5.0, 2.0]), Suspect::Rate("b".to_owned()));
        assert_eq!(of_losses(&ids[..1], &[f64::NAN]), Suspect::Rate("a".to_owned()));
    }
}
