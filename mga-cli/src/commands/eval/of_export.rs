//! An exported model on photographs in a folder for each class.

use mga_core::wording::counted;
use mga_experiment::{Components, Loaded};
use mga_train::data_set;
use mga_train::described_model::DescribedModel;

use super::args::Args;

/// Returns the experiment that evaluates an exported model on all images below `--data`; `None`: the folder is a run's, or an
/// experiment file.
///
/// # Errors
/// An exported folder without `--data`, or `--data` with something else; photographs that are not in a folder for each of
/// the model's classes.
pub(super) fn loaded(args: &Args, components: &Components) -> anyhow::Result<Option<Loaded>> {
    let model = args.run.display();
    let is_run = args.run.join("experiment.toml").is_file();
    // The whole folder: nothing is held back for training.
    let mut set = vec![];
    if let Some(data) = &args.data {
        set.push(format!("data.root={}", toml::Value::String(data.display().to_string())));
        set.extend(["data.layout=tree", "data.split.test=0"].map(str::to_owned));
        set.extend(args.set.iter().cloned());
    }
    let described = match args.run.is_dir() && !is_run {
        true => DescribedModel::of_export(&args.run, &set, components)?,
        false => None,
    };
    let (described, data) = match (described, &args.data) {
        (None, None) => return Ok(None),
        (Some(described), Some(data)) => (described, data),
        (Some(_), None) => anyhow::bail!(
            "{model}: an exported model has no data set of its own; name a folder with a folder of photographs for each class \
             with --data"
        ),
        (None, Some(_)) => {
            anyhow::bail!("{model}: no exported model; --data is for a folder that `mga weights export` wrote")
        }
    };
    anyhow::ensure!(
        args.weights.is_none() && args.split == "test",
        "{model}: an exported model has weights, and all images below --data are evaluated; leave out --weights and --split"
    );
    let classes = &described.classes;
    let opened = data_set::open_to_evaluate(&described.loaded, components)?;
    let found = opened.dataset.classes();
    if found != classes.as_slice() {
        let lacks = |of: &[String], others: &[String]| -> Vec<String> {
            of.iter().filter(|class| !others.contains(class)).map(|class| format!("`{class}`")).take(5).collect()
        };
        let (missing, unknown) = (lacks(classes, found), lacks(found, classes));
        let mut said = vec![];
        if !missing.is_empty() {
            said.push(format!("no folder for {}", missing.join(", ")));
        }
        if !unknown.is_empty() {
            said.push(format!("the model has no class {}", unknown.join(", ")));
        }
        anyhow::bail!(
            "{}: its folders are not the {} of {model}: {}; expected one folder for each, named as in its config.json",
            data.display(),
            counted(classes.len(), "class", "classes"),
            if said.is_empty() { "they are in another order".to_owned() } else { said.join("; ") }
        );
    }
    Ok(Some(described.loaded))
}
