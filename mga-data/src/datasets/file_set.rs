//! Images in files with labels and perhaps masks: what the data sets of files have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use mga_core::wording::counted;
use rayon::prelude::*;

use crate::background::Backdrop;
use crate::dataset::{Dataset, Origin, Record};
use crate::datasets::listing::Listing;
use crate::decode;
use crate::error::{Error, Result, shown};
use crate::masks::{MaskContents, MaskFinder, MaskReading, other_aspect};
use crate::picture::{Mask, Picture};
use crate::summed_up::{some_of, summed_up};

/// One image on its way into a [`FileSet`].
#[derive(Debug)]
pub(crate) struct FileEntry {
    pub(crate) record: Record,
    pub(crate) path: PathBuf,
    pub(crate) mask: Option<PathBuf>,
    /// Where a table names it: `t.csv:7`.
    pub(crate) listed: Option<String>,
}

/// A data set of files while it is put together; problems are gathered, so that one pass shows them all.
#[derive(Debug, Default)]
pub(crate) struct FileSetBuilder {
    pub(crate) classes: Vec<String>,
    pub(crate) entries: Vec<FileEntry>,
    /// Whether there is a `"folder"` of masks, though not every image need have one.
    pub(crate) mask_files: bool,
    /// How the masks are found by the places of their images; none where a table names them.
    pub(crate) finder: Option<MaskFinder>,
    /// How the files of masks are read.
    pub(crate) reading: MaskReading,
    pub(crate) backdrop: Backdrop,
    pub(crate) check_files: bool,
    /// What stops the opening, or is left out where `skip_errors`; each with what its kind is called where many are summed
    /// up: "rows without a label".
    pub(crate) problems: Vec<(&'static str, String)>,
    /// What never stops it.
    pub(crate) warnings: Vec<String>,
    pub(crate) skip_errors: bool,
}

impl FileSetBuilder {
    /// Notes a fault; the caller leaves the image out.
    pub(crate) fn problem(&mut self, path: &Path, what: impl Into<String>) {
        self.problem_of("problems", path, what);
    }

    /// [`Self::problem`] of a kind that there may be thousands of: "files that are not there".
    pub(crate) fn problem_of(&mut self, kind: &'static str, path: &Path, what: impl Into<String>) {
        self.problems.push((kind, Error::file(path, what).to_string()));
    }

    /// The images of a listing. Notes pictures of formats that cannot be read, and names that are no text, which could not
    /// be told apart; counts files that are no images.
    pub(crate) fn images_of(&mut self, listing: Listing) -> Vec<PathBuf> {
        for (path, name) in &listing.unsupported {
            let what = format!("is {name}, which is not supported: convert it to JPEG or PNG first");
            self.problem_of("pictures of formats that are not supported", path, what);
        }
        if let Some(first) = listing.others.first() {
            let files = counted(listing.others.len(), "other file", "other files");
            self.warnings.push(format!("passed over {files} that are not images (first: {})", shown(first)));
        }
        let (images, nameless): (Vec<_>, Vec<_>) = listing.images.into_iter().partition(|path| path.to_str().is_some());
        nameless.iter().for_each(|path| self.nameless(path));
        images
    }

    /// Notes a file or folder whose name is no UTF-8.
    pub(crate) fn nameless(&mut self, path: &Path) {
        let what = "has a name that is not UTF-8, which could not be told from others: rename it, such as with \
                    convmv -f latin1 -t utf8 -r --notest FOLDER";
        self.problem_of("names that are not UTF-8", path, what);
    }

