//! A frozen letter as the bytes that leave: the same at every attempt.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox as Named, MultiPart};
use lettre::{Address, Message};
use sha2::{Digest, Sha256};

use super::body::{base64, text_part};
use crate::model::{Letter, Mailbox, hex, plain_text};
use crate::openpgp::Signer;

/// The longest display name; more is a joke or an attack.
const NAME: usize = 120;

const SIGNATURE: &str = "application/pgp-signature";
const SIGNATURE_FILE: &str = "signature.asc";

/// Builds the message, under a signature if somebody signs.
///
/// # Errors
/// In words, when an address or media type is none that can be sent, or it cannot be signed.
pub(super) fn build(letter: &Letter, signer: Option<&Signer>) -> Result<Vec<u8>, String> {
    let boundary = hex(&Sha256::digest(&letter.message_id)[..12]);
    let mut whole = MultiPart::mixed()
        .boundary(format!("lapwing-{boundary}-1"))
        .multipart(
            MultiPart::alternative()
                .boundary(format!("lapwing-{boundary}-2"))
                .singlepart(text_part(&letter.text, ContentType::TEXT_PLAIN)?)
                .singlepart(text_part(&letter.html, ContentType::TEXT_HTML)?),
        );
    for attachment in &letter.attachments {
        let media_type: ContentType = attachment
            .media_type
            .parse()
            .map_err(|error| format!("{}: {error}", attachment.media_type))?;
        let body = match attachment.media_type.as_str() {
            // RFC 2046 5.2.1: a message inside a message is never encoded.
            "message/rfc822" if is_plain(&attachment.content) => Body::dangerous_pre_encoded(
                attachment.content.clone(),
                ContentTransferEncoding::SevenBit,
            ),
            "message/rfc822" => {
                return Err(format!(
                    "{} is not plain ASCII in short lines",
                    attachment.name
                ));
            }
            _ => base64(&attachment.content),
        };
        whole = whole.singlepart(Attachment::new(attachment.name.clone()).body(body, media_type));
    }
    if let Some(signer) = signer {
        whole = signed(whole, format!("lapwing-{boundary}-0"), signer, letter)?;
    }
    let dated_at = UNIX_EPOCH + Duration::from_millis(letter.dated_at.0.max(0).unsigned_abs());
    let mut message = Message::builder()
        .from(named(&letter.sender_name, &letter.sender)?)
        .to(named("", &letter.recipient)?)
        .subject(plain_text(&letter.subject, 400))
        .date(dated_at)
        .message_id(Some(format!("<{}>", letter.message_id)));
    if letter.reply_to != letter.sender {
        message = message.reply_to(named(&letter.sender_name, &letter.reply_to)?);
    }
    // RFC 3834 5: so that no vacation notice answers; Outlook heeds only its own header.
    let opt_out = match letter.opt_out.as_str() {
        "" => Vec::new(),
        // RFC 8058: no mail program follows the link without the second.
        link => vec![
            ("List-Unsubscribe", format!("<{link}>")),
            (
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            ),
        ],
    };
    for (name, value) in [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()),
        ("Content-Language", languages(letter)),
        ("X-Lapwing-Ticket", letter.ticket.clone()),
    ]
    .into_iter()
    .chain(opt_out)
    {
        let name =
            HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
        message = message.raw_header(HeaderValue::new(name, value));
    }
    let message = message
        .multipart(whole)
        .map_err(|error| error.to_string())?;
    Ok(message.formatted())
}

/// Whether this can stand in a message as it is: ASCII without NUL, in lines of at most 998 bytes
/// (RFC 5322 2.1.1), each with its CRLF.
fn is_plain(content: &[u8]) -> bool {
    content.split_inclusive(|byte| *byte == b'\n').all(|line| {
        let bare = line.strip_suffix(b"\r\n").unwrap_or(b"\0");
        bare.len() <= 998 && bare.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
    })
}

