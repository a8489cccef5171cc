//! Opens what a table comes from, a file or standard input, and hands on its text: unpacked, as
//! UTF-8 where its mark says it is UTF-16, with its mark dropped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::bufread::MultiGzDecoder;

use super::Charset;

/// Bytes that are read at once; a row may be as long (see [`super::LONGEST_ROW`]).
const BLOCK: usize = 64 * 1024;

/// Text to be read by line.
pub type Text = Box<dyn BufRead + Send>;

/// An opened file and how far it has been read.
pub struct Opened {
    pub text: Text,
    /// Bytes of the file as it lies there, packed or not; to be held against `size`.
    pub consumed: Arc<AtomicU64>,
    /// `None` where nobody knows: standard input, a pipe.
    pub size: Option<u64>,
}

/// Opens a file, or standard input for `-`. Its bytes stand for what `charset` says, where it has no
/// byte order mark; without one each line is looked at.
///
/// # Errors
/// When there is no such file, or its first bytes cannot be read.
pub fn open(path: &Path, charset: Option<Charset>) -> io::Result<Opened> {
    let (raw, size): (Box<dyn Read + Send>, _) = if path.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path)?;
        let about = file.metadata()?;
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    let consumed = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        raw,
        consumed: Arc::clone(&consumed),
    };
    Ok(Opened {
        text: unwrap_as(counted, charset)?,
        consumed,
        size,
    })
}

/// The text in `raw`: gzip (RFC 1952, also several members in a row) and byte order marks are
/// known by their first bytes.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn unwrap(raw: impl Read + Send + 'static) -> io::Result<Text> {
    unwrap_as(raw, None)
}

fn unwrap_as(raw: impl Read + Send + 'static, charset: Option<Charset>) -> io::Result<Text> {
    let (head, raw) = peek(BufReader::with_capacity(BLOCK, raw))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        decode(
            BufReader::with_capacity(BLOCK, MultiGzDecoder::new(raw)),
            charset,
        )
    } else {
        decode(raw, charset)
    }
}

fn decode(text: impl BufRead + Send + 'static, charset: Option<Charset>) -> io::Result<Text> {
    let (head, mut text) = peek(text)?;
    let encoding = match head.as_slice() {
        head if Encoding::for_bom(head).is_some() => {
            Encoding::for_bom(head).map_or(UTF_8, |(encoding, _)| encoding)
        }
        // UTF-16 without a mark: no table begins with any other text that has every second byte 0.
        [a, 0, b, 0] if *a > 0 && *b > 0 => UTF_16LE,
        [0, a, 0, b] if *a > 0 && *b > 0 => UTF_16BE,
        _ => match charset {
            Some(Charset(encoding)) if encoding != UTF_8 => encoding,
            _ => return Ok(Box::new(text)),
        },
    };
    if encoding == UTF_8 {
        // Its mark.
        text.consume(3);
        return Ok(Box::new(text));
    }
    let transcoded = Transcoded {
        text,
        decoder: encoding.new_decoder_with_bom_removal(),
        ready: Vec::with_capacity(BLOCK),
        at: 0,
        ended: false,
    };
    Ok(Box::new(BufReader::with_capacity(BLOCK, transcoded)))
}

type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The first four bytes, and a reader that still has them before it.
fn peek<R: BufRead>(mut reader: R) -> io::Result<(Vec<u8>, Peeked<R>)> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

struct Counted<R> {
    raw: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read(buffer)?;
        self.consumed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Another encoding, read as UTF-8; what cannot be decoded becomes U+FFFD.
struct Transcoded<R> {
    text: R,
    decoder: Decoder,
    ready: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: BufRead> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.ended {
            let block = self.text.fill_buf()?;
            self.ended = block.is_empty();
            self.ready.resize(BLOCK, 0);
            let (_, read, written, _) =
                self.decoder
                    .decode_to_utf8(block, &mut self.ready, self.ended);
            self.text.consume(read);
            self.ready.truncate(written);
            self.at = 0;
        }
        let n = buffer.len().min(self.ready.len() - self.at);
        buffer[..n].copy_from_slice(&self.ready[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text_of(bytes: Vec<u8>) -> String {
        let mut text = String::new();
        unwrap(Cursor::new(bytes))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn unwraps_what_its_first_bytes_tell() {
        let utf16 = |mark: &[u8], text: &str, bytes: fn(u16) -> [u8; 2]| {
            let units = text.encode_utf16().flat_map(bytes);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        assert_eq!(text_of(Vec::new()), "");
        assert_eq!(text_of(b"ip".to_vec()), "ip");
        assert_eq!(text_of(b"\xef\xbb\xbfip\n".to_vec()), "ip\n");
        assert_eq!(
            text_of(utf16(&[0xff, 0xfe], "日時\n", u16::to_le_bytes)),
            "日時\n"
        );
        assert_eq!(
            text_of(utf16(&[0xfe, 0xff], "日時\n", u16::to_be_bytes)),
            "日時\n"
        );
        assert_eq!(text_of(utf16(&[], "ip\n", u16::to_le_bytes)), "ip\n");
        assert_eq!(text_of(gzip("\u{feff}ip\n")), "ip\n");
        assert_eq!(
            text_of([gzip("ip\n"), gzip("192.0.2.1\n")].concat()),
            "ip\n192.0.2.1\n"
        );
    }

    #[test]
    fn long_utf16_is_read_whole() {
        let text = "日本 192.0.2.1\n".repeat(20_000);
        let bytes: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert!(text_of(bytes) == text);
    }

    #[test]
    fn counts_the_bytes_of_the_file_as_it_lies_there() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let packed = gzip(&"192.0.2.1\n".repeat(5_000));
        file.write_all(&packed).unwrap();
        let opened = open(file.path(), None).unwrap();
        assert_eq!(opened.text.lines().count(), 5_000);
        assert_eq!(opened.size, Some(packed.len() as u64));
        assert_eq!(opened.consumed.load(Ordering::Relaxed), packed.len() as u64);
    }

    #[test]
    fn a_named_encoding_holds_for_all_lines_but_not_against_a_mark() {
        let read = |bytes: &[u8], label: &str| {
            let mut text = String::new();
            let raw = Cursor::new(bytes.to_vec());
            let mut unwrapped = unwrap_as(raw, Some(label.parse().unwrap())).unwrap();
            unwrapped.read_to_string(&mut text).unwrap();
            text
        };
        // Two characters of GBK that are valid UTF-8 as well, the classic of its kind.
        assert_eq!(read(b"ip\n\xc1\xaa\xcd\xa8\n", "gb18030"), "ip\n联通\n");
        assert_eq!(read(b"\xc7\xd1\xb1\xb9\n", "euc-kr"), "한국\n");
        assert_eq!(read(b"\xef\xbb\xbf\xe6\x97\xa5\n", "big5"), "日\n");
        // A broken character eats no line end.
        assert_eq!(
            read(b"\x81\n192.0.2.1\n", "shift_jis"),
            "\u{fffd}\n192.0.2.1\n"
        );
    }
}
