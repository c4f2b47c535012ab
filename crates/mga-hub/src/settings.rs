//! The address of the hub, its cache and its token: the environment variables of Python's `huggingface_hub`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::endpoint::Endpoint;

/// Settings of the connection to the hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `HF_ENDPOINT`; else `https://huggingface.co`. A login in it goes in place of the token.
    pub endpoint: Endpoint,
    /// `HF_HUB_CACHE`; else `HF_HOME/hub`; else `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// `HF_TOKEN`; else the file `HF_TOKEN_PATH` or `HF_HOME/token` that `hf auth login` writes.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE=1`: no connection is ever opened.
    pub offline: bool,
    /// The time without data after which a download counts as stalled: `HF_HUB_DOWNLOAD_TIMEOUT`, in seconds.
    pub timeout: Duration,
    /// Attempts without a single new byte before giving up.
    pub attempts: u32,
    /// The wait after the first failed attempt; doubled after each, up to [`Settings::LONGEST_WAIT`].
    pub backoff: Duration,
}

// The token stays out of logs.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.is_some())
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The longest wait between two attempts.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(8);

    /// Reads the settings from the environment of the process.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the settings from other variables than those of the process, by name.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = || variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
        let expanded = |path: String| match (path.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        };
        let base = variable("XDG_CACHE_HOME").map(expanded);
        let base = base.unwrap_or_else(|| home().unwrap_or_default().join(".cache"));
        let hf_home = variable("HF_HOME").map(expanded).unwrap_or_else(|| base.join("huggingface"));
        let cache = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE")).map(expanded);
        let token_file = variable("HF_TOKEN_PATH").map(expanded).unwrap_or_else(|| hf_home.join("token"));
        let implicit = !variable("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|value| is_true(&value));
        let token = variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN"));
        let token = token.or_else(|| implicit.then(|| read_token(&token_file)).flatten());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let seconds = variable("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|value| value.trim().parse::<u64>().ok());
        Self {
            endpoint: Endpoint::new(&endpoint),
            cache: cache.unwrap_or_else(|| hf_home.join("hub")),
            token: token.map(|token| token.trim().to_owned()),
            offline: variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            timeout: Duration::from_secs(seconds.unwrap_or(10).max(1)),
            attempts: 5,
            backoff: Duration::from_millis(500),
        }
    }
}

fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.trim().to_ascii_lowercase().as_str())
}

fn read_token(file: &Path) -> Option<String> {
    let token = std::fs::read_to_string(file).ok()?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Settings::from_variables(find)
    }

    #[test]
    fn the_cache_is_where_python_looks() {
        assert_eq!(settings(&[("HOME", "/h")]).cache, Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(settings(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).cache, Path::new("/x/huggingface/hub"));
        assert_eq!(settings(&[("HOME", "/h"), ("HF_HOME", "~/hf")]).cache, Path::new("/h/hf/hub"));
        assert_eq!(settings(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")]).cache, Path::new("/c"));
    }

    #[test]
    fn offline_endpoint_and_token_are_read() {
        let set = settings(&[("HF_HUB_OFFLINE", "1"), ("HF_ENDPOINT", "http://x/"), ("HF_TOKEN", " hf_a\n")]);
        assert!(set.offline);
        assert_eq!((set.endpoint.base(), set.token.as_deref()), ("http://x", Some("hf_a")));
        assert!(!format!("{set:?}").contains("hf_a"));
        let mirror = settings(&[("HF_ENDPOINT", "https://me:secret@mirror.example/hf/")]);
        assert_eq!(mirror.endpoint.base(), "https://mirror.example/hf");
        assert!(!format!("{mirror:?}").contains("secret"));
        let plain = settings(&[("HF_HUB_OFFLINE", "0")]);
        assert!(!plain.offline && plain.token.is_none());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_b\n").unwrap();
        let home = folder.path().to_string_lossy().into_owned();
        assert_eq!(settings(&[("HF_HOME", &home)]).token.as_deref(), Some("hf_b"));
        assert_eq!(settings(&[("HF_HOME", &home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
    }
}
