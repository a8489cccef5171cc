//! Which column means what: by the names people give them, by what stands in them, by what staff
//! said.

use std::str::FromStr;

use super::header::{plain, rank};
use super::{SheetError, header};

/// Columns beyond this many are not looked at.
const MOST_COLUMNS: usize = 1_000;

/// Bytes of a name; what is longer names nothing.
const LONGEST_NAME: usize = 1_024;

/// What a column can mean to the caller, and how people name it.
pub struct Meaning {
    pub key: &'static str,
    /// The likeliest first: of several such columns, a row's value is the first that is not empty.
    pub names: &'static [&'static str],
    /// Whether a text may be such a value; only for meanings that are to be found in a table
    /// without header.
    pub looks: Option<fn(&str) -> bool>,
}

/// What the caller looks for in a table.
pub struct Plan {
    pub meanings: &'static [Meaning],
    /// Sets of keys, at least one, of which one must be there whole. The first key of the first set
    /// is what a bare list holds.
    pub required: &'static [&'static [&'static str]],
}

/// A column that staff named: `ip=Source_IP`, `ip=col3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub key: String,
    pub column: String,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, column)) if !key.trim().is_empty() && !column.trim().is_empty() => {
                Ok(Self {
                    key: key.trim().to_owned(),
                    column: column.trim().to_owned(),
                })
            }
            _ => Err(format!(
                "\"{text}\" is no mapping: write ip=NAME or ip=col3"
            )),
        }
    }
}

/// The columns of one table.
pub struct Columns {
    plan: &'static Plan,
    names: Vec<String>,
    /// For each meaning its columns, the likeliest first.
    taken: Vec<Vec<usize>>,
    /// Which meanings staff settled; no other column is added to them.
    settled: Vec<bool>,
}

impl Columns {
    /// From the first row, and whether that is a header.
    pub(super) fn of_rows(
        sample: &[Vec<String>],
        plan: &'static Plan,
        map: &[Mapping],
    ) -> Result<(Self, bool), SheetError> {
        let mut columns = Self::none(plan);
        let Some(first) = sample.first() else {
            return Ok((columns, false));
        };
        let is_list = first.len() == 1;
        let is_header = header::begins(sample, plan, map);
        if is_header {
            for name in first {
                columns.add(name.trim());
            }
        } else {
            for n in 1..=first.len().min(MOST_COLUMNS) {
                columns.names.push(format!("col{n}"));
            }
        }
        columns.settle(map)?;
        if !is_header {
            columns.guess(sample, is_list)?;
        }
        columns.require(sample)?;
        Ok((columns, is_header))
    }

    /// Of plain lines: the value, and what is said behind it.
    pub(super) fn of_lines(
        sample: &[Vec<String>],
        plan: &'static Plan,
        map: &[Mapping],
    ) -> Result<(Self, bool), SheetError> {
        let mut columns = Self::none(plan);
        let Some(first) = sample.first() else {
            return Ok((columns, false));
        };
        let values: Vec<Vec<String>> = sample.iter().map(|row| row[..1].to_vec()).collect();
        let is_header = header::begins(&values, plan, map);
        columns.names = match is_header {
            true => vec![first[0].trim().to_owned(), "col2".to_owned()],
            false => vec!["col1".to_owned(), "col2".to_owned()],
        };
        if let Some(at) = plan.bare().filter(|_| is_header) {
            columns.taken[at] = vec![0];
        }
        columns.settle(map)?;
        columns.guess(&sample[usize::from(is_header)..], true)?;
        columns.require(sample)?;
        Ok((columns, is_header))
    }

    /// From the names that the first objects have.
    pub(super) fn of_names(
        names: &[String],
        plan: &'static Plan,
        map: &[Mapping],
    ) -> Result<Self, SheetError> {
        let mut columns = Self::none(plan);
        if names.is_empty() {
            return Ok(columns);
        }
        for name in names {
            columns.add(name);
        }
        columns.settle(map)?;
        columns.require(&[])?;
        Ok(columns)
    }

    pub(super) fn none(plan: &'static Plan) -> Self {
        Self {
            plan,
            names: Vec::new(),
            taken: vec![Vec::new(); plan.meanings.len()],
            settled: vec![false; plan.meanings.len()],
        }
    }

    /// What was taken for what: the key, and the columns' own names.
    #[must_use]
    pub fn taken(&self) -> Vec<(&'static str, Vec<&str>)> {
        let named = |places: &Vec<usize>| places.iter().map(|n| self.names[*n].as_str()).collect();
        self.plan
            .meanings
            .iter()
            .zip(&self.taken)
            .filter(|(_, places)| !places.is_empty())
            .map(|(meaning, places)| (meaning.key, named(places)))
            .collect()
    }

    /// The columns that mean nothing here. With JSON it grows as objects come.
    #[must_use]
    pub fn ignored(&self) -> Vec<&str> {
        self.others().map(|n| self.names[n].as_str()).collect()
    }

    pub(super) fn others(&self) -> impl Iterator<Item = usize> {
        let is_taken = |n: &usize| self.taken.iter().any(|places| places.contains(n));
        (0..self.names.len()).filter(move |n| !is_taken(n))
    }

    /// Whether a text may be what a bare list holds.
    pub(super) fn is_bare(&self, text: &str) -> bool {
        self.plan.bare_looks(text)
    }

