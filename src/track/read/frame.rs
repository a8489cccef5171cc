//! The frame of a message: its header and its parts, whatever the line ends, and never more than we can bear.

use std::borrow::Cow;
use std::sync::LazyLock;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::{HeaderName, Message, MessageParser, MimeHeaders, PartType};

use super::decode::{into_text, looks_like_page, page_text, quoted_printable};
use super::fields::Fields;

/// Bytes of a message that are looked at.
const KEPT: usize = 1024 * 1024;
/// Bytes of text that are read of all its parts together.
const READ: usize = 256 * 1024;
/// Fields `Content-Type` that are heeded. Each part has one, and so has each level.
const PARTS: usize = 128;
/// Messages in messages that are looked into.
const DEPTH: u8 = 8;
/// Encoded messages in encoded messages (RFC 2046 forbids them, some send them).
const WRAPPED: u8 = 2;

/// A message, taken apart.
pub(super) struct Frame {
    pub(super) header: Fields,
    pub(super) parts: Vec<Part>,
    /// The type that the top header names, in lower case.
    pub(super) kind: String,
}

/// One leaf of the tree, or the header of a message inside.
pub(super) struct Part {
    /// `text/plain`, in lower case; `message/rfc822` stands for the header and body of a message inside.
    pub(super) kind: String,
    charset: Option<String>,
    encoding: Encoding,
    bytes: Vec<u8>,
    /// Messages that it stands in, the outermost not counted.
    pub(super) level: u8,
    /// It stands in a `multipart/alternative` beside a text that says the same.
    pub(super) is_second: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    None,
    QuotedPrintable,
    Base64,
}

impl Frame {
    pub(super) fn of(message: &[u8]) -> Self {
        let bytes = plain_lines(message);
        let mut frame = Self {
            header: Fields::default(),
            parts: Vec::new(),
            kind: String::new(),
        };
        // Whatever its parser cannot bear is read as one text.
        let parsed = std::panic::catch_unwind(|| {
            let mut found = Self {
                header: Fields::default(),
                parts: Vec::new(),
                kind: String::new(),
            };
            found.take_apart(&bytes, 0, WRAPPED).then_some(found)
        });
        if let Ok(Some(found)) = parsed {
            frame = found;
        }
        frame.header = Fields::of_header(&bytes);
        if frame.parts.is_empty() {
            frame.parts.push(Part::plain(&bytes[frame.header.end..], 0));
        }
        frame
    }

    /// The texts of one level, decoded, as long as together they are bearable.
    pub(super) fn texts_of(&self, level: u8) -> impl Iterator<Item = (&Part, Cow<'_, str>)> {
        let mut left = READ;
        let parts = self.parts.iter().filter(move |part| part.level == level);
        parts.filter_map(move |part| part.text(&mut left).map(|text| (part, text)))
    }

    /// Parts of a kind that machines write for machines, decoded: `message/delivery-status`, `…/global-delivery-status`.
    pub(super) fn reports(
        &self,
        ending: &'static str,
    ) -> impl Iterator<Item = (&Part, Cow<'_, str>)> {
        let mut left = READ;
        let parts = self
            .parts
            .iter()
            .filter(move |part| part.kind.ends_with(ending));
        parts.filter_map(move |part| part.text(&mut left).map(|text| (part, text)))
    }

    fn take_apart(&mut self, bytes: &[u8], level: u8, wrapped: u8) -> bool {
        let Some(message) = PARSER.parse(bounded(bytes)) else {
            return false;
        };
        self.kind = message.content_type().map(kind_of).unwrap_or_default();
        self.walk(&message, bytes, level, wrapped);
        true
    }

    fn walk(&mut self, message: &Message<'_>, bytes: &[u8], level: u8, wrapped: u8) {
        let mut has_plain = false;
        for part in &message.parts {
            let kind = part.content_type().map(kind_of).unwrap_or_default();
            let from = match part.offset_header as usize {
                // A part without header, and without the empty line that says so.
                start
                    if is_prose(
                        bytes
                            .get(start..part.offset_body as usize)
                            .unwrap_or_default(),
                    ) =>
                {
                    start
                }
                _ => part.offset_body as usize,
            };
            let body = bytes
                .get(from..part.offset_end as usize)
                .unwrap_or_default();
            match &part.body {
                PartType::Multipart(_) => has_plain &= kind != "multipart/alternative",
                PartType::Message(inner) => {
                    self.parts.push(Part::new(kind, part, body, level));
                    if level < DEPTH {
                        self.walk(inner, bytes, level + 1, wrapped);
                    }
                }
                _ => {
                    let mut leaf = Part::new(kind, part, body, level);
                    leaf.is_second = has_plain && leaf.kind == "text/html";
                    has_plain |= leaf.kind == "text/plain" || leaf.kind.is_empty();
                    let opened = leaf.is_message().then(|| leaf.decoded().into_owned());
                    self.parts.push(leaf);
                    if let Some(opened) = opened
                        && wrapped > 0
                        && level < DEPTH
                    {
                        let kind = std::mem::take(&mut self.kind);
                        self.take_apart(&opened, level + 1, wrapped - 1);
                        self.kind = kind;
                    }
                }
            }
        }
    }
}

