//! Which RDAP server answers for an address or an AS: the lists of IANA (RFC 9224).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use reqwest::Url;
use serde::Deserialize;

use crate::model::{AddressRange, Subject};

/// The lists by file name, as compiled in. Networks and AS numbers that moved between registries
/// since are not in any such list: the registry they left sends on to the one they went to.
const COMPILED: [(&str, &str); 3] = [
    ("ipv4.json", include_str!("bootstrap/ipv4.json")),
    ("ipv6.json", include_str!("bootstrap/ipv6.json")),
    ("asn.json", include_str!("bootstrap/asn.json")),
];

/// IANA's own are below 100 KiB.
const LONGEST_FILE: u64 = 4 << 20;

/// Addresses and AS numbers, each with the base URL of the server that knows them.
#[derive(Clone, Debug)]
pub(super) struct Bootstrap {
    spaces: Vec<(AddressRange, Url)>,
    numbers: Vec<((u32, u32), Url)>,
}

impl Bootstrap {
    /// The compiled-in lists, or those from `folder` where they are not older; an empty path is no
    /// folder. Also what is wrong with the files, in words: what is wrong is left out, and the
    /// compiled-in list counts.
    pub(super) fn load(folder: &Path) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut loaded = Self {
            spaces: Vec::new(),
            numbers: Vec::new(),
        };
        let is_named = !folder.as_os_str().is_empty();
        if is_named && !folder.is_dir() {
            let folder = folder.display();
            wrong.push(format!(
                "resolve.rdap.bootstrap: {folder} is no folder; the lists that are compiled in count"
            ));
        }
        for (name, text) in COMPILED {
            let mut list = List::read(text).unwrap_or_default();
            if is_named {
                let path = folder.join(name);
                match newer(&path, &list.publication) {
                    Ok(Some(newer)) => list = newer,
                    Ok(None) => {}
                    Err(problem) => wrong.push(format!(
                        "{}: {problem}; the list that is compiled in counts",
                        path.display()
                    )),
                }
                let (name, unusable) = (path.display(), list.unusable);
                if unusable > 0 {
                    wrong.push(format!(
                        "{name}: left out are services without an https URL: {unusable}"
                    ));
                }
            }
            loaded.spaces.append(&mut list.spaces);
            loaded.numbers.append(&mut list.numbers);
        }
        (loaded, wrong)
    }

    /// The URL that asks about `subject` (RFC 9082 3.1); `None` where no list names a server. A range
    /// that is no CIDR block is asked about by its first address.
    pub(super) fn question(&self, subject: Subject) -> Option<Url> {
        let (base, path) = match subject {
            Subject::As(asn) => (self.server_of(asn)?, format!("autnum/{asn}")),
            Subject::Range(range) => {
                let path = match range.cidr() {
                    Some((first, len)) if !range.is_single() => format!("ip/{first}/{len}"),
                    _ => format!("ip/{}", range.first()),
                };
                (self.server_around(range)?, path)
            }
        };
        let base = base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/{path}")).ok()
    }

    /// The longest match (RFC 9224 4) around the whole range, else around its first address.
    fn server_around(&self, range: AddressRange) -> Option<&Url> {
        let around = |range| {
            let spaces = self.spaces.iter();
            spaces
                .filter(|(space, _)| space.contains(range))
                .min_by_key(|(space, _)| space.last().0 - space.first().0)
        };
        let (_, base) = around(range).or_else(|| around(AddressRange::single(range.first())))?;
        Some(base)
    }

    fn server_of(&self, asn: u32) -> Option<&Url> {
        let numbers = self.numbers.iter();
        let (_, base) = numbers
            .filter(|((first, last), _)| (*first..=*last).contains(&asn))
            .min_by_key(|((first, last), _)| last - first)?;
        Some(base)
    }
}

/// One list as published (RFC 9224 3): what else stands in it is of no use here.
#[derive(Deserialize)]
struct Published {
    publication: String,
    services: Vec<(Vec<String>, Vec<String>)>,
}

#[derive(Default)]
struct List {
    /// RFC 3339.
    publication: jiff::Timestamp,
    spaces: Vec<(AddressRange, Url)>,
    numbers: Vec<((u32, u32), Url)>,
    /// Services without a URL that may be asked.
    unusable: usize,
}

