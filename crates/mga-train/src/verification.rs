//! The check of everything that a run will read, before its first epoch: an image that cannot be read would else end it
//! after hours, the test images after the last epoch.
//!
//! Images and masks are decoded by the very code that loads them, on as many threads as the loader has. What was found to be
//! whole is remembered by its content, so that the sixty runs of a sweep decode once. What is drawn by a rule is not looked
//! over: nothing of it lies on a disk.

use mga_experiment::{Experiment, OnError};
use mga_registry::Registry;

use crate::identity::paths;
use crate::progress::Listener;

/// Changes when the decoders do: what an older program found whole is looked over again.
pub(crate) const VERSION: &str = "1";

/// Faults that are told one by one.
const TOLD: usize = 20;

/// Returns the settings that decoding images and masks may depend on, as a text.
#[must_use]
pub fn decoding_settings(experiment: &Experiment, kinds: &Registry) -> String {
    const OTHERS: [&str; 14] = [
        "train",
        "eval",
        "batch_size",
        "shuffle",
        "drop_last",
        "workers",
        "prefetch",
        "verify",
        "on_error",
        "validation",
        "split",
        "mean",
        "std",
        "check_files",
    ];
    // An experiment that was loaded can be written; one that cannot shares nothing with others.
    let Ok(mut value) = serde_json::to_value(&experiment.data) else { return format!("{:?}", experiment.data) };
    if let Some(table) = value.as_object_mut() {
        OTHERS.into_iter().chain(paths(&experiment.data, kinds)).for_each(|key| drop(table.shift_remove(key)));
    }
    value.to_string()
}

/// Refuses what cannot be read, or says that it is skipped.
///
/// # Errors
/// Faults that the experiment does not skip.
pub(crate) fn tell(faults: &[String], all: usize, on_error: OnError, voice: &dyn Listener) -> anyhow::Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let mut list = faults.iter().take(TOLD).map(|fault| format!("\n  {fault}")).collect::<String>();
    if faults.len() > TOLD {
        list += &format!("\n  and {} more", faults.len() - TOLD);
    }
    let what = format!("{} of {all} images that the run reads cannot be used", faults.len());
    match on_error {
        OnError::Skip => voice.say(&format!("warning: {what}, and are skipped:{list}")),
        OnError::Stop => anyhow::bail!(
            "{what}:{list}\nnothing was trained: repair or replace them, or have them left out with data.on_error = \"skip\""
        ),
    }
    Ok(())
}
