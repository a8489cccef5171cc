//! Tells from a text's first lines how it is written.

use std::str::FromStr;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with `,`, `;`, `|` or tab between the cells.
    Csv,
    Tsv,
    /// JSON objects: one a line, one behind the other, or in one array.
    Json,
    /// One value a line, with comments.
    Lines,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "tsv" | "tab" => Ok(Self::Tsv),
            "json" | "jsonl" | "ndjson" => Ok(Self::Json),
            "lines" | "txt" => Ok(Self::Lines),
            _ => Err(format!(
                "\"{text}\" is no format: write csv, tsv, jsonl or lines"
            )),
        }
    }
}

const DELIMITERS: [u8; 4] = [b'\t', b',', b';', b'|'];

/// What was found out about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) layout: Layout,
    pub(super) line_end: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Cells(u8),
    Lines,
    /// One JSON object a line.
    ObjectLines,
    /// JSON objects wherever they begin and end.
    Objects,
}

impl Shape {
    pub(super) fn is_json(&self) -> bool {
        matches!(self.layout, Layout::Objects | Layout::ObjectLines)
    }
}

/// Looks at the beginning of a text; `name` is the file's, whose ending counts where the content
/// fits it.
pub(super) fn shape(head: &[u8], name: &str, format: Option<Format>) -> Shape {
    let line_end = if head.contains(&b'\r') && !head.contains(&b'\n') {
        b'\r'
    } else {
        b'\n'
    };
    Shape {
        layout: layout(head, name, format, line_end),
        line_end,
    }
}

/// What the file is instead of a table, where its first bytes tell.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
        (b"%PDF", "a PDF document"),
        (b"BZh", "packed with bzip2"),
        (b"\xfd7zXZ", "packed with xz"),
        (b"\x28\xb5\x2f\xfd", "packed with zstd"),
    ];
    KNOWN
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, what)| *what)
}

fn layout(head: &[u8], name: &str, format: Option<Format>, line_end: u8) -> Layout {
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches(".gz");
    let format = format.or_else(|| {
        let text = head.trim_ascii_start();
        match text {
            [b'{', ..] => Some(Format::Json),
            [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'{' | b']', ..]) => {
                Some(Format::Json)
            }
            _ if name.ends_with(".tsv") => Some(Format::Tsv),
            _ if name.ends_with(".csv") => Some(Format::Csv),
            _ if is_list(head, line_end) => Some(Format::Lines),
            _ => None,
        }
    });
    match format {
        Some(Format::Csv) => Layout::Cells(delimiter(head, line_end).unwrap_or(b',')),
        Some(Format::Tsv) => Layout::Cells(b'\t'),
        Some(Format::Lines) => Layout::Lines,
        Some(Format::Json) => objects(head, line_end),
        None => delimiter(head, line_end).map_or(Layout::Lines, Layout::Cells),
    }
}

/// Whether no sign cuts half of the first lines, or one of them has a remark right behind its value,
/// so that other signs belong to remarks too.
fn is_list(head: &[u8], line_end: u8) -> bool {
    let lines: Vec<&[u8]> = head
        .split(|byte| *byte == line_end)
        .map(<[u8]>::trim_ascii)
        .filter(|line| line.first().is_some_and(|sign| !b"#;".contains(sign)))
        .take(20)
        .collect();
    let cuts = |sign: u8| {
        let cut = lines.iter().filter(|line| count(line, sign) > 0);
        cut.count() * 2 >= lines.len()
    };
    let has_remark = |line: &&[u8]| {
        let at = line.iter().position(|byte| *byte == b'#');
        let value = at.map(|at| line[..at].trim_ascii_end());
        let is_sign = |byte: &u8| DELIMITERS.contains(byte) || b"\" ".contains(byte);
        value.is_some_and(|value| !value.iter().any(is_sign))
    };
    let first = head.split(|byte| *byte == line_end).next();
    first.and_then(named_delimiter).is_none()
        && !lines.is_empty()
        && (!DELIMITERS.into_iter().any(cuts) || lines.iter().any(has_remark))
}

