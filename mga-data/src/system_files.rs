//! Files that systems put beside one's own: thumbnails and copies that are no data.

use std::path::Path;

/// Folders and files that systems, file managers and network drives put beside one's own, by their names in lower case.
const LEFT_BY_SYSTEMS: [&str; 12] = [
    "__macosx",
    "@eadir",
    "@recycle",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
];

/// Returns whether nobody means the file or folder to be data: it is hidden (`.DS_Store`, `._1.jpg`, `.thumbnails`), or
/// left by a system, with copies and thumbnails of images in it (`__MACOSX`, `@eaDir`).
#[must_use]
pub fn is_passed_over(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_lowercase();
    name.starts_with('.') || LEFT_BY_SYSTEMS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_in_any_case() {
        for name in ["a/.hidden", "a/._1.jpg", "__MACOSX", "x/@eaDir", "Thumbs.db", "$RECYCLE.BIN", ".thumbnails"] {
            assert!(is_passed_over(Path::new(name)), "{name}");
        }
        for name in ["a/1.jpg", "MACOSX", "thumbs", ""] {
            assert!(!is_passed_over(Path::new(name)), "{name}");
        }
    }
}