impl Part {
    fn new(kind: String, part: &mail_parser::MessagePart<'_>, body: &[u8], level: u8) -> Self {
        let charset = part.content_type().and_then(|one| one.attribute("charset"));
        let encoding = part
            .headers
            .iter()
            .find(|field| field.name == HeaderName::ContentTransferEncoding)
            .and_then(|field| field.value.as_content_type())
            .map_or(Encoding::None, |word| match word.ctype() {
                word if word.eq_ignore_ascii_case("base64") => Encoding::Base64,
                word if word.eq_ignore_ascii_case("quoted-printable") => Encoding::QuotedPrintable,
                _ => Encoding::None,
            });
        Self {
            kind,
            charset: charset.map(str::to_ascii_lowercase),
            encoding,
            bytes: body.to_vec(),
            level,
            is_second: false,
        }
    }

    fn plain(bytes: &[u8], level: u8) -> Self {
        Self {
            kind: String::new(),
            charset: None,
            encoding: Encoding::None,
            bytes: bytes.to_vec(),
            level,
            is_second: false,
        }
    }

    /// A whole message that came back, or what is left of it.
    pub(super) fn is_message(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "message/rfc822" | "message/global" | "message/partial" | "message/news"
        )
    }

    /// The header of a message that came back, without its body.
    pub(super) fn is_header(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "text/rfc822-headers"
                | "text/rfc822-header"
                | "message/rfc822-headers"
                | "message/rfc822-header"
                | "message/global-headers"
                | "text/rfc822"
        )
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind.is_empty()
            || self.kind == "text"
            // Its boundary is nowhere: all parts are one text.
            || self.kind.starts_with("multipart/")
            || (self.kind.starts_with("text/") && !self.is_header())
    }

    pub(super) fn decoded(&self) -> Cow<'_, [u8]> {
        let decoded = match self.encoding {
            Encoding::None => None,
            Encoding::QuotedPrintable => Some(quoted_printable(&self.bytes)),
            Encoding::Base64 => base64_decode(&self.bytes),
        };
        match decoded {
            Some(bytes) if self.encoding == Encoding::Base64 || bytes.contains(&b'\r') => {
                Cow::Owned(line_feeds(&bytes))
            }
            Some(bytes) => Cow::Owned(bytes),
            None => Cow::Borrowed(&self.bytes),
        }
    }

    /// Without markup; `None` when nothing is left of what may be read.
    fn text(&self, left: &mut usize) -> Option<Cow<'_, str>> {
        if *left == 0 {
            return None;
        }
        let bytes = match self.decoded() {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..bytes.len().min(*left)]),
            Cow::Owned(mut bytes) => {
                bytes.truncate(*left);
                Cow::Owned(bytes)
            }
        };
        *left -= bytes.len();
        let text = into_text(bytes, self.charset.as_deref());
        let is_page = self.kind == "text/html" || (self.kind.is_empty() && looks_like_page(&text));
        Some(if is_page {
            Cow::Owned(page_text(&text))
        } else {
            text
        })
    }
}

/// Whether what should be a header begins with something else.
fn is_prose(header: &[u8]) -> bool {
    let line = header.trim_ascii_start();
    let name = line
        .iter()
        .take_while(|byte| byte.is_ascii_graphic() && **byte != b':')
        .count();
    !line.is_empty()
        && line
            .get(name..)
            .is_some_and(|rest| !rest.trim_ascii_start().starts_with(b":"))
}

/// An encoding that does not come as text is not undone by the parser, but by us, where a part is read: so
/// the parts that a message unfolds into are bounded by what stands in it.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .default_header_ignore()
        .header_content_type(HeaderName::ContentType)
        .header_content_type(HeaderName::ContentTransferEncoding)
});

fn kind_of(kind: &mail_parser::ContentType<'_>) -> String {
    let mut text = kind.ctype().to_ascii_lowercase();
    if let Some(sub) = kind.subtype() {
        text.push('/');
        text.push_str(&sub.to_ascii_lowercase());
    }
    text
}

/// Every line ends with LF; what stands before the header is gone.
fn plain_lines(message: &[u8]) -> Vec<u8> {
    let message = &message[..message.len().min(KEPT)];
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let mut bytes = line_feeds(message);
    let blank = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let mut start = blank;
    for mark in [&b"From "[..], b">From "] {
        if bytes[start..].starts_with(mark) {
            let line = bytes[start..].iter().position(|byte| *byte == b'\n');
            start += line.map_or(0, |end| end + 1);
        }
    }
    bytes.drain(..start);
    bytes
}

fn line_feeds(bytes: &[u8]) -> Vec<u8> {
    if !bytes.contains(&b'\r') {
        return bytes.to_vec();
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, &bytes[at + 1..]) {
            (b'\r', [b'\n', ..] | [b'\r', b'\n', ..]) => {}
            (b'\r', _) => plain.push(b'\n'),
            (byte, _) => plain.push(*byte),
        }
    }
    plain
}

/// As much as has no more parts than we look at.
fn bounded(bytes: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"content-type";
    let mut found = 0;
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        at += next + 1;
        let line = &bytes[at..];
        if line
            .get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        {
            found += 1;
            if found > PARTS {
                return &bytes[..at];
            }
        }
    }
    bytes
}
