//! The results of a random or TPE search: its draws by their scores on the validation images, which nothing else
//! selects by.

use super::columns::column_of;
use super::importance::importance;
use super::measures::Column;
use super::scores::score;
use super::search_model::{Draw, SearchReport};
use crate::results::{Record, SearchSpace};

/// The metric that checkpoints of the runs are selected by, where it is the same in all.
pub(super) fn selection(records: &[&Record], images: u64) -> Column {
    let mut metrics = records.iter().filter_map(|record| record.setting("eval.metric")?.as_str());
    let first = metrics.next();
    let key = first.filter(|first| metrics.all(|metric| metric == *first)).unwrap_or("score");
    column_of(records, key, images)
}

/// A run's score on validation images as its metric is measured: the summary's is higher the better.
pub(super) fn validation(record: &Record, column: &Column) -> Option<f64> {
    let score = record.summary.as_ref()?.validation_score()?;
    Some(if column.higher_is_better { score } else { -score })
}

/// What came of the search. `runs` are the records that count or may yet come to count, each with its arm and its score.
pub(super) fn search(
    space: &SearchSpace,
    column: &Column,
    runs: &[(&Record, usize, Option<f64>)],
    confidence: f64,
) -> SearchReport {
    let mut numbers: Vec<usize> = runs.iter().filter_map(|(record, ..)| record.cell.draw).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let better = |one: f64, other: f64| if column.higher_is_better { one > other } else { one < other };
    let (mut draws, mut chosen, mut best): (Vec<Draw>, Option<usize>, Option<f64>) = (vec![], None, None);
    for (place, &number) in numbers.iter().enumerate() {
        let of_draw: Vec<_> = runs.iter().filter(|(record, ..)| record.cell.draw == Some(number)).collect();
        let scored: Vec<_> = of_draw.iter().filter_map(|(record, _, value)| Some((*record, (*value)?))).collect();
        let mut arms: Vec<usize> = of_draw.iter().map(|(_, arm, _)| *arm).collect();
        arms.sort_unstable();
        arms.dedup();
        let settings = of_draw.first().map(|(record, ..)| &record.cell.settings);
        let values = space.ranges.keys().filter_map(|key| Some((key.clone(), settings?.get(key)?.clone())));
        let mut draw = Draw {
            number,
            values: values.collect(),
            arms,
            runs: of_draw.len(),
            validation: score(&scored, column, confidence),
            best_so_far: best,
        };
        if let Some(mean) = draw.mean().filter(|mean| best.is_none_or(|best| better(*mean, best))) {
            (best, chosen, draw.best_so_far) = (Some(mean), Some(place), Some(mean));
        }
        draws.push(draw);
    }
    let importance = importance(space, &draws);
    SearchReport { space: space.clone(), column: column.clone(), draws, chosen, importance }
}
