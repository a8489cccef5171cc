//! The letters of an answer: bytes of any registry and age, made into lines of text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Which letters a registry writes where it does not write UTF-8, by words that stand in its
/// answers. The detector is told it as a top-level domain.
const LETTERS: [(&[u8], &[u8]); 6] = [
    (b"krnic", b"kr"),
    (b"nic.or.kr", b"kr"),
    (b"jpnic", b"jp"),
    (b"twnic", b"tw"),
    (b"cnnic", b"cn"),
    (b"registro.br", b"br"),
];

/// Text with `\n` between its lines, whatever stood there, and without NUL.
pub(in crate::resolve) fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\u{1b}') => text.into(),
        _ => {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
            detector.feed(bytes, true);
            let guess = detector.guess(letters(bytes), Utf8Detection::Allow);
            guess.decode_without_bom_handling(bytes).0
        }
    };
    // CR CR LF is one end of a line; a lone CR is one, too.
    let mut lines = String::with_capacity(text.len());
    let mut after_cr = false;
    for c in text.chars().filter(|c| *c != '\0') {
        match c {
            '\r' => after_cr = true,
            '\n' => {
                after_cr = false;
                lines.push('\n');
            }
            c => {
                if std::mem::take(&mut after_cr) {
                    lines.push('\n');
                }
                lines.push(c);
            }
        }
    }
    lines
}

fn letters(bytes: &[u8]) -> Option<&'static [u8]> {
    let head = bytes[..bytes.len().min(4096)].to_ascii_lowercase();
    let stands = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
    let (_, letters) = LETTERS.iter().find(|(word, _)| stands(word))?;
    Some(letters)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, ISO_2022_JP, SHIFT_JIS, WINDOWS_1252};

    use super::*;

    #[test]
    fn letters_are_told_by_the_bytes_and_the_registry() {
        for (encoding, text) in [
            (
                WINDOWS_1252,
                "% Nic.br\nowner: Associação Exemplo de Conexões",
            ),
            (EUC_KR, "# KRNIC\n기관명 : (주)예시통신\n주소 : 서울특별시"),
            (ISO_2022_JP, "[ JPNIC database ]\n[組織名] 例示通信株式会社"),
            (SHIFT_JIS, "[ JPNIC database ]\n[組織名] 例示通信株式会社"),
        ] {
            assert_eq!(
                decode(&encoding.encode(text).0),
                text,
                "{}",
                encoding.name()
            );
        }
        assert_eq!(
            decode("\u{feff}netname: EXÄMPLE".as_bytes()),
            "netname: EXÄMPLE"
        );
    }

    #[test]
    fn lines_end_in_many_ways() {
        for bytes in ["a\r\n\r\nb", "a\n\nb", "a\r\r\n\r\r\nb", "\0a\n\0\nb\0"] {
            assert_eq!(decode(bytes.as_bytes()), "a\n\nb", "{bytes:?}");
        }
        assert_eq!(decode(b"a\rb"), "a\nb");
    }
}