    /// Checks names and, where asked for, headers, and makes the data set. `place` is named where nothing is found.
    pub(crate) fn finish(mut self, place: &Path) -> Result<FileSet> {
        self.drop_duplicates();
        self.check_places(place);
        if self.check_files {
            self.check_headers();
        }
        if !self.problems.is_empty() {
            let problems = summed_up(self.problems);
            if !self.skip_errors {
                return Err(Error::Many(problems));
            }
            let skipped = problems.into_iter().map(|problem| format!("left out: {problem}"));
            self.warnings.extend(skipped);
        }
        if self.entries.is_empty() {
            let reasons: String = self.warnings.iter().map(|warning| format!("\n{warning}")).collect();
            return Err(Error::file(place, format!("no image here that can be used; check `data.root`{reasons}")));
        }
        let (mut records, mut paths, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for FileEntry { record, path, mask, .. } in self.entries {
            records.push(Record { path: Some(path.clone()), ..record });
            paths.push(path);
            masks.push(mask);
        }
        let mask_sources: &[&str] = if self.mask_files { &["folder", "alpha"] } else { &["alpha"] };
        Ok(FileSet {
            root: place.to_path_buf(),
            finder: self.finder,
            reading: self.reading,
            classes: self.classes,
            records,
            paths,
            masks,
            mask_sources,
            backdrop: self.backdrop,
            warnings: self.warnings,
        })
    }

    fn drop_duplicates(&mut self) {
        let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            seen.entry(&entry.record.id).or_default().push(index);
        }
        let mut again: Vec<Vec<usize>> = seen.into_values().filter(|indices| indices.len() > 1).collect();
        again.sort();
        for indices in &again {
            let Some(first) = indices.first().and_then(|&index| self.entries.get(index)) else { continue };
            let path = first.path.clone();
            self.problem_of("images that are listed several times", &path, self.listed_again(indices));
        }
        let dropped: BTreeSet<usize> = again.iter().flat_map(|indices| indices.iter().skip(1).copied()).collect();
        let mut index = 0..;
        self.entries.retain(|_| index.next().is_none_or(|index| !dropped.contains(&index)));
    }

    /// What is wrong with an image that is listed at several places, with the labels it has there.
    fn listed_again(&self, indices: &[usize]) -> String {
        let entries: Vec<&FileEntry> = indices.iter().filter_map(|&index| self.entries.get(index)).collect();
        let places: Vec<String> = entries.iter().filter_map(|entry| entry.listed.clone()).collect();
        let places = if places.is_empty() { String::new() } else { format!(" ({})", some_of(&places)) };
        let mut labels: Vec<String> = Vec::new();
        for entry in &entries {
            let label = entry.record.label.and_then(|label| self.classes.get(label));
            let label = label.map_or_else(|| "no label".to_owned(), |label| format!("`{label}`"));
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let times = entries.len();
        match labels.as_slice() {
            [one] => format!("is listed {times} times{places}, as {one} each time: list it once"),
            _ => format!(
                "is listed {times} times{places} with labels that differ, {}: keep the right one",
                some_of(&labels)
            ),
        }
    }

    /// Tells images without a mask, and refuses those that share one where masks are found by name.
    fn check_places(&mut self, root: &Path) {
        let Some(finder) = &self.finder else { return };
        let without = || self.entries.iter().filter(|entry| entry.mask.is_none());
        if let Some(first) = without().next() {
            let (count, all) = (without().count(), self.entries.len());
            let place = first.path.strip_prefix(root).unwrap_or(&first.path);
            let (id, missing) = (&first.record.id, finder.missing(place));
            self.warnings.push(format!("{count} of {all} images have no mask (first: {id}; {missing})"));
        }
        if !finder.is_flat() {
            return;
        }
        let mut taken: BTreeMap<&Path, &Path> = BTreeMap::new();
        for FileEntry { path, mask, .. } in &self.entries {
            if let Some(mask) = mask
                && let Some(other) = taken.insert(mask, path)
            {
                let what = format!("would have the mask of {}, {}: rename one", shown(other), shown(mask));
                self.problems.push(("images that share a mask", Error::file(path, what).to_string()));
            }
        }
    }

    fn check_headers(&mut self) {
        let fault = |entry| header_fault(entry, &self.reading).err().map(|e| e.to_string());
        let faults: Vec<Option<String>> = self.entries.par_iter().map(fault).collect();
        let mut ok = faults.iter().map(Option::is_none);
        self.entries.retain(|_| ok.next().unwrap_or(true));
        self.problems.extend(faults.into_iter().flatten().map(|fault| ("images or masks that cannot be used", fault)));
    }
}

fn header_fault(entry: &FileEntry, reading: &MaskReading) -> Result<()> {
    let picture = decode::header(&entry.path)?;
    let Some(path) = &entry.mask else { return Ok(()) };
    let mask = decode::size(path)?;
    if reading.fits(&picture, mask) {
        return Ok(());
    }
    let ((w, h), (mw, mh)) = (picture.upright(), mask);
    Err(Error::file(
        path,
        format!(
            "is a mask of {mw} x {mh} for {} of {w} x {h}: expected the image's aspect; {}",
            shown(&entry.path),
            other_aspect(&picture, mask)
        ),
    ))
}

/// Images in files, labelled, with masks in files of their own or in their alpha channel. Opened by the data sets of
/// this folder.
#[derive(Debug)]
pub struct FileSet {
    root: PathBuf,
    finder: Option<MaskFinder>,
    reading: MaskReading,
    classes: Vec<String>,
    records: Vec<Record>,
    paths: Vec<PathBuf>,
    masks: Vec<Option<PathBuf>>,
    mask_sources: &'static [&'static str],
    backdrop: Backdrop,
    warnings: Vec<String>,
}

impl FileSet {
    fn at(&self, index: usize) -> Result<(&Record, &Path)> {
        self.records.get(index).zip(self.paths.get(index)).map(|(r, p)| (r, p.as_path())).ok_or_else(|| {
            Error::settings(format!("image {index} was asked for, of a data set of {}", self.records.len()))
        })
    }

