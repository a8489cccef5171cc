//! One value laid over another: of the same type, under a key that there is, and where it came from.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::origin::Origin;

/// Settings that are being read.
pub(super) struct Settings {
    pub(super) values: Table,
    /// What there is, with values of the right types.
    known: Table,
    /// Of each value that is not as shipped.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) wrong: Vec<String>,
}

impl Settings {
    pub(super) fn shipped(defaults: Table) -> Self {
        Self {
            values: defaults.clone(),
            known: defaults,
            origins: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Each relay, or pace, that a file names has all the settings of the one that is shipped.
    pub(super) fn add_named(&mut self, section: &str, shipped: Option<Value>, file: &Table) {
        let named = file.get(section).and_then(Value::as_table);
        let (Some(shipped), Some(named)) = (shipped, named) else {
            return;
        };
        for place in [&mut self.values, &mut self.known] {
            if let Some(Value::Table(section)) = place.get_mut(section) {
                for name in named.keys() {
                    section.insert(name.clone(), shipped.clone());
                }
            }
        }
    }

    /// Lays a whole file over what there is; `origin` tells where each key stands in it.
    pub(super) fn lay_over(&mut self, file: &Table, origin: &dyn Fn(&str) -> Origin) {
        let Self {
            values,
            known,
            origins,
            wrong,
        } = self;
        let mut over = Over {
            origin,
            origins,
            wrong,
        };
        over.lay(values, known, file, "");
    }

    /// A setting given as text takes the type of its default.
    pub(super) fn lay_text(&mut self, key: &str, text: &str, origin: Origin) {
        let (mut known, mut onto, mut name) = (&self.known, &mut self.values, key);
        while let Some((section, rest)) = name.split_once('.') {
            let (Some(Value::Table(inner)), Some(Value::Table(place))) =
                (known.get(section), onto.get_mut(section))
            else {
                let whole = key.strip_suffix(rest).unwrap_or(key);
                let whole = whole.trim_end_matches('.');
                return self.wrong.push(unknown(whole, known.keys(), &origin));
            };
            (known, onto, name) = (inner, place, rest);
        }
        let value = match known.get(name) {
            None | Some(Value::Table(_)) => {
                return self.wrong.push(unknown(key, known.keys(), &origin));
            }
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            Some(Value::Array(_)) => Some(Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|one| !one.is_empty())
                    .map(|one| Value::String(one.to_owned()))
                    .collect(),
            )),
            Some(_) => Some(Value::String(text.to_owned())),
        };
        match value {
            Some(value) => {
                onto.insert(name.to_owned(), value);
                self.origins.insert(key.to_owned(), origin);
            }
            None => self
                .wrong
                .push(format!("{origin}: \"{text}\" is no value for {key}")),
        }
    }

    pub(super) fn origin_of(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Every setting that holds a value, with its key, in order.
    pub(super) fn leaves(&self) -> Vec<(String, Value)> {
        let mut leaves = Vec::new();
        collect(&self.values, "", &mut leaves);
        leaves
    }

    /// Whether it is another value than the shipped one.
    pub(super) fn is_changed(&self, key: &str, value: &Value) -> bool {
        at(&self.known, key) != Some(value)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        at(&self.values, key)?.as_str()
    }
}

fn at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let mut parts = key.split('.');
    let mut value = table.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

struct Over<'a> {
    origin: &'a dyn Fn(&str) -> Origin,
    origins: &'a mut BTreeMap<String, Origin>,
    wrong: &'a mut Vec<String>,
}

impl Over<'_> {
    fn lay(&mut self, onto: &mut Table, known: &Table, from: &Table, path: &str) {
        for (key, value) in from {
            let full = joined(path, key);
            let origin = (self.origin)(&full);
            match (known.get(key), value) {
                (Some(Value::Table(known)), Value::Table(from)) => {
                    if let Some(Value::Table(onto)) = onto.get_mut(key) {
                        self.lay(onto, known, from, &full);
                    }
                }
                (Some(default), value) if default.same_type(value) => {
                    onto.insert(key.clone(), value.clone());
                    self.origins.insert(full, origin);
                }
                (Some(default), value) => self.wrong.push(format!(
                    "{origin}: {full} must be {}, not {}",
                    default.type_str(),
                    value.type_str()
                )),
                (None, _) => self.wrong.push(unknown(&full, known.keys(), &origin)),
            }
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn collect(table: &Table, path: &str, leaves: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let full = joined(path, key);
        match value {
            Value::Table(table) => collect(table, &full, leaves),
            value => leaves.push((full, value.clone())),
        }
    }
}

/// The line of each key of a file, counted from 1.
pub(super) fn lines(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        find_lines(text, table.get_ref(), "", &mut found);
    }
    found
}

fn find_lines(text: &str, table: &DeTable<'_>, path: &str, found: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let full = joined(path, key.get_ref());
        let before = text.get(..key.span().start).unwrap_or_default();
        found.insert(full.clone(), 1 + before.matches('\n').count());
        if let DeValue::Table(table) = value.get_ref() {
            find_lines(text, table, &full, found);
        }
    }
}

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a String>, origin: &Origin) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    match nearest(last, known.map(String::as_str), last.len() / 2) {
        Some(name) => format!("{origin}: there is no setting {key}; did you mean {name}?"),
        None => format!("{origin}: there is no setting {key}; `lapwing config` lists all"),
    }
}

/// What somebody may have meant who wrote something like it.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl Iterator<Item = &'a str>,
    furthest: usize,
) -> Option<&'a str> {
    let known = known.map(|name| (distance(name, written), name));
    let (distance, name) = known.min()?;
    (distance <= furthest).then_some(name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
