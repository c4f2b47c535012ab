//! Downloads from the stand-in: what arrives, what is refused, and what is left in the cache.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mga_hub::{Error, Hub, Progress, Repo, Settings};
use mga_testing::stand_in::{COMMIT, Fault, StandIn, safetensors};

const FILE: &str = "model.safetensors";

/// Keeps what it is told.
#[derive(Default)]
struct Notes {
    lines: Mutex<Vec<String>>,
    bytes: Mutex<u64>,
    started: Mutex<Vec<(u64, u64)>>,
}

impl Progress for Notes {
    fn start(&self, _file: &str, total: u64, present: u64) {
        self.started.lock().unwrap().push((total, present));
    }
    fn advance(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
    }
    fn restart(&self) {}
    fn finish(&self) {}
    fn note(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

struct Bench {
    server: StandIn,
    folder: tempfile::TempDir,
    notes: Arc<Notes>,
}

impl Bench {
    fn new() -> Self {
        Self { server: StandIn::start(), folder: tempfile::tempdir().unwrap(), notes: Arc::default() }
    }

    fn hub(&self) -> Hub {
        self.hub_with(|_| ())
    }

    fn hub_with(&self, change: impl FnOnce(&mut Settings)) -> Hub {
        let mut settings = Settings {
            endpoint: self.server.url().into(),
            cache: self.folder.path().join("hub"),
            token: None,
            offline: false,
            timeout: Duration::from_millis(400),
            attempts: 3,
            backoff: Duration::from_millis(5),
        };
        change(&mut settings);
        Hub::new(settings, Arc::clone(&self.notes) as Arc<dyn Progress>)
    }

    /// Every file in the cache but locks.
    fn left(&self) -> Vec<String> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
            }
        }
        let (root, mut found) = (self.folder.path().join("hub"), vec![]);
        walk(&root, &mut found);
        let name = |path: PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let mut names: Vec<String> = found.into_iter().map(name).filter(|name| !name.starts_with(".locks")).collect();
        names.sort();
        names
    }

    fn gets(&self) -> Vec<Option<String>> {
        let requests = self.server.requests();
        let gets = requests.iter().filter(|r| r.method == "GET" && r.path.starts_with("/cdn/"));
        gets.map(|r| r.headers.get("range").cloned()).collect()
    }
}

fn repo() -> Repo {
    Repo::model("timm/x").unwrap()
}

#[test]
fn a_file_arrives_in_pythons_layout_and_is_taken_from_there() {
    let bench = Bench::new();
    let bytes = safetensors(100_000);
    bench.server.model("timm/x", &[(FILE, &bytes), ("config.json", b"{}")]);
    let fetched = bench.hub().file(&repo(), FILE).unwrap();
    assert!(fetched.downloaded && fetched.commit == COMMIT);
    assert_eq!(std::fs::read(&fetched.path).unwrap(), bytes);
    bench.hub().file(&repo(), "config.json").unwrap();
    let (sha, git) = (mga_hub::sha256(&bytes), mga_hub::git_blob_sha1(b"{}"));
    let mut expected = [
        format!("models--timm--x/blobs/{git}"),
        format!("models--timm--x/blobs/{sha}"),
        "models--timm--x/refs/main".to_owned(),
        format!("models--timm--x/snapshots/{COMMIT}/config.json"),
        format!("models--timm--x/snapshots/{COMMIT}/{FILE}"),
    ];
    expected.sort();
    assert_eq!(bench.left(), expected);
    let again = bench.hub().file(&repo(), FILE).unwrap();
    assert!(!again.downloaded && again.path == fetched.path);
    assert_eq!(bench.gets().len(), 1);
    assert_eq!(*bench.notes.bytes.lock().unwrap(), bytes.len() as u64 + 2);
}