/// RFC 3156 5: what is signed is the part with its headers, as it stands between the boundaries; the
/// line break before the next boundary belongs to that.
fn signed(
    part: MultiPart,
    boundary: String,
    signer: &Signer,
    letter: &Letter,
) -> Result<MultiPart, String> {
    let bytes = part.formatted();
    let signature = signer.sign(
        bytes.strip_suffix(b"\r\n").unwrap_or(&bytes),
        letter.dated_at,
    )?;
    let signature = signature.trim_end().replace('\n', "\r\n");
    let signature = Body::new_with_encoding(signature, ContentTransferEncoding::SevenBit)
        .map_err(|_| "the signature cannot be encoded".to_owned())?;
    let media_type = format!("{SIGNATURE}; name=\"{SIGNATURE_FILE}\"");
    let media_type = media_type
        .parse::<ContentType>()
        .map_err(|error| error.to_string())?;
    Ok(
        MultiPart::signed(SIGNATURE.to_owned(), signer.micalg().to_owned())
            .boundary(boundary)
            .multipart(part)
            .singlepart(Attachment::new(SIGNATURE_FILE.to_owned()).body(signature, media_type)),
    )
}

/// Lettre's builder panics at CR, LF or NUL in a name.
pub(super) fn named(name: &str, mailbox: &Mailbox) -> Result<Named, String> {
    let address = mailbox
        .as_str()
        .parse::<Address>()
        .map_err(|error| format!("{mailbox}: {error}"))?;
    let name = plain_text(name, NAME);
    Ok(Named::new((!name.is_empty()).then_some(name), address))
}

/// RFC 3282; a letter in another language has the English below.
fn languages(letter: &Letter) -> String {
    match letter.locale.as_str() {
        "en" => "en".to_owned(),
        other => format!("{other}, en"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attachment, Timestamp};

    fn letter() -> Letter {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        Letter {
            id: 1,
            ticket: "LW-000042-5".to_owned(),
            part: 1,
            parts: 1,
            locale: "en".to_owned(),
            country: "JP".to_owned(),
            sender_name: "総務省 \"Demo\", Agency".to_owned(),
            sender: mailbox("notices@agency.example"),
            reply_to: mailbox("desk@agency.example"),
            recipient: mailbox("abuse@isp.example"),
            envelope_from: mailbox("b-lw-000042-5-1@bounces.example"),
            message_id: "lw-000042-5.1.ab@agency.example".to_owned(),
            dated_at: Timestamp(1_795_250_096_000),
            subject: "[LW-000042-5] 迷惑メール".to_owned(),
            text: "From here\n.\nBäume\n".to_owned(),
            html: "<p>x</p>".to_owned(),
            rows: 1,
            opt_out: String::new(),
            signed_by: String::new(),
            attachments: vec![Attachment {
                name: "lw.csv".to_owned(),
                media_type: "text/csv; charset=utf-8; header=present".to_owned(),
                content: b"a,b\r\n".to_vec(),
            }],
        }
    }

    #[test]
    fn the_same_letter_is_the_same_bytes() {
        assert_eq!(
            build(&letter(), None).unwrap(),
            build(&letter(), None).unwrap()
        );
    }

    #[test]
    fn is_seven_bit_in_short_crlf_lines_with_the_headers_promised() {
        let bytes = build(&letter(), None).unwrap();
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes).unwrap();
        for line in text.split("\r\n") {
            assert!(
                line.len() <= 998 && !line.contains(['\r', '\n']),
                "{line:?}"
            );
        }
        for header in [
            "Auto-Submitted: auto-generated\r\n",
            "Message-ID: <lw-000042-5.1.ab@agency.example>\r\n",
            "Date: Sat, 21 Nov 2026 08:34:56 +0000\r\n",
            "To: abuse@isp.example\r\n",
            "Content-Language: en\r\n",
        ] {
            assert!(text.contains(header), "{header}\n{text}");
        }
        assert!(text.contains("Reply-To: ") && text.contains("<desk@agency.example>"));
        assert!(!text.contains("b-lw-000042"), "the envelope stays outside");
    }

    #[test]
    fn values_from_outside_write_no_header() {
        let mut poisoned = letter();
        poisoned.sender_name = "A\r\nBcc: x@evil.example\0".to_owned();
        poisoned.subject = "S\r\nBcc: x@evil.example".to_owned();
        poisoned.attachments[0].name = "a\r\nBcc: x@evil.example.csv".to_owned();
        let text = String::from_utf8(build(&poisoned, None).unwrap()).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    }
}
