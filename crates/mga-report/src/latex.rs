//! `report.tex`: the tables with booktabs, and the paragraphs on methods, as a document that compiles.

use super::best;
use super::cells::{comparisons, masks, sentences};
use super::escape::latex as escape;
use super::latex_narrow;
use super::legend::legend_of;
use super::model::Report;
use super::search_cells::{draws, importance, reading};
use super::table_columns::{chosen, table as of_arms, usual};
use super::text_table::Cells;

const HEAD: &str = r"% What stands between the lines of dashes can be taken into a paper: it needs booktabs, and T1 fonts.
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage[a3paper,landscape,margin=15mm]{geometry}
\begin{document}
";

/// Returns the document.
#[must_use]
pub fn text(report: &Report) -> String {
    let title = escape(&report.title);
    let label: String = report.title.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let mut document = format!("{HEAD}% ---- table ----\n{}", arms(report, &title, &label));
    if let (Some(comparisons), Some(column)) = (comparisons(report), report.metric()) {
        let caption = format!(
            "{title}: differences in {} to the baseline, paired; p values before and after Holm's step-down; McNemar's test \
             on pooled predictions with what each side alone has right.",
            escape(&column.title)
        );
        document +=
            &format!("% ---- differences ----\n{}", table(&comparisons, &caption, &format!("{label}-differences"), ""));
    }
    if let (Some(search), Some(draws), Some(importance)) = (&report.search, draws(report), importance(report)) {
        let caption = format!("{title}: the draws of the search.");
        document += &format!("% ---- draws ----\n{}", table(&draws, &caption, &format!("{label}-draws"), ""));
        let caption = format!("{title}: {}", escape(&reading(search)));
        document +=
            &format!("% ---- importance ----\n{}", table(&importance, &caption, &format!("{label}-importance"), ""));
    }
    if let Some(masks) = masks(report) {
        let caption = format!(
            "{title}: coverage of the masks of training images, and the mean squared error between attention and mask at \
             both ends of training."
        );
        document += &format!("% ---- masks ----\n{}", table(&masks, &caption, &format!("{label}-masks"), ""));
    }
    let paragraphs = |paragraphs: &[String]| -> String {
        paragraphs.iter().map(|paragraph| format!("\n{}\n", escape(paragraph))).collect()
    };
    document += &format!("% ---- what this says ----\n{}", paragraphs(&sentences(report)));
    document += &format!("% ---- methods ----\n\\paragraph{{Methods.}}{}", paragraphs(&report.methods));
    document + "% ----\n\\end{document}\n"
}

/// The table of arms: in one column of a paper, if that was asked for.
fn arms(report: &Report, title: &str, label: &str) -> String {
    let narrow = report.form.narrow;
    // What was asked for has been checked: whoever changed the report since gets the usual table.
    let columns = if narrow { latex_narrow::columns(report) } else { chosen(report) };
    let columns = columns.unwrap_or_else(|_| usual(report));
    let cells = of_arms(report, &columns);
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let intervals = if has("interval") { ", with 95\\,\\% intervals of the mean" } else { "" };
    let mut caption = format!("{title}: means{intervals}. {}", escape(&legend_of(report, has)));
    caption = caption.trim_end().to_owned() + best::said(!cells.best.is_empty());
    if let Some(column) = report.metric() {
        let unit = if column.percent { " in percentage points" } else { "" };
        if has("difference") {
            caption += &format!(" The difference is of {} to the baseline{unit}.", escape(&column.title));
        }
        if has("p") {
            caption += &format!(" p is of the difference in {}, after Holm's step-down.", escape(&column.title));
        }
    }
    let foot = flags(report);
    let fitted = if narrow { latex_narrow::text(report, &columns, &caption, label, &foot).ok() } else { None };
    fitted.unwrap_or_else(|| table(&cells, &caption, label, &foot))
}

/// Flags as lines below the table.
fn flags(report: &Report) -> String {
    let line = |mark: &str, message: &str| {
        format!("\\par\\raggedright\\footnotesize\\textsuperscript{{{mark}}}~{}\n", escape(message))
    };
    report.flags.iter().map(|flag| line(&flag.mark, &flag.message)).collect()
}

fn table(cells: &Cells, caption: &str, label: &str, foot: &str) -> String {
    let columns: String = cells.numbers.iter().map(|&numbers| if numbers { 'r' } else { 'l' }).collect();
    let line = |cells: &[String]| format!("{} \\\\\n", cells.join(" & "));
    let header: Vec<String> = cells.header.iter().map(|cell| escape(cell)).collect();
    let superscript = |marks: &str| format!("\\textsuperscript{{{}}}", marks.replace(' ', ","));
    let rows = cells.written(escape, superscript, |best| format!("\\textbf{{{best}}}"));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!(
        "\\begin{{table}}[ht]\n\\centering\n\\small\n\\caption{{{caption}}}\n\\label{{tab:{label}}}\n\
         \\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\midrule\n{rows}\\bottomrule\n\\end{{tabular}}\n{foot}\
         \\end{{table}}\n",
        line(&header)
    )
}
