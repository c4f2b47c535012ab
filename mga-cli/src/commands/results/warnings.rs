//! Warnings about folders of results.

use mga_report::results::Results;

/// Says what is odd with the folders, on standard error.
pub(super) fn warn(results: &Results) {
    for note in results.all_notes() {
        say!("note: {}: {}", note.path.display(), note.message);
    }
}