/// One object a line, if the first line is one; then a broken line breaks nothing but itself.
fn objects(head: &[u8], line_end: u8) -> Layout {
    let mut lines = head.split(|byte| *byte == line_end).map(<[u8]>::trim_ascii);
    match lines.find(|line| !line.is_empty()) {
        Some([b'{', .., b'}']) => Layout::ObjectLines,
        Some([b'{', ..]) if head.trim_ascii_start().len() > 1 && lines.next().is_none() => {
            Layout::ObjectLines
        }
        _ => Layout::Objects,
    }
}

/// The sign that a first line `sep=;` names, as Excel writes and reads it.
pub(super) fn named_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (key, sign) = line.split_at_checked(4)?;
    match sign {
        [sign] | [sign, b'"'] if key.eq_ignore_ascii_case(b"sep=") => Some(*sign),
        _ => None,
    }
}

/// The sign that the first line names, or that stands equally often in most of the first lines.
fn delimiter(head: &[u8], line_end: u8) -> Option<u8> {
    let first = head.split(|byte| *byte == line_end).next();
    if let Some(sign) = first.and_then(named_delimiter) {
        return Some(sign);
    }
    let content = |comments: &'static [u8]| {
        head.split(move |byte| *byte == line_end)
            .map(<[u8]>::trim_ascii)
            .filter(move |line| line.first().is_some_and(|sign| !comments.contains(sign)))
            .take(20)
    };
    let mut lines: Vec<&[u8]> = content(b"#;").collect();
    if lines.is_empty() {
        lines = content(b"#").collect();
    }
    let first = lines.first()?;
    DELIMITERS
        .into_iter()
        .filter_map(|sign| {
            let expected = count(first, sign);
            let alike = lines.iter().filter(|line| count(line, sign) == expected);
            (expected > 0).then(|| (alike.count(), expected, sign))
        })
        // Of equals the first: `max_by_key` would take the last.
        .reduce(|best, next| {
            if (next.0, next.1) > (best.0, best.1) {
                next
            } else {
                best
            }
        })
        .map(|(_, _, sign)| sign)
}

/// How often a sign stands outside quotes; a remark behind a bare value does not count.
fn count(line: &[u8], sign: u8) -> usize {
    let outside = |part: &[u8]| {
        let mut quoted = false;
        part.iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == sign
            })
            .count()
    };
    let value = line.split(|byte| *byte == b'#').next().unwrap_or(line);
    match outside(value) {
        0 => 0,
        _ => outside(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_from_content() {
        for (head, name, expected) in [
            ("ip,time\n192.0.2.1,x\n", "a", Layout::Cells(b',')),
            ("ip;time\n192.0.2.1;1,5\n", "a", Layout::Cells(b';')),
            ("ip|time\n192.0.2.1|x\n", "a", Layout::Cells(b'|')),
            ("ip\ttime, local\n192.0.2.1\tx\n", "a", Layout::Cells(b'\t')),
            ("ip;note\n192.0.2.1;\"a;b;c\"\n", "a", Layout::Cells(b';')),
            ("# a, b\n192.0.2.1\n192.0.2.2 # x, y\n", "a", Layout::Lines),
            ("192.0.2.1\n", "a.txt", Layout::Lines),
            ("ip\n192.0.2.1\n", "a.csv.gz", Layout::Cells(b',')),
            ("sep=|\nip,a;b|x\n", "a", Layout::Cells(b'|')),
            ("\"sep=;\"\r\nip;x\r\n", "a.csv", Layout::Cells(b';')),
            (
                "; Drop list\n192.0.2.0/24 ; SBL1\n",
                "a",
                Layout::Cells(b';'),
            ),
            ("{\"ip\":\"192.0.2.1\"}\n", "a", Layout::ObjectLines),
            ("{\"ip\":\"192.0.2", "a", Layout::ObjectLines),
            (" [ {\"ip\":1},\n", "a.csv", Layout::Objects),
            ("{\n \"ip\": 1\n}\n", "a", Layout::Objects),
            ("[2001:db8::1]\n", "a", Layout::Lines),
            ("", "a", Layout::Lines),
        ] {
            assert_eq!(
                shape(head.as_bytes(), name, None).layout,
                expected,
                "{head}"
            );
        }
    }
}
