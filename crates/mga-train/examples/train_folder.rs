//! The library in one function: trains a classifier on a folder of images, one folder a class, and evaluates it.
//!
//!     cargo run --release -p mga-train --example train_folder -- FOLDER_OF_IMAGES FOLDER_OF_THE_RUN

use std::path::Path;

use anyhow::Context;
use mga_train::{Run, Weights, builtin};

/// Trains on the images in `images`, writes the run into `folder`, and says what came of it.
///
/// # Errors
/// Images that cannot be read; a folder that holds a run already.
fn train_folder(images: &Path, folder: &Path) -> anyhow::Result<String> {
    let components = builtin();
    let run = Run::new(&components);
    let mut experiment = run.text(&format!(
        r#"
        data.dataset = "image-folder"
        data.root = '{}'
        data.batch_size = 4
        data.split.test = 0.25
        data.validation.fraction = 0.25
        data.train.transforms = [{{ op = "resize", size = 36 }}, {{ op = "random-crop", size = 32 }}]
        data.eval.transforms = [{{ op = "resize", size = 32 }}]
        model = {{ backbone = "conv4", attention = "none", mask_guidance = false }}
        schedule.epochs = 4
        "#,
        images.display()
    ))?;
    let trained = run.train(&mut experiment, folder)?;
    let test = run.evaluate(&mut experiment, Weights::Checkpoint(&trained.folder.best()), "test")?;
    Ok(format!("{}test: {}\n", trained.text, test.outcome.shown()))
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [images, folder] = arguments.as_slice() else { anyhow::bail!("name a folder of images, and one for the run") };
    let text = train_folder(Path::new(images), Path::new(folder)).context("training")?;
    println!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_trains_on_a_folder_of_images() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for (class, colour) in [("red", [200, 40, 40]), ("green", [40, 200, 40])] {
            let images = folder.path().join("images").join(class);
            std::fs::create_dir_all(&images)?;
            for number in 0..8_u8 {
                let shade = image::Rgb(colour.map(|value: u8| value.saturating_add(4 * number)));
                image::RgbImage::from_pixel(40, 40, shade).save(images.join(format!("{number}.png")))?;
            }
        }
        let run = folder.path().join("run");
        let text = train_folder(&folder.path().join("images"), &run)?;
        assert!(text.contains("test: top1") && run.join("summary.json").is_file(), "{text}");
        let again = train_folder(&folder.path().join("images"), &run).unwrap_err().to_string();
        assert!(again.contains("there is a run in this folder already"), "{again}");
        Ok(())
    }
}
