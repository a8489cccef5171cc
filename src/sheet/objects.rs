//! JSON objects as rows: found in an array or one behind the other, and flattened, so that
//! `{"source": {"ip": …}}` has a column `source.ip`.

use std::io::{self, BufRead};

use serde_json::Value;

use super::rows::{Piece, Source};
use super::{LONGEST_RAW, LONGEST_ROW};

pub(super) struct Objects<R = Source> {
    input: R,
    line: u64,
    place: Place,
}

/// Where in a stream of JSON one stands.
#[derive(Default)]
struct Place {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            place: Place::default(),
        }
    }

    /// The next object into `row`, and the number of its first line. What stands between objects
    /// and is none is a bad row.
    pub(super) fn next(&mut self, row: &mut Vec<u8>) -> io::Result<Option<(u64, Piece)>> {
        row.clear();
        let mut first_line = self.line;
        let mut too_long = false;
        loop {
            let block = self.input.fill_buf()?;
            if block.is_empty() {
                let unclosed = self.place.depth > 0;
                self.place.depth = 0;
                return Ok(match (unclosed, row.is_empty()) {
                    (true, _) => Some((first_line, unclosed_object())),
                    (false, false) => Some((first_line, no_object())),
                    (false, true) => None,
                });
            }
            let mut used = 0;
            let mut found = None;
            for byte in block {
                if self.place.depth == 0 {
                    let is_between = byte.is_ascii_whitespace() || b",[]".contains(byte);
                    if !row.is_empty() && (is_between || *byte == b'{') {
                        found = Some(no_object());
                        break;
                    }
                    if is_between {
                        used += 1;
                        self.line += u64::from(*byte == b'\n');
                        continue;
                    }
                    if row.is_empty() {
                        first_line = self.line;
                    }
                }
                used += 1;
                self.line += u64::from(*byte == b'\n');
                let limit = if self.place.depth > 0 {
                    LONGEST_ROW
                } else {
                    LONGEST_RAW
                };
                if row.len() < limit {
                    row.push(*byte);
                } else {
                    too_long = true;
                }
                if self.place.follow(*byte) {
                    found = Some(if too_long {
                        Piece::bad(
                            format!("the object is longer than {} KiB", LONGEST_ROW / 1024),
                            "shorten it",
                        )
                    } else {
                        Piece::Row
                    });
                    break;
                }
            }
            self.input.consume(used);
            if let Some(piece) = found {
                return Ok(Some((first_line, piece)));
            }
        }
    }
}

impl Place {
    /// True when this byte ends an object.
    fn follow(&mut self, byte: u8) -> bool {
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = byte == b'\\' && !self.escaped;
            return false;
        }
        match byte {
            b'{' => self.depth = self.depth.saturating_add(1),
            b'"' => self.in_text = self.depth > 0,
            b'}' if self.depth > 0 => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

fn unclosed_object() -> Piece {
    Piece::bad(
        "the object that begins in this line never ends",
        "see whether the file is whole and valid JSON",
    )
}

fn no_object() -> Piece {
    Piece::bad(
        "this is no JSON object",
        "write each row as {\"ip\": \"192.0.2.1\", …}",
    )
}

/// # Errors
/// When `text` is no JSON object: why.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    // serde_json itself refuses what is nested deeper than 128.
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("this is JSON, but no object".to_owned()),
        Err(error) => Err(format!("this is no JSON object: {error}")),
    }
}

/// Calls `take` with the path and text of every value that is no object.
pub(super) fn flatten(value: &Value, take: &mut dyn FnMut(&str, &str)) {
    descend(value, &mut String::new(), take);
}

fn descend(value: &Value, path: &mut String, take: &mut dyn FnMut(&str, &str)) {
    let below = |path: &mut String, key: &str, value: &Value, take: &mut dyn FnMut(&str, &str)| {
        let len = path.len();
        if len > 0 {
            path.push('.');
        }
        path.push_str(key);
        descend(value, path, take);
        path.truncate(len);
    };
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                below(path, key, value, take);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (n, value) in items.iter().enumerate() {
                below(path, &n.to_string(), value, take);
            }
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(scalar).collect();
            take(path, &texts.join(", "));
        }
        Value::String(text) => take(path, text),
        _ => take(path, &scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_wherever_they_stand() {
        let text = "[{\"a\": \"}\\\"{\"},{\"b\":{}},\n  7, \"x\"\n {\"c\": 1}\n] {\n\"d\": 2";
        let mut objects = Objects::new(text.as_bytes());
        let (mut row, mut found) = (Vec::new(), Vec::new());
        while let Some((line, piece)) = objects.next(&mut row).unwrap() {
            let is_row = piece == Piece::Row;
            found.push((line, is_row, String::from_utf8(row.clone()).unwrap()));
        }
        let expected = [
            (1, true, "{\"a\": \"}\\\"{\"}"),
            (1, true, "{\"b\":{}}"),
            (2, false, "7"),
            (2, false, "\"x\""),
            (3, true, "{\"c\": 1}"),
            (4, false, "{\n\"d\": 2"),
        ];
        let expected = expected.map(|(line, is_row, text)| (line, is_row, text.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_object_is_dropped_and_the_next_found() {
        let text = format!("[{{\"a\":\"{}\"}},{{\"b\":1}}]", "x".repeat(200_000));
        let mut objects = Objects::new(text.as_bytes());
        let mut row = Vec::new();
        assert!(matches!(
            objects.next(&mut row),
            Ok(Some((1, Piece::Bad { .. })))
        ));
        assert!(row.len() <= LONGEST_ROW);
        assert_eq!(objects.next(&mut row).unwrap(), Some((1, Piece::Row)));
        assert_eq!(row, b"{\"b\":1}");
    }

    #[test]
    fn values_are_flattened() {
        let mut cells = Vec::new();
        let text =
            r#"{"source":{"ip":"192.0.2.1","port":25},"tags":["a","b"],"x":null,"y":[{"z":true}]}"#;
        flatten(&parse(text).unwrap(), &mut |path, text| {
            cells.push(format!("{path}={text}"))
        });
        assert_eq!(
            cells,
            [
                "source.ip=192.0.2.1",
                "source.port=25",
                "tags=a, b",
                "x=",
                "y.0.z=true"
            ]
        );
        assert!(parse("[1]").is_err());
        assert!(parse(&"{\"a\":".repeat(9_000)).is_err());
    }
}
