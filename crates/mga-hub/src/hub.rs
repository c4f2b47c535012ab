//! Files by name: from the cache where they are there and whole, else from the hub.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::check::{check_file, check_safetensors};
use crate::error::{Error, Result};
use crate::fetched::Fetched;
use crate::leftovers;
use crate::progress::{Progress, Silent};
use crate::repo::{Kind, Repo, is_inside};
use crate::settings::Settings;

/// A client of the Hugging Face hub: its settings, its cache, and the receiver of its progress. Cloning it is cheap.
///
/// ```
/// use mga_hub::{Hub, Repo};
///
/// // Offline, files come only from the cache that Python's `huggingface_hub` uses too.
/// let hub = Hub::from_env().offline();
/// let repo = Repo::model("timm/densenet161.tv_in1k")?;
/// match hub.file(&repo, "model.safetensors") {
///     Ok(file) => println!("{} of commit {}", file.path.display(), file.commit),
///     Err(error) => println!("{error}"),
/// }
/// # Ok::<(), mga_hub::Error>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    settings: Settings,
    cache: Cache,
    progress: Arc<dyn Progress>,
    /// Repositories whose part of the cache is rid of what killed processes left, by their folders.
    cleared: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Hub {
    /// Creates a client with these settings.
    pub fn new(settings: Settings, progress: Arc<dyn Progress>) -> Self {
        Self { cache: Cache::at(&settings.cache), settings, progress, cleared: Arc::default() }
    }

    /// Creates a client with the settings of the environment that reports no progress.
    pub fn from_env() -> Self {
        Self::new(Settings::from_env(), Arc::new(Silent))
    }

    /// Returns the client in offline mode, in which it never opens a connection.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.settings.offline = true;
        self
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Returns the file `file` of `repo` from the cache, downloading it if needed. A cached file of a full commit needs
    /// no connection. For a branch or a tag, the hub is asked for the commit; if it cannot be reached, the cached
    /// commit is used (a note says so).
    ///
    /// Before a path is given out the file's length, hash and, for `*.safetensors`, header are checked, cached files
    /// included. Only data sets (of many gigabytes) are not hashed again once they are in the cache.
    ///
    /// # Errors
    /// Any of [`Error`]; nothing half-written is left under the name of a file.
    pub fn file(&self, repo: &Repo, file: &str) -> Result<Fetched> {
        if !is_inside(file) {
            let what = "no path inside a repository".to_owned();
            return Err(Error::Broken { file: file.to_owned(), what });
        }
        self.clear_leftovers(repo);
        let cached = self.cache.find(repo, file);
        if let Some((path, commit)) = &cached
            && (self.settings.offline || repo.is_pinned())
        {
            let found = Fetched { path: path.clone(), commit: commit.clone(), downloaded: false };
            match self.check_cached(repo, file, &found) {
                Ok(()) => return Ok(found),
                Err(error) if self.settings.offline => return Err(damaged(error, path)),
                // It is fetched again below.
                Err(error) => self.progress.note(&format!("the cached copy is damaged ({error})")),
            }
        }
        match self.fetch(repo, file) {
            Err(error) if error.is_connection() => {
                let Some((path, commit)) = cached else { return Err(error) };
                let found = Fetched { path, commit, downloaded: false };
                self.check_cached(repo, file, &found)?;
                self.progress.note(&format!("{error}; the cached {file} of {} is taken", repo.at(&found.commit)));
                Ok(found)
            }
            fetched => fetched,
        }
    }

    /// Returns the paths of the files of `repo`, as the hub lists them. Offline, these are the files in the cache.
    ///
    /// # Errors
    /// As [`Hub::file`].
    pub fn files(&self, repo: &Repo) -> Result<Vec<String>> {
        self.clear_leftovers(repo);
        let cached = || self.cache.files(repo).map(|(files, _)| files);
        if self.settings.offline {
            return cached().ok_or_else(|| self.not_cached(format!("`{repo}`")));
        }
        match self.list(repo) {
            Err(error) if error.is_connection() => cached().ok_or(error),
            listed => listed,
        }
    }

    /// Once for each repository: a data set has thousands of files.
    fn clear_leftovers(&self, repo: &Repo) {
        if self.cleared.lock().unwrap_or_else(PoisonError::into_inner).insert(self.cache.folder(repo)) {
            leftovers::clear(&self.cache, repo);
        }
    }

    /// Whether a cached file is whole: its blob is called by its hash.
    fn check_cached(&self, repo: &Repo, file: &str, found: &Fetched) -> Result<()> {
        let blob = found.path.canonicalize().map_err(Error::io(&found.path))?;
        let etag = blob.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if repo.kind == Kind::Model {
            return check_file(&blob, file, &etag, None);
        }
        if file.ends_with(".safetensors") { check_safetensors(&blob, file) } else { Ok(()) }
    }

    fn not_cached(&self, what: String) -> Error {
        let why = if cfg!(feature = "network") {
            "this is offline: run it once without --offline and HF_HUB_OFFLINE (or `mga weights pull` where there is a \
             network, and copy the cache)"
        } else {
            "this program was built without the network: name a local file, or build with the feature `hub`"
        };
        Error::NotCached { what, cache: self.cache.root().to_path_buf(), why: why.to_owned() }
    }

    #[cfg(feature = "network")]
    fn fetch(&self, repo: &Repo, file: &str) -> Result<Fetched> {
        if self.settings.offline {
            return Err(self.not_cached(format!("{file} of `{repo}`")));
        }
        crate::download::fetch(&self.settings, &self.cache, self.progress.as_ref(), repo, file)
    }

    #[cfg(feature = "network")]
    fn list(&self, repo: &Repo) -> Result<Vec<String>> {
        crate::transport::Transport::new(&self.settings, self.progress.as_ref())?.list(repo)
    }

    #[cfg(not(feature = "network"))]
    fn fetch(&self, repo: &Repo, file: &str) -> Result<Fetched> {
        // What is in the cache serves, whatever the branch is at by now.
        match self.cache.find(repo, file) {
            Some((path, commit)) => {
                let found = Fetched { path, commit, downloaded: false };
                self.check_cached(repo, file, &found).map_err(|error| damaged(error, &found.path))?;
                Ok(found)
            }
            None => Err(self.not_cached(format!("{file} of `{repo}`"))),
        }
    }

    #[cfg(not(feature = "network"))]
    fn list(&self, repo: &Repo) -> Result<Vec<String>> {
        self.clone().offline().files(repo)
    }
}

/// A damaged file that cannot be fetched again: which one to delete.
fn damaged(error: Error, path: &std::path::Path) -> Error {
    match error {
        Error::Broken { file, what } => {
            let blob = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            Error::Broken { file, what: format!("{what} (the cached copy; delete {} and go online)", blob.display()) }
        }
        other => other,
    }
}
