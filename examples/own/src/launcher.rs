//! A launcher: it writes a command for each run of a sweep to a shell script, and starts none of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use mga_core::wording::counted;
use mga_sweep::launchers::{Launch, Launcher, Left, settings, settings_schema};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

/// A launcher that a sweep selects with `[launcher] name = "shell-script"`.
#[derive(Debug, Clone, Copy)]
pub struct ShellScript;

/// The settings, which stand beside `name` in `[launcher]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
struct ShellScriptSettings {
    /// The shell script, in the sweep's folder. It is written anew each time, with the runs that are left.
    #[schemars(length(min = 1))]
    script: String,
}

impl Default for ShellScriptSettings {
    fn default() -> Self {
        Self { script: "runs.sh".to_owned() }
    }
}

impl Launcher for ShellScript {
    fn name(&self) -> &'static str {
        "shell-script"
    }

    fn about(&self) -> &'static str {
        "nobody: the commands are written to a shell script"
    }

    fn settings(&self) -> Option<Schema> {
        settings_schema::<ShellScriptSettings>()
    }

    fn waits(&self) -> bool {
        false
    }

    fn launch(&self, sweep: &mut Launch<'_>) -> anyhow::Result<()> {
        let ShellScriptSettings { script } = settings(&sweep.plan.launcher)?;
        sweep.write_plan(&|_| false)?;
        let left = Left::of(&sweep.plan, sweep.request.retry, &BTreeMap::new(), sweep.teller)?;
        let program = std::env::current_exe().context("the program's own file cannot be found")?;
        let folder = std::path::absolute(&sweep.plan.folder)?;
        // Paths in experiments count from where the sweep was started.
        let mut text = format!("#!/bin/sh\ncd {} || exit 1\n", quoted(&std::env::current_dir()?)?);
        for (cell, _) in &left.cells {
            let offline = if sweep.request.offline { " --offline" } else { "" };
            let (program, folder, key) = (quoted(&program)?, quoted(&folder)?, quoted(Path::new(&cell.key))?);
            text += &format!("{program}{offline} sweep-task {folder} {key}\n");
        }
        let path = sweep.plan.folder.join(script);
        std::fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        sweep.teller.line(&format!("{} to start: sh {}", counted(left.cells.len(), "run", "runs"), path.display()));
        Ok(())
    }
}

/// A path as one word of the shell.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r']));
    let text = text.with_context(|| format!("{}: a script takes paths that are one line of text", path.display()))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/a folder/it's")).unwrap(), r"'/a folder/it'\''s'");
        assert!(quoted(Path::new("/a\nb")).is_err());
    }
}
