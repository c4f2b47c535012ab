//! A sweep whose commands are written to a shell script is finished by the script, and reported.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::folder::{Folder, fail, succeed};

/// Two arms, two seeds, of an epoch each.
fn sweep(folder: &Folder, more: &[&str]) -> Command {
    let set = ["--set", "schedule.epochs=1", "--set", "data.train_per_class=10"];
    folder.on("sweep", "sweep.toml", &[&["--out", "sweep"], set.as_slice(), more].concat())
}

fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
#[cfg_attr(not(unix), ignore = "it runs a shell script")]
fn the_commands_of_a_sweep_finish_it() {
    let folder = Folder::new();
    let told = said(sweep(&folder, &[]));
    assert!(told.contains("4 runs to start: sh sweep/runs.sh"), "{told}");
    let script = folder.read("sweep", "runs.sh");
    assert_eq!(script.matches(" sweep-task ").count(), 4, "{script}");
    let states = || succeed(sweep(&folder, &["--dry-run"]));
    assert!(states().contains("teacher: 4 runs: 0 finished, 0 failed, 4 to run"), "{}", states());
    // The first run alone; then the script has three.
    let first: String = script.lines().take(3).map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.path("first.sh"), first).unwrap();
    let run = |script: &str| {
        let mut shell = Command::new("sh");
        // Far from where the sweep was started.
        shell.arg(folder.path(script)).current_dir("/").stdin(Stdio::null());
        succeed(shell);
    };
    run("first.sh");
    let told = said(sweep(&folder, &[]));
    assert!(told.contains("3 runs to start"), "{told}");
    run("sweep/runs.sh");
    assert!(states().contains("teacher: 4 runs: 4 finished, 0 failed, 0 to run"), "{}", states());
    succeed(folder.own(&["report", "sweep", "--out", "report"]));
    let report = folder.read("report", "report.md");
    assert!(report.contains("teacher_momentum"), "{report}");
    // With the section of this crate, at its place on the page.
    assert!(report.contains("\n## Training time\n\nTime of the training steps alone"), "{report}");
    let page = folder.read("report", "index.html");
    let at = |id: &str| page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    assert!(at("every-run") < at("training-time") && at("training-time") < at("settings"));
    assert!(page.contains("<a href=\"#training-time\">Training time</a>") && page.contains("id=\"training-times\""));
    // The column of a metric that only this program knows.
    assert!(report.contains("worst class"), "{report}");
}

#[test]
fn its_settings_are_in_the_schema_and_checked() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&succeed(folder.own(&["schema", "--sweep"]))).unwrap();
    let launchers = &schema["definitions"]["LauncherSettings"];
    let table = &launchers["properties"];
    let own = launchers["oneOf"].as_array().unwrap().iter().find(|one| one["properties"].get("script").is_some());
    let own = &own.unwrap()["properties"];
    assert!(own["script"]["description"].as_str().unwrap().starts_with("The shell script"), "{own:#}");
    assert_eq!(own["name"]["enum"], serde_json::json!(["shell-script"]));
    let names: Vec<&Value> = table["name"]["oneOf"].as_array().unwrap().iter().map(|name| &name["const"]).collect();
    assert_eq!(names, ["local", "slurm", "shell-script"]);
    let text = std::fs::read_to_string(crate::folder::experiment("sweep.toml")).unwrap();
    let base = crate::folder::experiment("swapped-patches.toml").display().to_string();
    let text = text.replace("swapped-patches.toml", &base);
    for (right, wrong, expected) in [
        ("script = ", "scirpt = ", "did you mean `script`"),
        ("\"runs.sh\"", "\"\"", "a text that is not empty"),
        ("shell-script", "shell-scirpt", "did you mean `shell-script`"),
    ] {
        std::fs::write(folder.path("wrong.toml"), text.replace(right, wrong)).unwrap();
        let told = fail(folder.own(&["sweep", "wrong.toml", "--out", "wrong"]));
        assert!(told.contains(expected), "{wrong}: {told}");
    }
}
