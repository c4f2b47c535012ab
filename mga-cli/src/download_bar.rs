//! The progress of a download: size and speed on a terminal, a line elsewhere, all on standard error.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use mga_hub::Progress;

use crate::terminal_text::VisibleText;

/// Shows one download at a time.
#[derive(Debug, Default)]
pub struct DownloadBar(Mutex<Option<ProgressBar>>);

impl DownloadBar {
    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Ok(bar) = self.0.lock()
            && let Some(bar) = bar.as_ref()
        {
            act(bar);
        }
    }
}

impl Progress for DownloadBar {
    fn start(&self, file: &str, total: u64, present: u64) {
        let live = std::io::stderr().is_terminal();
        if !live {
            let rest =
                if present > 0 { format!(", {} of it here already", BinaryBytes(present)) } else { String::new() };
            say!("downloading {file}, {}{rest}", BinaryBytes(total));
        }
        let bar = if live { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let template = "{prefix} [{bar:28}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} (left {eta})";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.name(file);
        // What was there already says nothing of the speed.
        bar.set_position(present);
        bar.reset_eta();
        if let Ok(mut present) = self.0.lock() {
            *present = Some(bar);
        }
    }

    fn advance(&self, bytes: u64) {
        self.with(|bar| bar.inc(bytes));
    }

    fn restart(&self) {
        self.with(|bar| bar.set_position(0));
    }

    fn finish(&self) {
        if let Some(bar) = self.0.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
    }

    fn note(&self, line: &str) {
        let shown = self.0.lock().ok().is_some_and(|bar| {
            bar.as_ref().filter(|bar| !bar.is_hidden()).map(|bar| bar.say(&format!("note: {line}"))).is_some()
        });
        if !shown {
            say!("note: {line}");
        }
    }
}
