//! A stand-in for the hub on 127.0.0.1: what `huggingface.co` answers to HEAD and GET, in threads over plain sockets, and
//! the faults that a network has. `examples/stand_in.rs` of mga-hub serves a folder with it.
//!
//! Files called `*.safetensors`, `*.parquet` or `*.bin` are large files to it, as on the hub: HEAD answers with a redirect
//! that carries `X-Linked-Etag` (sha256) and `X-Linked-Size`, and the contents lie elsewhere (`/cdn/...`). Others are
//! small ones: git's hash as the ETag, and the contents under the same address.

mod answers;
mod state;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use answers::serve;
use state::State;
pub use state::{Fault, Request};

/// The commit that files are put at unless another is named.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The server; it ends with the test.
pub struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    connections: Arc<AtomicUsize>,
}

impl StandIn {
    /// Starts it on a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// Starts a server at an address and port.
    pub fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let stand_in =
            Self { address: listener.local_addr().unwrap(), state: Arc::default(), connections: Arc::default() };
        let (state, connections, address) =
            (Arc::clone(&stand_in.state), Arc::clone(&stand_in.connections), stand_in.address);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state, address));
            }
        });
        stand_in
    }

    /// Returns the value for `HF_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts files into a repository, `models/owner/name` or `datasets/owner/name`, at a commit, and the revision there.
    pub fn put(&self, repo: &str, revision: &str, commit: &str, files: &[(&str, &[u8])]) {
        let mut state = self.state.lock().unwrap();
        state.revisions.insert((repo.to_owned(), revision.to_owned()), commit.to_owned());
        let there = state.files.entry((repo.to_owned(), commit.to_owned())).or_default();
        there.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
    }

    /// Adds a model to `main` at [`COMMIT`], like [`StandIn::put`].
    pub fn model(&self, id: &str, files: &[(&str, &[u8])]) {
        self.put(&format!("models/{id}"), "main", COMMIT, files);
    }

    /// Puts the files of a data set on the hub.
    pub fn dataset(&self, id: &str, files: &[(&str, &[u8])]) {
        self.put(&format!("datasets/{id}"), "main", COMMIT, files);
    }

    /// Adds a repository that was renamed from `from` to `to`.
    pub fn moved(&self, from: &str, to: &str) {
        self.state.lock().unwrap().moved.insert(from.to_owned(), to.to_owned());
    }

    /// Makes a repository require a login.
    pub fn gate(&self, id: &str) {
        self.state.lock().unwrap().gated.push(id.to_owned());
    }

    /// Lets the next `times` requests with this method whose path contains `path` fail.
    pub fn fault(&self, method: &'static str, path: &str, fault: Fault, times: usize) {
        self.state.lock().unwrap().faults.push((method, path.to_owned(), fault, times));
    }

    /// Lets every listing say that it goes on there.
    pub fn next_page(&self, url: &str) {
        self.state.lock().unwrap().next_page = Some(url.to_owned());
    }

    /// Lets nothing fail any more.
    pub fn mend(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }
}

/// Returns a safetensors file with one tensor of `bytes` bytes, whose content encodes its position.
pub fn safetensors(bytes: usize) -> Vec<u8> {
    let header = format!("{{\"x\":{{\"dtype\":\"U8\",\"shape\":[{bytes}],\"data_offsets\":[0,{bytes}]}}}}");
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend((0..bytes).map(|i| (i * 31 + i / 251) as u8));
    file
}
