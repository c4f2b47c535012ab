//! Omniglot (Lake et al. 2015): handwritten characters of many alphabets, twenty drawings of each.
//!
//! ```text
//! ROOT/images_background.zip          or unpacked: ROOT/images_background/ALPHABET/character01/0108_01.png
//! ROOT/images_evaluation.zip                       ROOT/ALPHABET/character01/0108_01.png
//! ```
//!
//! A class is a character of one alphabet, since `character01` recurs in each. Archives and folders are merged: the two
//! small background sets share characters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use mga_core::wording::counted;
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zip::{CompressionMethod, ZipArchive};

use crate::background::{Backdrop, Background};
use crate::dataset::{Dataset, Origin, Record, Split};
use crate::datasets::entry::{Datasets, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::listing::{Listing, same_place};
use crate::decode;
use crate::error::{Error, Result, shown};
use crate::picture::{Mask, Picture};
use crate::summed_up::summed_up;

/// Returns `omniglot` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "Omniglot, characters of 50 alphabets in 20 drawings each, from its zip files or folders in data.root";
    Entry::<Datasets>::new("omniglot", about, Arc::new(Registered))
        .with_settings(schemars::schema_for!(OmniglotSettings))
}

/// `omniglot` has no settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OmniglotSettings {}

struct Registered;

impl RegisteredDataset for Registered {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        let OmniglotSettings {} = settings("omniglot", own)?;
        Ok(Arc::new(Omniglot::open(context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn may_have_validation(&self) -> bool {
        false
    }

    fn has_one_size(&self) -> bool {
        true
    }
}

/// The most bytes that one drawing in an archive may unpack to; they have about 300.
const MOST_BYTES: u64 = 1 << 20;

/// Where a drawing lies.
#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// An archive, the number of the file in it, and the file.
    Zip(PathBuf, usize, Vec<u8>),
}

impl Place {
    fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => decode::read(path),
            Self::Zip(.., bytes) => Ok(bytes.clone()),
        }
    }

    /// The archive or folder, for people.
    fn source(&self) -> &Path {
        match self {
            Self::File(path) | Self::Zip(path, ..) => path,
        }
    }
}

/// A drawing on its way into the data set.
struct Found {
    place: Place,
    split: Option<Split>,
}

/// The drawings, those of archives in memory as they are packed (300 bytes each).
#[derive(Debug)]
struct Omniglot {
    classes: Vec<String>,
    records: Vec<Record>,
    places: Vec<Place>,
    backdrop: Backdrop,
    warnings: Vec<String>,
}

impl Omniglot {
    fn open(context: &OpenContext) -> Result<Self> {
        let root = context.root.as_deref().ok_or_else(|| {
            Error::settings(
                "data set `omniglot` needs `data.root`: a folder with images_background.zip, or with what is in it",
            )
        })?;
        if !root.is_dir() {
            return Err(Error::file(
                root,
                "there is no such folder; check `data.root` (relative to where mga is started)",
            ));
        }
        let mut gathered = Gathered::default();
        gathered.folder(root)?;
        for archive in archives(root)? {
            gathered.archive(&archive)?;
        }
        let mut warnings = gathered.notes();
        if !gathered.problems.is_empty() {
            let problems = summed_up(gathered.problems);
            if !context.skip_errors {
                return Err(Error::Many(problems));
            }
            warnings.extend(problems.into_iter().map(|problem| format!("left out: {problem}")));
        }
        if gathered.drawings.is_empty() {
            let what = "no drawing here; data set `omniglot` expects images_background.zip, or folders \
                        ALPHABET/character01/*.png; check `data.root`";
            return Err(Error::file(root, what));
        }
        let class = |id: &str| id.rsplit_once('/').map_or("", |(class, _)| class).to_owned();
        let classes: Vec<String> =
            gathered.drawings.keys().map(|id| class(id)).collect::<BTreeSet<_>>().into_iter().collect();
        // Parts only where there are both: one background set is a set to be split.
        let splits: BTreeSet<Option<Split>> = gathered.drawings.values().map(|found| found.split).collect();
        let parted = splits == BTreeSet::from([Some(Split::Train), Some(Split::Test)]);
        let (mut records, mut places) = (Vec::new(), Vec::new());
        for (id, Found { place, split }) in gathered.drawings {
            let path = match &place {
                Place::File(path) => Some(path.clone()),
                Place::Zip(..) => None,
            };
            let label = classes.binary_search(&class(&id)).ok();
            records.push(Record { id, path, label, group: None, split: split.filter(|_| parted) });
            places.push(place);
        }
        let backdrop = context.backdrop(&Background::default(), 0);
        Ok(Self { classes, records, places, backdrop, warnings })
    }

