//! A file into the cache: on from where an earlier attempt stopped, checked, and only then under its name.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::cache::{Cache, make};
use crate::check::{Hasher, check_file, check_safetensors};
use crate::error::{Error, Result};
use crate::fetched::Fetched;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::settings::Settings;
use crate::transport::{Fault, Metadata, Transport};

/// Asks the hub what `file` is, and downloads it unless its contents are in the cache.
pub(crate) fn fetch(
    settings: &Settings,
    cache: &Cache,
    progress: &dyn Progress,
    repo: &Repo,
    file: &str,
) -> Result<Fetched> {
    let transport = Transport::new(settings, progress)?;
    let metadata = transport.metadata(repo, file)?;
    let blob = cache.blob(repo, &metadata.etag);
    make(blob.parent().unwrap_or(cache.root()))?;
    let _lock = cache.lock(repo, &metadata.etag, || {
        progress.note(&format!("another process is downloading {file}; waiting for it"));
    })?;
    let whole = blob.is_file()
        && match check_file(&blob, file, &metadata.etag, Some(metadata.size)) {
            Ok(()) => true,
            Err(Error::Broken { what, .. }) => {
                progress.note(&format!("the cached copy of {file} is damaged ({what}); it is fetched again"));
                std::fs::remove_file(&blob).map_err(Error::io(&blob))?;
                false
            }
            Err(error) => return Err(error),
        };
    if !whole {
        // The commit, and not the branch: that may move meanwhile.
        let url = transport.address(repo, &metadata.commit, file);
        Download { transport: &transport, progress, cache, repo, file, url: &url, metadata: &metadata }.run(&blob)?;
    }
    let path = cache.publish(repo, &metadata.commit, file, &metadata.etag)?;
    Ok(Fetched { path, commit: metadata.commit, downloaded: !whole })
}

struct Download<'a> {
    transport: &'a Transport<'a>,
    progress: &'a dyn Progress,
    cache: &'a Cache,
    repo: &'a Repo,
    file: &'a str,
    url: &'a str,
    metadata: &'a Metadata,
}

/// What has arrived.
struct Partial {
    file: File,
    length: u64,
    hasher: Hasher,
}

impl Download<'_> {
    /// Downloads to `blob`. What has arrived lies beside it as `ETAG.incomplete`, where Python looks for it too.
    fn run(&self, blob: &Path) -> Result<()> {
        let incomplete = blob.with_file_name(format!("{}.incomplete", self.metadata.etag));
        let resumed = incomplete.metadata().is_ok_and(|found| found.len() > 0);
        let outcome = match self.attempt(&incomplete) {
            // What an earlier attempt left may be to blame; nothing of it is trusted then.
            Err(Error::Broken { what, .. }) if resumed => {
                self.progress.note(&format!("{what}; starting over"));
                std::fs::remove_file(&incomplete).map_err(Error::io(&incomplete))?;
                self.attempt(&incomplete)
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => {
                std::fs::rename(&incomplete, blob).map_err(Error::io(blob))?;
                sync_folder(blob)
            }
            Err(error) => {
                // A part that may yet become the file is kept, for the next attempt; nothing else.
                let empty = incomplete.metadata().is_ok_and(|found| found.len() == 0);
                if empty || !error.is_connection() {
                    let _ = std::fs::remove_file(&incomplete);
                }
                Err(error)
            }
        }
    }

    fn attempt(&self, incomplete: &Path) -> Result<()> {
        let size = self.metadata.size;
        let partial = RefCell::new(self.open(incomplete)?);
        self.progress.start(self.file, size, partial.borrow().length);
        // What was there before is no gain: a server without ranges sends it all again each time.
        let mut furthest = partial.borrow().length;
        let fetched = self.transport.patiently(self.url, |brought| {
            let from = partial.borrow().length;
            if from == size {
                return Ok(());
            }
            let mut begin = |at: u64, promised: Option<u64>| {
                if promised.is_some_and(|promised| at + promised != size) {
                    let what = format!("{} bytes from byte {at} on, where the file has {size}", promised.unwrap_or(0));
                    return Err(Fault::Passing(format!("it answers with {what}"), None));
                }
                if at == 0 && from > 0 {
                    self.restart(&mut partial.borrow_mut(), incomplete)?;
                }
                Ok(())
            };
            let mut take = |bytes: &[u8]| {
                let partial = &mut *partial.borrow_mut();
                if partial.length + bytes.len() as u64 > size {
                    let what = format!("more than the {size} bytes that the hub promises arrive");
                    return Err(Fault::Final(Error::Broken { file: self.file.to_owned(), what }));
                }
                partial.file.write_all(bytes).map_err(|e| self.not_written(e, incomplete))?;
                partial.hasher.update(bytes);
                partial.length += bytes.len() as u64;
                *brought |= partial.length > furthest;
                furthest = furthest.max(partial.length);
                self.progress.advance(bytes.len() as u64);
                Ok(())
            };
            self.transport.contents((self.repo, self.file, self.url), from, &mut begin, &mut take)?;
            let arrived = partial.borrow().length;
            if arrived < size {
                return Err(Fault::Passing(format!("it stopped at {arrived} of {size} bytes"), None));
            }
            Ok(())
        });
        self.progress.finish();
        fetched?;
        let partial = partial.into_inner();
        partial.file.sync_all().map_err(|e| self.not_written(e, incomplete))?;
        let broken = |what: String| Error::Broken { file: self.file.to_owned(), what };
        partial.hasher.verdict(&self.metadata.etag).map_err(broken)?;
        if self.file.ends_with(".safetensors") {
            check_safetensors(incomplete, self.file)?;
        }
        Ok(())
    }

    /// Opens what has arrived, hashing it; more than the whole file is none of it.
    fn open(&self, incomplete: &Path) -> Result<Partial> {
        let failed = |e| Error::io(incomplete)(e);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(incomplete).map_err(failed)?;
        let mut hasher = Hasher::new(&self.metadata.etag, self.metadata.size);
        let mut length = file.metadata().map_err(failed)?.len();
        if length > self.metadata.size {
            file.set_len(0).map_err(failed)?;
            length = 0;
        } else if length > 0 {
            hasher.read(incomplete)?;
        }
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        Ok(Partial { file, length, hasher })
    }

    fn restart(&self, partial: &mut Partial, incomplete: &Path) -> Result<()> {
        partial.file.set_len(0).map_err(Error::io(incomplete))?;
        partial.file.rewind().map_err(Error::io(incomplete))?;
        partial.length = 0;
        partial.hasher = Hasher::new(&self.metadata.etag, self.metadata.size);
        self.progress.restart();
        Ok(())
    }

    fn not_written(&self, cause: std::io::Error, path: &Path) -> Error {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if [StorageFull, QuotaExceeded, FileTooLarge].contains(&cause.kind()) {
            let cache = self.cache.root().to_path_buf();
            return Error::Full { file: self.file.to_owned(), bytes: self.metadata.size, cache, cause };
        }
        Error::io(path)(cause)
    }
}

/// Renaming must survive a power cut.
fn sync_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder)),
        None => Ok(()),
    }
}
