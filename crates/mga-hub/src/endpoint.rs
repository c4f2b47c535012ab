//! The address of the hub: the address that is asked, and what logs into it, which is never shown.

use std::fmt;

/// The address of a hub, such as `https://huggingface.co`. A login in it (`https://name:password@mirror.example`) is kept
/// apart from what is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    login: Option<(String, String)>,
}

impl Endpoint {
    /// Reads an address. One that cannot be asked is told when it is asked.
    pub fn new(text: &str) -> Self {
        let text = text.trim().trim_end_matches('/');
        let (scheme, rest) = text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        let base = match scheme {
            // What stands before it is most likely part of a password.
            _ if path.contains('@') => "HF_ENDPOINT (write %40 for @ and %2F for / in names and passwords)".to_owned(),
            Some(scheme) => format!("{scheme}://{host}{path}"),
            None => format!("{host}{path}"),
        };
        let login = login.map(|login| login.split_once(':').unwrap_or((login, "")));
        Self { base, login: login.map(|(name, password)| (name.to_owned(), password.to_owned())) }
    }

    /// Returns the address without a login, which is requested and may be shown.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Name and password as the address has them, with percent signs.
    #[cfg_attr(not(feature = "network"), expect(dead_code, reason = "nothing is asked without the network"))]
    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        self.login.as_ref().map(|(name, password)| (name.as_str(), password.as_str()))
    }
}

impl From<String> for Endpoint {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_apart() {
        let read = |text: &str| {
            let endpoint = Endpoint::new(text);
            let login = endpoint.login().map(|(name, password)| format!("{name}|{password}"));
            (endpoint.to_string(), login)
        };
        assert_eq!(read("https://huggingface.co/"), ("https://huggingface.co".to_owned(), None));
        assert_eq!(read("http://h:80/hf"), ("http://h:80/hf".to_owned(), None));
        assert_eq!(read("https://me:pa:ss@h/hf"), ("https://h/hf".to_owned(), Some("me|pa:ss".to_owned())));
        assert_eq!(read("https://me@h"), ("https://h".to_owned(), Some("me|".to_owned())));
        assert_eq!(read("https://me:p@ss@h"), ("https://h".to_owned(), Some("me|p@ss".to_owned())));
    }

    #[test]
    fn no_spelling_of_a_password_is_shown() {
        for text in
            ["https://me:secret@h", "me:secret@h", "https://me:sec/secret@h", "https://me:secret?@h", "secret@h"]
        {
            let endpoint = Endpoint::new(text);
            assert!(!format!("{endpoint} {endpoint:?}").contains("secret"), "{endpoint}");
        }
    }
}
