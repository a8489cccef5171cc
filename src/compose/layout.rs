//! One source for both bodies: the light layout of a letter, set as plain text and as HTML.
//!
//! A template writes paragraphs on one long line each, `# headings`, `- ` and `1. ` items, lines
//! led by four spaces that stay as they are (unless they are too long), `---` and `[[evidence]]`.
//! Translators so write each letter once, and text and HTML cannot say different things. There is
//! no markup inside a line, and none of these signs counts within a value, so no value from outside
//! can become markup: not even a holder called `# Pay here` at the head of a line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use unicode_width::UnicodeWidthStr;

use super::bidi::{self, Direction};
use super::table::Table;
use super::wrap::{WIDTH, fold, wrap};
use crate::templates::{MARKS, without_marks};

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

/// Reads a line whose values are [marked](MARKS), and stay so.
fn block(line: &str) -> Block<'_> {
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
}

/// Without the marks; most lines have none.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    match without_marks(text) {
        Some(plain) => Cow::Owned(plain),
        None => Cow::Borrowed(text),
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
    for line in source.lines() {
        match block(line) {
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

/// Lines that are kept as they were set. A letter has about a hundred, two in three of them in every
/// letter of its language; when there are so many, all are dropped, and those set anew.
const KEPT: usize = 4_000;

/// Bytes from which on a line with values is kept, too: so long are the measures, which are the same in
/// every letter, while shorter ones have a ticket or a date that never comes again.
const LONG: usize = 400;

/// Sets texts as both bodies. What comes again, as most lines of a letter do, is set once.
#[derive(Debug, Default)]
pub(super) struct Setter {
    from_left: Mutex<Kept>,
    from_right: Mutex<Kept>,
}

type Kept = HashMap<Box<str>, Line, RandomState>;

/// A line of a source as both bodies have it.
#[derive(Clone, Debug)]
struct Line {
    place: Place,
    text: String,
    html: String,
}

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Page,
    /// A list or a preformatted block, by the name of its element.
    Inside(&'static str),
    Nothing,
    Table,
}

/// A text as plain text in [`WIDTH`] columns, and as the inside of an HTML page.
#[derive(Debug)]
pub(super) struct Bodies {
    pub(super) text: String,
    pub(super) html: String,
}

impl Setter {
    pub(super) fn set(&self, source: &str, table: &Table, direction: Direction) -> Bodies {
        let kept = match direction {
            Direction::LeftToRight => &self.from_left,
            Direction::RightToLeft => &self.from_right,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(source.len() * 2);
        let mut html = String::with_capacity(source.len() * 2);
        let mut blank = true;
        let mut open = "";
        for line in source.lines() {
            let fresh;
            let line = match kept.get(line) {
                Some(line) => line,
                None => {
                    fresh = Line::of(line, direction);
                    if line.len() > LONG || !line.contains(MARKS[0]) {
                        if kept.len() >= KEPT {
                            kept.clear();
                        }
                        kept.insert(line.into(), fresh.clone());
                    }
                    &fresh
                }
            };
            let inside = match line.place {
                Place::Inside(element) => element,
                // One blank line between two items does not end their list.
                Place::Nothing => open,
                Place::Page | Place::Table => "",
            };
            if inside != open {
                change(&mut html, open, inside);
                open = inside;
            }
            let was_blank = std::mem::replace(&mut blank, line.place == Place::Nothing);
            match line.place {
                Place::Nothing if was_blank => {}
                Place::Nothing => text.push('\n'),
                Place::Table => {
                    text.push_str(&table.to_text(direction));
                    html.push_str(&table.to_html(direction));
                }
                Place::Page | Place::Inside(_) => {
                    text.push_str(&line.text);
                    html.push_str(&line.html);
                }
            }
        }
        change(&mut html, open, "");
        text.truncate(text.trim_end().len());
        text.push('\n');
        Bodies { text, html }
    }
}

/// Ends one element and begins another; either may be none.
fn change(html: &mut String, open: &str, wanted: &str) {
    if !open.is_empty() {
        html.extend(["</", open, ">\n"]);
    }
    if !wanted.is_empty() {
        html.extend(["<", wanted, if wanted == "pre" { ">" } else { ">\n" }]);
    }
}

impl Line {
    /// `source` may have [marks](MARKS). In HTML every character of it is escaped.
    fn of(source: &str, direction: Direction) -> Self {
        let mut text = String::new();
        let mut put = |line: &str, first: &str, then: &str| {
            let from = text.len();
            wrap(&mut text, line, first, then);
            bidi::set_lines(&mut text, from, direction);
            text.push('\n');
        };
        let element = |tag: &str, attribute: &str, content: &str| {
            let dir = bidi::attribute(content, direction);
            let content = bidi::in_html(content, direction);
            let set = format!("<{tag}{attribute}{dir}>{content}</{tag}>\n");
            let mut html = String::with_capacity(set.len());
            fold(&mut html, &set);
            html
        };
        let (place, html) = match block(source) {
            Block::Heading(line) => {
                let set = bidi::in_text(line, direction);
                put(&set, "", "");
                put(&"-".repeat(set.width().min(WIDTH)), "", "");
                let html = format!("<h2>{}</h2>\n", bidi::in_html(line, direction));
                (Place::Page, html)
            }
            Block::Paragraph(line) => {
                put(&bidi::in_text(line, direction), "", "");
                (Place::Page, element("p", "", line))
            }
            Block::Item(marker, line) => {
                let lead = format!("{marker} ");
                put(
                    &bidi::in_text(line, direction),
                    &lead,
                    &" ".repeat(lead.len()),
                );
                match marker.strip_suffix('.') {
                    Some(number) => {
                        let value = format!(" value=\"{number}\"");
                        (Place::Inside("ol"), element("li", &value, line))
                    }
                    None => (Place::Inside("ul"), element("li", "", line)),
                }
            }
            Block::Verbatim(line) => {
                let words = line.trim_start_matches(' ');
                let lead = " ".repeat(4 + line.len() - words.len());
                let words = bidi::in_text(words, direction);
                put(&words, &lead, &format!("{lead}  "));
                let html = format!("{}\n", bidi::in_html(line, direction));
                (Place::Inside("pre"), html)
            }
            Block::Rule => {
                text = format!("{}\n", "-".repeat(WIDTH));
                (Place::Page, "<hr>\n".to_owned())
            }
            Block::Evidence => (Place::Table, String::new()),
            Block::Blank => (Place::Nothing, String::new()),
        };
        Self { place, text, html }
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

    fn to_text(source: &str, table: &Table, direction: Direction) -> String {
        Setter::default().set(source, table, direction).text
    }

    fn to_html(source: &str, table: &Table, direction: Direction) -> String {
        Setter::default().set(source, table, direction).html
    }

    fn table() -> Table {
        Table {
            headings: ["Address", "Seen (UTC)"].map(str::to_owned).to_vec(),
            rows: vec![
                ["192.0.2.1", "2026-11-01"].map(str::to_owned).to_vec(),
                ["2001:db8::/32", ""].map(str::to_owned).to_vec(),
            ],
            note: "Evidence".to_owned(),
            notes: vec!["HELO <mail>".to_owned(), String::new()],
            colon: ": ".to_owned(),
            semicolon: "; ".to_owned(),
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
                + &"-".repeat(WIDTH)
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
             <table>\n<thead>\n<tr><th>Address</th> <th>Seen (UTC)</th></tr>\n</thead>\n\
             <tbody>\n<tr><td>192.0.2.1</td> <td>2026-11-01</td></tr>\n\
             <tr><td colspan=\"2\">Evidence: HELO &lt;mail&gt;</td></tr></tbody>\n\
             <tbody>\n<tr><td>2001:db8::/32</td> <td></td></tr></tbody>\n</table>\n"
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
        let address = format!("abuse@{}.example", "a".repeat(90));
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
        let html = to_html(&source, &table, RightToLeft).replace('\n', " ");
        for part in [
            "<p dir=\"ltr\">The same in English below.</p>",
            "<p>رقم <bdi dir=\"ltr\">LW-000042-5</bdi>، من <bdi dir=\"ltr\">2026-11-01</bdi>.</p>",
            "<td><bdi dir=\"ltr\">192.0.2.1</bdi></td>",
            "<th>العنوان</th>",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        // A name from right to left in a letter that is not.
        let english = format!("Dear {}, hello", value("شركة مثال"));
        let html = to_html(&english, &table, LeftToRight);
        assert_eq!(html, "<p>Dear <bdi>شركة مثال</bdi>,\nhello</p>\n");
    }

    #[test]
    fn what_was_set_before_is_set_alike() {
        let setter = Setter::default();
        let source = "# What\n\n- one\n\n- two\n[[evidence]]\n";
        let first = setter.set(source, &Table::default(), LeftToRight);
        let again = setter.set(source, &table(), LeftToRight);
        assert_eq!(again.text, to_text(source, &table(), LeftToRight));
        assert_eq!(again.html, to_html(source, &table(), LeftToRight));
        assert_ne!(first.text, again.text, "the table is each letter's own");
        for number in 0..2 * KEPT {
            let line = format!("line {number}");
            let set = setter.set(&line, &Table::default(), LeftToRight);
            assert_eq!(set.html, format!("<p>{line}</p>\n"));
        }
        assert!(setter.from_left.lock().unwrap().len() <= KEPT);
    }
}
