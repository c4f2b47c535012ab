//! `report.tex`: the tables with booktabs, and the paragraphs on methods, as a document that compiles.

use super::cells::{comparisons, masks, scores, sentences};
use super::escape::latex as escape;
use super::legend::legend;
use super::model::Report;
use super::search_cells::{draws, importance, reading};
use super::text_table::Cells;

const HEAD: &str = r"% What stands between the lines of dashes can be taken into a paper: it needs booktabs, and T1 fonts.
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\begin{document}
";

/// Returns the document.
#[must_use]
pub fn text(report: &Report) -> String {
    let title = escape(&report.title);
    let label: String = report.title.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let caption = format!("{title}: means, with 95\\,\\% intervals of the mean. {}", escape(&legend(report)));
    let mut document = format!("{HEAD}% ---- table ----\n{}", table(&scores(report), &caption, &label, &flags(report)));
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
    let rows = cells.written(escape, |marks| format!("\\textsuperscript{{{}}}", marks.replace(' ', ",")));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!(
        "\\begin{{table}}[ht]\n\\centering\n\\small\n\\caption{{{caption}}}\n\\label{{tab:{label}}}\n\
         \\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\midrule\n{rows}\\bottomrule\n\\end{{tabular}}\n{foot}\
         \\end{{table}}\n",
        line(&header)
    )
}