impl List {
    /// A list with one bad entry is refused whole: half of a list would send questions astray.
    fn read(text: &str) -> Result<Self, String> {
        let published: Published = serde_json::from_str(text)
            .map_err(|fault| format!("no list of servers after RFC 9224: {fault}"))?;
        let publication = published.publication.parse().map_err(|_| {
            let publication = published.publication.escape_debug();
            format!("its publication \"{publication}\" is no time as 2026-01-31T00:00:00Z")
        })?;
        let mut list = Self {
            publication,
            ..Self::default()
        };
        for (entries, urls) in &published.services {
            let Some(base) = base(urls) else {
                list.unusable += 1;
                continue;
            };
            for entry in entries {
                match (numbers(entry), entry.parse()) {
                    (Some(numbers), _) => list.numbers.push((numbers, base.clone())),
                    (None, Ok(space)) => list.spaces.push((space, base.clone())),
                    (None, Err(_)) => {
                        let entry = entry.escape_debug();
                        return Err(format!("\"{entry}\" is no prefix and no AS number"));
                    }
                }
            }
        }
        Ok(list)
    }
}

/// The list in a file, unless there is no file.
///
/// # Errors
/// In words: it cannot be read, is none, or is older than the compiled-in one.
fn newer(path: &Path, compiled: &jiff::Timestamp) -> Result<Option<List>, String> {
    let text = match fs::metadata(path) {
        Ok(file) if file.len() > LONGEST_FILE => return Err("it is longer than 4 MiB".to_owned()),
        Ok(_) => fs::read_to_string(path).map_err(|fault| fault.to_string())?,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault.to_string()),
    };
    let list = List::read(&text)?;
    if list.publication < *compiled {
        let published = list.publication;
        return Err(format!(
            "published {published}, it is older than {compiled}"
        ));
    }
    Ok(Some(list))
}

/// The first URL that may be asked. RFC 9224 3 wants https and http for one server listed together,
/// for clients without TLS; we are none.
fn base(urls: &[String]) -> Option<Url> {
    let mut urls = urls.iter().filter_map(|url| Url::parse(url).ok());
    urls.find(|url| may_be_asked(url) && url.query().is_none() && url.fragment().is_none())
}

/// https, or http on this machine alone. Names and passwords are none of a registry's business.
pub(super) fn may_be_asked(url: &Url) -> bool {
    let is_encrypted = match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    };
    is_encrypted && url.has_host() && url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// `64496-64511`, or one number (RFC 9224 5.3).
