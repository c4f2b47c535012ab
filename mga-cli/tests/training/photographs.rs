//! A run on image files with masks, some of which can be damaged.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::tiny::Tiny;

const EXPERIMENT: &str = r#"task = "classification"
device = "cpu"
threads = 1

[data]
dataset = "image-folder"
root = "images"
mask_root = "../masks"
batch_size = 3
workers = 1
masks = { source = "folder" }

[model]
backbone = "conv4"
attention = "residual"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "constant"
epochs = 2
"#;

/// An experiment on two classes of photographs, four in each of train, val and test; with a cache of its own.
pub(crate) struct Photographs {
    pub(crate) tiny: Tiny,
}

impl Photographs {
    pub(crate) fn new() -> Self {
        let tiny = Tiny::new(&[]);
        std::fs::write(tiny.path("tiny.toml"), EXPERIMENT).unwrap();
        for (p, part) in ["train", "val", "test"].into_iter().enumerate() {
            for (c, class) in ["a", "b"].into_iter().enumerate() {
                for folder in ["images", "masks"] {
                    std::fs::create_dir_all(tiny.path(folder).join(part).join(class)).unwrap();
                }
                for index in 0..4u8 {
                    let name = format!("{part}/{class}/{index}.png");
                    // No two of them are alike.
                    let blue = 40 * index + 20 * c as u8 + 5 * p as u8;
                    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([x as u8 * 8, y as u8 * 8, blue]));
                    picture.save(tiny.path("images").join(&name)).unwrap();
                    let mask = GrayImage::from_fn(32, 32, |x, _| Luma([if x < 16 { 255 } else { 0 }]));
                    mask.save(tiny.path("masks").join(&name)).unwrap();
                }
            }
        }
        Self { tiny }
    }

    pub(crate) fn image(&self, name: &str) -> PathBuf {
        self.tiny.path("images").join(name)
    }

    /// The same command with a cache of these photographs alone.
    pub(crate) fn cached(&self, mut command: Command) -> Command {
        command.env("MGA_CACHE", self.tiny.path("cache"));
        command
    }
}

/// Cuts a file short behind its header; gives what it held.
pub(crate) fn truncate(path: &Path) -> Vec<u8> {
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, &whole[..60]).unwrap();
    whole
}
