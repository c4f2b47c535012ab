//! The program beside a stand-in, with a cache and a home of its own.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Output;

use mga_testing::files::names_below;
use mga_testing::place::Place;
use mga_testing::process::said;
use mga_testing::stand_in::StandIn;

use crate::place;

pub(crate) struct Bench {
    pub(crate) server: StandIn,
    place: Place,
}

impl Deref for Bench {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (server, mut place) = (StandIn::start(), place());
        for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH", "http_proxy", "HTTP_PROXY"] {
            place.set(variable, None);
        }
        place.set("HF_ENDPOINT", Some(&server.url()));
        let home = place.path("home").display().to_string();
        place.set("HF_HOME", Some(&home));
        Self { server, place }
    }

    /// The hub's cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("home/hub")
    }

    /// What came of a start, and what was said on standard error.
    pub(crate) fn both(&self, arguments: &[&str]) -> (Output, String) {
        let output = self.output(arguments);
        let errors = said(&output);
        (output, errors)
    }

    /// Files in the hub's cache but locks, below its folder.
    pub(crate) fn cached(&self) -> Vec<String> {
        names_below(&self.cache()).into_iter().filter(|name| !name.starts_with(".locks")).collect()
    }
}
