//! Requests read from a socket, and their answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use mga_hub::{git_blob_sha1, sha256};

use super::state::{Fault, Request, State};

pub(super) fn serve(stream: TcpStream, state: &Mutex<State>, address: SocketAddr) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        if answer(&stream, state, address, &request).is_none() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut vec![]).ok()?;
    Some(Request { method, path, headers })
}

/// Answers one request; `None` closes the connection.
fn answer(stream: &TcpStream, state: &Mutex<State>, address: SocketAddr, request: &Request) -> Option<()> {
    let mut state = state.lock().unwrap();
    state.log.push(request.clone());
    let fault = state.faults.iter_mut().find(|(method, path, _, times)| {
        *times > 0 && request.method == *method && request.path.contains(path.as_str())
    });
    let fault = fault.map(|(.., fault, times)| {
        *times -= 1;
        fault.clone()
    });
    let answer = match &fault {
        Some(Fault::Status(status, code, body)) => refusal(*status, code, body),
        Some(Fault::Closed) => return None,
        Some(Fault::Endless(status) | Fault::Trickle(status, _)) => refusal(*status, "", ""),
        Some(Fault::Elsewhere(to)) => {
            Answer { status: 302, headers: vec![("location".into(), to.clone())], body: vec![], ranged: false }
        }
        _ => find(&state, address, request),
    };
    drop(state);
    send(stream, request, answer, fault)
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ranged: bool,
}

fn refusal(status: u16, code: &str, body: &str) -> Answer {
    let mut headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    if !code.is_empty() {
        headers.push(("x-error-code".to_owned(), code.to_owned()));
    }
    Answer { status, headers, body: body.as_bytes().to_vec(), ranged: false }
}

fn find(state: &State, address: SocketAddr, request: &Request) -> Answer {
    let path = request.path.split('?').next().unwrap_or_default().replace("%2F", "/");
    if let Some(hash) = path.strip_prefix("/cdn/") {
        let files = state.files.values().flat_map(BTreeMap::values);
        return match files.into_iter().find(|bytes| sha256(bytes) == hash) {
            Some(bytes) => Answer {
                status: 200,
                headers: vec![("etag".into(), format!("\"{}\"", &hash[..32]))],
                body: bytes.clone(),
                ranged: true,
            },
            None => refusal(403, "", "<Error>AccessDenied</Error>"),
        };
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        return api(state, rest);
    }
    let rest = path.trim_start_matches('/');
    let Some((repo, rest)) = rest.split_once("/resolve/") else { return refusal(404, "", "Not Found") };
    let repo = if repo.starts_with("datasets/") { repo.to_owned() } else { format!("models/{repo}") };
    if let Some(new) = state.moved.get(&repo) {
        let to = format!("/{}/resolve/{rest}", new.trim_start_matches("models/"));
        return Answer { status: 307, headers: vec![("location".into(), to)], body: vec![], ranged: false };
    }
    if let Some(refused) = closed(state, &repo, request) {
        return refused;
    }
    // The longest revision that fits: they may contain slashes.
    let revisions = state.revisions.iter().filter(|((r, _), _)| *r == repo);
    let commits = state.files.keys().filter(|(r, _)| *r == repo).map(|(_, commit)| (commit.as_str(), commit));
    let all = revisions.map(|((_, revision), commit)| (revision.as_str(), commit)).chain(commits);
    let fits = all.filter_map(|(revision, commit)| Some((commit, rest.strip_prefix(revision)?.strip_prefix('/')?)));
    let Some((commit, file)) = fits.min_by_key(|(_, file)| file.len()) else {
        return refusal(404, "RevisionNotFound", "Revision Not Found");
    };
    let commit_header = ("x-repo-commit".to_owned(), commit.clone());
    let Some(bytes) = state.files.get(&(repo.clone(), commit.clone())).and_then(|files| files.get(file)) else {
        let mut missing = refusal(404, "EntryNotFound", "Entry not found");
        missing.headers.push(commit_header);
        return missing;
    };
    if [".safetensors", ".parquet", ".bin"].iter().any(|end| file.ends_with(end)) {
        let hash = sha256(bytes);
        let headers = vec![
            commit_header,
            ("x-linked-etag".into(), format!("\"{hash}\"")),
            ("x-linked-size".into(), bytes.len().to_string()),
            ("etag".into(), "\"of-the-redirect\"".into()),
            ("location".into(), format!("http://localhost:{}/cdn/{hash}", address.port())),
        ];
        return Answer { status: 302, headers, body: b"Found. Redirecting".to_vec(), ranged: false };
    }
    let headers = vec![commit_header, ("etag".into(), format!("\"{}\"", git_blob_sha1(bytes)))];
    Answer { status: 200, headers, body: bytes.clone(), ranged: true }
}

