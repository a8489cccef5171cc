//! Which letters bytes stand for, where they are not UTF-8: as staff say, or told line by line.

use std::str::FromStr;

use encoding_rs::{Encoding, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes that stand together and are no ASCII: fewer may be one accented letter and its quote.
const RUN: usize = 3;

/// An encoding that staff named, by a label of the WHATWG Encoding Standard: `shift_jis`,
/// `gb18030`, `euc-kr`, `big5`, `windows-1252`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(pub(super) &'static Encoding);

impl FromStr for Charset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Encoding::for_label_no_replacement(text.as_bytes()) {
            Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
                Err("UTF-16 is known by its first bytes: leave --encoding out".to_owned())
            }
            Some(encoding) => Ok(Self(encoding)),
            None => Err(format!(
                "\"{text}\" is no encoding: write shift_jis, gb18030, euc-kr, big5 or windows-1252"
            )),
        }
    }
}

/// Appends a line to `text`: as UTF-8 where it is that, else as Shift_JIS where it holds what no
/// Western text holds, else as Windows-1252. Files are glued together from several; so each line
/// counts by itself. EUC-JP, GBK, Big5 and EUC-KR cannot be told apart for certain.
pub(super) fn decode(line: &[u8], text: &mut String) {
    if let Ok(line) = std::str::from_utf8(line) {
        text.push_str(line);
        return;
    }
    let shift_jis = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(line);
    match shift_jis.filter(|japanese| is_japanese(line, japanese)) {
        Some(japanese) => text.push_str(&japanese),
        None => text.push_str(&WINDOWS_1252.decode_without_bom_handling(line).0),
    }
}

/// Whether a line that decodes as Shift_JIS is that: by kana, whose lead bytes are signs that no
/// Western text has, or by a run of bytes that are no ASCII. A run that is mostly katakana of half
/// width is Korean, Chinese or EUC-JP, or `ÄÖÜ`.
fn is_japanese(line: &[u8], decoded: &str) -> bool {
    if decoded
        .chars()
        .any(|c| ('\u{3041}'..='\u{30fe}').contains(&c))
    {
        return true;
    }
    let longest = line.split(u8::is_ascii).map(<[u8]>::len).max();
    let is_half = |c: &char| ('\u{ff61}'..='\u{ff9f}').contains(c);
    let half = decoded.chars().filter(is_half).count();
    let others = decoded.chars().filter(|c| !c.is_ascii()).count() - half;
    longest >= Some(RUN) && others > half
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_JP, EUC_KR, GBK};

    use super::*;

    #[test]
    fn each_line_is_read_in_its_own_encoding() {
        for (encoding, line, is_told) in [
            (SHIFT_JIS, "IPアドレス,備考", true),
            (SHIFT_JIS, "192.0.2.1,通信", true),
            (SHIFT_JIS, "192.0.2.1,迷惑", true),
            (SHIFT_JIS, "192.0.2.1,東京都", true),
            (SHIFT_JIS, "192.0.2.1,ｱﾄﾞﾚｽの確認", true),
            (WINDOWS_1252, "192.0.2.1,Téléphone Ünlü", true),
            (WINDOWS_1252, "192.0.2.1,ÄÖÜ", true),
            (WINDOWS_1252, "192.0.2.1,café “Été”", true),
            (WINDOWS_1252, "192.0.2.1,naïve – señor", true),
            (EUC_JP, "192.0.2.1,迷惑メール", false),
            (EUC_KR, "192.0.2.1,한국 스팸", false),
            (GBK, "192.0.2.1,垃圾邮件", false),
        ] {
            let mut text = String::new();
            decode(&encoding.encode(line).0, &mut text);
            assert_eq!(text == line, is_told, "{line} was read as {text}");
        }
    }

    #[test]
    fn an_encoding_is_named_by_its_label() {
        assert_eq!("Shift_JIS".parse(), Ok(Charset(SHIFT_JIS)));
        assert_eq!("sjis".parse(), Ok(Charset(SHIFT_JIS)));
        for label in ["utf-16", "klingon", "", "replacement"] {
            assert!(label.parse::<Charset>().is_err(), "{label}");
        }
    }
}
