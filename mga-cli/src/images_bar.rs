//! The bar of work over images.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, gone when done; nothing where that is no terminal.
pub(crate) fn images_bar(images: usize) -> ProgressBar {
    let bar = ProgressBar::new(images as u64);
    if let Ok(style) = ProgressStyle::with_template("[{bar:32}] {pos}/{len} images (left {eta})") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
