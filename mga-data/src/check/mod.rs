//! Looking a data set over before trusting numbers from it: what cannot be read, what is on two sides of a split, how
//! classes, sizes and masks are distributed.

mod alike;
mod depth;
mod duplicates;
mod inspected;
mod report;
mod settings;
mod undecoded;

use crate::dataset::Record;
use crate::error::{Error, Result};
use crate::source::Source;
use crate::split::Splits;

pub(crate) use alike::from_table;
pub use alike::{Alike, write_groups};
pub use depth::nearly_black;
pub use inspected::Inspected;
pub use report::{ClassCounts, DataReport, Duplicates, Masks, NearDuplicate, Placed, Sizes, Spread, Unreadable};
pub use settings::CheckSettings;
pub use undecoded::undecoded;

/// Decodes every image of `splits` once, in parallel, and reports what there is to know. `progress` is told how many
/// images are done, from any thread. Images that cannot be decoded are part of the report, not errors.
pub fn inspect(
    source: &dyn Source,
    records: &[Record],
    classes: &[String],
    splits: &Splits,
    settings: &CheckSettings,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<DataReport> {
    let mut images: Vec<usize> = splits.parts().iter().flat_map(|(_, of)| of.iter().copied()).collect();
    images.sort_unstable();
    if let Some(&index) = images.iter().find(|&&index| index >= records.len()) {
        return Err(Error::settings(format!("image {index} of the splits is none of the {} records", records.len())));
    }
    Inspected::of(source, &images, settings, progress)?.report(records, classes, splits)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mga_core::random::Generator;

    use super::*;
    use crate::dataset::Split;
    use crate::picture::{Mask, Picture};

    /// A data set in memory: an image is a texture by number; 0 cannot be read.
    struct Memory {
        records: Vec<Record>,
        pictures: Vec<(u64, Option<Mask>)>,
    }

    fn texture(number: u64, width: usize, height: usize) -> Picture {
        let mut generator = Generator::new(number, "texture", &[]);
        let waves: Vec<[f64; 4]> = (0..12).map(|_| [(); 4].map(|()| generator.uniform_in(0.0, 25.0))).collect();
        let mut picture = Picture::filled(width, height, 0.0);
        for (i, pixel) in picture.values_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = ((i % width) as f64 / width as f64, (i / width) as f64 / height as f64);
            let sum: f64 = waves.iter().map(|w| (w[0] * x + w[1] * y + w[2]).sin()).sum();
            pixel.fill((0.5 + sum / 24.0) as f32);
        }
        picture
    }

    impl Memory {
        fn add(&mut self, texture: u64, label: usize, group: &str, mask: Option<f32>) -> usize {
            let index = self.records.len();
            let group = (!group.is_empty()).then(|| group.to_owned());
            let id = format!("{index}.png");
            self.records.push(Record { id, path: None, label: Some(label), group, split: None });
            self.pictures.push((texture, mask.map(|v| Mask::filled(2, 2, v))));
            index
        }
    }

    impl Source for Memory {
        fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
            match &self.pictures[index] {
                (0, _) => Err(Error::file(self.id(index), "cut short")),
                (1, _) => panic!("boom"),
                // From a thousand on: the same textures, larger, darker and noisier.
                (number, mask) if *number >= 1000 => {
                    let mut picture = texture(number - 1000, 160, 120);
                    let mut generator = Generator::new(*number, "noise", &[]);
                    picture.values_mut().iter_mut().for_each(|v| *v = 0.85 * *v + 0.01 * generator.uniform() as f32);
                    Ok((picture, mask.clone()))
                }
                (number, mask) => Ok((texture(*number, 100, 50), mask.clone())),
            }
        }

        fn label(&self, index: usize) -> Option<usize> {
            self.records[index].label
        }

        fn id(&self, index: usize) -> &str {
            &self.records[index].id
        }
    }

    fn memory() -> (Memory, Splits) {
        let mut data = Memory { records: vec![], pictures: vec![] };
        let train = vec![
            data.add(10, 0, "a", Some(0.0)),
            data.add(11, 0, "a", Some(0.5)),
            data.add(12, 1, "b", None),
            data.add(12, 0, "", Some(1.0)),
            data.add(0, 1, "", None),
        ];
        let validation = vec![data.add(13, 0, "c", None), data.add(10, 0, "c", None)];
        let test = vec![
            data.add(1011, 0, "b", None),
            data.add(14, 2, "b", None),
            data.add(1, 1, "", None),
            data.add(15, 1, "", None),
        ];
        data.add(16, 0, "", None);
        (data, Splits { train, validation, test, notes: vec![] })
    }

    fn inspected(threads: usize, near_distance: u32) -> DataReport {
        let (data, splits) = memory();
        let names = ["oak", "ash", "elm"].map(str::to_owned);
        let settings = CheckSettings { near_distance, threads };
        let seen = AtomicUsize::new(0);
        let progress = |done: usize| {
            seen.fetch_max(done, Ordering::SeqCst);
        };
        let report = inspect(&data, &data.records, &names, &splits, &settings, &progress).expect("a report");
        assert_eq!(seen.load(Ordering::SeqCst), 11);
        report
    }

    #[test]
    fn everything_is_found() {
        let report = inspected(2, 24);
        assert_eq!((report.images, report.unassigned, report.unlabelled), (11, 1, 0));
        let unreadable: Vec<_> = report.unreadable.iter().map(|u| (u.id.as_str(), u.what.as_str())).collect();
        let panicked = "image `9.png`: loading it panicked: boom";
        assert_eq!(unreadable, [("4.png", "4.png: cut short"), ("9.png", panicked)]);
        let ids = |d: &Duplicates| d.images.iter().map(|p| p.id.clone()).collect::<Vec<_>>();
        assert_eq!(report.duplicates.iter().map(ids).collect::<Vec<_>>(), [["0.png", "6.png"], ["2.png", "3.png"]]);
        let near: Vec<_> = report.near_duplicates.iter().map(|n| (n.image.id.as_str(), n.other.id.as_str())).collect();
        assert_eq!(near, [("7.png", "1.png")]);
        let groups: Vec<_> = report.shared_groups.iter().map(|g| (g.group.as_str(), g.images)).collect();
        assert_eq!(groups, [("b", 3)]);
        assert_eq!(report.shared_groups[0].splits, [Split::Train, Split::Test]);
        let counts: Vec<_> = report.classes.iter().map(|c| (c.train, c.validation, c.test)).collect();
        assert_eq!(counts, [(3, 2, 1), (2, 0, 2), (0, 0, 1)]);
        let sizes = report.sizes.expect("sizes");
        assert_eq!((sizes.width.min, sizes.width.median, sizes.width.max), (100.0, 100.0, 160.0));
        assert!((sizes.aspect.mean - (8.0 * 2.0 + 4.0 / 3.0) / 9.0).abs() < 1e-12);
        assert_eq!((report.masks.images, &report.masks.blank[..]), (3, &["0.png".to_owned()][..]));
        assert_eq!(report.masks.missing, ["2.png", "5.png", "6.png", "7.png", "8.png", "10.png"]);
        assert_eq!(report.masks.coverage.map(|c| (c.min, c.mean, c.max)), Some((0.0, 0.5, 1.0)));
    }

    #[test]
    fn problems_are_apart_from_notes_and_both_are_shown() {
        let report = inspected(1, 24);
        let (problems, notes) = (report.problems().join("\n"), report.notes().join("\n"));
        for part in ["4.png: cut short", "0.png", "`b`", "`elm`", "different classes"] {
            assert!(problems.contains(part), "`{part}` is not in:\n{problems}");
        }
        for part in ["7.png", "without a mask", "blank"] {
            assert!(notes.contains(part), "`{part}` is not in:\n{notes}");
        }
        let shown = report.to_string();
        assert!(report.problems().iter().chain(&report.notes()).all(|line| shown.contains(line)), "{shown}");
        for part in ["oak", "100", "coverage"] {
            assert!(shown.contains(part), "{shown}");
        }
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["classes"][0]["train"], 3);
        assert_eq!(json["near_duplicates"][0]["other"]["split"], "train");
    }

    #[test]
    fn threads_change_nothing_and_near_duplicates_can_be_left_out() {
        assert_eq!(inspected(1, 24), inspected(4, 24));
        assert!(inspected(2, 0).near_duplicates.is_empty());
        assert_eq!(inspected(2, 256).near_duplicates.len(), 5, "every readable image beside train has a neighbour");
    }

    #[test]
    fn a_clean_data_set_has_no_problem() {
        let mut data = Memory { records: vec![], pictures: vec![] };
        let train = vec![data.add(20, 0, "", Some(0.5)), data.add(21, 1, "", Some(0.5))];
        let test = vec![data.add(22, 0, "", Some(0.5)), data.add(23, 1, "", Some(0.5))];
        let splits = Splits { train, test, ..Splits::default() };
        let names = ["oak", "ash"].map(str::to_owned);
        let report =
            inspect(&data, &data.records, &names, &splits, &CheckSettings::default(), &|_| ()).expect("a report");
        assert_eq!((report.problems(), report.notes()), (vec![], vec![]));
        let foreign = Splits { train: vec![9], ..Splits::default() };
        assert!(inspect(&data, &data.records, &names, &foreign, &CheckSettings::default(), &|_| ()).is_err());
    }
}