fn numbers(entry: &str) -> Option<(u32, u32)> {
    let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(bootstrap: &Bootstrap, subject: &str) -> String {
        let asked = bootstrap.question(subject.parse().unwrap());
        asked.map_or("-".to_owned(), |url| url.to_string())
    }

    #[test]
    fn every_registry_is_found_in_the_compiled_lists() {
        let (bootstrap, wrong) = Bootstrap::load(Path::new(""));
        assert_eq!(wrong, [""; 0]);
        for (subject, asked) in [
            ("1.1.1.1", "https://rdap.apnic.net/ip/1.1.1.1"),
            (
                "41.0.0.0/16",
                "https://rdap.afrinic.net/rdap/ip/41.0.0.0/16",
            ),
            (
                "196.25.255.1",
                "https://rdap.afrinic.net/rdap/ip/196.25.255.1",
            ),
            (
                "8.8.8.0-8.8.8.9",
                "https://rdap.arin.net/registry/ip/8.8.8.0",
            ),
            ("193.0.0.0/21", "https://rdap.db.ripe.net/ip/193.0.0.0/21"),
            ("200.160.0.1", "https://rdap.lacnic.net/rdap/ip/200.160.0.1"),
            (
                "223.255.255.255",
                "https://rdap.apnic.net/ip/223.255.255.255",
            ),
            ("2001:67c::/32", "https://rdap.db.ripe.net/ip/2001:67c::/32"),
            ("2630::1", "https://rdap.arin.net/registry/ip/2630::1"),
            ("2a10::1", "https://rdap.db.ripe.net/ip/2a10::1"),
            ("2410::1", "https://rdap.apnic.net/ip/2410::1"),
            ("2c00::/12", "https://rdap.afrinic.net/rdap/ip/2c00::/12"),
            ("2800::1", "https://rdap.lacnic.net/rdap/ip/2800::1"),
            ("AS701", "https://rdap.arin.net/registry/autnum/701"),
            ("AS8192", "https://rdap.db.ripe.net/autnum/8192"),
            ("AS213000", "https://rdap.db.ripe.net/autnum/213000"),
            ("AS151000", "https://rdap.apnic.net/autnum/151000"),
            ("AS273000", "https://rdap.lacnic.net/rdap/autnum/273000"),
            ("AS329000", "https://rdap.afrinic.net/rdap/autnum/329000"),
            ("AS401000", "https://rdap.arin.net/registry/autnum/401000"),
            ("10.0.0.1", "-"),
            ("127.0.0.1", "-"),
            ("224.0.0.1", "-"),
            ("fd00::1", "-"),
            ("AS23456", "-"),
            ("AS64500", "-"),
            ("AS4200000000", "-"),
        ] {
            assert_eq!(question(&bootstrap, subject), asked, "{subject}");
        }
    }

    #[test]
    fn all_unicast_space_of_ipv4_is_somebodys_and_nothing_is_two_registries() {
        let (bootstrap, _) = Bootstrap::load(Path::new(""));
        for block in 1..=223 {
            let named = bootstrap
                .spaces
                .iter()
                .filter(|(space, _)| *space == format!("{block}.0.0.0/8").parse().unwrap());
            let expected = usize::from(![10, 127].contains(&block));
            assert_eq!(named.count(), expected, "{block}");
        }
        for (at, (space, _)) in bootstrap.spaces.iter().enumerate() {
            let mut rest = bootstrap.spaces[at + 1..].iter();
            assert!(rest.all(|(other, _)| !space.overlaps(*other)), "{space}");
        }
        for (at, ((first, last), _)) in bootstrap.numbers.iter().enumerate() {
            let mut rest = bootstrap.numbers[at + 1..].iter();
            assert!(rest.all(|((a, b), _)| b < first || last < a), "{first}");
        }
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_newer_file_counts_with_its_longest_match_and_https_first() {
        let folder = folder(&[
            (
                "ipv4.json",
                r#"{"version": "1.0", "publication": "2030-01-01T00:00:00+00:00", "more": [1], "services": [
                    [["198.51.0.0/16", "192.0.2.0/24"], ["http://wide.example/", "https://wide.example/rdap"]],
                    [["198.51.100.0/24"], ["https://narrow.example/rdap/"]],
                    [["198.51.100.128/25"], ["http://127.0.0.2:8080"]],
                    [["203.0.113.0/24"], ["http://plain.example/", "ftp://files.example/", "no url"]]]}"#,
            ),
            (
                "asn.json",
                r#"{"publication": "2030-01-01T00:00:00Z", "services": [
                    [["64496-64511"], ["https://wide.example/rdap//"]], [["64500"], ["https://narrow.example"]]]}"#,
            ),
        ]);
        let (bootstrap, wrong) = Bootstrap::load(folder.path());
        for (subject, asked) in [
            ("192.0.2.0/24", "https://wide.example/rdap/ip/192.0.2.0/24"),
            (
                "198.51.100.0/24",
                "https://narrow.example/rdap/ip/198.51.100.0/24",
            ),
            (
                "198.51.100.128/26",
                "http://127.0.0.2:8080/ip/198.51.100.128/26",
            ),
            (
                "198.51.100.96-198.51.100.160",
                "https://narrow.example/rdap/ip/198.51.100.96",
            ),
            (
                "198.51.96.0/19",
                "https://wide.example/rdap/ip/198.51.96.0/19",
            ),
            ("203.0.113.1", "-"),
            ("8.8.8.8", "-"),
            ("2001:db8::1", "https://rdap.apnic.net/ip/2001:db8::1"),
            ("AS64499", "https://wide.example/rdap/autnum/64499"),
            ("AS64500", "https://narrow.example/autnum/64500"),
        ] {
            assert_eq!(question(&bootstrap, subject), asked, "{subject}");
        }
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].contains("ipv4.json: left out are services without an https URL: 1"),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_bad_or_old_file_is_named_and_the_compiled_list_counts() {
        let old = r#"{"publication": "2015-08-11T00:09:31Z", "services": []}"#;
        for (text, problem) in [
            ("{", "no list of servers after RFC 9224"),
            ("", "no list of servers after RFC 9224"),
            (r#"{"publication": "2030-01-01T00:00:00Z"}"#, "services"),
            (
                r#"{"publication": "soon", "services": []}"#,
                "\"soon\" is no time",
            ),
            (
                r#"{"publication": "2030-01-01T00:00:00Z", "services": [[["192.0.2.0/33"], ["https://a.example/"]]]}"#,
                "\"192.0.2.0/33\" is no prefix and no AS number",
            ),
            (
                r#"{"publication": "2030-01-01T00:00:00Z", "services": [["192.0.2.0/24", "https://a.example/"]]}"#,
                "no list of servers after RFC 9224",
            ),
            (old, "it is older than 2019-01-01T00:00:00Z"),
        ] {
            let folder = folder(&[("ipv4.json", text)]);
            let (bootstrap, wrong) = Bootstrap::load(folder.path());
            assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
            assert!(wrong[0].contains("ipv4.json: "), "{wrong:?}");
            assert!(wrong[0].contains(problem), "{problem}: {wrong:?}");
            assert!(question(&bootstrap, "1.1.1.1").starts_with("https://rdap.apnic.net/"));
        }
        let (_, wrong) = Bootstrap::load(Path::new("no such folder"));
        assert!(
            wrong[0].contains("no such folder is no folder"),
            "{wrong:?}"
        );
    }
}
