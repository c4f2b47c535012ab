//! The network connection: one question, one answer, faults told apart from refusals.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::repo::Repo;
use crate::settings::Settings;

/// What stays as it is in an address.
pub(crate) const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, in a path.
const PATH: &AsciiSet = &PLAIN.remove(b'/');

/// The header that names a file's commit.
const COMMIT: &str = "x-repo-commit";
/// Redirects that are followed.
const HOPS: usize = 10;
/// Bytes of a refusal that are read: its first line is shown.
const REFUSAL: usize = 4 << 10;
/// Attempts in all, however little each of them brings.
const ATTEMPTS: u32 = 1000;

/// A connection to the hub.
pub(crate) struct Transport<'a> {
    pub(crate) settings: &'a Settings,
    progress: &'a dyn Progress,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// Follows no redirect by itself: where a request goes decides what it may carry.
    client: Client,
    /// Scheme, host and port of the hub. What logs into it goes there and nowhere else.
    hub: Url,
}

/// Why an attempt failed.
pub(crate) enum Fault {
    /// Another attempt may work, after this long at least.
    Passing(String, Option<Duration>),
    /// It will not.
    Final(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What the hub says of a file.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) commit: String,
    pub(crate) etag: String,
    pub(crate) size: u64,
}

impl<'a> Transport<'a> {
    pub(crate) fn new(settings: &'a Settings, progress: &'a dyn Progress) -> Result<Self> {
        let failed = |what: String| Error::Malformed { url: settings.endpoint.to_string(), what };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Client::builder()
            .user_agent(concat!("mga/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeout)
            .read_timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .build();
        Ok(Self {
            settings,
            progress,
            runtime: runtime.map_err(|e| failed(format!("no connection can be set up: {e}")))?,
            client: client.map_err(|e| failed(format!("no connection can be set up: {e}")))?,
            hub: address(settings.endpoint.base())?,
        })
    }

    /// Where the file's contents are asked for.
    pub(crate) fn address(&self, repo: &Repo, revision: &str, file: &str) -> String {
        format!(
            "{}/{}{}/resolve/{}/{}",
            self.settings.endpoint.base(),
            repo.kind.prefix(),
            repo.id(),
            utf8_percent_encode(revision, PLAIN),
            utf8_percent_encode(file, PATH)
        )
    }

    /// Asks once, following no redirect. Login and token go along to the hub's own origin alone.
    async fn ask(&self, method: Method, url: &Url, from: Option<u64>) -> Result<Response, Fault> {
        let mut request = self.client.request(method, url.clone()).header(ACCEPT_ENCODING, "identity");
        if url.origin() == self.hub.origin() {
            request = match (self.settings.endpoint.login(), &self.settings.token) {
                (Some((name, password)), _) => {
                    let plain = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
                    request.basic_auth(plain(name), Some(plain(password)))
                }
                (None, Some(token)) => request.bearer_auth(token),
                (None, None) => request,
            };
        }
        if let Some(from) = from.filter(|from| *from > 0) {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        request.send().await.map_err(|error| Fault::Passing(self.words(&error), None))
    }

    /// Asks, and follows redirects.
    pub(crate) async fn get(&self, first: &str, from: Option<u64>) -> Result<Response, Fault> {
        let mut url = address(first)?;
        for _ in 0..HOPS {
            let response = self.ask(Method::GET, &url, from).await?;
            match redirected(&response, &url)? {
                Some(to) => url = to,
                None => return Ok(response),
            }
        }
        Err(circles(first).into())
    }

    /// Asks what the file is: commit, hash and length.
    pub(crate) fn metadata(&self, repo: &Repo, file: &str) -> Result<Metadata> {
        let first = self.address(repo, &repo.revision, file);
        let mut url = address(&first)?;
        self.patiently(&first, |_| {
            self.runtime.block_on(async {
                for _ in 0..HOPS {
                    let response = self.ask(Method::HEAD, &url, None).await?;
                    // A repository that was renamed: the new address of the same thing, on the same host. Elsewhere lie
                    // the contents, and what the hub says of them stands in the redirect.
                    let to = redirected(&response, &url)?.filter(|to| to.origin() == self.hub.origin());
                    let location = text(response.headers(), LOCATION.as_str()).unwrap_or_default();
                    let renamed = location.starts_with('/') || text(response.headers(), COMMIT).is_none();
                    if let Some(to) = to.filter(|_| renamed) {
                        url = to;
                        continue;
                    }
                    if !response.status().is_success() && !response.status().is_redirection() {
                        return Err(self.refused(response, repo, file).await);
                    }
                    return read_metadata(response.headers(), &first).map_err(Fault::Final);
                }
                Err(circles(&first).into())
            })
        })
    }

    /// Asks for the contents from byte `from` on, and hands over what arrives. `begin` is told where the answer really
    /// begins (a server may not know ranges) and how many bytes it promises.
    pub(crate) fn contents(
        &self,
        (repo, file, url): (&Repo, &str, &str),
        from: u64,
        begin: &mut dyn FnMut(u64, Option<u64>) -> Result<(), Fault>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.runtime.block_on(async {
            let mut response = self.get(url, Some(from)).await?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => {
                    let range = text(response.headers(), "content-range").unwrap_or_default();
                    let start = range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse().ok());
                    if start != Some(from) {
                        return Err(Fault::Passing(format!("it answers bytes {from}- with `{range}`"), None));
                    }
                    begin(from, response.content_length())?;
                }
                status if status.is_success() => begin(0, response.content_length())?,
                StatusCode::RANGE_NOT_SATISFIABLE => {
                    begin(0, None)?;
                    return Err(Fault::Passing("it does not have the part that was asked for".into(), None));
                }
                _ => return Err(self.refused(response, repo, file).await),
            }
            loop {
                match response.chunk().await {
                    Ok(Some(bytes)) => take(&bytes)?,
                    Ok(None) => return Ok(()),
                    Err(error) => return Err(Fault::Passing(self.words(&error), None)),
                }
            }
        })
    }

    /// The beginning of an answer, as far as it comes before silence would count as a stall.
    async fn beginning(&self, mut response: Response) -> Vec<u8> {
        let mut body = vec![];
        let read = async {
            while body.len() < REFUSAL {
                let Ok(Some(bytes)) = response.chunk().await else { break };
                body.extend(bytes.iter().take(REFUSAL));
            }
        };
        let _ = tokio::time::timeout(self.settings.timeout, read).await;
        body
    }

    /// Attempts something until it works, is refused, or [`Settings::attempts`] in a row brought nothing. The attempt
    /// says by its argument whether it brought anything, which begins the count anew; but there is an end to that too.
    pub(crate) fn patiently<T>(&self, url: &str, mut attempt: impl FnMut(&mut bool) -> Result<T, Fault>) -> Result<T> {
        let (mut vain, mut wait, mut all) = (0, self.settings.backoff, 0);
        loop {
            let mut brought = false;
            all += 1;
            match attempt(&mut brought) {
                Ok(done) => return Ok(done),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing(what, at_least)) => {
                    if brought {
                        (vain, wait) = (0, self.settings.backoff);
                    }
                    vain += 1;
                    if vain >= self.settings.attempts.max(1) || all >= ATTEMPTS {
                        return Err(Error::Unreachable { url: url.to_owned(), what, attempts: vain.max(all) });
                    }
                    let pause = wait.max(at_least.unwrap_or_default()).min(Duration::from_secs(60));
                    self.progress.note(&format!("{what}; again in {:.1} s", pause.as_secs_f64()));
                    std::thread::sleep(pause);
                    wait = (wait * 2).min(Settings::LONGEST_WAIT);
                }
            }
        }
    }