#[cfg(unix)]
#[test]
fn what_killed_processes_left_in_the_cache_is_cleared_by_the_next_call() {
    let bench = Bench::new();
    let bytes = safetensors(10);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    bench.hub().file(&repo(), FILE).unwrap();
    let whole = bench.left();
    let (cache, etag) = (bench.folder.path().join("hub"), mga_hub::sha256(&bytes));
    let leave = || {
        let link = cache.join(format!("models--timm--x/snapshots/{COMMIT}/.{etag}.4711.tmp"));
        std::os::unix::fs::symlink(format!("../../blobs/{etag}"), link).unwrap();
        std::fs::write(cache.join("models--timm--x/refs/.main.4711.tmp"), &COMMIT[..7]).unwrap();
        std::fs::write(cache.join(format!("models--timm--x/blobs/{etag}.incomplete")), b"ha").unwrap();
        assert_eq!(bench.left().len(), whole.len() + 3);
    };
    // Whatever the call is: asking the hub, a commit that is there already, a list, offline.
    let clears = |call: &dyn Fn(&Hub)| {
        leave();
        call(&bench.hub());
        assert_eq!(bench.left(), whole);
    };
    clears(&|hub| drop(hub.file(&repo(), FILE).unwrap()));
    clears(&|hub| drop(hub.file(&repo().at(COMMIT), FILE).unwrap()));
    clears(&|hub| drop(hub.files(&repo()).unwrap()));
    clears(&|hub| drop(hub.clone().offline().file(&repo(), FILE).unwrap()));
}

#[test]
fn a_commit_in_the_cache_and_offline_open_no_connection() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    let offline = bench.hub().offline();
    let message = offline.file(&repo(), FILE).unwrap_err().to_string();
    assert!(message.contains("not in the cache") && message.contains("--offline"), "{message}");
    assert!(offline.files(&repo()).is_err());
    assert_eq!(bench.server.connections(), 0);
    let fetched = bench.hub().file(&repo(), FILE).unwrap();
    let before = bench.server.connections();
    assert_eq!(bench.hub().file(&repo().at(COMMIT), FILE).unwrap().path, fetched.path);
    assert_eq!(offline.file(&repo(), FILE).unwrap().path, fetched.path);
    assert_eq!(offline.files(&repo()).unwrap(), [FILE]);
    assert_eq!(bench.server.connections(), before);
}

#[test]
fn revisions_of_every_kind_are_asked_for() {
    let bench = Bench::new();
    let other = "f".repeat(40);
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    bench.server.put("models/timm/x", "refs/pr/2", &other, &[(FILE, &safetensors(20))]);
    bench.server.put("models/timm/x", "v1", &other, &[]);
    for (revision, commit) in
        [("main", COMMIT), ("refs/pr/2", &other), ("v1", &other), (&other, &other), (COMMIT, COMMIT)]
    {
        let fetched = bench.hub().file(&repo().at(revision), FILE).unwrap();
        assert_eq!(fetched.commit, commit, "{revision}");
    }
    let refs = bench.hub().cache().repos(mga_hub::Kind::Model);
    assert!(refs.iter().any(|at| at.commit == other && at.refs == ["refs/pr/2", "v1"]), "{refs:?}");
    let listed = bench.hub().files(&repo().at("refs/pr/2")).unwrap();
    assert_eq!(listed, [FILE]);
}

#[test]
fn a_renamed_repository_is_found_and_the_token_stays_with_the_hub() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    bench.server.moved("models/old/x", "models/timm/x");
    let hub = bench.hub_with(|settings| settings.token = Some("secret".into()));
    hub.file(&Repo::model("old/x").unwrap(), FILE).unwrap();
    for request in bench.server.requests() {
        // `localhost` is another host than `127.0.0.1`.
        assert_eq!(request.headers.contains_key("authorization"), !request.path.starts_with("/cdn/"), "{request:?}");
    }
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let bench = Bench::new();
    let bytes = safetensors(50_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    bench.server.fault("GET", "/cdn/", Fault::Dropped(20_000), 2);
    bench.server.fault("HEAD", FILE, Fault::Closed, 1);
    bench.server.fault("HEAD", FILE, Fault::Status(503, "", "busy"), 1);
    let fetched = bench.hub().file(&repo(), FILE).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
    assert_eq!(bench.gets(), [None, Some("bytes=20000-".into()), Some("bytes=40000-".into())]);
}

