//! What people see while a run goes on: a bar on a terminal, a line an epoch elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::checkpoint::Progress;

/// Hears of a run's progress.
pub trait ProgressReport: Send + Sync {
    /// An optimiser step was made; `batches` is the epoch's number of micro-batches.
    fn step(&self, progress: &Progress, batches: usize, loss: f64, images_per_second: f64);
    /// An evaluation of `images` images begins.
    fn evaluating(&self, split: &str, images: usize);
    /// `images` more were evaluated.
    fn evaluated(&self, images: usize);
    /// An epoch is over, with the numbers of its evaluation where there was one; `better`: its checkpoint is the best so
    /// far.
    fn epoch(&self, epoch: usize, result: Option<&str>, better: bool);
}

/// A bar on a terminal, quiet lines elsewhere, all on standard error.
pub struct Terminal {
    bar: ProgressBar,
    epochs: usize,
    live: bool,
    quiet: bool,
    loss: std::sync::Mutex<f64>,
}

impl Terminal {
    /// For a run of `epochs` epochs; `quiet` shows nothing.
    pub fn new(epochs: usize, quiet: bool) -> Self {
        let live = std::io::stderr().is_terminal() && !quiet;
        let bar = if live { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {msg} {elapsed} (left {eta})")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, epochs, live, quiet, loss: std::sync::Mutex::new(f64::NAN) }
    }
}

impl ProgressReport for Terminal {
    fn step(&self, progress: &Progress, batches: usize, loss: f64, images_per_second: f64) {
        if let Ok(mut last) = self.loss.lock() {
            *last = loss;
        }
        self.bar.set_prefix(format!("epoch {}/{}", progress.epoch + 1, self.epochs));
        self.bar.set_length((batches * self.epochs) as u64);
        self.bar.set_position((progress.epoch * batches + progress.batch) as u64);
        self.bar.set_message(format!("loss {loss:.3} {images_per_second:.0} img/s"));
    }

    fn evaluating(&self, split: &str, images: usize) {
        self.bar.set_message(format!("evaluating {images} {split} images"));
    }

    fn evaluated(&self, _images: usize) {
        self.bar.tick();
    }

    fn epoch(&self, epoch: usize, result: Option<&str>, better: bool) {
        if self.quiet {
            return;
        }
        let loss = self.loss.lock().map_or(f64::NAN, |loss| *loss);
        let mut line = format!("epoch {:>3}/{}  loss {loss:.4}", epoch + 1, self.epochs);
        if let Some(result) = result {
            line += &format!("  {result}");
        }
        line += if better { "  *" } else { "" };
        if self.live { self.bar.println(line) } else { eprintln!("{line}") }
    }
}

/// A fraction as people read it.
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}
