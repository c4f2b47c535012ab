//! Files of the Hugging Face hub by name: downloaded once, checked, and kept in the cache that Python's
//! `huggingface_hub` uses too.
//!
//! A crate of its own because weights (the program) and data sets (`mga-data`) both come through it, and neither of them
//! should depend on the other. hf-hub lists repositories; files are fetched here, in ranges, because hf-hub 1.0.0 caches
//! an error's body or a truncated answer as if it were the file, and cannot go on with what is there.
//!
//! ```no_run
//! use mga_hub::{Hub, Repo};
//!
//! let hub = Hub::from_env();
//! let file = hub.file(&Repo::model("timm/resnet18.tv_in1k@main")?, "model.safetensors")?;
//! println!("{} of commit {}", file.path.display(), file.commit);
//! # Ok::<(), mga_hub::Error>(())
//! ```

mod cache;
mod check;
#[cfg(feature = "network")]
mod download;
mod error;
mod hub;
mod progress;
mod repo;
mod settings;
#[cfg(feature = "network")]
mod transport;

pub use cache::{Cache, CachedRepo};
pub use check::{check_file, check_safetensors, git_blob_sha1, read_header, sha256};
pub use error::{Error, Result};
pub use hub::{Fetched, Hub, RemoteFile};
pub use progress::{Progress, Silent};
pub use repo::{Kind, Repo};
pub use settings::Settings;
