//! A look at the masks before they are learnt from: how much they cover, a sheet of examples, and how far the attention is
//! from them before the first step. `masks.json` and `pictures/masks.png` in a run's folder.

use anyhow::Context;
use mga_core::metrics::MaskSummary;
use mga_data::{Batch, Loader, Mask, Picture};
use mga_experiment::Loaded;
use mga_models::MgaModel;
use serde::{Deserialize, Serialize};

use crate::data_set::OpenData;
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::mask_coverage::{Coverage, Extent};
use crate::pictures::{ContactSheet, PAIRS_PER_ROW, save_png};
use crate::prediction::spread;
use crate::run_folder::RunFolder;
use crate::tasks::classification::guidance;

/// The name of the file in a run's folder.
pub const FILE: &str = "masks.json";

/// The sheet of examples, in a run's folder of pictures.
pub const SHEET: &str = "masks.png";

/// Training images that are looked at, spread over all.
const SAMPLED: usize = 128;

/// Images on the sheet.
const SHOWN: usize = 12;

/// The survey of the masks of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskSurvey {
    /// `data.masks.source`.
    pub source: String,
    /// Training images, of which some were looked at.
    pub train_images: usize,
    /// Images that were looked at and have no mask.
    pub without: usize,
    /// The coverage of the masks.
    pub coverage: Coverage,
    /// The oddities of the masks, one phrase each.
    pub odd: Vec<String>,
    /// Image and mask in a line of the sheet.
    pub images_per_row: usize,
    /// The images on the sheet, from the least coverage to the most.
    pub images: Vec<Surveyed>,
    /// The attention of the network that begins to train against the masks of some training images; `None` without
    /// guidance.
    pub start: Option<MaskSummary>,
}

/// An image on the sheet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Surveyed {
    /// The image.
    pub path: String,
    /// The class.
    pub label: Option<String>,
    /// The coverage of the mask.
    pub coverage: f64,
}

impl MaskSurvey {
    /// Returns the survey in a run's folder; `None`: there is none, as of runs without masks and of earlier versions.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of_run(folder: &RunFolder) -> anyhow::Result<Option<Self>> {
        let path = folder.path().join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let unreadable = || format!("{}: cannot be read as a survey of masks", path.display());
        let text = std::fs::read_to_string(&path).with_context(unreadable)?;
        serde_json::from_str(&text).map(Some).with_context(unreadable)
    }

    /// Describes the survey: the numbers, then a warning for each oddity.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let of = if self.coverage.masks + self.without < self.train_images {
            format!("{} of {} training images looked at", self.coverage.masks + self.without, self.train_images)
        } else {
            format!("{} training images", self.train_images)
        };
        let mut lines = vec![format!("masks: {}, coverage {} ({of})", self.source, self.coverage.phrase())];
        lines.extend(self.odd.iter().map(|odd| format!("warning: masks ({}): {odd}", self.source)));
        lines
    }
}

