//! Reads the addresses that feeds write: bare, with a port, or made unclickable.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV6};

use super::Wrong;
use crate::model::{Address, AddressRange, plain_text};

pub(super) const REMEDY: &str =
    "write 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or the same in IPv6";

/// Characters of a cell that are looked at.
const LONGEST: usize = 1_000;

/// An address or range as feeds write it: also with a port (`192.0.2.1:25`), also defanged
/// (`192[.]0[.]2[.]1`).
pub(super) fn read(text: &str) -> Result<(AddressRange, Option<u16>), Wrong> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok((
            AddressRange::single(Address::from(IpAddr::V4(address))),
            None,
        ));
    }
    // What was copied from a page may bring signs along that nobody sees.
    let text = plain_text(text, LONGEST);
    let text = refanged(text.trim_end_matches([',', ';']).trim_end());
    if let Some(address) = host(&text) {
        return Ok((AddressRange::single(address), None));
    }
    if text.contains("://") {
        return Err(Wrong::new(
            format!("\"{}\" names no address", plain_text(&text, 100)),
            "write the address that its host had when it was seen: names are not looked up",
        ));
    }
    let error = match text.parse::<AddressRange>() {
        Ok(range) => return Ok((range, None)),
        Err(error) => error,
    };
    let beside = match (text.split_once(':'), text.parse::<SocketAddrV6>()) {
        (_, Ok(socket)) => Some((Address::from(IpAddr::V6(*socket.ip())), socket.port())),
        (Some((address, port)), _) => address
            .parse::<Ipv4Addr>()
            .ok()
            .zip(port.parse().ok())
            .map(|(ip, port)| (Address::from(IpAddr::V4(ip)), port)),
        _ => None,
    };
    if let Some((address, port)) = beside {
        return Ok((
            AddressRange::single(address),
            Some(port).filter(|port| *port > 0),
        ));
    }
    let parts = text
        .split([',', ';', ' ', '\t', '\n'])
        .filter(|part| !part.is_empty());
    if parts
        .take(2)
        .filter(|part| part.parse::<AddressRange>().is_ok())
        .count()
        == 2
    {
        let reason = format!("\"{}\" are several addresses", plain_text(&text, 100));
        return Err(Wrong::new(reason, "write one address or one range a row"));
    }
    Err(Wrong::new(error.reason, error.remedy))
}

/// Whether a column of such texts holds addresses. One of URLs stands beside it, and holds them too.
pub(super) fn looks(text: &str) -> bool {
    !is_url(text) && read(text).is_ok()
}

/// Whether a text begins like a URL; one may stand inside of anything.
pub(super) fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The host of a URL, where it is an address: `http://192.0.2.4:8080/x`, `hxxp://[2001:db8::4]/`.
/// The port there is what was asked, not where the asking came from.
fn host(text: &str) -> Option<Address> {
    let (_, rest) = text.split_once("://").filter(|_| is_url(text))?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit('@').next()?;
    let ip = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?.parse().ok().map(IpAddr::V6),
        None => host.split(':').next()?.parse().ok().map(IpAddr::V4),
    };
    ip.map(Address::from)
}

/// An address as it was before somebody made it unclickable; long dashes as short ones.
fn refanged(text: &str) -> Cow<'_, str> {
    if !text.contains(['(', '{', '[', '–', '—', '〜', '～']) {
        return Cow::Borrowed(text);
    }
    let mut plain = text.replace(['–', '—', '〜', '～'], "-");
    for (defanged, sign) in [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("[dot]", "."),
        ("(dot)", "."),
        ("[:]", ":"),
    ] {
        plain = plain.replace(defanged, sign);
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_feeds_write_them() {
        for (text, told) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:25", "192.0.2.1 port 25"),
            ("192.0.2.1:0", "192.0.2.1"),
            ("[2001:db8::1]:25", "2001:db8::1 port 25"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("::FFFF:192.0.2.1", "192.0.2.1"),
            ("192[.]0[.]2[.]1", "192.0.2.1"),
            ("192(.)0{.}2[dot]0/24", "192.0.2.0/24"),
            ("2001[:]db8[:][:]1", "2001:db8::1"),
            ("192.0.2.1 – 192.0.2.9", "192.0.2.1-192.0.2.9"),
            ("192.0.2.1～192.0.2.9", "192.0.2.1-192.0.2.9"),
            (
                "192.0.2.1 192.0.2.2",
                "\"192.0.2.1 192.0.2.2\" are several addresses",
            ),
            (
                "192.0.2.1;192.0.2.0/24",
                "\"192.0.2.1;192.0.2.0/24\" are several addresses",
            ),
            ("192.0.2.1,", "192.0.2.1"),
            ("\u{202e}192.0.2.1\u{200b}", "192.0.2.1"),
            ("http://192.0.2.4/x", "192.0.2.4"),
            ("hxxp://192[.]0[.]2[.]4:8080", "192.0.2.4"),
            ("https://[2001:db8::4]:8443/?q", "2001:db8::4"),
            (
                "http://isp.example/192.0.2.4",
                "\"http://isp.example/192.0.2.4\" names no address",
            ),
            (
                "=HYPERLINK(\"http://192.0.2.4/x\")",
                "\"=HYPERLINK(\"http://192.0.2.4/x\")\" names no address",
            ),
            ("192.0.2.1:x", "\"192.0.2.1:x\" is not an address"),
            ("192.0.2.1:70000", "\"192.0.2.1:70000\" is not an address"),
            ("isp.example", "\"isp.example\" is not an address"),
            ("192.000.002.001", "\"192.000.002.001\" is not an address"),
        ] {
            let found = match read(text) {
                Ok((range, None)) => range.to_string(),
                Ok((range, Some(port))) => format!("{range} port {port}"),
                Err(wrong) => wrong.reason,
            };
            assert_eq!(found, told);
        }
    }
}
