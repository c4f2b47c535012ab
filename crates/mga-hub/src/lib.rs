//! Files of the Hugging Face hub by name: downloaded once, checked, and kept in the cache that Python's
//! `huggingface_hub` uses too.
//!
//! A crate of its own because weights (the program) and data sets (`mga-data`) both come through it, and neither of them
//! should depend on the other. hf-hub 1.0.0 says what the hub's answers hold; its client does not serve: it caches an error's
//! body or a truncated answer as if it were the file, cannot go on with what is there, and sends the token wherever a page of a
//! listing says the next one lies.
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
mod endpoint;
mod error;
mod fetched;
mod hub;
mod leftovers;
#[cfg(feature = "network")]
mod listing;
mod progress;
#[cfg(feature = "network")]
mod refusal;
mod repo;
mod settings;
mod temporary;
#[cfg(feature = "network")]
mod transport;

pub use cache::{Cache, CachedRepo};
pub use check::{check_file, check_safetensors, git_blob_sha1, read_header, sha256};
pub use endpoint::Endpoint;
pub use error::{Error, Result};
pub use fetched::Fetched;
pub use hub::Hub;
pub use progress::{Progress, Silent};
pub use repo::{Kind, Repo};
pub use settings::Settings;
