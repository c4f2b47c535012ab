//! Tasks as registered components.

use std::sync::Arc;

use anyhow::Context;
use mga_experiment::{Components, Experiment};
use mga_registry::{Entry, Kind};

use super::task::Task;

/// The kind of component that `task` names.
#[derive(Debug)]
pub struct Tasks;

impl Kind for Tasks {
    type Item = dyn Task;
    const TITLE: &'static str = "tasks";
    const KEY: &'static str = "task";
}

/// The tasks of components.
pub trait TaskComponents: Sized {
    /// The same components with one task more; one of the same name is replaced.
    #[must_use]
    fn with_task(self, task: Arc<dyn Task>) -> Self;

    /// Returns the task of that name.
    fn task_at_work(&self, name: &str) -> Option<&dyn Task>;

    /// Returns all tasks, in the order of registration.
    fn all_tasks(&self) -> Vec<&dyn Task>;

    /// Returns the task of an experiment that was loaded.
    ///
    /// # Errors
    /// No such task: of an experiment that was loaded with other components.
    fn task_of(&self, experiment: &Experiment) -> anyhow::Result<&dyn Task>;
}

impl TaskComponents for Components {
    fn with_task(mut self, task: Arc<dyn Task>) -> Self {
        self.tasks.retain(|known| known.name() != task.name());
        self.tasks.push(Arc::clone(&task) as _);
        self.kinds.add(Entry::<Tasks>::new(task.name(), task.about(), task));
        self
    }

    fn task_at_work(&self, name: &str) -> Option<&dyn Task> {
        self.kinds.get::<Tasks>(name).map(|entry| entry.item.as_ref())
    }

    fn all_tasks(&self) -> Vec<&dyn Task> {
        self.kinds.all::<Tasks>().iter().map(|entry| entry.item.as_ref()).collect()
    }

    fn task_of(&self, experiment: &Experiment) -> anyhow::Result<&dyn Task> {
        self.task_at_work(&experiment.task).with_context(|| format!("no task `{}` is registered", experiment.task))
    }
}