/// Looks at the masks of training images; gives the sheet of examples too. `None`: there are no masks.
///
/// # Errors
/// Images and masks that cannot be read, unless the experiment leaves them out; an interruption.
pub fn survey(
    loaded: &Loaded,
    data: &OpenData,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<(MaskSurvey, ContactSheet)>> {
    if data.masks.is_none() {
        return Ok(None);
    }
    let source = data.masks.source().to_owned();
    let train = &data.splits.train;
    let (mut seen, mut without) = (vec![], 0);
    each(&loaders::as_they_are(loaded, data, spread(train, SAMPLED))?, interrupt, |batch, _, mask| {
        match mask {
            Some(mask) => seen.push((batch.indices[0], Extent::of(mask))),
            None => without += 1,
        }
        Ok(())
    })?;
    let Some(coverage) = Coverage::of_extents(&seen.iter().map(|(_, extent)| *extent).collect::<Vec<_>>()) else {
        return Ok(None);
    };
    seen.sort_by(|a, b| a.1.coverage.total_cmp(&b.1.coverage).then(a.0.cmp(&b.0)));
    let (mut sheet, mut images) = (ContactSheet::default(), vec![]);
    let classes = data.dataset.classes();
    each(&loaders::as_they_are(loaded, data, from_end_to_end(&seen, SHOWN))?, interrupt, |batch, picture, mask| {
        let Some(mask) = mask else { return Ok(()) };
        let label = classes.get(batch.labels[0] as usize).cloned();
        let coverage = Extent::of(mask).coverage;
        sheet.add(picture, mask, &batch.ids[0], coverage);
        images.push(Surveyed { path: batch.ids[0].clone(), label, coverage });
        Ok(())
    })?;
    let odd = if data.masks.coverage_is_meant() { vec![] } else { coverage.oddities() };
    let (train_images, images_per_row) = (train.len(), PAIRS_PER_ROW);
    let survey = MaskSurvey { source, train_images, without, coverage, odd, images_per_row, images, start: None };
    Ok(Some((survey, sheet)))
}

/// Surveys the masks of a run that begins into its folder, and measures the attention of the network as it is; gives what
/// there is to say. Of a run that goes on nothing is done again.
///
/// # Errors
/// As [`survey`]; a folder that cannot be written to.
pub fn write(
    loaded: &Loaded,
    model: &MgaModel,
    data: &OpenData,
    folder: &RunFolder,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<String>> {
    if folder.path().join(FILE).is_file() || folder.last().is_file() {
        return Ok(vec![]);
    }
    let resumable = |error: anyhow::Error| {
        let folder = folder.path().display();
        let told = format!("interrupted before the first step; go on with: mga train --resume {folder}");
        if error.is::<Interrupted>() { Interrupted(told).into() } else { error }
    };
    let Some((mut survey, sheet)) = survey(loaded, data, interrupt).map_err(resumable)? else { return Ok(vec![]) };
    survey.start = guidance::measured(loaded, model, data, interrupt).map_err(resumable)?;
    let path = folder.pictures().join(SHEET);
    if let Some(picture) = sheet.picture() {
        save_png(&picture, &path).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    folder.write_json(FILE, &survey)?;
    let mut lines = survey.lines();
    if !survey.odd.is_empty() {
        lines.push(format!("look at the masks in {}", path.display()));
    }
    Ok(lines)
}

/// Calls `see` with each batch of one, its picture and its mask.
fn each(
    loader: &Loader,
    interrupt: &Interrupt,
    mut see: impl FnMut(&Batch, Picture, Option<&Mask>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for batch in loader.epoch(0, 0) {
        if interrupt.is_raised() {
            return Err(Interrupted("interrupted while the masks were looked at; nothing is lost".to_owned()).into());
        }
        let batch = batch?;
        let (_, _, height, width) = batch.images.dims4()?;
        let pixels = batch.images.get(0)?.permute((1, 2, 0))?.flatten_all()?.to_vec1::<f32>()?;
        let mask = match batch.has_mask[0] {
            true => Mask::new(width, height, batch.masks.get(0)?.flatten_all()?.to_vec1::<f32>()?),
            false => None,
        };
        let picture = Picture::new(width, height, pixels).context("an image without pixels")?;
        see(&batch, picture, mask.as_ref())?;
    }
    Ok(())
}

/// So many of the images, the first and the last among them, at equal steps.
fn from_end_to_end(seen: &[(usize, Extent)], count: usize) -> Vec<usize> {
    let (count, last) = (count.min(seen.len()), seen.len().saturating_sub(1));
    let place = |step: usize| if count > 1 { (step * last + (count - 1) / 2) / (count - 1) } else { last / 2 };
    (0..count).filter_map(|step| seen.get(place(step)).map(|(index, _)| *index)).collect()
}

#[cfg(test)]
mod tests {
    use mga_experiment::{Overrides, load};

    use super::*;
    use crate::data_set;
    use crate::pictures::LEAST_SIDE;

    /// A survey of small leaves' masks.
    fn of(masks: &str) -> Option<(MaskSurvey, ContactSheet)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.toml");
        let masks = masks.replace("CACHE", &folder.path().display().to_string());
        let text = format!(
            "[data]\ndataset = \"leaves\"\nsize = 32\ntrain_per_class = 3\ntest_per_class = 1\nmasks = {{ {masks} }}\n\
             [model]\nbackbone = \"conv4\"\nmask_guidance = {}\n[eval]\nselect_on = \"last\"\n",
            !masks.contains("none")
        );
        std::fs::write(&file, text).unwrap();
        let components = crate::builtin();
        let loaded = load(&file, &Overrides::default(), &components).unwrap_or_else(|error| panic!("{error}"));
        let data = data_set::open(&loaded, &components, crate::torn_groups::TornGroups::Refused).unwrap();
        survey(&loaded, &data, &Interrupt::default()).unwrap()
    }

    #[test]
    fn masks_of_leaves_are_surveyed() {
        let (survey, sheet) = of("source = 'silhouette'").unwrap();
        assert_eq!((survey.coverage.masks, survey.train_images, survey.without), (30, 30, 0));
        assert!((0.05..0.9).contains(&survey.coverage.mean) && survey.coverage.border.unwrap() < 0.5, "{survey:?}");
        let shown: Vec<f64> = survey.images.iter().map(|image| image.coverage).collect();
        assert_eq!(shown.len(), SHOWN);
        assert!(shown.is_sorted() && shown[0] == survey.coverage.least && shown[11] == survey.coverage.most);
        assert!(survey.images[0].path.starts_with("train/") && survey.images[0].label.is_some());
        let sheet = sheet.picture().unwrap();
        // Twelve pairs, four in a line: three lines of pictures below each other.
        assert!((3 * LEAST_SIDE..4 * LEAST_SIDE).contains(&sheet.height()), "{}", sheet.height());
        assert!(of("source = 'none'").is_none());
    }

    #[test]
    fn useless_masks_are_warned_of_unless_they_are_meant() {
        let rule = "source = 'excess-green', segmenter = { options = { threshold = -0.9 }, cache = 'CACHE' }";
        let (survey, _) = of(rule).unwrap();
        let said = [
            "masks: excess-green, coverage mean 100.0 % ± 0.0, from 100.0 % to 100.0 % (30 training images)",
            "warning: masks (excess-green): 30 of 30 cover all of their image",
        ];
        assert_eq!(survey.lines(), said);
        let (ones, _) = of("source = 'ones'").unwrap();
        assert_eq!((ones.coverage.full, ones.odd.len()), (30, 0));
    }

    #[test]
    fn examples_run_from_end_to_end() {
        let seen: Vec<(usize, Extent)> = (0..100).map(|index| (index, Extent::default())).collect();
        assert_eq!(from_end_to_end(&seen, 4), [0, 33, 66, 99]);
        assert_eq!(from_end_to_end(&seen[..2], 4), [0, 1]);
        assert_eq!(from_end_to_end(&seen[..1], 4), [0]);
        assert!(from_end_to_end(&[], 4).is_empty());
    }
}
