//! `mga report`: what the runs of a sweep say, with statistics, as tables, page and paragraph.

use std::path::PathBuf;

use anyhow::Context;
use mga_core::statistics::Resampling;
use mga_experiment::Components;
use mga_report::results;
use mga_report::{ComponentWords, Report, Request, TableForm, build, html, latex, markdown, spreadsheet, terminal};
use mga_train::TaskComponents;

use crate::output::{print, write_file};

const EXAMPLE: &str = "\
Example:
  mga report sweeps/attention --out sweeps/attention/report
  mga report runs/plain-1 runs/plain-2 runs/mga-1 runs/mga-2 --baseline attention=none --out report
  mga report sweeps/attention --out report --narrow --columns top1,macro_f1,p

Arms are runs of equal settings; seeds and folds repeat them. Each arm is compared with the baseline by the first metric,
paired by seed and fold: a paired t test (over folds the corrected resampled t test), adjusted by Holm over the table.
For a search, the last line names the draw that is best on the validation images by the mean over its runs.
Writes index.html, a page that needs no network, with its plots in figures/; report.md, report.csv, report.tex, report.json
and methods.md.";

/// Arguments of `mga report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The folder of a sweep, or folders of runs.
    #[arg(required = true, value_name = "SWEEP")]
    folders: Vec<PathBuf>,
    /// A folder for the files; left out: the tables are printed, and nothing is written.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The arm that the others are compared with: its name, or settings such as `attention=none`; left out: the sweep's
    /// baseline.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// The metric that arms are compared by: top1, balanced_accuracy, macro_f1, …; left out: the one that checkpoints are
    /// selected by.
    #[arg(long, value_name = "KEY")]
    metric: Option<String>,
    /// The number of times the bootstrap resamples the test images.
    #[arg(long, value_name = "N", default_value_t = Resampling::default().resamples, value_parser = at_least_100)]
    resamples: usize,
    /// The columns of the table of arms in report.md and report.tex, in this order: metrics such as top1 or macro_f1, and n,
    /// interval, difference, p, compute; left out: the usual ones.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    columns: Vec<String>,
    /// Make the table of arms in report.tex fit one column of a paper in two columns; without --columns: the first metric,
    /// the difference to the baseline and its p.
    #[arg(long)]
    narrow: bool,
    /// Print the report as JSON instead of the tables.
    #[arg(long)]
    json: bool,
}

fn at_least_100(text: &str) -> Result<usize, String> {
    let n = text.parse::<usize>().map_err(|error| error.to_string())?;
    if n < 100 {
        Err("expected at least 100: an end of a 95 % interval rests on a fortieth of them".to_owned())
    } else {
        Ok(n)
    }
}

/// Runs the command.
///
/// # Errors
/// No runs; a baseline, a metric or a column that is not there; a folder that cannot be written to.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let results = results::read(&args.folders)?;
    let resampling = Resampling { resamples: args.resamples, ..Resampling::default() };
    let counted =
        components.all_tasks().iter().map(|task| (task.name().to_owned(), task.counted().to_owned())).collect();
    let request = Request {
        baseline: args.baseline,
        metric: args.metric,
        resampling,
        counted,
        words: ComponentWords::of(components),
        form: TableForm {
            columns: args.columns.iter().map(|name| name.trim().to_owned()).collect(),
            narrow: args.narrow,
        },
    };
    let report = build(&results, &request)?;
    let mut text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { terminal::text(&report) };
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
        let contents = html::fill(&html::sections(components)?, &report, &results.records)?;
        let files = files(&report, &contents)?;
        for (name, contents) in &files {
            let path = out.join(name);
            write_file(&path, contents.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        html::write(&report, &contents, out)?;
        if !args.json {
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            let (page, figures) = (html::PAGE, html::FIGURES);
            text += &format!("\nreport: {} ({page}, {figures}/, {})\n", out.display(), names.join(", "));
        }
    }
    if !args.json {
        text += &terminal::last_line(&report).map(|line| format!("\n{line}\n")).unwrap_or_default();
    }
    Ok(print(text)?)
}

/// The files of a report, by name.
fn files(report: &Report, contents: &[html::Filled]) -> anyhow::Result<[(&'static str, String); 5]> {
    Ok([
        ("report.md", markdown::text(report, contents)),
        ("report.csv", spreadsheet::text(report)?),
        ("report.tex", latex::text(report)),
        ("report.json", serde_json::to_string_pretty(report)? + "\n"),
        ("methods.md", markdown::methods(report)),
    ])
}