    /// Returns the path of the mask of image `index`, if it is a file.
    pub fn mask_path(&self, index: usize) -> Option<&Path> {
        self.masks.get(index)?.as_deref()
    }
}

impl Dataset for FileSet {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        let (record, path) = self.at(index)?;
        decode::picture(path, &self.backdrop, &record.id)
    }

    fn mask_sources(&self) -> &[&'static str] {
        self.mask_sources
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        match source {
            "folder" => {
                let image = self.paths.get(index).map(PathBuf::as_path);
                self.mask_path(index).map(|path| self.reading.mask_of(path, image)).transpose()
            }
            // The picture beneath is not wanted, so nothing is drawn behind it.
            "alpha" => Ok(decode::picture_and_alpha(self.at(index)?.1, &Backdrop::default(), "")?.1),
            other => Err(Error::settings(format!(
                "this data set offers no masks `{other}`; it has `{}`",
                self.mask_sources.join("` and `")
            ))),
        }
    }

    fn has_mask(&self, index: usize, source: &str) -> bool {
        match source {
            "folder" => self.mask_path(index).is_some(),
            "alpha" => self.at(index).is_ok_and(|(_, path)| decode::has_alpha(path).unwrap_or(false)),
            _ => false,
        }
    }

    fn mask_origin(&self, index: usize, source: &str) -> Origin {
        match (source, self.mask_path(index)) {
            ("folder", Some(path)) => Origin::File(path.to_path_buf()),
            ("alpha", _) => Origin::Image,
            _ => Origin::Absent,
        }
    }

    fn mask_contents(&self, index: usize, source: &str) -> Result<Option<MaskContents>> {
        let path = self.mask_path(index).filter(|_| source == "folder");
        path.map(|path| self.reading.contents(&decode::read(path)?, path)).transpose()
    }

    fn missing_mask(&self, index: usize, source: &str) -> String {
        let path = self.paths.get(index).filter(|_| source == "folder");
        match (&self.finder, path) {
            (Some(finder), Some(path)) => finder.missing(path.strip_prefix(&self.root).unwrap_or(path)),
            (None, Some(_)) => "its row in the table names none".to_owned(),
            _ => String::new(),
        }
    }

    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        if source == "alpha" {
            let (record, path) = self.at(index)?;
            return decode::picture_and_alpha(path, &self.backdrop, &record.id);
        }
        Ok((self.image(index)?, self.mask(index, source)?))
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// `path` below `root` with forward slashes, whatever the system; as it is where it lies elsewhere.
pub(crate) fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/").replacen("//", "/", 1)
}