/// What keeps a request out of a repository.
fn closed(state: &State, repo: &str, request: &Request) -> Option<Answer> {
    let id = repo.split_once('/').map_or(repo, |(_, id)| id);
    if !state.revisions.keys().any(|(present, _)| present == repo) {
        return Some(refusal(401, "RepoNotFound", "Invalid username or password."));
    }
    if state.gated.iter().any(|gated| gated == id) {
        return match request.headers.get("authorization").map(String::as_str) {
            None => Some(refusal(401, "GatedRepo", "Access to this repository is restricted.")),
            Some("Bearer granted") => None,
            Some(_) => Some(refusal(403, "GatedRepo", "Access to this repository is restricted.")),
        };
    }
    None
}

/// `models/owner/name/tree/REVISION` and `models/owner/name/revision/REVISION`.
fn api(state: &State, rest: &str) -> Answer {
    let parts: Vec<&str> = rest.splitn(4, '/').collect();
    let [kind, owner, name, rest] = parts.as_slice() else { return refusal(404, "", "Not Found") };
    let repo = format!("{kind}/{owner}/{name}");
    let (what, revision) = rest.split_once('/').unwrap_or((rest, "main"));
    if !state.revisions.keys().any(|(present, _)| *present == repo) {
        return refusal(401, "RepoNotFound", "{\"error\":\"Invalid username or password.\"}");
    }
    let commit = state.revisions.get(&(repo.clone(), revision.to_owned())).cloned().unwrap_or(revision.to_owned());
    let Some(files) = state.files.get(&(repo, commit.clone())) else {
        return refusal(404, "RevisionNotFound", "{\"error\":\"Invalid rev id\"}");
    };
    let body = if what == "tree" {
        let file = |(name, bytes): (&String, &Vec<u8>)| {
            format!(
                "{{\"type\":\"file\",\"oid\":\"{}\",\"size\":{},\"path\":\"{name}\"}}",
                git_blob_sha1(bytes),
                bytes.len()
            )
        };
        format!("[{}]", files.iter().map(file).collect::<Vec<_>>().join(","))
    } else {
        let siblings: Vec<String> = files.keys().map(|name| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        format!("{{\"id\":\"{owner}/{name}\",\"sha\":\"{commit}\",\"siblings\":[{}]}}", siblings.join(","))
    };
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(state.next_page.iter().map(|next| ("link".to_owned(), format!("<{next}>; rel=\"next\""))));
    Answer { status: 200, headers, body: body.into_bytes(), ranged: false }
}

fn send(mut stream: &TcpStream, request: &Request, answer: Answer, fault: Option<Fault>) -> Option<()> {
    let Answer { mut status, mut headers, mut body, ranged } = answer;
    if matches!(fault, Some(Fault::Garbled)) {
        body.iter_mut().for_each(|byte| *byte ^= 0x5a);
    }
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    if let (Some(range), true, false) = (range, ranged, matches!(fault, Some(Fault::NoRanges | Fault::Severed(_)))) {
        let (start, end) = range.split_once('-').unwrap_or((range, ""));
        let (start, total) = (start.parse::<usize>().unwrap_or(0), body.len());
        let end = end.parse::<usize>().map_or(total, |end| (end + 1).min(total));
        if start >= total {
            return send(stream, request, refusal(416, "", ""), None);
        }
        status = 206;
        headers.push(("content-range".into(), format!("bytes {start}-{}/{total}", end - 1)));
        body = body[start..end].to_vec();
    }
    if let Some(Fault::Short(length)) = fault {
        body.truncate(length);
    }
    let endless = matches!(fault, Some(Fault::Endless(_) | Fault::Trickle(..)));
    let length = if endless { "connection: close".to_owned() } else { format!("content-length: {}", body.len()) };
    let mut head = format!("HTTP/1.1 {status} x\r\n{length}\r\naccept-ranges: bytes\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    match fault {
        Some(Fault::Dropped(length) | Fault::Severed(length)) => {
            stream.write_all(&body[..length.min(body.len())]).ok()?;
            None
        }
        Some(Fault::Stall(length)) => {
            stream.write_all(&body[..length.min(body.len())]).ok()?;
            std::thread::sleep(Duration::from_secs(600));
            None
        }
        Some(Fault::Endless(_)) => loop {
            stream.write_all(&[b' '; 1 << 16]).ok()?;
        },
        Some(Fault::Trickle(_, pause)) => loop {
            stream.write_all(b" ").ok()?;
            std::thread::sleep(pause);
        },
        Some(Fault::Slow(length)) => {
            for piece in body.chunks(length.max(1)) {
                stream.write_all(piece).ok()?;
                std::thread::sleep(Duration::from_millis(2));
            }
            Some(())
        }
        _ => stream.write_all(&body).ok(),
    }
}