    /// What a status that is no success means.
    pub(crate) async fn refused(&self, response: Response, repo: &Repo, file: &str) -> Fault {
        let (status, url) = (response.status(), response.url().to_string());
        let code = text(response.headers(), "x-error-code").unwrap_or_default();
        let after = text(response.headers(), RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        let message = text(response.headers(), "x-error-message");
        let message = match message {
            Some(message) => message,
            // A page of markup says nothing to people.
            None => {
                String::from_utf8_lossy(&self.beginning(response).await).lines().next().unwrap_or_default().to_owned()
            }
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
        {
            return Fault::Passing(format!("the hub says {status}"), after.map(Duration::from_secs));
        }
        let refusal = Refusal { status: status.as_u16(), code: &code, message: &message };
        Fault::Final(
            refusal
                .error(self.settings, repo, file)
                .unwrap_or_else(|| Error::Malformed { url, what: format!("status {status}") }),
        )
    }

    pub(crate) fn words(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("nothing came for {} s", self.settings.timeout.as_secs_f64());
        }
        // reqwest's own words say where, the cause says what.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let what = if error.is_connect() { "no connection" } else { "the connection broke" };
        format!("{what}: {cause}")
    }
}

fn read_metadata(headers: &HeaderMap, url: &str) -> Result<Metadata> {
    let missing = |what: &str| Error::Malformed { url: url.to_owned(), what: format!("the answer has no {what}") };
    let commit = text(headers, COMMIT).filter(|commit| crate::repo::is_commit(commit));
    let etag = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"));
    let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
    let plain = |etag: &String| {
        !etag.is_empty()
            && !etag.starts_with('.')
            && etag.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let size = text(headers, "x-linked-size").or_else(|| text(headers, "content-length"));
    Ok(Metadata {
        commit: commit.ok_or_else(|| missing("X-Repo-Commit"))?,
        etag: etag.filter(plain).ok_or_else(|| missing("ETag that can be a file's name"))?,
        size: size.and_then(|size| size.parse().ok()).ok_or_else(|| missing("length"))?,
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// An address of the web.
fn address(url: &str) -> Result<Url> {
    let wrong = |what: String| Error::Malformed { url: url.to_owned(), what: format!("no address: {what}") };
    let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    if ["http", "https"].contains(&parsed.scheme()) && parsed.has_host() {
        return Ok(parsed);
    }
    Err(wrong("expected http:// or https:// and a host".to_owned()))
}

/// Where an answer of `from` sends whoever asked.
fn redirected(response: &Response, from: &Url) -> Result<Option<Url>> {
    let Some(to) = text(response.headers(), LOCATION.as_str()).filter(|_| response.status().is_redirection()) else {
        return Ok(None);
    };
    let malformed = |what: String| Error::Malformed { url: from.to_string(), what };
    let joined = from.join(&to).map_err(|error| malformed(format!("it redirects to no address: {error}")))?;
    address(joined.as_str()).map(Some)
}

fn circles(url: &str) -> Error {
    Error::Malformed { url: url.to_owned(), what: "it redirects in circles".to_owned() }
}
