//! Serves a folder as a hub on 127.0.0.1, for `scripts/hub/with_python.sh` and for looking at by hand:
//!
//! ```text
//! cargo run --release -p mga-hub --example stand_in -- 8000 models/timm/x=FOLDER datasets/me/y=FOLDER
//! HF_ENDPOINT=http://127.0.0.1:8000 mga weights pull timm/x
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test's server")]

use std::path::Path;

use mga_testing::stand_in;

fn files(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_else(|| "0".to_owned());
    let server = stand_in::StandIn::start_at(&format!("127.0.0.1:{port}"));
    for argument in arguments {
        let (repo, folder) = argument.split_once('=').unwrap();
        let mut found = vec![];
        files(Path::new(folder), Path::new(folder), &mut found);
        let found: Vec<(&str, &[u8])> = found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        server.put(repo, "main", stand_in::COMMIT, &found);
    }
    println!("{}", server.url());
    loop {
        std::thread::park();
    }
}
