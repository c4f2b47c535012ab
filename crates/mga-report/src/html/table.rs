//! Tables that can be sorted and filtered.

use crate::plots::markup::escape;

/// A column's head.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) title: String,
    /// Whether it is of numbers, which stand to the right and are sorted as numbers.
    pub(super) number: bool,
}

/// A cell: what is shown, as HTML, and what it is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    html: String,
    key: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// What it is, for those who cannot see where it stands.
    pub(super) label: String,
    /// Its id, `arms`.
    pub(super) id: &'static str,
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What its rows are called: `arms`.
    pub(super) rows_are: &'static str,
}

impl Head {
    pub(super) fn words(title: &str) -> Self {
        Self { title: title.to_owned(), number: false }
    }

    pub(super) fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), number: true }
    }
}

impl Cell {
    /// Foreign text, sorted as it reads.
    pub(super) fn text(text: &str) -> Self {
        Self { html: escape(text), key: text.to_owned() }
    }

    /// HTML that is escaped already, and the text it is sorted by.
    pub(super) fn html(html: String, key: &str) -> Self {
        Self { html, key: key.to_owned() }
    }

    /// A number as it is shown, and its value; one that is missing comes last.
    pub(super) fn number(shown: &str, value: Option<f64>) -> Self {
        let key = value.filter(|value| value.is_finite()).map(|value| value.to_string());
        Self { html: escape(shown), key: key.unwrap_or_default() }
    }
}

impl Table {
    /// The element, with a field to filter it. The heads are buttons; the script sorts.
    pub(super) fn element(&self) -> String {
        let (id, label) = (self.id, escape(&self.label));
        let heads: String = self.heads.iter().map(head).collect();
        let rows: String = self.rows.iter().map(|row| self.row(row)).collect();
        let (count, rows_are) = (self.rows.len(), self.rows_are);
        format!(
            "<div class=\"filter\"><label for=\"filter-{id}\">Filter {rows_are}</label> \
             <input type=\"search\" id=\"filter-{id}\" data-filters=\"{id}\" autocomplete=\"off\" spellcheck=\"false\"> \
             <output id=\"count-{id}\" for=\"filter-{id}\">{count} {rows_are}</output></div>\n\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table id=\"{id}\" class=\"sortable\" \
             data-rows=\"{rows_are}\" aria-label=\"{label}\"><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\
             </table></div>\n"
        )
    }

    fn row(&self, cells: &[Cell]) -> String {
        let cells = self.heads.iter().zip(cells).enumerate().map(|(index, (head, cell))| {
            let key = escape(&cell.key);
            let html = &cell.html;
            match (index, head.number) {
                (0, _) => format!("<th scope=\"row\" data-key=\"{key}\">{html}</th>"),
                (_, true) => format!("<td class=\"number\" data-key=\"{key}\">{html}</td>"),
                (_, false) => format!("<td data-key=\"{key}\">{html}</td>"),
            }
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    }
}

fn head(head: &Head) -> String {
    let class = if head.number { " class=\"number\" data-number" } else { "" };
    format!("<th scope=\"col\" aria-sort=\"none\"{class}><button type=\"button\">{}</button></th>", escape(&head.title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_in_cells_is_text() {
        let table = Table {
            label: "\"><script>".to_owned(),
            id: "arms",
            heads: vec![Head::words("<b>"), Head::number("x")],
            rows: vec![vec![Cell::text("<script>\"'"), Cell::number("1.5", Some(1.5))]],
            rows_are: "arms",
        };
        let text = table.element();
        assert!(!text.contains("<script") && !text.contains("<b>"));
        assert!(text.contains("data-key=\"&lt;script&gt;&quot;&#39;\"") && text.contains("data-key=\"1.5\">1.5</td>"));
        assert!(text.contains("aria-sort=\"none\"") && text.contains("1 arms"));
    }
}
