//! What a reader has to know before the numbers are trusted.

use crate::Report;
use crate::plots::markup::escape;
use crate::results::RunState;

/// The flags, the runs that failed with their errors, and what could not be read. Empty where all is well.
pub(super) fn section(report: &Report) -> String {
    let mut html = String::new();
    for flag in &report.flags {
        let arms: Vec<&str> =
            flag.arms.iter().filter_map(|&arm| report.arms.get(arm)).map(|arm| arm.name.as_str()).collect();
        let concerns =
            if arms.is_empty() || arms.len() == report.arms.len() { "all arms".to_owned() } else { arms.join("; ") };
        let mark = escape(&flag.mark);
        html += &format!(
            "<li id=\"flag-{mark}\"><span class=\"mark\">{mark}</span> {} <span class=\"note\">Concerns: {}.</span></li>\n",
            escape(&flag.message),
            escape(&concerns)
        );
    }
    let mut text = String::new();
    if !html.is_empty() {
        text += &format!("<ul class=\"flags\">\n{html}</ul>\n");
    }
    let failed: Vec<_> = report.runs.iter().filter(|run| run.state == RunState::Failed).collect();
    if !failed.is_empty() {
        let items = failed.iter().map(|run| {
            let arm = report.arms.get(run.arm).map_or("", |arm| arm.name.as_str());
            let error = run.error.as_deref().unwrap_or("no error was left behind");
            let (arm, replicate, error) = (escape(arm), escape(&run.replicate), escape(error));
            format!("<li>{arm}, {replicate}<pre class=\"error\">{error}</pre></li>\n")
        });
        let items: String = items.collect();
        text += &format!("<h3>Failed runs</h3>\n<ul>\n{items}</ul>\n");
    }
    if !report.notes.is_empty() {
        let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        let n = report.notes.len();
        text += &format!("<details><summary>Notes on folders and files ({n})</summary><ul>\n{notes}</ul></details>\n");
    }
    text
}
