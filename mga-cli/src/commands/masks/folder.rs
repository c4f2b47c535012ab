//! A folder of masks: a file for each image, and below `about/` the record of what made them and a line for each.
//!
//! A mask counts as made once its line is written, which is after its file was renamed into place: whenever the program
//! ends, what is not noted is made again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file::write_all;
use mga_core::wording::counted;
use mga_data::Mask;
use mga_data::masks::remove_half_written;
use mga_train::mask_coverage::Extent;
use mga_train::segmenting::{Provenance, RECORD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One line for each mask.
const LINES: &str = "about/images.jsonl";

/// A mask that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    /// The image.
    pub(super) id: String,
    /// Hash of its content.
    pub(super) image: String,
    /// The mask's file, relative to the folder.
    pub(super) mask: PathBuf,
    /// SHA-256 of that file.
    pub(super) sha256: String,
    /// Mean of the mask, in 0..=1.
    pub(super) coverage: f64,
    /// Mean of its outermost pixels; lines of release 0.1.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) border: Option<f64>,
}

impl Written {
    /// The line of a mask that lies at `path`.
    pub(super) fn new(id: &str, image: String, place: &Path, mask: &Mask, path: &Path) -> anyhow::Result<Self> {
        let Extent { coverage, border } = Extent::of(mask);
        Ok(Self { id: id.to_owned(), image, mask: place.to_path_buf(), sha256: hash(path)?, coverage, border })
    }

    /// How far the mask reaches.
    pub(super) fn extent(&self) -> Extent {
        Extent { coverage: self.coverage, border: self.border }
    }
}

/// A folder of masks that is being filled.
pub(super) struct MaskFolder {
    path: PathBuf,
    written: BTreeMap<String, Written>,
    lines: File,
}

impl MaskFolder {
    /// Makes the folder, or goes on with it where its masks were made by the very same.
    pub(super) fn open(path: &Path, provenance: &Provenance) -> anyhow::Result<Self> {
        let shown = path.display();
        let about = path.join("about");
        let occupied = path.exists() && (!path.is_dir() || std::fs::read_dir(path)?.next().is_some());
        match Provenance::of_folder(path)? {
            Some(present) if present.identity != provenance.identity => anyhow::bail!(
                "{shown}: holds masks of `{}` with other settings or weights; name another folder with --out, or remove it",
                present.segmenter
            ),
            None if occupied && !about.is_dir() => {
                anyhow::bail!("{shown}: is not empty and holds no masks of ours; name a new folder with --out")
            }
            _ => {}
        }
        std::fs::create_dir_all(&about).with_context(|| format!("{shown}: cannot be made"))?;
        let record = serde_json::to_string_pretty(provenance)? + "\n";
        write_all(&path.join(RECORD), record.as_bytes()).with_context(|| format!("{shown}: cannot be written to"))?;
        let left = remove_half_written(path);
        if left > 0 {
            let files = counted(left, "half-written file", "half-written files");
            say!("note: {shown}: removed {files} of a process that was killed");
        }
        let lines = path.join(LINES);
        let unreadable = || format!("{}: cannot be read", lines.display());
        let text =
            if lines.is_file() { std::fs::read_to_string(&lines).with_context(unreadable)? } else { String::new() };
        // A line that was cut off is the last one, and its mask is made again; a whole file of lines stays.
        let whole: Vec<Written> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut tidy = String::new();
        for line in &whole {
            tidy += &(serde_json::to_string(line)? + "\n");
        }
        if tidy != text {
            write_all(&lines, tidy.as_bytes()).with_context(unreadable)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&lines).with_context(unreadable)?;
        let written = whole.into_iter().map(|line| (line.id.clone(), line)).collect();
        Ok(Self { path: path.to_path_buf(), written, lines: file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Masks that are noted.
    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// The line of an image.
    pub(super) fn line(&self, id: &str) -> Option<&Written> {
        self.written.get(id)
    }

    /// Whether the mask of this very image is there, as it was written.
    pub(super) fn has(&self, id: &str, image: &str, place: &Path) -> bool {
        let same = |line: &Written| line.image == image && line.mask == place;
        self.written
            .get(id)
            .filter(|line| same(line))
            .is_some_and(|line| hash(&self.path.join(place)).is_ok_and(|hash| hash == line.sha256))
    }

    /// Notes a mask.
    pub(super) fn append(&mut self, written: Written) -> anyhow::Result<()> {
        let line = serde_json::to_string(&written)? + "\n";
        let failed = || format!("{}: cannot be written", self.path.join(LINES).display());
        self.lines.write_all(line.as_bytes()).with_context(failed)?;
        self.written.insert(written.id.clone(), written);
        Ok(())
    }
}

fn hash(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use mga_data::masks::write_mask;

    use super::*;

    fn provenance(identity: &str) -> Provenance {
        Provenance {
            segmenter: "otsu".to_owned(),
            identity: identity.to_owned(),
            weights: None,
            weights_name: None,
            weights_sha256: None,
            settings: serde_json::json!({}),
            trained_on: None,
        }
    }

    #[test]
    fn what_is_noted_and_untouched_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("masks");
        let place = Path::new("a/1.png");
        let mut masks = MaskFolder::open(&out, &provenance("x")).unwrap();
        let mask = write_mask(&out.join(place), &Mask::filled(2, 2, 1.0)).unwrap();
        assert!(!masks.has("a/1.jpg", "hash", place));
        masks.append(Written::new("a/1.jpg", "hash".to_owned(), place, &mask, &out.join(place)).unwrap()).unwrap();
        drop(masks);
        // The program was killed in the middle of the next line.
        let lines = out.join(LINES);
        let text = std::fs::read_to_string(&lines).unwrap();
        std::fs::write(&lines, format!("{text}{}", &text[..text.len() / 2])).unwrap();
        let half = out.join("a/.tmp-0123456789abcdef-0");
        std::fs::write(&half, "").unwrap();
        let masks = MaskFolder::open(&out, &provenance("x")).unwrap();
        assert!(!half.exists());
        assert_eq!((masks.len(), std::fs::read_to_string(&lines).unwrap()), (1, text));
        assert_eq!(masks.line("a/1.jpg").unwrap().coverage, 1.0);
        assert!(masks.has("a/1.jpg", "hash", place) && !masks.has("a/1.jpg", "other", place));
        std::fs::write(out.join(place), "changed").unwrap();
        assert!(!masks.has("a/1.jpg", "hash", place));
    }

    #[test]
    fn folders_of_other_things_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        MaskFolder::open(&folder.path().join("a"), &provenance("x")).unwrap();
        let refused = |name: &str| MaskFolder::open(&folder.path().join(name), &provenance("y")).err().unwrap();
        assert!(refused("a").to_string().contains("other settings"));
        std::fs::create_dir(folder.path().join("b")).unwrap();
        std::fs::write(folder.path().join("b/photo.jpg"), "").unwrap();
        assert!(refused("b").to_string().contains("not empty"));
        assert!(!folder.path().join("b/about").exists());
    }
}
