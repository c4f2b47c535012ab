//! Folders that stand for weights: a run's, and those that `mga weights export` writes.

use std::path::Path;

use mga_data::transforms::Rounding;
use mga_experiment::weight_file;
use mga_models::weights::published::IMAGENET;

use crate::preprocessing::Preprocessing;
use crate::run_folder::RunFolder;
use crate::weights_file::{WeightsFile, of_plain_file};

/// Returns the weights of a folder, with what it says of their classes and of how their images were normalised.
///
/// # Errors
/// What [`weight_file`] says.
pub fn of_folder(folder: &Path) -> anyhow::Result<WeightsFile> {
    let file = weight_file(folder)?;
    let found = of_plain_file(&file)?;
    let run = RunFolder::at(folder);
    if !run.experiment().is_file() {
        return Ok(found);
    }
    let class_names = run.classes().unwrap_or_default();
    let preprocessing = preprocessing(&run);
    let classes = (!class_names.is_empty()).then_some(class_names.len());
    Ok(WeightsFile { preprocessing, classes, class_names, ..found })
}

/// How a run normalised and rounded its images; `None`: by ImageNet's colours and not at all, as where nothing is said.
fn preprocessing(run: &RunFolder) -> Option<Preprocessing> {
    let experiment = toml::from_str(&std::fs::read_to_string(run.experiment()).ok()?).ok()?;
    let experiment = mga_experiment::last_stage(experiment);
    let data = experiment.get("data")?;
    let three = |key: &str| serde_json::from_value::<[f64; 3]>(data.get(key)?.clone()).ok();
    let normalisation = three("mean").zip(three("std"));
    let rounding = data.get("resize_rounding").and_then(|value| serde_json::from_value::<Rounding>(value.clone()).ok());
    if normalisation.is_none() && rounding.is_none() {
        return None;
    }
    let (mean, std) = normalisation.unwrap_or(IMAGENET);
    Some(Preprocessing {
        mean,
        std,
        from: run.experiment().display().to_string(),
        trained_at: String::new(),
        transforms: None,
        rounding: rounding.unwrap_or(Rounding::None),
        caveat: String::new(),
    })
}

/// Returns a note where weights tell apart as many classes as there are here, but others, or in another order: their
/// classifier is taken as it is.
pub fn other_classes(weights: &WeightsFile, classes: &[String]) -> Option<String> {
    let theirs = &weights.class_names;
    let differs = theirs.len() == classes.len() && theirs.as_slice() != classes;
    let place = theirs.iter().zip(classes).position(|(a, b)| a != b).filter(|_| differs)?;
    let (first, here) = (theirs.get(place)?, classes.get(place)?);
    Some(format!(
        "note: the weights tell apart as many classes as there are here, but class {place} is `{first}` there and `{here}` \
         here: the classifier starts from theirs, place by place"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mga_experiment::MODEL;

    use super::*;

    #[test]
    fn a_folder_leads_to_its_weights() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let message = |path: &Path| weight_file(path).unwrap_err().to_string();
        assert!(message(&folder.join("nothing")).contains("no such weight file"));
        assert!(message(folder).contains("neither the folder of a run"));
        std::fs::write(folder.join("experiment.toml"), "[data]\nmean = [0.1, 0.2, 0.3]\nstd = [1, 0.5, 1.0]\n")
            .unwrap();
        assert!(message(folder).contains("no checkpoint yet"));
        std::fs::create_dir(folder.join("checkpoints")).unwrap();
        for (name, classes) in [("last", 0), ("best", 2)] {
            let file = folder.join(format!("checkpoints/{name}.safetensors"));
            std::fs::write(&file, "").unwrap();
            let found = of_folder(folder).unwrap();
            assert_eq!((&found.path, found.pinned), (&file, format!("file:{}", file.display())));
            assert_eq!(found.class_names.len(), classes);
            let own = found.preprocessing.unwrap();
            assert_eq!((own.mean, own.std), ([0.1, 0.2, 0.3], [1.0, 0.5, 1.0]));
            std::fs::write(folder.join("confusion.csv"), ",oak,ash\noak,1,0\nash,0,1\n").unwrap();
        }
        assert_eq!(weight_file(&folder.join("experiment.toml")).unwrap(), folder.join("experiment.toml"));
        let exported = folder.join("exported");
        std::fs::create_dir(&exported).unwrap();
        std::fs::write(exported.join(MODEL), "").unwrap();
        assert_eq!(of_folder(&exported).unwrap().path, exported.join(MODEL));
    }

    #[test]
    fn other_classes_in_the_same_number_are_told() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let weights = WeightsFile {
            path: PathBuf::new(),
            label: String::new(),
            pinned: String::new(),
            preprocessing: None,
            architecture: None,
            classes: Some(2),
            class_names: names(&["ash", "oak"]),
        };
        assert_eq!(other_classes(&weights, &names(&["ash", "oak"])), None);
        assert_eq!(other_classes(&weights, &names(&["ash", "oak", "elm"])), None);
        let note = other_classes(&weights, &names(&["ash", "elm"])).unwrap();
        assert!(note.contains("class 1 is `oak` there and `elm` here"), "{note}");
    }
}
