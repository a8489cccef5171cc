//! One row as its reader asks for it: by the keys of the plan.

use super::{Reader, Sheet};
use crate::model::Refusal;

/// One row of a table.
pub struct Record<'a> {
    pub(super) sheet: &'a Sheet,
}

impl Record<'_> {
    /// Where the row begins: counted from 1, the header included.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.sheet.line
    }

    /// What the row says about one of the plan's keys, trimmed; empty where it says nothing.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.place(key).map_or("", |place| self.sheet.cell(place))
    }

    /// The whole line, where it is a line of text and no row of a table.
    #[must_use]
    pub fn as_line(&self) -> Option<&str> {
        let is_line = matches!(self.sheet.rows, Reader::Lines(_));
        is_line.then(|| self.sheet.text[..self.sheet.raw_len].trim())
    }

    /// The first value for a key that says something, by the caller's own measure, and the name of
    /// its column.
    #[must_use]
    pub fn get_said(&self, key: &str, says: fn(&str) -> bool) -> Option<(&str, &str)> {
        let columns = &self.sheet.columns;
        let places = columns.places(key).iter();
        let mut cells = places.map(|place| (columns.name(*place), self.sheet.cell(*place)));
        cells.find(|(_, cell)| !cell.is_empty() && says(cell))
    }

    /// What the row says in columns that mean nothing to the plan: their names, and its values.
    pub fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        let columns = &self.sheet.columns;
        let places = columns.others();
        places.map(|place| (columns.name(place), self.sheet.cell(place)))
    }

    /// The row as a refusal, for what it says about `key`.
    #[must_use]
    pub fn refuse(&self, key: &str, reason: &str, remedy: &str) -> Refusal {
        let columns = self.sheet.columns.places(key);
        let place = self.place(key).or_else(|| columns.first().copied());
        self.sheet.refusal(place, self.get(key), reason, remedy)
    }

    fn place(&self, key: &str) -> Option<usize> {
        let mut places = self.sheet.columns.places(key).iter();
        places
            .find(|place| !self.sheet.cell(**place).is_empty())
            .copied()
    }
}
