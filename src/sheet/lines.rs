//! Cuts a plain line into its value and what is said behind it.

/// Signs between the two ends of a range.
const DASHES: [char; 6] = ['-', '–', '—', '~', '〜', '～'];

/// Where the value stands in `line`, and the text behind it. A value ends at a blank, a comma, a
/// semicolon or a `#`, but `192.0.2.1 - 192.0.2.9` is one. Where a second value follows at once, the
/// line is left whole: taking the one for a remark on the other would lose it.
pub(super) fn cells(line: &str, spans: &mut Vec<(usize, usize)>, is_value: impl Fn(&str) -> bool) {
    spans.clear();
    let begin = line.len() - line.trim_start().len();
    let mut end = word_end(line, begin);
    if let Some(other) = other_end(line, end) {
        end = word_end(line, other);
    }
    spans.push((begin, end));
    let behind = line[end..].trim_start_matches(is_gap);
    let behind = (
        line.len() - behind.len(),
        line.trim_end_matches(is_gap).len(),
    );
    let word = line[behind.0..].split(is_gap).next();
    if word.is_some_and(|word| !word.is_empty() && is_value(word)) {
        spans[0].1 = line.trim_end().len();
    } else if behind.0 < behind.1 {
        spans.push(behind);
    }
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || ",;#".contains(c)
}

fn word_end(line: &str, begin: usize) -> usize {
    line[begin..]
        .find(is_gap)
        .map_or(line.len(), |len| begin + len)
}

/// Where the last address of a range begins whose first one ends at `end`: a dash stands between
/// them, or sticks to one of them.
fn other_end(line: &str, end: usize) -> Option<usize> {
    let begins_address = |rest: &str| {
        let word = rest.split(is_gap).next().unwrap_or_default();
        word.contains(['.', ':']) && word.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':')
    };
    let behind = line[end..].trim_start();
    let dashless = behind.trim_start_matches(DASHES);
    let other = dashless.trim_start();
    let is_joined = dashless.len() < behind.len() || line[..end].ends_with(DASHES);
    (is_joined && begins_address(other)).then(|| line.len() - other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_what_is_said_behind_it() {
        for (line, expected) in [
            ("192.0.2.1", vec!["192.0.2.1"]),
            ("  192.0.2.1,", vec!["192.0.2.1"]),
            ("192.0.2.1 ; SBL123", vec!["192.0.2.1", "SBL123"]),
            (
                "192.0.2.1 # came #7, twice",
                vec!["192.0.2.1", "came #7, twice"],
            ),
            ("192.0.2.1\tspam", vec!["192.0.2.1", "spam"]),
            (
                "192.0.2.1 - 192.0.2.9 x",
                vec!["192.0.2.1 - 192.0.2.9", "x"],
            ),
            ("2001:db8::1– 2001:db8::9", vec!["2001:db8::1– 2001:db8::9"]),
            ("192.0.2.1 -192.0.2.9", vec!["192.0.2.1 -192.0.2.9"]),
            ("192.0.2.9 - - [01/Oct", vec!["192.0.2.9", "- - [01/Oct"]),
            ("192.0.2.9 -", vec!["192.0.2.9", "-"]),
            ("192.0.2.1, 192.0.2.2 x ", vec!["192.0.2.1, 192.0.2.2 x"]),
            ("", vec![""]),
        ] {
            let mut spans = Vec::new();
            cells(line, &mut spans, |word| word == "192.0.2.2");
            let found: Vec<&str> = spans.iter().map(|span| &line[span.0..span.1]).collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
