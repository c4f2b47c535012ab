//! The experiment and the sweep, as commented TOML.

use super::decide::Plan;
use super::files::Files;
use super::toml_text::{comment, data_table, mask_settings, quoted};

/// The experiment.
pub(super) fn experiment(plan: &Plan, files: &Files) -> String {
    let mut text =
        "# Written by `mga init`. Every line can be changed; `mga check` says what is wrong with it.\n".to_owned();
    plan.lines.iter().for_each(|(what, why)| text += &format!("# {}\n", comment(&format!("{what}: {why}"))));
    text += "task = \"classification\"\nseed = 1\n\n";
    text += &match plan.folds {
        Some(_) => {
            // As the folder was given: an experiment that is moved with its folder goes on to find its table.
            let whole = || std::path::absolute(&files.table).unwrap_or_else(|_| files.table.clone());
            let table = if plan.folder.is_relative() { files.table.clone() } else { whole() };
            let masks = plan.masks.as_deref().unwrap_or("none");
            format!(
                "[data]\ndataset = \"table\"\nroot = {}\nfile = {}  # made from what the data set read\nfold = \"0.0\"  # the sweep tests on \
                 every fold\nmasks.source = {}\n",
                quoted(&plan.folder.display().to_string()),
                quoted(&table.display().to_string()),
                quoted(masks)
            ) + &mask_settings(&plan.recognised)
        }
        None => data_table(&plan.folder, &plan.dataset, &plan.recognised),
    };
    if plan.masks_missing {
        text += "masks.missing = \"no-loss\"  # images without a mask train by the cross entropy alone\n";
    }
    text += &format!("batch_size = {}\n", plan.batch_size);
    if plan.kept {
        text += "cache = \"memory\"  # images are decoded once\n";
    }
    if plan.draws_test {
        text += "split = { test = 0.2, seed = 0 }\n";
    }
    if plan.draws_validation {
        text += "validation = { fraction = 0.2 }  # selects the checkpoint; whole groups\n";
    }
    let (side, larger) = (plan.side, plan.side + plan.side.div_ceil(8));
    text += &format!(
        "\n[data.train]\ntransforms = [\n    {{ op = \"resize\", size = [{larger}, {larger}] }},\n    {{ op = \"random-crop\", size = \
         {side} }},\n    {{ op = \"horizontal-flip\", p = 0.5 }},\n]\n\n[data.eval]\ntransforms = [{{ op = \"resize\", size = \
         [{larger}, {larger}] }}, {{ op = \"centre-crop\", size = {side} }}]\nbatch_size = 50\n"
    );
    let guided = plan.masks.is_some();
    text += &format!(
        "\n[model]\nbackbone = \"conv4\"  # a small network, from scratch\n# Published weights know more. They want larger images: \
         size 224 and 256 above, and\n# backbone = \"resnet18\"\n# weights = \"imagenet\"  # downloaded once; docs/weights.md\n\
         attention = {}\nmask_guidance = {guided}\n",
        quoted(if guided { "residual" } else { "none" })
    );
    if guided {
        text += "\n[objective]\nmask_weight = 1.0  # of the mask's loss beside the cross entropy\n";
    }
    if plan.balanced {
        text += if guided { "" } else { "\n[objective]\n" };
        text += "class_weights = \"balanced\"\n";
    }
    text += "\n[optimiser]\nname = \"adamw\"\nlearning_rate = 1e-3\nweight_decay = 0.01\n";
    text += &format!("\n[schedule]\nname = \"cosine\"\nepochs = {}\n", plan.epochs);
    let metric = if plan.balanced { "metric = \"balanced_accuracy\"\n" } else { "" };
    text + &format!("\n[eval]\nselect_on = \"validation\"\n{metric}")
}

/// The sweep: the same network without attention, with it, with masks, and with the masks of other images.
pub(super) fn sweep(plan: &Plan, files: &Files) -> String {
    let base = files.experiment.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = files.experiment.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut text = format!(
        "# Written by `mga init`: does attention help, do masks, and is it the mask that helps?\nname = {}\nbase = {}\nbaseline = \
         \"plain\"\n\n",
        quoted(&name),
        quoted(&base)
    );
    text += &match plan.folds {
        Some(folds) => {
            let all: Vec<String> = (0..folds).map(|fold| format!("\"0.{fold}\"")).collect();
            format!("[axes]\n\"data.fold\" = [{}]\n", all.join(", "))
        }
        None => "[axes]\nseed = [1, 2, 3]\n".to_owned(),
    };
    for arm in plan.arms() {
        text += &format!("\n[variants.{arm}]\n");
        text += match *arm {
            "plain" => "\"model.attention\" = \"none\"\n\"model.mask_guidance\" = false\n",
            "attention" => "\"model.attention\" = \"residual\"\n\"model.mask_guidance\" = false\n",
            "shuffled" => "\"data.masks.source\" = \"shuffled\"  # each image has the mask of another\n",
            _ => "",
        };
    }
    text
}
