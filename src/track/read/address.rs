//! Addresses in a text that was written for people.

/// The first address of a text.
pub(super) fn first(text: &str) -> Option<&str> {
    all(text).next()
}

/// Every address of a text, in its order.
pub(super) fn all(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find('@') {
            let at = from + found;
            let floor = from;
            from = at + 1;
            let Some((start, end)) = around(text, floor, at) else {
                continue;
            };
            from = end;
            return Some(&text[start..end]);
        }
        None
    })
}

/// Whether a whole text is one address.
pub(super) fn is_one(text: &str) -> bool {
    first(text).is_some_and(|one| one.len() == text.len())
}

/// Two spellings of one mailbox: case does not tell them apart, nor quotes.
pub(super) fn same(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.replace('"', "").to_lowercase();
    one.eq_ignore_ascii_case(other) || bare(one) == bare(other)
}

/// Where the address around this `@` begins and ends.
fn around(text: &str, floor: usize, at: usize) -> Option<(usize, usize)> {
    let before = &text[floor..at];
    let mut start = if let Some(quoted) = before.strip_suffix('"') {
        floor + quoted.rfind('"')?
    } else {
        let local = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_local(*c));
        floor + local.last()?.0
    };
    // `rcpt=user@host`, but not `user=host@relay`.
    if let Some((name, _)) = text[start..at].split_once('=')
        && NAMES.iter().any(|one| one.eq_ignore_ascii_case(name))
    {
        start += name.len() + 1;
    }
    while start < at && text[start..].starts_with(['\'', '`', '*', '.', '|', '/', '=']) {
        start += 1;
    }
    let after = &text[at + 1..];
    let len = match after.strip_prefix('[') {
        Some(literal) => literal.find(']')? + 2,
        None => after.find(|c| !is_domain(c)).unwrap_or(after.len()),
    };
    let domain = after[..len].trim_end_matches(['.', '-', '_']);
    (start < at && !domain.is_empty()).then_some((start, at + 1 + domain.len()))
}

/// What stands before `=` in logs.
const NAMES: [&str; 11] = [
    "smtp",
    "rfc822",
    "to",
    "rcpt",
    "orcpt",
    "recipient",
    "for",
    "address",
    "user",
    "email",
    "mailto",
];

fn is_local(c: char) -> bool {
    match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c),
        // Closing quotes and full stops of other scripts end a sentence, not an address.
        c => !c.is_whitespace() && !is_foreign_mark(c),
    }
}

fn is_domain(c: char) -> bool {
    match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'),
        c => c.is_alphanumeric() && !is_foreign_mark(c) && !is_script_of_prose(c),
    }
}

fn is_foreign_mark(c: char) -> bool {
    matches!(c, '\u{a0}' | '«' | '»' | '\u{2010}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}')
}

/// Japanese and Chinese go on after an address without a space.
fn is_script_of_prose(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_prose() {
        for (text, expected) in [
            ("<a.b+c@isp.example>: unknown", "a.b+c@isp.example"),
            ("to=<a@isp.example>, relay", "a@isp.example"),
            ("rcpt=a@isp.example", "a@isp.example"),
            (
                "bounce-a=isp.example@relay.example.",
                "bounce-a=isp.example@relay.example",
            ),
            ("mailto:a@isp.example)", "a@isp.example"),
            ("'a@isp.example' is full", "a@isp.example"),
            ("\"a b\"@isp.example", "\"a b\"@isp.example"),
            ("a@[192.0.2.1] x", "a@[192.0.2.1]"),
            ("あてa@isp.exampleに", "あてa@isp.example"),
            ("rfc822;a@isp.example", "a@isp.example"),
            ("none @ all", ""),
            ("@", ""),
        ] {
            assert_eq!(first(text).unwrap_or_default(), expected, "{text}");
        }
        assert_eq!(all("a@x.example, b@x.example").count(), 2);
        assert!(is_one("a@x.example") && !is_one("a@x.example."));
    }
}