    fn at(&self, index: usize) -> Result<(&Record, &Place)> {
        self.records.get(index).zip(self.places.get(index)).ok_or_else(|| {
            Error::settings(format!("image {index} was asked for, of a data set of {}", self.records.len()))
        })
    }
}

/// Drawings of all archives and folders, merged by their names.
#[derive(Default)]
struct Gathered {
    /// By `ALPHABET/character01/0108_01.png`.
    drawings: BTreeMap<String, Found>,
    /// Drawings that were there before, by the source that has them once more.
    again: BTreeMap<String, (usize, BTreeSet<String>)>,
    /// Pictures that lie in no folder of a character, and the first.
    elsewhere: Option<(usize, String)>,
    problems: Vec<(&'static str, String)>,
}

impl Gathered {
    fn folder(&mut self, root: &Path) -> Result<()> {
        for path in Listing::read(root, true, None)?.images {
            let inner = path.strip_prefix(root).unwrap_or(&path);
            let Some(name) = inner.to_str().map(|name| name.replace('\\', "/")) else {
                self.problems.push((
                    "names that are not UTF-8",
                    Error::file(&path, "has a name that is not UTF-8: rename it").to_string(),
                ));
                continue;
            };
            self.add(&name, shown(root), Place::File(path))?;
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path) -> Result<()> {
        let file = std::fs::File::open(path).map_err(Error::io(path))?;
        let broken = |what: String| Error::file(path, format!("cannot be read as a zip file: {what}; fetch it again"));
        let mut archive = ZipArchive::new(std::io::BufReader::new(file)).map_err(|e| broken(e.to_string()))?;
        for at in 0..archive.len() {
            let Some((name, bytes)) =
                unpacked(&mut archive, at).map_err(|what| broken(format!("file {at}: {what}")))?
            else {
                continue;
            };
            self.add(&name, shown(path), Place::Zip(path.to_path_buf(), at, bytes))?;
        }
        Ok(())
    }

    /// Adds the drawing called `name` within `source`.
    fn add(&mut self, name: &str, source: String, place: Place) -> Result<()> {
        let parts: Vec<&str> = name.split('/').collect();
        let Some(&[alphabet, character, drawing]) = parts.last_chunk::<3>() else {
            let elsewhere = self.elsewhere.get_or_insert_with(|| (0, format!("{source}: {name}")));
            elsewhere.0 += 1;
            return Ok(());
        };
        let id = format!("{alphabet}/{character}/{drawing}");
        // The folder that the archive unpacks to, or the archive itself.
        let outer = parts[..parts.len() - 3].join("/") + &source;
        let split = match (outer.contains("images_background"), outer.contains("images_evaluation")) {
            (true, false) => Some(Split::Train),
            (false, true) => Some(Split::Test),
            _ => None,
        };
        let Some(known) = self.drawings.get(&id) else {
            self.drawings.insert(id, Found { place, split });
            return Ok(());
        };
        if known.place.bytes()? == place.bytes()? {
            let (count, classes) = self.again.entry(source).or_default();
            *count += 1;
            classes.insert(format!("{alphabet}/{character}"));
        } else {
            let what =
                format!("`{id}` differs from the drawing of that name in {}: keep one", shown(known.place.source()));
            self.problems.push(("drawings that differ", Error::file(place.source(), what).to_string()));
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let again = self.again.iter().map(|(source, (drawings, classes))| {
            let characters = counted(classes.len(), "character", "characters");
            format!("{source}: {drawings} drawings of {characters} are there already, and are taken once")
        });
        let elsewhere = self.elsewhere.iter().map(|(count, first)| {
            let pictures = counted(*count, "picture", "pictures");
            format!("passed over {pictures} in no folder ALPHABET/CHARACTER (first: {first})")
        });
        again.chain(elsewhere).collect()
    }
}

/// The zip files of a folder, sorted.
fn archives(root: &Path) -> Result<Vec<PathBuf>> {
    let listing = Listing::read(root, false, None)?;
    let is_zip = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"));
    let mut found: Vec<PathBuf> = listing.others.into_iter().filter(is_zip).collect();
    found.dedup_by(|a, b| same_place(a, b));
    Ok(found)
}

/// Name and bytes of file `at` of an archive, where it is a picture.
fn unpacked(
    archive: &mut ZipArchive<impl Read + Seek>,
    at: usize,
) -> std::result::Result<Option<(String, Vec<u8>)>, String> {
    let mut file = archive.by_index_raw(at).map_err(|e| e.to_string())?;
    let name = file.name().map_err(|e| e.to_string())?.replace('\\', "/");
    let odd = name.split('/').any(|part| part.starts_with('.') || part.starts_with("__"));
    if file.is_dir() || odd || !decode::is_image_path(Path::new(&name)) {
        return Ok(None);
    }
    let (size, method, wanted) = (file.size(), file.compression(), file.crc32());
    let told = |what: String| format!("`{name}`: {what}");
    if size > MOST_BYTES {
        return Err(told(format!("says that it has {size} bytes, which no drawing has")));
    }
    let mut bytes = Vec::new();
    let read = match method {
        CompressionMethod::Stored => file.by_ref().take(MOST_BYTES).read_to_end(&mut bytes),
        CompressionMethod::DEFLATE => DeflateDecoder::new(&mut file).take(MOST_BYTES).read_to_end(&mut bytes),
        other => return Err(told(format!("is packed by {other}, expected deflate"))),
    };
    read.map_err(|e| told(e.to_string()))?;
    let mut crc = Crc::new();
    crc.update(&bytes);
    if crc.sum() != wanted {
        return Err(told("is damaged: its check sum differs".to_owned()));
    }
    Ok(Some((name, bytes)))
}

impl Dataset for Omniglot {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        let (record, place) = self.at(index)?;
        match place {
            Place::File(path) => decode::picture(path, &self.backdrop, &record.id),
            Place::Zip(path, _, bytes) => {
                let inner = path.join(&record.id);
                Ok(decode::picture_and_alpha_from_bytes(bytes, &inner, &self.backdrop, &record.id)?.0)
            }
        }
    }

    fn mask_sources(&self) -> &[&'static str] {
        &[]
    }

    fn mask(&self, _index: usize, source: &str) -> Result<Option<Mask>> {
        Err(Error::settings(format!("data set `omniglot` offers no masks `{source}`, nor any others of its own")))
    }

    fn origin(&self, index: usize) -> Origin {
        match self.places.get(index) {
            Some(Place::File(path)) => Origin::File(path.clone()),
            Some(Place::Zip(path, at, _)) => Origin::Within(path.clone(), *at),
            None => Origin::Absent,
        }
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::datasets::testing::grey_png;

    fn context(root: &Path) -> OpenContext {
        OpenContext { root: Some(root.to_path_buf()), ..OpenContext::default() }
    }

    fn opened(root: &Path) -> Omniglot {
        Omniglot::open(&context(root)).unwrap()
    }

    fn draw(path: &Path, value: u8) {
        grey_png(path, 5, 5, |x, y| if x == y { 0 } else { value });
    }

    /// An archive of the files below `folder`, stored without compression.
    fn pack(folder: &Path, names: &[&str], to: &Path) {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(to).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for name in names {
            archive.start_file(*name, options).unwrap();
            archive.write_all(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        }
        archive.finish().unwrap();
    }

    #[test]
    fn a_class_is_a_character_of_an_alphabet() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["Greek/character01/1_01.png", "Latin/character01/2_01.png", "Latin/character02/3_01.png"] {
            draw(&folder.path().join("images_background").join(name), 255);
        }
        draw(&folder.path().join("cover.png"), 255);
        let set = opened(folder.path());
        assert_eq!(set.classes, ["Greek/character01", "Latin/character01", "Latin/character02"]);
        assert_eq!(set.records[1].id, "Latin/character01/2_01.png");
        assert_eq!((set.records[1].label, set.records[1].split), (Some(1), None));
        assert_eq!(set.warnings.len(), 1, "{:?}", set.warnings);
        assert!(set.warnings[0].contains("passed over 1 picture in no folder"), "{:?}", set.warnings);
        // With the evaluation set beside it, the two are train and test.
        draw(&folder.path().join("images_evaluation/Tengwar/character01/9_01.png"), 255);
        let set = opened(folder.path());
        let splits: Vec<_> = set.records.iter().map(|record| record.split).collect();
        assert_eq!(splits, [Some(Split::Train), Some(Split::Train), Some(Split::Train), Some(Split::Test)]);
    }

    #[test]
    fn archives_are_merged_and_what_differs_is_told() {
        let (folder, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let names = [
            "small1/Greek/character01/1_01.png",
            "small2/Greek/character01/1_01.png",
            "small2/Greek/character02/2_01.png",
        ];
        names.iter().for_each(|name| draw(&made.path().join(name), 255));
        pack(made.path(), &names[..1], &folder.path().join("a.zip"));
        pack(made.path(), &names[1..], &folder.path().join("b.zip"));
        let set = opened(folder.path());
        assert_eq!((set.classes.len(), set.len()), (2, 2));
        assert!(set.warnings[0].contains("b.zip: 1 drawings of 1 character are there already"), "{:?}", set.warnings);
        assert_eq!(set.image(1).unwrap().width(), 5);
        assert!(matches!(set.origin(1), Origin::Within(path, 1) if path.ends_with("b.zip")));
        draw(&made.path().join(names[1]), 200);
        pack(made.path(), &names[1..], &folder.path().join("b.zip"));
        let message = Omniglot::open(&context(folder.path())).unwrap_err().to_string();
        assert!(message.contains("b.zip: `Greek/character01/1_01.png` differs"), "{message}");
        let skipping = OpenContext { skip_errors: true, ..context(folder.path()) };
        assert_eq!(Omniglot::open(&skipping).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_omniglot_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || Omniglot::open(&context(folder.path())).unwrap_err().to_string();
        assert!(refused().contains("images_background.zip"));
        std::fs::write(folder.path().join("images_background.zip"), b"PK and no more").unwrap();
        assert!(refused().contains("cannot be read as a zip file"), "{}", refused());
    }

    /// The two small background sets as they were published, where they are at hand.
    #[test]
    fn the_published_small_sets_have_242_characters_together() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/omniglot");
        if !root.is_dir() {
            return;
        }
        let set = opened(&root);
        assert_eq!((set.classes.len(), set.len()), (242, 4840));
        let notes = set.warnings.join("\n");
        assert!(notes.contains("1000 drawings of 50 characters are there already"), "{notes}");
        let picture = set.image(0).unwrap();
        assert_eq!((picture.width(), picture.height()), (105, 105));
    }
}
