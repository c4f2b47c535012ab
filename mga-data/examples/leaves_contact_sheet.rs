//! Draws a contact sheet of the embedded data set: a row for each cultivar, image, veins and silhouette side by side.
//!
//!     cargo run --release -p mga-data --example leaves_contact_sheet -- leaves.png 8 128 0.0
//!
//! takes the file to write, images a cultivar, their size in pixels and the difficulty.

use std::error::Error;
use std::time::Instant;

use mga_data::Dataset;
use mga_data::datasets::leaves::{Leaves, LeavesSettings};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "leaves.png".to_owned());
    let columns: usize = arguments.next().map_or(Ok(6), |v| v.parse())?;
    let size: usize = arguments.next().map_or(Ok(128), |v| v.parse())?;
    let difficulty: f64 = arguments.next().map_or(Ok(0.0), |v| v.parse())?;
    let settings = LeavesSettings { size, difficulty, train_per_class: columns, ..Default::default() };
    let leaves = Leaves::new(settings)?;
    let rows = leaves.classes().len();
    let (width, height) = (3 * columns * size, rows * size);
    let mut sheet = image::RgbImage::new(width as u32, height as u32);
    let byte = |v: f32| (v * 255.0).round() as u8;
    let mut drawing = std::time::Duration::ZERO;
    for index in 0..rows * columns {
        let start = Instant::now();
        let (picture, veins) = leaves.image_and_mask(index, "veins")?;
        drawing += start.elapsed();
        let silhouette = leaves.mask(index, "silhouette")?;
        let (left, top) = (3 * (index % columns) * size, index / columns * size);
        for i in 0..size * size {
            let (x, y) = ((left + i % size) as u32, (top + i / size) as u32);
            let pixel = &picture.pixels()[3 * i..3 * i + 3];
            sheet.put_pixel(x, y, image::Rgb([byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]));
            for (step, mask) in [(1, &veins), (2, &silhouette)] {
                let value = byte(mask.as_ref().map_or(0.0, |mask| mask.values()[i]));
                sheet.put_pixel(x + (step * size) as u32, y, image::Rgb([value; 3]));
            }
        }
    }
    sheet.save(&file)?;
    println!("{file}: {} images, {:.2} ms each", rows * columns, drawing.as_secs_f64() * 1e3 / (rows * columns) as f64);
    Ok(())
}
