//! `mga results list`: runs, filtered and sorted.

use std::cmp::Ordering;
use std::path::PathBuf;

use mga_report::results::{Results, RunState, read};
use mga_report::run_table::{Column, Condition, RunTable};
use serde_json::{Value, json};

use crate::output::print;

const EXAMPLE: &str = "\
Example:
  mga results list runs/attention --where model.attention=none --where 'top1>0.9' --sort seconds

Conditions use =, !=, <, <=, > and >=, and all of them must hold. They can name any column of `mga results export`. `top1` and
other metrics are those of the reported checkpoint.";

/// Metrics that are shown unless --columns says otherwise.
const METRICS: [&str; 6] = ["top1", "balanced_accuracy", "mask_auc", "mask_correlation", "mean_iou", "boundary_f"];

/// Arguments of `mga results list`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Folders of sweeps or runs.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Show only runs that meet this condition. May be repeated.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    conditions: Vec<Condition>,
    /// Sort by this column, and show it; runs without a value come last.
    #[arg(long, value_name = "KEY")]
    sort: Option<String>,
    /// The greatest first.
    #[arg(long, requires = "sort")]
    descending: bool,
    /// Show these columns, separated by commas.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Print JSON: `runs`, objects with every column, and `notes` on anything odd.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// No run in a folder; a column that no run has.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let results = read(&args.folders)?;
    let table = RunTable::of(&results.records);
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    for condition in &args.conditions {
        rows = condition.select(&table, &rows)?;
    }
    if let Some(key) = &args.sort {
        sort(&mut rows, table.column(key)?, args.descending);
    }
    if args.json {
        let runs: Vec<_> = rows.iter().map(|&row| table.row(row)).collect();
        let notes: Vec<_> = results.all_notes().collect();
        return Ok(print(serde_json::to_string_pretty(&json!({ "runs": runs, "notes": notes }))? + "\n")?);
    }
    super::warnings::warn(&results);
    let chosen: Vec<&Column> = if args.columns.is_empty() {
        let mut names = usual(&results);
        // What is asked for is what is looked at.
        let asked = args.sort.iter().cloned().chain(args.conditions.iter().map(|condition| condition.key().to_owned()));
        for key in asked {
            if !names.contains(&key) {
                names.push(key);
            }
        }
        names.iter().filter_map(|name| table.column(name).ok()).collect()
    } else {
        args.columns.iter().map(|name| table.column(name)).collect::<anyhow::Result<_>>()?
    };
    let mut text = comfy_table::Table::new();
    text.load_style(comfy_table::presets::NOTHING);
    text.set_header(chosen.iter().map(|column| &column.name));
    for &row in &rows {
        text.add_row(chosen.iter().map(|column| shown(column, row)));
    }
    let mut said = format!("{}\n\n{} of {} runs", text.trim_fmt(), rows.len(), table.rows());
    for state in [
        RunState::Finished,
        RunState::Failed,
        RunState::Interrupted,
        RunState::Running,
        RunState::Unfinished,
        RunState::Waiting,
    ] {
        let count = rows.iter().filter(|&&row| results.records.get(row).is_some_and(|run| run.state == state)).count();
        if count > 0 {
            said += &format!(", {count} {}", state.word());
        }
    }
    said += "\n";
    for run in rows.iter().filter_map(|&row| results.records.get(row)) {
        if let Some(error) = &run.error {
            said += &format!("{}: {error}\n", run.key);
        }
    }
    Ok(print(said)?)
}

/// What is shown unless the user says: the settings that tell the runs apart, and what came of them.
fn usual(results: &Results) -> Vec<String> {
    let mut names = vec!["key".to_owned(), "state".to_owned()];
    let cells = results.records.iter().map(|record| &record.cell);
    for key in cells.flat_map(|cell| cell.settings.keys().chain(cell.replicate.keys())) {
        if !names.contains(key) {
            names.push(key.clone());
        }
    }
    if results.records.iter().any(|record| record.cell.draw.is_some()) {
        // What a search selects by.
        names.push("best_score".to_owned());
    }
    names.extend(METRICS.map(str::to_owned));
    names.push("seconds".to_owned());
    names
}

fn shown(column: &Column, row: usize) -> String {
    match column.values.get(row) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Number(number)) if number.is_f64() => {
            let value = number.as_f64().unwrap_or(f64::NAN);
            if column.name.ends_with("seconds") { format!("{value:.1}") } else { short(value) }
        }
        Some(_) => column.text(row),
    }
}

/// Four digits behind the point, and of small numbers four that are not nothing: a learning rate of 3e-5 is not 0.
fn short(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    let shown = if value.abs() < 0.1 { format!("{value:.3e}").parse().unwrap_or(value) } else { rounded };
    if shown != 0.0 && shown.abs() < 1e-4 { format!("{shown:e}") } else { format!("{shown}") }
}

/// Stable, numbers by value, all else as text; what is missing last either way.
fn sort(rows: &mut [usize], column: &Column, descending: bool) {
    rows.sort_by(|&a, &b| {
        let (left, right) = (column.values.get(a), column.values.get(b));
        let missing = |value: Option<&Value>| value.is_none_or(Value::is_null);
        match (missing(left), missing(right)) {
            (false, false) => {
                let numbers = left.and_then(Value::as_f64).zip(right.and_then(Value::as_f64));
                let order = match numbers {
                    Some((left, right)) => left.total_cmp(&right),
                    None => column.text(a).cmp(&column.text(b)),
                };
                if descending { order.reverse() } else { order }
            }
            (true, true) => Ordering::Equal,
            (left, right) => left.cmp(&right),
        }
    });
}

#[cfg(test)]
mod tests {
    use mga_report::run_table::Kind;

    use super::*;

    #[test]
    fn missing_values_are_last_either_way() {
        let values = vec![json!(2.0), Value::Null, json!(0.5), json!(2.0)];
        let column = Column { name: "top1".to_owned(), kind: Kind::Float, values };
        let mut rows = vec![0, 1, 2, 3];
        sort(&mut rows, &column, false);
        assert_eq!(rows, [2, 0, 3, 1]);
        sort(&mut rows, &column, true);
        assert_eq!(rows, [0, 3, 2, 1]);
        assert_eq!([shown(&column, 2), shown(&column, 1)], ["0.5", "-"]);
        assert_eq!(
            [0.123456, 0.0189432, 2.926e-5, 0.0, -1e-7, 120.0].map(short),
            ["0.1235", "0.01894", "2.926e-5", "0", "-1e-7", "120"]
        );
    }
}
