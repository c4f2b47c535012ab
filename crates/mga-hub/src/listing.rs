//! The list of a repository's files: its description names all of them at once, so that no page says where the next one
//! lies.

use hf_hub::repository::RepoSibling;
use percent_encoding::utf8_percent_encode;
use reqwest::Response;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::repo::Repo;
use crate::transport::{Fault, PLAIN, Transport};

/// Bytes of a description that are read. The largest data sets have a hundred thousand files.
const LONGEST: usize = 16 << 20;
/// Times the longest silence that it may take.
const PATIENCE: u32 = 6;

impl Transport<'_> {
    /// The paths of the files of a repository, as the hub lists them: all at once, without pages.
    pub(crate) fn list(&self, repo: &Repo) -> Result<Vec<String>> {
        let url = format!(
            "{}/api/{}/{}/revision/{}",
            self.settings.endpoint.base(),
            repo.kind.plural(),
            repo.id(),
            utf8_percent_encode(&repo.revision, PLAIN)
        );
        let malformed = |what: String| Error::Malformed { url: url.clone(), what };
        let body = self.patiently(&url, |_| {
            self.runtime.block_on(async {
                let response = self.get(&url, None).await?;
                if !response.status().is_success() {
                    return Err(self.refused(response, repo, "").await);
                }
                let longest = self.settings.timeout * PATIENCE;
                match tokio::time::timeout(longest, self.whole(response, LONGEST)).await {
                    Ok(body) => body,
                    Err(_) => {
                        let what = format!("the list of files did not end within {} s", longest.as_secs_f64());
                        Err(Error::Unreachable { url: url.clone(), what, attempts: 1 }.into())
                    }
                }
            })
        })?;
        let body = body.ok_or_else(|| malformed(format!("it lists more than {} MiB of files", LONGEST >> 20)))?;
        let mut described: Value = serde_json::from_slice(&body).map_err(|e| malformed(e.to_string()))?;
        let files = described.get_mut("siblings").map(Value::take);
        let files = files.ok_or_else(|| malformed("the answer lists no files (`siblings`)".to_owned()))?;
        let files: Vec<RepoSibling> =
            serde_json::from_value(files).map_err(|e| malformed(format!("`siblings`: {e}")))?;
        Ok(files.into_iter().map(|file| file.rfilename).collect())
    }

    /// The whole of an answer; `None` where it is more than `most` bytes.
    async fn whole(&self, mut response: Response, most: usize) -> Result<Option<Vec<u8>>, Fault> {
        let mut body = vec![];
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) if body.len() + bytes.len() > most => return Ok(None),
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return Ok(Some(body)),
                Err(error) => return Err(Fault::Passing(self.words(&error), None)),
            }
        }
    }
}
