//! The table of arms for one column of a paper in two columns: few columns with short heads, and names that wrap.

use super::escape::latex as escape;
use super::legend::same_runs;
use super::model::Report;
use super::table_columns::{TableColumn, chosen, named_columns, table};
use super::text_table::Cells;

/// Points of a column: 3.3 inches, as those of the usual conferences.
const WIDTH: f64 = 238.0;

/// Points between two columns.
const BETWEEN: f64 = 6.0;

/// The table, with the flags below it.
///
/// # Errors
/// As [`names_width`].
pub(super) fn text(
    report: &Report,
    columns: &[TableColumn],
    caption: &str,
    label: &str,
    foot: &str,
) -> anyhow::Result<String> {
    let cells = table(report, columns);
    let names = names_width(&cells, columns)?;
    let line = |cells: &[String]| format!("{} \\\\\n", cells.join(" & "));
    let heads: Vec<String> =
        std::iter::once("arm").chain(columns.iter().map(|column| column.short.as_str())).map(escape).collect();
    let rows = cells.written(
        escape,
        |marks| format!("\\textsuperscript{{{}}}", marks.replace(' ', ",")),
        |best| format!("\\textbf{{{best}}}"),
    );
    let rows: String = rows
        .into_iter()
        .map(|mut row| {
            // A name breaks behind an underscore, too.
            row[0] = format!("\\raggedright {}", row[0].replace("\\_", "\\_\\allowbreak{}"));
            line(&row)
        })
        .collect();
    let numbers = "r".repeat(columns.len());
    Ok(format!(
        "\\begin{{table}}[ht]\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{{}pt}}\n\\caption{{{caption}}}\n\
         \\label{{tab:{label}}}\n\\begin{{tabular}}{{@{{}}p{{{names:.0}pt}}{numbers}@{{}}}}\n\\toprule\n{}\\midrule\n{rows}\
         \\bottomrule\n\\end{{tabular}}\n{foot}\\end{{table}}\n",
        BETWEEN / 2.0,
        line(&heads)
    ))
}

/// The columns that were asked for; else as many as fit of those of the comparison, with the number of runs where it
/// differs.
///
/// # Errors
/// There is no such column.
pub(super) fn columns(report: &Report) -> anyhow::Result<Vec<TableColumn>> {
    if !report.form.columns.is_empty() {
        return chosen(report);
    }
    let runs = same_runs(report).is_none().then_some("n");
    let metric = report.metric().map(|column| column.key.as_str());
    let compared = report.arms.iter().any(|arm| arm.comparison.is_some());
    let comparisons: &[&[&str]] = if compared { &[&["difference", "p"], &["p"], &[]] } else { &[&[]] };
    let mut fewest = vec![];
    for comparison in comparisons {
        let names = runs.iter().chain(&metric).chain(*comparison).map(|&name| name.to_owned());
        fewest = named_columns(report, &names.collect::<Vec<_>>())?;
        if names_width(&table(report, &fewest), &fewest).is_ok() {
            break;
        }
    }
    Ok(fewest)
}

/// Points for the names of the arms: what they need at most, and what the numbers leave at least.
///
/// # Errors
/// The numbers leave too little for the longest word of a name.
fn names_width(cells: &Cells, columns: &[TableColumn]) -> anyhow::Result<f64> {
    let number = |column: &TableColumn| {
        let cells = column.cells.iter().map(|cell| points(cell)).fold(0.0, f64::max);
        cells.max(points(&column.short)) + BETWEEN
    };
    let left = WIDTH - columns.iter().map(number).sum::<f64>();
    let marks = |row: usize| cells.marks.get(row).map_or(0.0, |marks| 0.8 * points(marks));
    // A hyphen may end the line behind a word.
    let words = |name: &str| name.split([' ', '_', '-']).map(|word| points(word) + points("-")).fold(0.0, f64::max);
    let names = || cells.rows.iter().enumerate().map(|(row, cells)| (marks(row), cells[0].as_str()));
    let least = names().map(|(marks, name)| words(name) + marks).fold(0.0, f64::max);
    let most = names().map(|(marks, name)| points(name) + marks).fold(0.0, f64::max);
    anyhow::ensure!(
        least <= left,
        "--narrow: names of arms and the columns {} need {:.1} inches, and a paper's column has {:.1}; name fewer with \
         --columns",
        columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", "),
        (WIDTH - left + least) / 72.27,
        WIDTH / 72.27
    );
    Ok(most.min(left))
}

/// An upper estimate of the width of text in `\footnotesize`: 8 points in an article of 10, the digits in bold.
fn points(text: &str) -> f64 {
    let of = |character: char| match character {
        ' ' => 2.9,
        '.' | ',' | ':' | 'i' | 'l' | 'j' | '\'' => 2.7,
        '(' | ')' | '[' | ']' | 't' | 'f' | 'r' | 's' | '-' => 3.6,
        'm' | 'w' | 'M' | 'W' | '%' => 7.6,
        '±' | '+' | '<' | '>' | '=' | 'A'..='Z' => 6.7,
        character if (character as u32) < 0x2e80 => 4.9,
        _ => 8.5,
    };
    text.chars().map(of).sum()
}

/// Says whether the table fits.
///
/// # Errors
/// As [`columns`] and [`names_width`].
pub(super) fn check(report: &Report) -> anyhow::Result<()> {
    let columns = columns(report)?;
    names_width(&table(report, &columns), &columns).map(drop)
}