#[test]
fn silence_is_noticed_and_overcome() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(9_000))]);
    bench.server.fault("GET", "/cdn/", Fault::Stall(5_000), 1);
    bench.hub().file(&repo(), FILE).unwrap();
    assert_eq!(bench.gets(), [None, Some("bytes=5000-".into())]);
    assert!(bench.notes.lines.lock().unwrap()[0].contains("nothing came for 0.4 s"));
}

#[test]
fn giving_up_keeps_the_part_and_the_next_attempt_goes_on() {
    let bench = Bench::new();
    let bytes = safetensors(9_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    bench.server.fault("GET", "/cdn/", Fault::Dropped(5_000), 1);
    bench.server.fault("GET", "/cdn/", Fault::Closed, 3);
    let message = bench.hub().file(&repo(), FILE).unwrap_err().to_string();
    assert!(message.contains("3 attempts") && message.contains("goes on from there"), "{message}");
    let left = bench.left();
    assert!(left.len() == 1 && left[0].ends_with(".incomplete"), "{left:?}");
    let fetched = bench.hub().file(&repo(), FILE).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
    assert_eq!(bench.gets().last().unwrap().as_deref(), Some("bytes=5000-"));
    assert_eq!(bench.notes.started.lock().unwrap().last(), Some(&(bytes.len() as u64, 5_000)));
    assert!(!bench.left().iter().any(|name| name.ends_with(".incomplete")));
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let bench = Bench::new();
    let bytes = safetensors(9_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    bench.server.fault("GET", "/cdn/", Fault::Dropped(5_000), 1);
    bench.server.fault("GET", "/cdn/", Fault::NoRanges, 1);
    let fetched = bench.hub().file(&repo(), FILE).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
}

/// hf-hub 1.0.0 caches these two as the file.
#[test]
fn an_errors_body_or_a_short_answer_is_never_the_file() {
    for fault in [Fault::Status(403, "", "DENIED"), Fault::Status(404, "", "gone"), Fault::Short(3)] {
        let bench = Bench::new();
        bench.server.model("timm/x", &[(FILE, &safetensors(1_000)), ("labels.txt", b"a long list of names")]);
        // A short answer is asked for again, a refusal is not.
        let times = if matches!(fault, Fault::Short(_)) { 3 } else { 1 };
        bench.server.fault("GET", "/cdn/", fault.clone(), times);
        bench.server.fault("GET", "/labels.txt", fault.clone(), times);
        for file in [FILE, "labels.txt"] {
            let error = bench.hub().file(&repo(), file).unwrap_err();
            match fault {
                Fault::Short(_) => assert!(error.to_string().contains("3 bytes from byte 0 on"), "{error}"),
                _ => assert!(matches!(error, Error::Denied { .. } | Error::NoSuchRepo { .. }), "{error}"),
            }
            assert_eq!(bench.left(), [""; 0]);
        }
        bench.hub().file(&repo(), FILE).unwrap();
        bench.hub().file(&repo(), "labels.txt").unwrap();
    }
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(1_000)), ("labels.txt", b"names")]);
    bench.server.fault("GET", "", Fault::Garbled, 4);
    for (file, hash) in [(FILE, "sha256"), ("labels.txt", "git sha1")] {
        let message = bench.hub().file(&repo(), file).unwrap_err().to_string();
        assert!(message.contains(hash) && message.contains("nothing of it was kept"), "{message}");
        assert_eq!(bench.left(), [""; 0]);
    }
}

