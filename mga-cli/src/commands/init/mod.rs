//! `mga init`: an experiment on a folder of images, written from what lies there.

mod alike;
mod decide;
mod files;
mod look;
mod table;
mod toml_text;
mod write;

use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::wording::counted;
use mga_data::name_pattern::NamePattern;
use mga_data::recognition::{Decision, Place, Recognised};
use mga_data::registry::Datasets;
use mga_experiment::{Components, Overrides, load_text};
use mga_sweep::duration;
use mga_train::runners::timing;

use crate::output::{print, write_file};
use decide::Plan;
use files::Files;
use look::Looked;

const EXAMPLE: &str = "\
Example:
  mga init photographs --table leaves.csv --out leaves.toml
  mga train leaves.toml
  mga sweep leaves_sweep.toml --out sweeps/leaves

Nothing in the folder is changed. Beside the experiment a sweep file is written, which compares the network without attention,
with attention and with masks, and for few images a table with folds, which keep groups together.";

/// Seconds that the sweep is to take at most, about.
const LONGEST: f64 = 600.0;

/// Write an experiment on a folder of images.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The folder of the images.
    folder: PathBuf,
    /// A table that names images and their classes (CSV, as spreadsheets write it).
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// The experiment to write; it must not exist. Left out: the folder's name with `.toml`, here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take no images to belong together, whatever names and columns suggest.
    #[arg(long)]
    no_groups: bool,
}

/// The setting without what it says of images that belong together; `None`: it says nothing else.
fn without_groups(decision: Decision) -> Option<Decision> {
    let text = decision.value.as_str().unwrap_or_default();
    match decision.key {
        "columns.group" => None,
        "label" => {
            let pattern = NamePattern::new(text, "data.label").ok().filter(|pattern| !pattern.groups().is_empty());
            let Some(pattern) = pattern else { return Some(decision) };
            let why = format!("{}; --no-groups takes no images to belong together", decision.why);
            pattern.has_class().then(|| Decision::new("label", NamePattern::with_class_alone(text), why))
        }
        _ => Some(decision),
    }
}

/// Looks, decides, writes, and says each decision with its reason.
///
/// # Errors
/// A folder or table that cannot be read or that no data set recognises, files that are there already.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    anyhow::ensure!(args.folder.is_dir(), "{}: there is no such folder", args.folder.display());
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.folder));
    let files = Files::of(&out);
    let beside = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inside = beside.canonicalize().ok().zip(args.folder.canonicalize().ok());
    anyhow::ensure!(
        !inside.is_some_and(|(beside, folder)| beside.starts_with(folder)),
        "{}: would be written into the folder of the images; name a file elsewhere with --out",
        out.display()
    );
    for file in [&files.experiment, &files.sweep, &files.table] {
        anyhow::ensure!(
            !file.exists(),
            "{}: already exists, and nothing is overwritten; name another file with --out",
            file.display()
        );
    }
    let (dataset, mut recognised, notes) = recognise(&args, components)?;
    if args.no_groups {
        recognised.decisions = recognised.decisions.into_iter().filter_map(without_groups).collect();
    }
    let mut looked = Looked::of(&args.folder, &dataset, &recognised, components)?;
    if looked.is_folded() && !args.no_groups {
        alike::keep_together(&mut looked)?;
    }
    let mut plan = Plan::of(&args.folder, &dataset, &recognised, &looked)?;
    plan.lines.extend(notes.into_iter().map(|note| ("note".to_owned(), note)));
    if plan.folds.is_some() {
        let notes = table::write(&looked, &plan, &files.table)?;
        plan.lines.extend(notes.into_iter().map(|note| ("note".to_owned(), note)));
    }
    // Without an experiment nobody wants the table.
    let seconds = timed(&plan, &files, components).inspect_err(|_| drop(std::fs::remove_file(&files.table)))?;
    let planned = plan.epochs;
    plan.fit(seconds, LONGEST);
    write_text(&files.experiment, &write::experiment(&plan, &files))?;
    write_text(&files.sweep, &write::sweep(&plan, &files))?;
    let told: String = plan.lines.iter().map(|(what, why)| format!("{what}: {why}\n")).collect();
    print(told + &closing(&plan, seconds / planned as f64, &files))?;
    Ok(())
}

