//! What goes over the wire: one question, one answer, faults told apart from refusals.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, redirect};

use crate::error::{Error, Result};
use crate::hub::RemoteFile;
use crate::progress::Progress;
use crate::repo::{Kind, Repo};
use crate::settings::Settings;

/// What stays as it is in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, in a path.
const PATH: &AsciiSet = &PLAIN.remove(b'/');

/// A connection to the hub.
pub(crate) struct Transport<'a> {
    settings: &'a Settings,
    progress: &'a dyn Progress,
    runtime: tokio::runtime::Runtime,
    /// Follows redirects; the token goes to the hub's own host alone.
    following: Client,
    /// Follows none: what the hub says of a file stands in its redirect to where the contents are.
    staying: Client,
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
        let failed = |what: String| Error::Malformed { url: settings.endpoint.clone(), what };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = |policy| {
            Client::builder()
                .user_agent(concat!("mga/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(settings.timeout)
                .read_timeout(settings.timeout)
                .redirect(policy)
                .build()
                .map_err(|e| failed(format!("no connection can be set up: {e}")))
        };
        Ok(Self {
            settings,
            progress,
            runtime: runtime.map_err(|e| failed(format!("no connection can be set up: {e}")))?,
            following: client(redirect::Policy::limited(10))?,
            staying: client(redirect::Policy::none())?,
        })
    }

    /// Where the file's contents are asked for.
    pub(crate) fn address(&self, repo: &Repo, revision: &str, file: &str) -> String {
        format!(
            "{}/{}{}/resolve/{}/{}",
            self.settings.endpoint,
            repo.kind.prefix(),
            repo.id(),
            utf8_percent_encode(revision, PLAIN),
            utf8_percent_encode(file, PATH)
        )
    }

    async fn ask(&self, client: &Client, method: Method, url: &str, from: Option<u64>) -> Result<Response, Fault> {
        let mut request = client.request(method, url).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = &self.settings.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(from) = from.filter(|from| *from > 0) {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        match request.send().await {
            Ok(response) => Ok(response),
            Err(error) if error.is_builder() => {
                Err(Error::Malformed { url: url.to_owned(), what: format!("no address: {error}") }.into())
            }
            Err(error) => Err(Fault::Passing(self.words(&error), None)),
        }
    }

    /// Asks what the file is: commit, hash and length.
    pub(crate) fn metadata(&self, repo: &Repo, file: &str) -> Result<Metadata> {
        let mut url = self.address(repo, &repo.revision, file);
        let first = url.clone();
        self.patiently(&first, |_| {
            self.runtime.block_on(async {
                for _ in 0..5 {
                    let response = self.ask(&self.staying, Method::HEAD, &url, None).await?;
                    let header = |name: &str| text(response.headers(), name);
                    // A repository that was renamed: the new address of the same thing, on the same host.
                    let relative = header(LOCATION.as_str()).filter(|to| to.starts_with('/') && !to.starts_with("//"));
                    if let (true, Some(to)) = (response.status().is_redirection(), relative) {
                        url = format!("{}{to}", origin(&self.settings.endpoint));
                        continue;
                    }
                    if !response.status().is_success() && !response.status().is_redirection() {
                        return Err(self.refused(response, repo, file).await);
                    }
                    return read_metadata(response.headers(), &first).map_err(Fault::Final);
                }
                Err(Error::Malformed { url: first.clone(), what: "it redirects in circles".into() }.into())
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
            let mut response = self.ask(&self.following, Method::GET, url, Some(from)).await?;
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

    /// Attempts something until it works, is refused, or [`Settings::attempts`] in a row brought nothing. The attempt
    /// says by its argument whether it brought anything, which begins the count anew.
    pub(crate) fn patiently<T>(&self, url: &str, mut attempt: impl FnMut(&mut bool) -> Result<T, Fault>) -> Result<T> {
        let (mut vain, mut wait) = (0, self.settings.backoff);
        loop {
            let mut brought = false;
            match attempt(&mut brought) {
                Ok(done) => return Ok(done),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing(what, at_least)) => {
                    if brought {
                        (vain, wait) = (0, self.settings.backoff);
                    }
                    vain += 1;
                    if vain >= self.settings.attempts.max(1) {
                        return Err(Error::Unreachable { url: url.to_owned(), what, attempts: vain });
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
    async fn refused(&self, response: Response, repo: &Repo, file: &str) -> Fault {
        let (status, url) = (response.status(), response.url().to_string());
        let code = text(response.headers(), "x-error-code").unwrap_or_default();
        let after = text(response.headers(), RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        let message = text(response.headers(), "x-error-message");
        let message = match message {
            Some(message) => message,
            // A page of markup says nothing to people.
            None => response.text().await.unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
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

    fn words(&self, error: &reqwest::Error) -> String {
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

/// A refusal in the hub's words.
struct Refusal<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
}

impl Refusal<'_> {
    fn error(&self, settings: &Settings, repo: &Repo, file: &str) -> Option<Error> {
        let (endpoint, id, token) = (settings.endpoint.clone(), repo.id(), settings.token.is_some());
        Some(match (self.code, self.status) {
            ("GatedRepo", _) => Error::Gated { endpoint, repo: format!("{}{id}", repo.kind.prefix()), token },
            ("RevisionNotFound", _) => Error::NoSuchRevision { repo: id, revision: repo.revision.clone() },
            ("EntryNotFound", _) => {
                Error::NoSuchFile { repo: repo.to_string(), file: file.to_owned(), present: vec![] }
            }
            ("RepoNotFound", _) | (_, 404) => Error::NoSuchRepo { endpoint, repo: id, token },
            (_, status @ (401 | 403)) => {
                Error::Denied { endpoint, repo: id, status, token, message: self.message.to_owned() }
            }
            _ => return None,
        })
    }
}

fn read_metadata(headers: &HeaderMap, url: &str) -> Result<Metadata> {
    let missing = |what: &str| Error::Malformed { url: url.to_owned(), what: format!("the answer has no {what}") };
    let commit = text(headers, "x-repo-commit").filter(|commit| crate::repo::is_commit(commit));
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

/// Scheme, host and port of an address.
fn origin(endpoint: &str) -> &str {
    let host = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint.get(host..).and_then(|rest| rest.find('/')).map_or(endpoint.len(), |at| host + at);
    endpoint.get(..end).unwrap_or(endpoint)
}

/// The files of a repository, as the hub lists them, page by page: hf-hub's part.
pub(crate) fn list(settings: &Settings, repo: &Repo) -> Result<Vec<RemoteFile>> {
    use hf_hub::repository::RepoTreeEntry;
    use hf_hub::{HFClient, HFError};
    let url = format!("{}/api/{}/{}/tree/{}", settings.endpoint, repo.kind.plural(), repo.id(), repo.revision);
    let failed = |error: HFError| {
        let context = match &error {
            HFError::Http { context } | HFError::AuthRequired { context } | HFError::Forbidden { context } => {
                Some(context)
            }
            HFError::RepoNotFound { context, .. } | HFError::RevisionNotFound { context, .. } => context.as_ref(),
            HFError::EntryNotFound { context, .. } => context.as_ref(),
            _ => None,
        };
        let refusal = context.and_then(|context| {
            let code = context.error_code.as_deref().unwrap_or_default();
            let message = context.server_message.as_deref().unwrap_or_default();
            Refusal { status: context.status.as_u16(), code, message }.error(settings, repo, "")
        });
        refusal.unwrap_or_else(|| match error {
            HFError::Json(_) | HFError::MalformedResponse { .. } | HFError::Url(_) => {
                Error::Malformed { url: url.clone(), what: error.to_string() }
            }
            _ => Error::Unreachable { url: url.clone(), what: error.to_string(), attempts: settings.attempts },
        })
    };
    let web = Client::builder().connect_timeout(settings.timeout).read_timeout(settings.timeout).build();
    let web = web.map_err(|e| Error::Malformed { url: url.clone(), what: e.to_string() })?;
    let mut client = HFClient::builder().endpoint(&settings.endpoint).cache_enabled(false).client(web);
    client = client.retry_max_attempts(settings.attempts as usize).retry_base_delay(settings.backoff);
    if let Some(token) = &settings.token {
        client = client.token(token);
    }
    let client = client.build_sync().map_err(failed)?;
    let entries = match repo.kind {
        Kind::Model => {
            let repository = client.model(repo.owner.as_str(), repo.name.as_str());
            repository.list_tree().revision(repo.revision.as_str()).recursive(true).send()
        }
        Kind::Dataset => {
            let repository = client.dataset(repo.owner.as_str(), repo.name.as_str());
            repository.list_tree().revision(repo.revision.as_str()).recursive(true).send()
        }
    };
    let file = |entry: RepoTreeEntry| match entry {
        RepoTreeEntry::File { path, size, .. } => Some(RemoteFile { path, size: Some(size) }),
        RepoTreeEntry::Directory { .. } => None,
    };
    Ok(entries.map_err(failed)?.into_iter().filter_map(file).collect())
}
