use super::*;
use crate::dataset::Split;
use crate::registry::builtin;

fn open(settings: MaskSettings, dataset: Arc<dyn Dataset>) -> Result<MaskSource> {
    MaskSource::new(settings, dataset, &builtin())
}

/// Pictures of 6 x 4 with masks given by hand.
struct Fixed {
    records: Vec<Record>,
    masks: Vec<Option<Mask>>,
}

impl Fixed {
    fn shared(masks: Vec<Option<Mask>>) -> Arc<dyn Dataset> {
        let record = |i: usize| Record {
            id: format!("image {i}"),
            path: None,
            label: Some(0),
            group: None,
            split: Some(if i.is_multiple_of(2) { Split::Train } else { Split::Test }),
        };
        Arc::new(Self { records: (0..masks.len()).map(record).collect(), masks })
    }
}

impl Dataset for Fixed {
    fn classes(&self) -> &[String] {
        &[]
    }
    fn records(&self) -> &[Record] {
        &self.records
    }
    fn image(&self, _index: usize) -> Result<Picture> {
        Ok(Picture::filled(6, 4, 0.5))
    }
    fn mask_sources(&self) -> &[&'static str] {
        &["veins", "silhouette"]
    }
    fn mask(&self, index: usize, _source: &str) -> Result<Option<Mask>> {
        Ok(self.masks[index].clone())
    }
    fn has_mask(&self, index: usize, _source: &str) -> bool {
        self.masks[index].is_some()
    }
}

fn settings(source: &str) -> MaskSettings {
    MaskSettings::of_source(source)
}

/// A mask of the picture's size whose first value tells which it is.
fn tagged(tag: f32) -> Option<Mask> {
    let mut mask = Mask::filled(6, 4, 0.25);
    mask.values_mut()[0] = tag;
    Some(mask)
}

#[test]
fn native_masks_come_through_and_are_resized_by_area() {
    let half = Mask::new(3, 2, vec![1.0, 0.0, 0.5, 0.0, 0.0, 0.0]).unwrap();
    let large = Mask::filled(12, 8, 0.75);
    let source = open(settings("veins"), Fixed::shared(vec![tagged(0.9), Some(half), Some(large)])).unwrap();
    assert_eq!(source.load(0).unwrap().1, tagged(0.9));
    assert_eq!(source.load(1).unwrap().1.unwrap().values()[..6], [1.0, 1.0, 0.0, 0.0, 0.5, 0.5]);
    for _ in 0..2 {
        assert_eq!(source.load(2).unwrap().1.unwrap(), Mask::filled(6, 4, 0.75));
    }
    assert_eq!(source.counts(), MaskCounts { missing: 0, blank: 0, resized: 2 });
    assert!(source.warnings()[0].contains("2 images") && source.warnings()[0].contains("image 1"));
}

#[test]
fn another_aspect_is_an_error_that_names_the_image() {
    let source = open(settings("veins"), Fixed::shared(vec![Some(Mask::filled(6, 5, 1.0))])).unwrap();
    let message = source.load(0).unwrap_err().to_string();
    assert!(message.contains("image 0") && message.contains("6 x 5"), "{message}");
    assert!(same_aspect((600, 400), (300, 201)) && !same_aspect((600, 400), (300, 204)));
}

#[test]
fn missing_and_blank_masks_follow_the_settings() {
    let dataset = Fixed::shared(vec![None, Some(Mask::filled(6, 4, 0.0))]);
    let strict = open(settings("veins"), dataset.clone()).unwrap();
    let message = strict.load(0).unwrap_err().to_string();
    assert!(message.contains("image 0") && message.contains("no-loss"), "{message}");
    assert!(strict.load_optional(0).unwrap().1.is_none());
    assert_eq!(strict.load(1).unwrap().1, Some(Mask::filled(6, 4, 0.0)), "blank ones are passed on");
    let lenient = MaskSettings { empty: EmptyMask::Skip, missing: MissingMask::NoLoss, ..settings("veins") };
    let lenient = open(lenient, dataset).unwrap();
    assert!(lenient.load(0).unwrap().1.is_none() && lenient.load(1).unwrap().1.is_none());
    for source in [strict, lenient] {
        assert_eq!(source.counts(), MaskCounts { missing: 1, blank: 1, resized: 0 });
    }
}

#[test]
fn controls_that_need_no_mask() {
    let dataset = Fixed::shared(vec![None]);
    let load = |name| open(settings(name), dataset.clone()).unwrap().load(0).unwrap().1;
    assert_eq!(load("none"), None);
    assert_eq!(load("ones"), Some(Mask::filled(6, 4, 1.0)));
    let centre = load("centre").unwrap();
    let at = |x: usize, y: usize| centre.values()[y * 6 + x];
    assert_eq!((at(0, 0), at(2, 1)), (at(5, 3), at(3, 2)));
    assert!(at(2, 1) > 0.8 && at(0, 0) < 0.1, "{centre:?}");
}

