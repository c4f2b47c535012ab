//! What mga says of a wrong sweep file: exact texts, all faults of a kind in one run, before anything is written.

use mga_testing::process::fail;

use super::fixture::Folder;

fn wrong(sweep: &str) -> String {
    Folder::new(sweep).plan().map(|(plan, _)| plan.cells.len()).expect_err("an error")
}

#[test]
fn everything_wrong_with_the_file_is_said_at_once() {
    let sweep = r#"
naem = "x"
base = "bsae.toml"
baseline = "plan"
search = "gird"
[axes]
seed = 3
"model.attention" = []
"train.clip_norm" = [1, 1.0]
[[linked]]
"model.dropout" = [0.1, 0.2]
"model.freeze_norm" = [true]
seed = [1, 2]
[[linked]]
[variants.plain]
"data.validation.seed" = 3
"train.clip_norm" = 2
[[exclude]]
[[exclude]]
variant = "plian"
[budget]
rnus = 3
"#;
    insta::assert_snapshot!("schema", wrong(sweep));
    let sweep = sweep.replace("naem", "name").replace("gird", "grid").replace("rnus", "runs");
    insta::assert_snapshot!("tables", wrong(&sweep));
}

#[test]
fn faults_of_the_experiments_are_shown_where_the_sweep_sets_them() {
    let sweep = r#"base = "base.toml"
[axes]
"model.atention" = ["none", "residual"]
"optimiser.learning_rate" = [1e-3, "high"]
seed = [1, 2]
[variants.a]
"model.attention" = "residuel"
[variants.b]
model.residual_weights = [0.5]
"#;
    insta::assert_snapshot!(wrong(sweep));
}

#[test]
fn faults_that_only_the_data_show_have_their_place_too() {
    let sweep = "base = \"base.toml\"\n[axes]\n\"data.masks.source\" = [\"veins\", \"viens\"]\n";
    let message = wrong(sweep);
    assert!(message.contains("sweep.toml:3:33: data.masks.source"), "{message}");
    assert!(message.contains("did you mean `veins`?"), "{message}");
}

#[test]
fn a_baseline_is_one_arm() {
    let axes =
        "axes = { seed = [1, 2], \"model.attention\" = [\"none\", \"residual\"], \"train.clip_norm\" = [0, 1] }\n";
    let with = |baseline: &str| wrong(&format!("base = \"base.toml\"\nbaseline = {baseline}\n{axes}"));
    insta::assert_snapshot!("several", with("{ \"model.attention\" = \"none\" }"));
    insta::assert_snapshot!("none", with("{ model.attention = \"multiply\" }"));
}

#[test]
fn the_same_run_is_not_planned_twice() {
    // Clipping at 0 is no clipping: the base says so too.
    let sweep = "base = \"base.toml\"\n[variants.a]\n[variants.b]\n\"train.clip_norm\" = 0.0\n";
    let message = wrong(sweep);
    assert!(message.contains("would be the same run as `a-") && message.contains("[[exclude]]"), "{message}");
}

#[test]
fn searches_have_ranges_and_a_budget() {
    let with = |text: &str| wrong(&format!("base = \"base.toml\"\naxes = {{ seed = [1, 2] }}\n{text}"));
    insta::assert_snapshot!("grid", with("[ranges]\n\"train.clip_norm\" = { uniform = [0, 1] }\n[budget]\nruns = 3\n"));
    insta::assert_snapshot!("random", with("search = \"random\"\n"));
    insta::assert_snapshot!(
        "tpe",
        with(
            "search = \"tpe\"\n[ranges]\n\"train.clip_norm\" = { uniform = [1, 0] }\nseed = { integer = [1, 4] }\n[budget]\nruns = 1\n",
        )
    );
    let select = with(
        "search = \"tpe\"\n[ranges]\n\"train.clip_norm\" = { uniform = [0, 1] }\n[budget]\nruns = 4\n\
         [variants.a]\n\"eval.select_on\" = \"test\"\n",
    );
    assert!(select.contains("tpe would search on the test images"), "{select}");
}

#[test]
fn nothing_is_written_for_a_wrong_sweep() {
    let folder = Folder::new("base = \"base.toml\"\naxes = { sede = [1] }\n");
    let message = fail(folder.sweep("out", &[]), 2);
    assert!(message.contains("sweep.toml:2:10") && message.contains("did you mean `seed`?"), "{message}");
    assert!(!folder.path("out").exists());
    let message = fail(folder.mga(["sweep", "swepe.toml", "--out", "out"]), 2);
    assert!(message.contains("no such file, did you mean `sweep.toml`?"), "{message}");
    folder.write("sweep.toml", "base = \"base.toml\"\naxes = { seed = [1] }\n");
    let message = fail(folder.sweep("out", &["--set", "seed=4"]), 2);
    assert!(message.contains("--set seed=4: seed: is set by the sweep itself"), "{message}");
}
