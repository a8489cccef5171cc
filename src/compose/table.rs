//! The table of a letter's observations, for both bodies.

use std::iter::repeat_n;

use super::bidi::{self, Direction};
use super::layout::escape;
use super::wrap::{WIDTH, columns, fold, wrap};

/// Columns of observations, and what stands below each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Heading of what stands below each row.
    pub(super) note: String,
    pub(super) notes: Vec<String>,
    /// What stands between a heading and its value in a line, and between two of them.
    pub(super) colon: String,
    pub(super) semicolon: String,
}

impl Table {
    /// Aligned columns; those that do not fit into the width stand on a line below, each with its
    /// heading.
    pub(super) fn to_text(&self, direction: Direction) -> String {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .chain(self.headings.get(column))
                    .map(|cell| columns(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut fitting = 0;
        let mut used = 0;
        for width in &widths {
            let with_gap = used + width + if fitting == 0 { 0 } else { 2 };
            if with_gap > WIDTH {
                break;
            }
            used = with_gap;
            fitting += 1;
        }
        let fitting = fitting.max(1);
        let mut text = String::new();
        let line = |text: &mut String, cells: &[String]| {
            let from = text.len();
            for (place, (cell, width)) in cells.iter().take(fitting).zip(&widths).enumerate() {
                text.push_str(if place > 0 { "  " } else { "" });
                text.push_str(&bidi::cell_in_text(cell, Direction::LeftToRight));
                text.extend(repeat_n(' ', width.saturating_sub(columns(cell))));
            }
            text.truncate(from + text[from..].trim_end().len());
            bidi::set_columns(text, from);
            text.push('\n');
        };
        line(&mut text, &self.headings);
        text.push_str(&"-".repeat(used.min(WIDTH)));
        text.push('\n');
        for (place, row) in self.rows.iter().enumerate() {
            line(&mut text, row);
            let beside = row.iter().zip(&self.headings).skip(fitting);
            let note = self.notes.get(place).map(|note| (note, &self.note));
            let below: Vec<String> = beside
                .chain(note)
                .filter(|(cell, _)| !cell.is_empty())
                .map(|(cell, heading)| {
                    let cell = bidi::cell_in_text(cell, direction);
                    format!("{heading}{}{cell}", self.colon)
                })
                .collect();
            if !below.is_empty() {
                let from = text.len();
                wrap(&mut text, &below.join(&self.semicolon), "    ", "      ");
                bidi::set_lines(&mut text, from, direction);
                text.push('\n');
            }
        }
        text
    }

    /// What is told of a row stands across the table below it: beside it, it would take the room from
    /// all other columns.
    pub(super) fn to_html(&self, direction: Direction) -> String {
        let mut line = String::new();
        let mut cells = |html: &mut String, tag: &str, cells: &[String]| {
            line.clear();
            line.push_str("<tr>");
            for (place, cell) in cells.iter().enumerate() {
                let cell = bidi::cell_in_html(cell, direction);
                let gap = if place > 0 { " " } else { "" };
                line.extend([gap, "<", tag, ">", &cell, "</", tag, ">"]);
            }
            line.push_str("</tr>");
            fold(html, &line);
        };
        let lead = format!(
            "<tr><td colspan=\"{}\">{}{}",
            self.headings.len(),
            escape(&self.note),
            escape(&self.colon)
        );
        let mut html = "<table>\n<thead>\n".to_owned();
        cells(&mut html, "th", &self.headings);
        html.push_str("\n</thead>\n");
        let mut below = String::new();
        for (place, row) in self.rows.iter().enumerate() {
            html.push_str("<tbody>\n");
            cells(&mut html, "td", row);
            let note = self.notes.get(place).filter(|note| !note.is_empty());
            if let Some(note) = note {
                let note = bidi::cell_in_html(note, direction);
                below.clear();
                below.extend([&lead, &*note, "</td></tr>"]);
                html.push('\n');
                fold(&mut html, &below);
            }
            html.push_str("</tbody>\n");
        }
        html.push_str("</table>\n");
        html
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::LeftToRight;
    use super::*;

    #[test]
    fn what_does_not_fit_beside_stands_below() {
        let wide = Table {
            headings: ["Address", "Source"].map(str::to_owned).to_vec(),
            rows: vec![vec!["a".repeat(50), "s".repeat(40)]],
            colon: ": ".to_owned(),
            ..Table::default()
        };
        let text = wide.to_text(LeftToRight);
        assert!(
            text.contains(&format!(
                "{}\n    Source: {}\n",
                "a".repeat(50),
                "s".repeat(40)
            )),
            "{text}"
        );
    }
}
