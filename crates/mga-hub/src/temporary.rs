//! The names of cache files while they are made.

/// How a file is called while it is made. No name of a branch and no hash begins with a dot.
pub(crate) fn temporary(name: &str) -> String {
    format!(".{name}.{}.tmp", std::process::id())
}