fn write_text(file: &Path, text: &str) -> anyhow::Result<()> {
    write_file(file, text.as_bytes()).with_context(|| file.display().to_string())
}

fn default_out(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().unwrap_or_else(|| "my".as_ref()).to_string_lossy().into_owned();
    PathBuf::from(format!("{name}.toml"))
}

/// The data set that reads most of the images, by what each says itself; and what is to be said of others.
fn recognise(args: &Args, components: &Components) -> anyhow::Result<(String, Recognised, Vec<String>)> {
    let place = Place { folder: &args.folder, table: args.table.as_deref() };
    let mut found: Vec<(String, Recognised)> = Vec::new();
    for entry in components.kinds.all::<Datasets>() {
        found.extend(entry.item.recognise(&place)?.map(|recognised| (entry.name.clone(), recognised)));
    }
    let most = found.iter().map(|(_, recognised)| recognised.images).max().unwrap_or_default();
    // What somebody wrote down comes before what folders suggest, unless it is of few of the images.
    let rank = |recognised: &Recognised| (recognised.described && recognised.images * 3 >= most, recognised.images);
    found.sort_by_key(|(_, recognised)| std::cmp::Reverse(rank(recognised)));
    let tables = unread_tables(args, &found, components)?;
    let mut found = found.into_iter();
    let (dataset, recognised) = found.next().with_context(|| {
        format!(
            "{}: no data set recognises this folder. Expected a folder a class, parts (train, test) with a folder a class, names \
             such as oak_07_2.jpg that say the class, or a table of files and classes (--table){}",
            args.folder.display(),
            tables.iter().map(|note| format!("; {note}")).collect::<String>()
        )
    })?;
    let others =
        found.map(|(name, other)| format!("{name} would read {} images here too, and was not taken", other.images));
    Ok((dataset, recognised, tables.into_iter().chain(others).collect()))
}

/// Tables in the folder that no data set read, and why.
fn unread_tables(args: &Args, found: &[(String, Recognised)], components: &Components) -> anyhow::Result<Vec<String>> {
    if args.table.is_some() || found.iter().any(|(_, recognised)| recognised.described) {
        return Ok(vec![]);
    }
    let mut notes = Vec::new();
    for entry in std::fs::read_dir(&args.folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "csv" && end != "tsv") {
            continue;
        }
        // Asked for by name, a data set says what it misses.
        let place = Place { folder: &args.folder, table: Some(&path) };
        let datasets = components.kinds.all::<Datasets>().iter();
        let why = datasets.filter_map(|entry| entry.item.recognise(&place).err()).map(|error| error.to_string()).next();
        let table = path.display().to_string();
        let why = why.unwrap_or_else(|| format!("{table}: no data set reads such a table"));
        let named = if why.contains(&table) { String::new() } else { format!("{table}: ") };
        notes.push(format!("a table that was not taken: {named}{why}"));
    }
    notes.sort();
    Ok(notes)
}

/// About how many seconds a run takes on this machine, from some steps of the experiment as it would be written.
fn timed(plan: &Plan, files: &Files, components: &Components) -> anyhow::Result<f64> {
    let loaded = load_text(&write::experiment(plan, files), &Overrides::default(), components)?;
    Ok(timing::time(&loaded, components)?.seconds)
}

/// How long it will take, and what to do next.
fn closing(plan: &Plan, epoch: f64, files: &Files) -> String {
    let quoted =
        |text: String| if text.contains([' ', '\'', '"', '(', ')', '&', ';']) { format!("{text:?}") } else { text };
    let (experiment, sweep) =
        (quoted(files.experiment.display().to_string()), quoted(files.sweep.display().to_string()));
    let name = files.experiment.file_stem().unwrap_or_default().to_string_lossy().replace(' ', "_");
    let (run, runs) = (epoch * plan.epochs as f64, plan.runs());
    format!(
        "time: about {} a run of {} on this machine, {} for the {runs} runs of the sweep\n\
         wrote {experiment} and {sweep}\n\
         next: mga train {experiment}\n   or: mga sweep {sweep} --out sweeps/{name}, then mga report sweeps/{name} --out report\n",
        duration(run),
        counted(plan.epochs, "epoch", "epochs"),
        duration(run * runs as f64),
    )
}
