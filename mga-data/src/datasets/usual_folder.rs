//! Where a data set lies whose archive unpacks to a folder of a known name.

use std::path::{Path, PathBuf};

use crate::datasets::entry::OpenContext;
use crate::error::{Error, Result};

/// The folder of data set `name`: `data.root`, or the one of `folders` below it, that `there` says yes to. `wanted` says in
/// words what it has to hold.
///
/// # Errors
/// No root, no such folder, or none that holds what is wanted.
pub(crate) fn usual_folder(
    name: &str,
    context: &OpenContext,
    folders: &[&str],
    there: impl Fn(&Path) -> bool,
    wanted: &str,
) -> Result<PathBuf> {
    let root = context
        .root
        .as_deref()
        .ok_or_else(|| Error::settings(format!("data set `{name}` needs `data.root`: a folder with {wanted}")))?;
    let below = folders.iter().map(|folder| root.join(folder));
    if let Some(found) = std::iter::once(root.to_path_buf()).chain(below).find(|folder| there(folder)) {
        return Ok(found);
    }
    if !root.is_dir() {
        return Err(Error::file(root, "there is no such folder; check `data.root` (relative to where mga is started)"));
    }
    let also = folders.join("`, `");
    Err(Error::file(
        root,
        format!("data set `{name}` expects {wanted} here, or in a folder `{also}` here; check `data.root`"),
    ))
}
