//! Fields of a header, of a block of a report, or of what looks like one in the middle of a text.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;

use super::address;
use super::decode::into_text_from;

/// Fields of one header that are kept.
const MOST: usize = 1000;

/// Unfolded, in their order; names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    list: Vec<(String, String)>,
    /// Where in its bytes the header ends, its empty line included.
    pub(super) end: usize,
}

impl Fields {
    /// The header that a message begins with.
    pub(super) fn of_header(bytes: &[u8]) -> Self {
        let bytes = bytes.trim_ascii_start();
        let end = match bytes.windows(2).position(|pair| pair == b"\n\n") {
            Some(at) => at + 1,
            None => bytes.len(),
        };
        let header = &bytes[..end];
        let country = country(header);
        let text = into_text_from(Cow::Borrowed(header), None, country.as_deref());
        let mut fields = Self::of_lines(text.lines());
        fields.end = (end + 1).min(bytes.len());
        fields
    }

    /// Whatever of these lines is a field. A line that begins none goes on with the one before.
    pub(super) fn of_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list: Vec<(String, String)> = Vec::new();
        for line in lines {
            let is_folded = line.starts_with([' ', '\t']);
            let has_room = list.len() < MOST;
            match (name_of(line), list.last_mut()) {
                (Some((name, value)), _) if !is_folded && has_room => {
                    list.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                (_, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                _ => {}
            }
        }
        Self { list, end: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first of that name, which is given in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(one, _)| *one == name)
            .map(|(_, value)| value)
    }

    /// Encoded words read (RFC 2047).
    pub(super) fn decoded(&self, name: &str) -> Cow<'_, str> {
        self.get(name).map_or(Cow::Borrowed(""), words)
    }

    pub(super) fn address(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        let angle = value.rfind('<').map_or(value, |at| &value[at..]);
        address::first(angle)
            .or_else(|| address::first(value))
            .map(str::to_owned)
    }

    pub(super) fn addresses(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for value in self.all(name) {
            for one in address::all(value) {
                if !found.iter().any(|known: &String| known == one) {
                    found.push(one.to_owned());
                }
            }
        }
        found
    }

    /// Message identifiers, without their angle brackets; also those that some wrote without.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(ids).collect()
    }
}

/// Of whoever wrote it, by his address, if what he wrote is not plain.
fn country(header: &[u8]) -> Option<String> {
    if header.is_ascii() {
        return None;
    }
    let line = header
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > 5 && line[..5].eq_ignore_ascii_case(b"from:"))?;
    let line = String::from_utf8_lossy(line);
    let address = line.rfind('<').map_or(&*line, |at| &line[at..]);
    let end = address::first(address)?
        .rsplit('.')
        .next()?
        .to_ascii_lowercase();
    (end.len() == 2 && end.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(end)
}

pub(super) fn ids(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((id, tail)) = tail.split_once('>') else {
            break;
        };
        let id: String = id.split_whitespace().collect();
        if !id.is_empty() {
            found.push(id);
        }
        rest = tail;
    }
    if found.is_empty() {
        let bare = |word: &&str| word.len() > 3 && !word.starts_with('"');
        let word = text.split_whitespace().find(bare);
        found.extend(word.map(|word| word.trim_matches(['<', '>']).to_owned()));
    }
    found
}

/// A field's name and value, if this line begins one (RFC 5322 2.2).
pub(super) fn name_of(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && name.len() < 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_name.then_some((name, value))
}

fn words(value: &str) -> Cow<'_, str> {
    if !value.contains("=?") {
        return Cow::Borrowed(value);
    }
    let line = format!("{value}\n");
    let decoded = MessageStream::new(line.as_bytes()).parse_unstructured();
    let text = decoded.as_text().map(str::to_owned);
    text.map_or(Cow::Borrowed(value), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_unfolded_and_words_are_read() {
        let fields = Fields::of_header(
            b"Subject: =?iso-8859-1?Q?Unzustellbar=3A?=\n =?utf-8?B?w7w=?=\nTo: A <a@isp.example>,\n b@isp.example\nmessage-id :<1@x.example>\n\nBody: no",
        );
        assert_eq!(fields.decoded("subject"), "Unzustellbar:\u{fc}");
        assert_eq!(fields.addresses("to"), ["a@isp.example", "b@isp.example"]);
        assert_eq!(fields.ids("message-id"), ["1@x.example"]);
        assert!(!fields.has("body"));
    }
}
