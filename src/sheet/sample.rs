//! Looks at the first rows of a table, to find its columns before any row counts.

use std::io::{Cursor, Read};

use super::columns::{Columns, Mapping, Plan};
use super::format::{Layout, Shape};
use super::{LONGEST_ROW, Reader, Sheet, SheetError, Text, rows};

/// Rows by which columns are guessed.
const MOST_ROWS: usize = 50;

/// The first rows, by which columns are found.
pub(super) struct Sample {
    rows: Vec<Vec<String>>,
    /// The cells of the last remark before them.
    remark: Vec<String>,
    /// The members of the first objects.
    names: Option<Vec<String>>,
    is_list: bool,
}

impl Sample {
    pub(super) fn of(head: &[u8], shape: Shape, plan: &'static Plan) -> Self {
        // A full block may end inside a row.
        let whole = if head.len() < LONGEST_ROW {
            head.len()
        } else {
            let end = head.iter().rposition(|byte| *byte == shape.line_end);
            end.unwrap_or(head.len())
        };
        let source = Cursor::new(head[..whole].to_vec());
        let source = source.chain(Box::new(std::io::empty()) as Text);
        let mut sheet = Sheet::over(source, shape, Columns::none(plan));
        let mut rows = Vec::new();
        let mut remark = None;
        while rows.len() < MOST_ROWS {
            match sheet.advance() {
                None => break,
                Some(Err(_)) => {}
                // A header of one column may have blanks in it.
                Some(Ok(())) if rows.is_empty() && sheet.is_name(plan) => {
                    rows.push(vec![sheet.text[..sheet.raw_len].trim().to_owned()]);
                }
                Some(Ok(())) => rows.push(sheet.cells().collect()),
            }
            if remark.is_none() && sheet.begun {
                remark = Some(sheet.remark.clone());
            }
        }
        let names = sheet.columns.names().to_vec();
        let mut remark = remark.unwrap_or_default();
        if let Reader::Cells(_, sign) = &sheet.rows {
            let lead = remark.len() - remark.trim_start_matches(['#', ' ']).len();
            remark.drain(..lead);
            sheet.text = remark;
            rows::cells(&mut sheet.text, *sign, &mut sheet.cells);
        } else {
            sheet.cells.clear();
        }
        Self {
            rows,
            remark: sheet.cells().collect(),
            names: shape.is_json().then_some(names),
            is_list: shape.layout == Layout::Lines,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The columns, and whether the first row names them.
    pub(super) fn columns(
        self,
        plan: &'static Plan,
        map: &[Mapping],
    ) -> Result<(Columns, bool), SheetError> {
        if let Some(names) = self.names {
            return Ok((Columns::of_names(&names, plan, map)?, false));
        }
        if self.is_list {
            return Columns::of_lines(&self.rows, plan, map);
        }
        let is_header = |row: &Vec<String>| {
            row.len() == self.remark.len() && !plan.is_header(row) && plan.is_header(&self.remark)
        };
        if self.rows.first().is_some_and(is_header) {
            let rows: Vec<_> = std::iter::once(self.remark).chain(self.rows).collect();
            return Ok((Columns::of_rows(&rows, plan, map)?.0, false));
        }
        Columns::of_rows(&self.rows, plan, map)
    }
}

impl Sheet {
    /// Whether the whole line is the name of a column.
    fn is_name(&self, plan: &Plan) -> bool {
        let line = [self.text[..self.raw_len].to_owned()];
        matches!(self.rows, Reader::Lines(_)) && plan.is_header(&line)
    }
}