#[test]
fn a_wrong_part_from_earlier_is_thrown_away() {
    let bench = Bench::new();
    let bytes = safetensors(1_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    let blobs = bench.folder.path().join("hub/models--timm--x/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    for wrong in [vec![7; 500], vec![7; bytes.len()], vec![7; 5_000]] {
        let name = mga_hub::sha256(&bytes);
        std::fs::write(blobs.join(format!("{name}.incomplete")), wrong).unwrap();
        let fetched = bench.hub().file(&repo(), FILE).unwrap();
        assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
        std::fs::remove_file(blobs.join(name)).unwrap();
    }
}

#[test]
fn what_calls_itself_safetensors_must_be() {
    let bench = Bench::new();
    let mut cut = safetensors(1_000);
    cut.truncate(800);
    for bytes in [b"<html>".to_vec(), cut] {
        bench.server.model("timm/x", &[(FILE, &bytes)]);
        let message = bench.hub().file(&repo(), FILE).unwrap_err().to_string();
        assert!(message.contains("no safetensors file"), "{message}");
        assert_eq!(bench.left(), [""; 0]);
    }
}

#[test]
fn a_damaged_cached_file_is_fetched_again_and_offline_it_is_refused() {
    let bench = Bench::new();
    let bytes = safetensors(1_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    for revision in ["main", COMMIT] {
        let path = bench.hub().file(&repo(), FILE).unwrap().path;
        std::fs::write(path.canonicalize().unwrap(), &bytes[..500]).unwrap();
        let message = bench.hub().offline().file(&repo().at(revision), FILE).unwrap_err().to_string();
        assert!(message.contains("delete "), "{message}");
        let again = bench.hub().file(&repo().at(revision), FILE).unwrap();
        assert!(again.downloaded);
        assert_eq!(std::fs::read(again.path).unwrap(), bytes);
    }
}

#[test]
fn refusals_say_what_to_do() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    bench.server.model("meta/gated", &[(FILE, &safetensors(10))]);
    bench.server.gate("meta/gated");
    let said = |name: &str, file: &str| bench.hub().file(&Repo::model(name).unwrap(), file).unwrap_err().to_string();
    assert!(said("timm/y", FILE).contains("check the spelling"));
    assert!(said("timm/x@v9", FILE).contains("has no revision `v9`"));
    assert!(said("timm/x", "other.bin").contains("has no file `other.bin`"));
    assert!(said("meta/gated", FILE).contains("set HF_TOKEN"));
    let with = |token: &str| bench.hub_with(|settings| settings.token = Some(token.to_owned()));
    let gated = Repo::model("meta/gated").unwrap();
    let refused = with("other").file(&gated, FILE).unwrap_err().to_string();
    assert!(refused.contains("the account that was granted it"), "{refused}");
    with("granted").file(&gated, FILE).unwrap();
    let listed = bench.hub().files(&Repo::model("timm/y").unwrap()).unwrap_err().to_string();
    assert!(listed.contains("no repository `timm/y`"), "{listed}");
    let listed = bench.hub().files(&repo().at("v9")).unwrap_err().to_string();
    assert!(listed.contains("v9"), "{listed}");
    bench.server.fault("HEAD", "timm/x", Fault::Status(401, "", "Unauthorized"), 1);
    assert!(said("timm/x", FILE).contains("status 401"));
}

#[test]
fn without_a_hub_the_cached_branch_serves_and_says_so() {
    let bench = Bench::new();
    bench.server.model("timm/x", &[(FILE, &safetensors(10))]);
    let path = bench.hub().file(&repo(), FILE).unwrap().path;
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let alone = bench.hub_with(|settings| settings.endpoint = format!("http://{free}").into());
    assert_eq!(alone.file(&repo(), FILE).unwrap().path, path);
    assert!(bench.notes.lines.lock().unwrap().iter().any(|line| line.contains("the cached model.safetensors")));
    let message = alone.file(&repo(), "other.safetensors").unwrap_err().to_string();
    assert!(message.contains("no connection") && message.contains("HF_ENDPOINT"), "{message}");
}

#[test]
fn many_at_once_download_it_once() {
    let bench = Bench::new();
    let bytes = safetensors(300_000);
    bench.server.model("timm/x", &[(FILE, &bytes)]);
    bench.server.fault("GET", "/cdn/", Fault::Slow(20_000), 1);
    let hubs: Vec<Hub> = (0..6).map(|_| bench.hub_with(|s| s.timeout = Duration::from_secs(20))).collect();
    std::thread::scope(|scope| {
        for hub in &hubs {
            let bytes = &bytes;
            scope.spawn(move || {
                let fetched = hub.file(&repo(), FILE).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(&std::fs::read(fetched.path).unwrap(), bytes);
            });
        }
    });
    assert_eq!(bench.gets().len(), 1);
}