    /// The places of a meaning, the likeliest first.
    pub(super) fn places(&self, key: &str) -> &[usize] {
        let at = self
            .plan
            .meanings
            .iter()
            .position(|meaning| meaning.key == key);
        at.map_or(&[], |at| &self.taken[at])
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// The place of a column, which is added if it is new and there is room.
    pub(super) fn place(&mut self, name: &str, near: usize) -> Option<usize> {
        // Objects of one file mostly have their members in one order.
        if self.names.get(near).is_some_and(|at| at == name) {
            return Some(near);
        }
        if name.len() > LONGEST_NAME {
            return None;
        }
        let known = self.names.iter().position(|at| at == name);
        known.or_else(|| self.add(name))
    }

    fn add(&mut self, name: &str) -> Option<usize> {
        let place = self.names.len();
        if place >= MOST_COLUMNS {
            return None;
        }
        self.names.push(name.to_owned());
        let name = plain(name);
        for (at, meaning) in self.plan.meanings.iter().enumerate() {
            let Some(own) = rank(meaning, &name).filter(|_| !self.settled[at]) else {
                continue;
            };
            let ranks = |place: &usize| rank(meaning, &plain(&self.names[*place]));
            let before = self.taken[at].partition_point(|p| ranks(p).is_some_and(|r| r <= own));
            self.taken[at].insert(before, place);
        }
        Some(place)
    }

    /// Gives staff's columns their meanings, and takes them from all others.
    fn settle(&mut self, map: &[Mapping]) -> Result<(), SheetError> {
        for mapping in map {
            let key = plain(&mapping.key);
            let meanings = self.plan.meanings;
            let Some(at) = meanings
                .iter()
                .position(|meaning| plain(meaning.key) == key)
            else {
                let keys: Vec<&str> = meanings.iter().map(|meaning| meaning.key).collect();
                return Err(SheetError::NoSuchMeaning {
                    key: mapping.key.clone(),
                    keys: keys.join(", "),
                });
            };
            let Some(place) = self.named(&mapping.column) else {
                return Err(SheetError::NoSuchColumn {
                    column: mapping.column.clone(),
                    columns: self.listed(),
                });
            };
            for (other, places) in self.taken.iter_mut().enumerate() {
                if !self.settled[other] {
                    places.retain(|p| *p != place);
                }
            }
            self.taken[at] = vec![place];
            self.settled[at] = true;
        }
        Ok(())
    }

    fn named(&self, column: &str) -> Option<usize> {
        let exact = self.names.iter().position(|name| name == column);
        let alike = || {
            self.names
                .iter()
                .position(|name| plain(name) == plain(column))
        };
        let numbered = || header::numbered(column).filter(|place| *place < self.names.len());
        exact.or_else(alike).or_else(numbered)
    }

    /// Without a header: by what stands in most of the first rows.
    fn guess(&mut self, sample: &[Vec<String>], is_list: bool) -> Result<(), SheetError> {
        for (at, meaning) in self.plan.meanings.iter().enumerate() {
            let Some(looks) = meaning.looks.filter(|_| !self.settled[at]) else {
                continue;
            };
            let is_bare = self.plan.bare() == Some(at);
            // Text that any word fits is taken from wherever nothing else is.
            let is_text = looks("word");
            let fits = |place: &usize| {
                let cells = sample.iter().filter_map(|row| row.get(*place));
                let said = cells.filter(|cell| is_bare || !cell.trim().is_empty());
                let (mut all, mut hits) = (0, 0);
                for cell in said {
                    all += 1;
                    hits += usize::from(looks(cell));
                }
                let all = if is_bare { sample.len() } else { all };
                let enough = match (is_list && !is_bare, is_text) {
                    // Behind the value of a line anything may be said.
                    (true, true) => true,
                    (true, false) => hits > 0 && hits == all,
                    (false, _) => hits > 0 && hits * 2 >= all,
                };
                enough && !self.taken.iter().any(|p| p.contains(place))
            };
            let found: Vec<usize> = (0..self.names.len()).filter(fits).collect();
            match found.as_slice() {
                _ if is_list && is_bare && self.taken[at].is_empty() => self.taken[at] = vec![0],
                [] => {}
                // Which of two addresses is the sender and which the victim, nobody can guess.
                [_, _, ..] if is_bare && !self.has_required() => {
                    let names: Vec<&str> = found.iter().map(|n| self.name(*n)).collect();
                    return Err(SheetError::Ambiguous {
                        key: meaning.key,
                        columns: names.join(", "),
                    });
                }
                [first, ..] if !(is_bare && self.has_required()) => self.taken[at] = vec![*first],
                _ => {}
            }
        }
        Ok(())
    }

    fn has_required(&self) -> bool {
        let has = |key: &&str| !self.places(key).is_empty();
        self.plan.required.iter().any(|set| set.iter().all(has))
    }

    fn require(&self, sample: &[Vec<String>]) -> Result<(), SheetError> {
        if self.has_required() {
            return Ok(());
        }
        let key = self.plan.required[0][0];
        let holds = |place: &usize| {
            let cells = sample.iter().skip(1).filter_map(|row| row.get(*place));
            cells.filter(|cell| self.plan.bare_looks(cell)).count() * 2 > sample.len() - 1
        };
        let guess = (0..self.names.len())
            .find(|place| sample.len() > 1 && holds(place))
            .map_or("NAME", |place| self.name(place));
        Err(SheetError::NoColumn {
            key,
            columns: self.listed(),
            guess: guess.to_owned(),
        })
    }

    fn listed(&self) -> String {
        let names: Vec<&str> = self.names.iter().take(50).map(String::as_str).collect();
        names.join(", ")
    }
}
