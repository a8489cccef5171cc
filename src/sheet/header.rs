//! Tells a header from a first row of values, however broken either is.

use super::columns::{Mapping, Meaning, Plan};

/// Whether the first row of a table names its columns. What is taken for names is no row: so a
/// first row whose address is bad, but still like one, is a row, to be refused with its reason.
pub(super) fn begins(sample: &[Vec<String>], plan: &Plan, map: &[Mapping]) -> bool {
    let Some((first, rest)) = sample.split_first() else {
        return false;
    };
    if first.iter().any(|cell| plan.bare_looks(cell)) {
        return false;
    }
    let is_named = |name: &String| map.iter().any(|m| plain(&m.column) == plain(name));
    let is_known = first.iter().any(|name| plan.knows(name));
    if first.len() == 1 || first.iter().any(is_named) {
        return is_known || first.iter().any(is_named);
    }
    let holds = |place: &usize| {
        let cells = rest.iter().filter_map(|row| row.get(*place));
        cells.filter(|cell| plan.bare_looks(cell)).count() * 2 > rest.len()
    };
    let mapped = map.iter().filter(|mapping| plan.requires(&mapping.key));
    let mut places: Vec<usize> = mapped.filter_map(|m| numbered(&m.column)).collect();
    if places.is_empty() {
        places = (0..first.len()).filter(holds).collect();
    }
    let mut cells = places.iter().filter_map(|place| first.get(*place));
    if cells.clone().any(|cell| is_almost_address(cell)) {
        return false;
    }
    // Where nobody knows where the addresses are, names help more than numbers.
    let is_like_data = cells.any(|cell| has_data_signs(cell))
        || !places.is_empty() && first.iter().any(|cell| plan.tells(cell));
    is_known || !is_like_data
}

/// The place that `col3` means: 2.
pub(super) fn numbered(column: &str) -> Option<usize> {
    let number: usize = column
        .to_ascii_lowercase()
        .strip_prefix("col")?
        .parse()
        .ok()?;
    number.checked_sub(1)
}

/// `192.168.300.1`, `2001:db8::g/64`: made of what addresses are made of.
fn is_almost_address(cell: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_hexdigit() || ".:/-[]".contains(c);
    let begins = cell.starts_with(|c: char| c.is_ascii_digit());
    let has_digit = cell.contains(|c: char| c.is_ascii_digit());
    cell.contains(['.', ':']) && (begins || has_digit && cell.chars().all(is_sign))
}

/// `host-7.isp.example`, `http://…`, `3232235777`: more like a value than like a name.
fn has_data_signs(cell: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    cell.starts_with(is_digit)
        || cell.contains(':')
        || cell.contains('.') && cell.contains(is_digit)
}

impl Plan {
    /// Whether a row holds no values but names, one of them known.
    pub(super) fn is_header(&self, row: &[String]) -> bool {
        !row.iter().any(|cell| self.bare_looks(cell)) && row.iter().any(|name| self.knows(name))
    }

    fn knows(&self, name: &str) -> bool {
        let name = plain(name);
        let mut meanings = self.meanings.iter();
        meanings.any(|meaning| rank(meaning, &name).is_some())
    }

    /// Which meaning a bare list holds.
    pub(super) fn bare(&self) -> Option<usize> {
        let key = self.required[0][0];
        self.meanings.iter().position(|meaning| meaning.key == key)
    }

    fn requires(&self, key: &str) -> bool {
        let mut keys = self.required.iter().flat_map(|set| set.iter());
        keys.any(|known| plain(known) == plain(key))
    }

    /// Whether a cell can only be a value. A meaning that any word fits tells nothing.
    fn tells(&self, cell: &str) -> bool {
        let mut looks = self.meanings.iter().filter_map(|meaning| meaning.looks);
        looks.any(|looks| looks(cell) && !looks("word"))
    }

    /// Whether a text may be what a bare list holds.
    pub(super) fn bare_looks(&self, text: &str) -> bool {
        self.bare()
            .and_then(|at| self.meanings[at].looks)
            .is_some_and(|looks| looks(text))
    }
}

pub(super) fn rank(meaning: &Meaning, name: &str) -> Option<usize> {
    meaning.names.iter().position(|known| plain(known) == name)
}

/// A name without case, spaces, dashes, underscores and dots; full-width letters as ASCII.
pub(super) fn plain(name: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    name.chars()
        .map(narrow)
        .filter(|c| !c.is_whitespace() && !"-_.#\"".contains(*c))
        .flat_map(char::to_lowercase)
        .collect()
}
