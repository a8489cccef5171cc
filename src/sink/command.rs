//! What the sink takes from a command line: addresses, parameters that were offered, credentials (RFC 4954).

use super::{EnvelopeAddress, Extensions};
use crate::smtp::{Known, Reply, check_parameters, path, reply};

/// Reads `FROM:<address> NAME=VALUE …`; the empty path `<>` is for senders only.
pub(super) fn mail(argument: &str, offered: &Extensions) -> Result<EnvelopeAddress, Reply> {
    let usage = "Syntax: MAIL FROM:<address> [parameters]";
    let party = path("FROM:", argument).ok_or_else(|| reply(501, "5.5.4", usage))?;
    if !party.address.is_empty() && !is_address(&party.address) {
        return Err(reply(501, "5.1.7", "Bad sender address syntax"));
    }
    check_parameters(&party, &offered_of(MAIL_PARAMETERS, offered))?;
    if !party.address.is_ascii() && party.parameter("SMTPUTF8").is_none() {
        return Err(reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"));
    }
    Ok(party)
}

/// Reads `TO:<address> NAME=VALUE …` in a transaction begun by `sender`.
pub(super) fn rcpt(
    argument: &str,
    offered: &Extensions,
    sender: &EnvelopeAddress,
) -> Result<EnvelopeAddress, Reply> {
    let usage = "Syntax: RCPT TO:<address> [parameters]";
    let party = path("TO:", argument).ok_or_else(|| reply(501, "5.5.4", usage))?;
    // RFC 5321 4.5.1: the one recipient that needs no domain.
    if !is_address(&party.address) && !party.address.eq_ignore_ascii_case("postmaster") {
        return Err(reply(501, "5.1.3", "Bad recipient address syntax"));
    }
    check_parameters(&party, &offered_of(RCPT_PARAMETERS, offered))?;
    if !party.address.is_ascii() && sender.parameter("SMTPUTF8").is_none() {
        return Err(reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"));
    }
    Ok(party)
}

/// Enough to keep nonsense out; which local parts a host has is its own affair.
fn is_address(text: &str) -> bool {
    let no_space = |part: &str| !part.chars().any(|c| c.is_whitespace() || c.is_control());
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_is_fine = match local.strip_prefix('"') {
        Some(rest) => rest.ends_with('"') && !local.contains(char::is_control),
        None => no_space(local) && !local.contains(['@', '<', '"']),
    };
    // RFC 5321 4.5.3.1.3: 256 bytes with the angle brackets.
    text.len() <= 254
        && !local.is_empty()
        && !domain.is_empty()
        && local_is_fine
        && no_space(domain)
}

type Parameter = (&'static str, fn(&Extensions) -> bool, fn(&str) -> bool);

const MAIL_PARAMETERS: &[Parameter] = &[
    ("SIZE", |e| e.size, |v| v.parse::<u64>().is_ok()),
    (
        "BODY",
        |e| e.eight_bit_mime,
        |v| ["7BIT", "8BITMIME"].contains(&v),
    ),
    ("SMTPUTF8", |e| e.smtputf8, str::is_empty),
    ("AUTH", |e| e.auth, |v| !v.is_empty()),
    ("RET", |e| e.dsn, |v| ["FULL", "HDRS"].contains(&v)),
    // RFC 3461 4.4
    ("ENVID", |e| e.dsn, |v| (1..=100).contains(&v.len())),
];

const RCPT_PARAMETERS: &[Parameter] = &[
    (
        "NOTIFY",
        |e| e.dsn,
        |v| {
            v == "NEVER"
                || v.split(',')
                    .all(|when| ["SUCCESS", "FAILURE", "DELAY"].contains(&when))
        },
    ),
    // RFC 3461 4.2
    ("ORCPT", |e| e.dsn, |v| v.contains(';') && v.len() <= 500),
];

fn offered_of(parameters: &[Parameter], offered: &Extensions) -> Vec<Known> {
    let offered = parameters
        .iter()
        .filter(|(_, is_offered, _)| is_offered(offered));
    offered
        .map(|(name, _, is_valid)| (*name, *is_valid))
        .collect()
}

/// Text from base64 (RFC 4648 4), as AUTH wraps names and passwords. `=` alone is the empty text.
pub(super) fn from_base64(text: &str) -> Option<String> {
    let digits = text.trim_end_matches('=');
    if text == "=" {
        return Some(String::new());
    }
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len());
    let (mut window, mut bits) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        window = (window << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((window >> bits) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Name and password of a PLAIN response: `[authzid] NUL authcid NUL passwd` (RFC 4616 2).
pub(super) fn plain(response: &str) -> Option<(String, String)> {
    let mut parts = response.split('\0');
    let (_, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    parts
        .next()
        .is_none()
        .then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_parameters_are_read() {
        let all = Extensions::default();
        let sender = mail("FROM:<a@agency.example> RET=HDRS ENVID=c+2B1 SIZE=7", &all);
        let sender = sender.ok().unwrap();
        assert_eq!(sender.address, "a@agency.example");
        assert_eq!(sender.parameter("envid"), Some("c+2B1"));
        assert_eq!(sender.parameter("BODY"), None);
        for (argument, address) in [
            ("TO:<abuse@isp.example>", "abuse@isp.example"),
            ("to: <abuse@isp.example>", "abuse@isp.example"),
            ("TO:<Postmaster>", "Postmaster"),
            (
                r#"TO:<"a > \" b"@isp.example>"#,
                r#""a > \" b"@isp.example"#,
            ),
            ("TO:<a@[192.0.2.1]> NOTIFY=success,DELAY", "a@[192.0.2.1]"),
            (
                "TO:<a@b.example> NOTIFY=NEVER ORCPT=rfc822;a@b.example",
                "a@b.example",
            ),
        ] {
            let party = rcpt(argument, &all, &sender).ok();
            assert_eq!(party.map(|p| p.address).as_deref(), Some(address));
        }
    }

    #[test]
    fn what_is_wrong_gets_the_fitting_code() {
        let all = Extensions::default();
        let no_dsn = Extensions {
            dsn: false,
            ..Extensions::default()
        };
        for (argument, offered, code, status) in [
            ("", &all, 501, "5.5.4"),
            ("FROM:a@agency.example", &all, 501, "5.5.4"),
            ("FROM:<a@agency.example", &all, 501, "5.5.4"),
            ("FROM:<a@agency.example>RET=HDRS", &all, 501, "5.5.4"),
            ("TO:<a@agency.example>", &all, 501, "5.5.4"),
            ("FROM:<a b@agency.example>", &all, 501, "5.1.7"),
            ("FROM:<nobody>", &all, 501, "5.1.7"),
            ("FROM:<@agency.example>", &all, 501, "5.1.7"),
            ("FROM:<a\0@agency.example>", &all, 501, "5.1.7"),
            ("FROM:<a@agency.example> RET=HDRS", &no_dsn, 555, "5.5.4"),
            ("FROM:<a@agency.example> X=1", &all, 555, "5.5.4"),
            ("FROM:<a@agency.example> RET=SOME", &all, 501, "5.5.4"),
            ("FROM:<a@agency.example> SIZE=big", &all, 501, "5.5.4"),
            ("FROM:<a@agency.example> SIZE=1 size=1", &all, 501, "5.5.4"),
            ("FROM:<ä@agency.example>", &all, 553, "5.6.7"),
        ] {
            let answer = mail(argument, offered).err().unwrap();
            assert_eq!((answer.code, answer.status), (code, status), "{argument}");
        }
        let sender = EnvelopeAddress::plain("");
        for (argument, code) in [
            ("TO:<>", 501),
            ("TO:<a@b.example> NOTIFY=NEVER,DELAY", 501),
            ("TO:<ü@b.example>", 553),
        ] {
            let answer = rcpt(argument, &all, &sender).err().unwrap();
            assert_eq!(answer.code, code, "{argument}");
        }
    }

    #[test]
    fn base64_is_undone() {
        for (text, meant) in [
            ("", Some("")),
            ("=", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYmFy", Some("foobar")),
            ("Zm9", None),
            ("Z===", None),
            ("Zm9v====", None),
            ("Zm9!", None),
            ("/////w==", None),
        ] {
            assert_eq!(from_base64(text).as_deref(), meant, "{text}");
        }
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(plain("\0u\0p"), pair("u", "p"));
        assert_eq!(plain("z\0u\0"), pair("u", ""));
        assert_eq!(plain("\0u"), None);
        assert_eq!(plain("a\0b\0c\0d"), None);
    }
}
