//! The registered launchers.

use std::sync::Arc;

use mga_experiment::Components;
use mga_registry::{Entry, Registry};

use super::launcher::{Launcher, Launchers};
use super::local::Local;
use super::slurm::Slurm;

/// Returns the entry of a launcher in a registry.
fn entry(launcher: Arc<dyn Launcher>) -> Entry<Launchers> {
    let settings = launcher.settings();
    let entry = Entry::new(launcher.name(), launcher.about(), launcher);
    match settings {
        Some(schema) => entry.with_settings(schema),
        None => entry,
    }
}

/// Returns the built-in launchers, then those that were registered with [`LauncherComponents::with_launcher`].
#[must_use]
pub fn launchers(components: &Components) -> Vec<Entry<Launchers>> {
    let builtin = Registry::default().with(entry(Arc::new(Local))).with(entry(Arc::new(Slurm)));
    let registered = components.kinds.all::<Launchers>().iter().cloned();
    registered.fold(builtin, |all, entry| all.with(entry)).all().to_vec()
}

/// The launchers of components.
pub trait LauncherComponents: Sized {
    /// Returns the same components with one launcher more; one of the same name is replaced, built-in ones too.
    #[must_use]
    fn with_launcher(self, launcher: Arc<dyn Launcher>) -> Self;

    /// Returns the launcher of that name.
    ///
    /// # Errors
    /// There is none; the error lists those that there are.
    fn launcher(&self, name: &str) -> Result<Arc<dyn Launcher>, UnknownLauncher>;
}

/// The error for an unknown launcher name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--launcher {name}: there is no such launcher{meant} expected {known}")]
pub struct UnknownLauncher {
    name: String,
    meant: String,
    known: String,
}

impl LauncherComponents for Components {
    fn with_launcher(mut self, launcher: Arc<dyn Launcher>) -> Self {
        self.kinds.add(entry(launcher));
        self
    }

    fn launcher(&self, name: &str) -> Result<Arc<dyn Launcher>, UnknownLauncher> {
        let all = launchers(self);
        if let Some(found) = all.iter().find(|entry| entry.name == name) {
            return Ok(Arc::clone(&found.item));
        }
        let meant = mga_experiment::nearest(name, all.iter().map(|entry| entry.name.as_str()));
        let known: Vec<String> = all.iter().map(|entry| format!("`{}` ({})", entry.name, entry.about)).collect();
        Err(UnknownLauncher {
            name: name.to_owned(),
            meant: meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_else(|| ";".to_owned()),
            known: known.join(" or "),
        })
    }
}