#[test]
fn inverted_is_one_minus_the_mask() {
    let source = open(settings("inverted"), Fixed::shared(vec![tagged(1.0), None])).unwrap();
    let mask = source.load(0).unwrap().1.unwrap();
    assert_eq!(mask.values()[..2], [0.0, 0.75]);
    assert!(source.load(1).is_err());
}

#[test]
fn shuffled_gives_each_image_anothers_mask() {
    let masks: Vec<_> = (0..9).map(|i| if i == 4 { None } else { tagged(i as f32 / 10.0) }).collect();
    let dataset = Fixed::shared(masks);
    let tags = |seed: u64| -> Vec<Option<usize>> {
        let settings = MaskSettings { seed, missing: MissingMask::NoLoss, ..settings("shuffled") };
        let source = open(settings, dataset.clone()).unwrap();
        let tag = |i| Some((source.load(i).unwrap().1?.values()[0] * 10.0).round() as usize);
        (0..9).map(tag).collect()
    };
    let got = tags(1);
    assert_eq!(got[4], None);
    for (i, tag) in got.iter().enumerate().filter(|(i, _)| *i != 4) {
        let tag = tag.unwrap();
        assert!(tag != i && tag % 2 == i % 2, "image {i} got the mask of {tag}");
    }
    let mut every: Vec<_> = got.iter().flatten().copied().collect();
    every.sort_unstable();
    assert_eq!(every, [0, 1, 2, 3, 5, 6, 7, 8], "each mask is used once");
    assert_eq!(got, tags(1));
    assert!((2..12).any(|seed| tags(seed) != got));

    let one = open(settings("shuffled"), Fixed::shared(vec![tagged(1.0), None])).err().unwrap().to_string();
    assert!(one.contains("there are 1"), "{one}");
    // One image a split: each takes the other's.
    let two = open(settings("shuffled"), Fixed::shared(vec![tagged(0.0), tagged(0.5)])).unwrap();
    assert_eq!((two.load(0).unwrap().1, two.load(1).unwrap().1), (tagged(0.5), tagged(0.0)));
}

#[test]
fn unknown_sources_name_what_there_is() {
    let dataset = Fixed::shared(vec![tagged(1.0)]);
    let message = |name: &str| open(settings(name), dataset.clone()).err().unwrap().to_string();
    assert!(message("vein").contains("did you mean `veins`") && message("vein").contains("centre"));
    assert!(message("folder").contains("data.mask_root"));
    assert!(open(settings("silhouette"), dataset.clone()).is_ok());
    assert!(unknown_source("silhouette", &[], &builtin()).to_string().contains("made from masks"));
    let of = MaskSettings { of: Some("nothing".into()), ..settings("inverted") };
    assert!(open(of, dataset).err().unwrap().to_string().contains("`nothing`"));
}

#[test]
fn settings_read_as_documented() {
    let read: MaskSettings = serde_json::from_str(r#"{ "empty": "skip", "missing": "no-loss" }"#).unwrap();
    assert_eq!((read.source, read.empty, read.missing), (None, EmptyMask::Skip, MissingMask::NoLoss));
    let own: MaskSettings = serde_json::from_str(r#"{ "source": "disc", "ignore": [3], "radius": 0.2 }"#).unwrap();
    assert_eq!(serde_json::Value::Object(own.own), serde_json::json!({ "radius": 0.2 }));
}

#[test]
fn a_mask_alone_is_the_one_that_comes_with_the_image() {
    let half = Mask::new(3, 2, vec![1.0, 0.0, 0.5, 0.0, 0.0, 0.0]).unwrap();
    let masks = vec![tagged(0.9), Some(half), None, Some(Mask::filled(6, 4, 0.0))];
    for source in ["none", "ones", "centre", "veins", "inverted", "shuffled"] {
        let [together, alone] = [0, 1].map(|_| open(settings(source), Fixed::shared(masks.clone())).unwrap());
        for index in 0..masks.len() {
            assert_eq!(alone.mask_of(index, (6, 4)).unwrap(), together.load_optional(index).unwrap().1, "{source}");
        }
        assert_eq!(alone.notes(), together.notes(), "{source}");
    }
}

#[test]
fn a_source_that_gives_nothing_is_refused() {
    struct Idle(MadeOf);
    impl RegisteredMaskSource for Idle {
        fn made_of(&self) -> MadeOf {
            self.0
        }
    }
    let open = |made_of| {
        let entry = Entry::<MaskSources>::new("idle", "gives nothing", Arc::new(Idle(made_of)));
        MaskSource::new(settings("idle"), Fixed::shared(vec![tagged(0.5)]), &builtin().with(entry))
    };
    for made_of in [MadeOf::Rule, MadeOf::Masks, MadeOf::Segmenter] {
        let message = open(made_of).err().unwrap().to_string();
        assert!(message.contains("`idle` supplies no masks to this data set"), "{message}");
    }
    assert!(open(MadeOf::Nothing).unwrap().is_none());
}
