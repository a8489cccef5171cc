//! One source for both bodies: the light layout of a letter, set as plain text and as HTML.
//!
//! A template writes paragraphs on one long line each, `# headings`, `- ` and `1. ` items, lines
//! led by four spaces that stay as they are (unless they are too long), `---` and `[[evidence]]`.
//! Translators so write each letter once, and text and HTML cannot say different things. There is
//! no markup inside a line, and none of these signs counts within a value, so no value from outside
//! can become markup: not even a holder called `# Pay here` at the head of a line.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::bidi::{self, Direction};
use super::wrap::{WIDTH, wrap};
use crate::templates::MARKS;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Block<'s> {
    Heading(&'s str),
    Paragraph(&'s str),
    /// `-` or `7.`, and the text.
    Item(Cow<'s, str>, &'s str),
    Verbatim(&'s str),
    Evidence,
    Rule,
    Blank,
}

/// Reads a text whose values are [marked](MARKS), and stay so.
fn blocks(source: &str) -> impl Iterator<Item = Block<'_>> {
    source.lines().map(|line| {
        if let Some(text) = line.strip_prefix("    ") {
            return Block::Verbatim(text.trim_end());
        }
        let line = line.trim();
        match line {
            "---" => return Block::Rule,
            "[[evidence]]" => return Block::Evidence,
            _ if line.trim_matches(MARKS).is_empty() => return Block::Blank,
            _ => {}
        }
        if let Some(text) = line.strip_prefix("# ") {
            return Block::Heading(text);
        }
        if let Some((marker, text)) = line.split_once(' ')
            && (marker == "-" || is_number(marker))
        {
            return Block::Item(plain(marker), text);
        }
        Block::Paragraph(line)
    })
}

/// Without the marks; most lines have none.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(MARKS) {
        Cow::Owned(text.replace(MARKS, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// `7.`, where the 7 may be a value of its own, but not the beginning of one.
fn is_number(marker: &str) -> bool {
    let number = marker.strip_suffix('.').unwrap_or_default();
    let value = number
        .strip_prefix(MARKS[0])
        .and_then(|value| value.strip_suffix(MARKS[1]));
    let number = value.unwrap_or(number);
    (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// How many blocks of each kind a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    headings: usize,
    paragraphs: usize,
    items: usize,
    lines: usize,
    tables: usize,
}

impl Outline {
    /// Whether a translation built so has all of the original: a paragraph more is a lead-in that
    /// its language wants, anything else is something else.
    pub(super) fn covers(&self, original: &Self) -> bool {
        let paragraphs = original.paragraphs;
        self.paragraphs >= paragraphs
            && Self {
                paragraphs,
                ..*self
            } == *original
    }

    pub(super) fn counts(&self) -> [(&'static str, usize); 5] {
        [
            ("headings", self.headings),
            ("paragraphs", self.paragraphs),
            ("items", self.items),
            ("indented lines", self.lines),
            ("[[evidence]]", self.tables),
        ]
    }
}

pub(super) fn outline(source: &str) -> Outline {
    let mut outline = Outline::default();
    for block in blocks(source) {
        match block {
            Block::Heading(_) => outline.headings += 1,
            Block::Paragraph(_) => outline.paragraphs += 1,
            Block::Item(..) => outline.items += 1,
            Block::Verbatim(_) => outline.lines += 1,
            Block::Evidence => outline.tables += 1,
            Block::Rule | Block::Blank => {}
        }
    }
    outline
}

/// The observations of a letter, for both bodies.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Heading of what stands below each row.
    pub(super) note: String,
    pub(super) notes: Vec<String>,
}

/// Plain text in 78 columns.
pub(super) fn to_text(source: &str, table: &Table, direction: Direction) -> String {
    let put = |text: &mut String, line: &str, first: &str, then: &str| {
        let from = text.len();
        wrap(text, line, first, then);
        bidi::set_lines(text, from, direction);
        text.push('\n');
    };
    let mut text = String::new();
    let mut blank = true;
    for block in blocks(source) {
        let was_blank = std::mem::replace(&mut blank, block == Block::Blank);
        match block {
            Block::Blank if !was_blank => text.push('\n'),
            Block::Blank => {}
            Block::Heading(line) => {
                let line = bidi::in_text(line, direction);
                put(&mut text, &line, "", "");
                let width = line.width().min(WIDTH);
                put(&mut text, &"-".repeat(width), "", "");
            }
            Block::Paragraph(line) => {
                put(&mut text, &bidi::in_text(line, direction), "", "");
            }
            Block::Item(marker, line) => {
                let lead = format!("{marker} ");
                let line = bidi::in_text(line, direction);
                put(&mut text, &line, &lead, &" ".repeat(lead.len()));
            }
            Block::Verbatim(line) => {
                let words = line.trim_start_matches(' ');
                let lead = " ".repeat(4 + line.len() - words.len());
                let words = bidi::in_text(words, direction);
                put(&mut text, &words, &lead, &format!("{lead}  "));
            }
            Block::Rule => {
                text.push_str(&"-".repeat(WIDTH));
                text.push('\n');
            }
            Block::Evidence => text.push_str(&table.to_text(direction)),
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The inside of an HTML page, every character of the source escaped.
pub(super) fn to_html(source: &str, table: &Table, direction: Direction) -> String {
    let mut html = String::new();
    let mut open = "";
    for block in blocks(source) {
        let wanted = match &block {
            Block::Item(marker, _) if marker == "-" => "ul",
            Block::Item(..) => "ol",
            Block::Verbatim(_) => "pre",
            // One blank line between two items does not end their list.
            Block::Blank => open,
            _ => "",
        };
        if wanted != open {
            if !open.is_empty() {
                html.push_str(&format!("</{open}>\n"));
            }
            if !wanted.is_empty() {
                html.push_str(&format!("<{wanted}>"));
                html.push_str(if wanted == "pre" { "" } else { "\n" });
            }
            open = wanted;
        }
        match block {
            Block::Heading(text) => {
                html.push_str(&format!("<h2>{}</h2>\n", bidi::in_html(text, direction)))
            }
            Block::Paragraph(text) => {
                let dir = bidi::attribute(text, direction);
                html.push_str(&format!("<p{dir}>{}</p>\n", bidi::in_html(text, direction)));
            }
            Block::Item(marker, text) => {
                let value = match marker.strip_suffix('.') {
                    Some(number) => format!(" value=\"{number}\""),
                    None => String::new(),
                };
                let dir = bidi::attribute(text, direction);
                html.push_str(&format!(
                    "<li{value}{dir}>{}</li>\n",
                    bidi::in_html(text, direction)
                ));
            }
            Block::Verbatim(text) => {
                html.push_str(&bidi::in_html(text, direction));
                html.push('\n');
            }
            Block::Evidence => html.push_str(&table.to_html(direction)),
            Block::Rule => html.push_str("<hr>\n"),
            Block::Blank => {}
        }
    }
    if !open.is_empty() {
        html.push_str(&format!("</{open}>\n"));
    }
    html
}

impl Table {
    /// Aligned columns; those that do not fit into the width stand on a line below, each with its
    /// heading.
    fn to_text(&self, direction: Direction) -> String {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .chain(self.headings.get(column))
                    .map(|cell| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut fitting = 0;
        let mut used = 0;
        for width in &widths {
            let with_gap = used + width + if fitting == 0 { 0 } else { 2 };
            if with_gap > WIDTH {
                break;
            }
            used = with_gap;
            fitting += 1;
        }
        let fitting = fitting.max(1);
        let line = |cells: &[String]| {
            let padded = cells
                .iter()
                .take(fitting)
                .zip(&widths)
                .map(|(cell, width)| {
                    let room = " ".repeat(width.saturating_sub(cell.width()));
                    format!("{}{room}", bidi::cell_in_text(cell, Direction::LeftToRight))
                });
            bidi::columns(padded.collect::<Vec<_>>().join("  ").trim_end().to_owned())
        };
        let mut text = format!("{}\n", line(&self.headings));
        text.push_str(&"-".repeat(used.min(WIDTH)));
        text.push('\n');
        for (place, row) in self.rows.iter().enumerate() {
            text.push_str(&line(row));
            text.push('\n');
            let beside = row.iter().zip(&self.headings).skip(fitting);
            let note = self.notes.get(place).map(|note| (note, &self.note));
            let below: Vec<String> = beside
                .chain(note)
                .filter(|(cell, _)| !cell.is_empty())
                .map(|(cell, heading)| {
                    format!("{heading}: {}", bidi::cell_in_text(cell, direction))
                })
                .collect();
            if !below.is_empty() {
                let from = text.len();
                wrap(&mut text, &below.join("; "), "    ", "      ");
                bidi::set_lines(&mut text, from, direction);
                text.push('\n');
            }
        }
        text
    }

    /// What is told of a row stands across the table below it: beside it, it would take the room from
    /// all other columns.
    fn to_html(&self, direction: Direction) -> String {
        let cells = |html: &mut String, tag: &str, cells: &[String]| {
            html.push_str("<tr>");
            for cell in cells {
                let cell = bidi::cell_in_html(cell, direction);
                html.extend(["<", tag, ">", &cell, "</", tag, ">"]);
            }
            html.push_str("</tr>");
        };
        let mut html = "<table>\n<thead>".to_owned();
        cells(&mut html, "th", &self.headings);
        html.push_str("</thead>\n");
        for (place, row) in self.rows.iter().enumerate() {
            html.push_str("<tbody>");
            cells(&mut html, "td", row);
            let note = self.notes.get(place).filter(|note| !note.is_empty());
            if let Some(note) = note {
                let _ = write!(
                    html,
                    "\n<tr><td colspan=\"{}\">{}: {}</td></tr>",
                    self.headings.len(),
                    escape(&self.note),
                    bidi::cell_in_html(note, direction)
                );
            }
            html.push_str("</tbody>\n");
        }
        html.push_str("</table>\n");
        html
    }
}

/// For text and attributes in double quotes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let special = ['&', '<', '>', '"'];
    let Some(first) = text.find(special) else {
        return Cow::Borrowed(text);
    };
    let (plain, rest) = text.split_at(first);
    let mut escaped = String::with_capacity(text.len() + 32);
    escaped.push_str(plain);
    for piece in rest.split_inclusive(special) {
        let end = piece.len() - usize::from(piece.ends_with(special));
        escaped.push_str(&piece[..end]);
        escaped.push_str(match &piece[end..] {
            "&" => "&amp;",
            "<" => "&lt;",
            ">" => "&gt;",
            "\"" => "&quot;",
            _ => "",
        });
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::Direction::{LeftToRight, RightToLeft};
    use super::*;

    fn table() -> Table {
        Table {
            headings: ["Address", "Seen (UTC)"].map(str::to_owned).to_vec(),
            rows: vec![
                ["192.0.2.1", "2026-11-01"].map(str::to_owned).to_vec(),
                ["2001:db8::/32", ""].map(str::to_owned).to_vec(),
            ],
            note: "Evidence".to_owned(),
            notes: vec!["HELO <mail>".to_owned(), String::new()],
        }
    }

    #[test]
    fn sets_each_block_as_text() {
        let source =
            "Dear desk,\n\n\n# What\n\n- one\n2. two\n    key: value\n\n[[evidence]]\n---\n";
        assert_eq!(
            to_text(source, &table(), LeftToRight),
            "Dear desk,\n\nWhat\n----\n\n- one\n2. two\n    key: value\n\n\
             Address        Seen (UTC)\n-------------------------\n\
             192.0.2.1      2026-11-01\n    Evidence: HELO <mail>\n2001:db8::/32\n"
                .to_owned()
                + &"-".repeat(78)
                + "\n"
        );
    }

    #[test]
    fn sets_each_block_as_html() {
        let source = "A & B\n\n- one\n- <two>\n\n3. three\n    a\n    b\n[[evidence]]";
        assert_eq!(
            to_html(source, &table(), LeftToRight),
            "<p>A &amp; B</p>\n<ul>\n<li>one</li>\n<li>&lt;two&gt;</li>\n</ul>\n\
             <ol>\n<li value=\"3\">three</li>\n</ol>\n<pre>a\nb\n</pre>\n\
             <table>\n<thead><tr><th>Address</th><th>Seen (UTC)</th></tr></thead>\n\
             <tbody><tr><td>192.0.2.1</td><td>2026-11-01</td></tr>\n\
             <tr><td colspan=\"2\">Evidence: HELO &lt;mail&gt;</td></tr></tbody>\n\
             <tbody><tr><td>2001:db8::/32</td><td></td></tr></tbody>\n</table>\n"
        );
    }

    #[test]
    fn no_value_begins_a_block() {
        let [begin, end] = MARKS;
        for value in ["# x", "- x", "1. x", "---", "[[evidence]]", "    x"] {
            let html = to_html(&format!("{begin}{value}{end}"), &table(), LeftToRight);
            assert_eq!(html, format!("<p>{value}</p>\n"));
        }
        let measure = format!("{begin}3{end}. {begin}Title{end}: {begin}text{end}");
        assert_eq!(to_text(&measure, &table(), LeftToRight), "3. Title: text\n");
        assert!(
            to_html(&measure, &table(), LeftToRight)
                .starts_with("<ol>\n<li value=\"3\">Title: text<")
        );
        assert_eq!(
            to_text(&format!("a\n{begin}{end}\nb"), &table(), LeftToRight),
            "a\n\nb\n"
        );
    }

    #[test]
    fn keeps_within_the_width_in_every_script() {
        let english = "word ".repeat(60);
        let japanese = "迷惑メールを送信している疑いがあります。".repeat(12);
        // Thai has no spaces between its words, and is broken between words all the same.
        let thai = "เครื่องคอมพิวเตอร์ในเครือข่ายของท่านอาจส่งสแปมโดยที่ผู้ใช้ไม่ทราบ".repeat(6);
        for source in [
            thai.as_str(),
            &format!("- {thai}"),
            english.as_str(),
            &format!("- {english}"),
            &format!("      192.0.2.0/24  {english}"),
            &japanese,
            &format!("1. {japanese}"),
        ] {
            let text = to_text(source, &Table::default(), LeftToRight);
            assert!(text.lines().count() > 3);
            for line in text.lines() {
                assert!(line.width() <= WIDTH, "{line}");
            }
        }
        let address = format!("{}.example", "a".repeat(90));
        assert!(
            to_text(
                &format!("see {address} there"),
                &Table::default(),
                LeftToRight
            )
            .contains(&address)
        );
    }

    #[test]
    fn what_does_not_fit_beside_stands_below() {
        let wide = Table {
            headings: ["Address", "Source"].map(str::to_owned).to_vec(),
            rows: vec![vec!["a".repeat(50), "s".repeat(40)]],
            ..Table::default()
        };
        let text = wide.to_text(LeftToRight);
        assert!(
            text.contains(&format!(
                "{}\n    Source: {}\n",
                "a".repeat(50),
                "s".repeat(40)
            )),
            "{text}"
        );
    }
    #[test]
    fn a_letter_from_right_to_left_keeps_its_values_and_columns() {
        let [begin, end] = MARKS;
        let value = |text: &str| format!("{begin}{text}{end}");
        let source = format!(
            "The same in English below.\n\n# نص\n\nرقم {}، من {}.\n    الشبكة: {}\n\n[[evidence]]\n---\n",
            value("LW-000042-5"),
            value("2026-11-01"),
            value("192.0.2.0/24"),
        );
        let table = Table {
            headings: ["العنوان", "شوهد (UTC)"].map(str::to_owned).to_vec(),
            ..table()
        };
        let text = to_text(&source, &table, RightToLeft);
        for line in [
            "The same in English below.\n",
            "\u{200f}نص\n\u{200f}--\n",
            "\u{200f}رقم \u{2068}LW-000042-5\u{2069}، من \u{2068}2026-11-01\u{2069}.\n",
            "\u{200f}    الشبكة: \u{2068}192.0.2.0/24\u{2069}\n",
            // The columns stand from left to right, as those of the rows do.
            "\u{200e}\u{2068}العنوان\u{2069}        \u{2068}شوهد (UTC)\u{2069}\n",
            "\n192.0.2.1      2026-11-01\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let html = to_html(&source, &table, RightToLeft);
        for part in [
            "<p dir=\"ltr\">The same in English below.</p>",
            "<p>رقم <bdi>LW-000042-5</bdi>، من <bdi>2026-11-01</bdi>.</p>",
            "<td><bdi>192.0.2.1</bdi></td>",
            "<th>العنوان</th>",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        // A name from right to left in a letter that is not.
        let english = format!("Dear {}, hello", value("شركة مثال"));
        let html = to_html(&english, &table, LeftToRight);
        assert_eq!(html, "<p>Dear <bdi>شركة مثال</bdi>, hello</p>\n");
    }
}
