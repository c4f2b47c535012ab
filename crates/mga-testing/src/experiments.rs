//! Tiny experiments as text, of which a run takes a second or less.

/// Returns an experiment on generated leaves with everything on: masks, random crops, selection on validation, a
/// checkpoint and a line of the log after each of its four steps an epoch.
pub fn leaves(epochs: usize) -> String {
    format!(
        r#"task = "classification"
seed = 3
device = "cpu"
threads = 1

[data]
dataset = "leaves"
cultivars = 10
train_per_class = 3
test_per_class = 1
size = 32
batch_size = 5
workers = 1
validation = {{ per_class = 1 }}
train = {{ transforms = [{{ op = "random-crop", size = 28 }}] }}
eval = {{ transforms = [{{ op = "centre-crop", size = 28 }}] }}

[model]
backbone = "conv4"
attention = "residual"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "cosine"
epochs = {epochs}

[train]
checkpoint_every = 1
log_every = 1
"#
    )
}

/// Returns an experiment on pictures with masks, as written by [`crate::pictures::photographs`], with these additional
/// lines under `[data]`.
pub fn photographs(data: &str) -> String {
    small(
        "classification",
        "conv4",
        &format!("dataset = \"image-folder\"\nroot = \"images\"\nmask_root = \"../masks\"\n{data}"),
    )
}

/// Returns an experiment of one epoch of AdamW on one thread, with this task, this backbone and these lines under
/// `[data]`.
pub fn small(task: &str, backbone: &str, data: &str) -> String {
    format!(
        r#"task = "{task}"
device = "cpu"
threads = 1

[data]
{data}
[model]
backbone = "{backbone}"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "constant"
epochs = 1
"#
    )
}

/// Returns an experiment of one epoch on two generated leaves of each of ten cultivars, one for training and one for
/// testing, with these lines under `[model]`.
pub fn few_leaves(model: &str) -> String {
    format!(
        r#"seed = 1
device = "cpu"
threads = 1
[data]
dataset = "leaves"
size = 32
train_per_class = 1
test_per_class = 1
batch_size = 5
[model]
{model}
[schedule]
epochs = 1
[eval]
select_on = "last"
"#
    )
}
