//! An answer cut into parts, blocks and attributes, before anybody asks what they mean.

/// What one server said: one answer may hold several, for clients that follow referrals print all.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Comment lines, without their marks.
    pub(super) comments: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// Attributes without an empty line between them.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The heading `[ … ]` above it, in lower case, or empty.
    pub(super) section: String,
    pub(super) attributes: Vec<Attribute>,
    indent: usize,
}

/// A key in lower case and what stands behind it, continued lines with a line end between them. A
/// line without a key has an empty one. What rwhois says has its class in the key:
/// `network:ip-network`.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) key: String,
    pub(super) value: String,
}

/// Classes of objects that begin a new block even where the empty line has been lost.
const CLASSES: [&str; 6] = ["role", "person", "irt", "organisation", "route", "route6"];

/// Classes in front of rwhois attributes (RFC 2167 3.3.7).
const RWHOIS: [&str; 6] = [
    "network",
    "contact",
    "org",
    "organization",
    "poc",
    "referral",
];

const LONGEST_KEY: usize = 40;

/// What a server says first: with it begins another server's answer.
const OPENINGS: [&str; 8] = [
    "% this is the ripe",
    "% iana whois server",
    "% [whois.apnic.net",
    "% this is the afrinic",
    "% joint whois",
    "%rwhois v",
    "# arin whois data",
    "[ jpnic database",
];

/// In bytes; ARIN's comments hold certificates of half of it.
const LONGEST_LINE: usize = 4096;

pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut scanner = Scanner::default();
    for line in text.lines() {
        scanner.line(start_of(line));
    }
    scanner.parts
}

/// As much of a line as is read: one without end is no line.
pub(super) fn start_of(line: &str) -> &str {
    &line[..line.floor_char_boundary(LONGEST_LINE)]
}

impl Part {
    /// The values of all attributes of this name.
    pub(super) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.blocks.iter().flat_map(move |block| block.values(key))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// Lines outside comments that have no key.
    pub(super) fn loose(&self) -> impl Iterator<Item = &str> {
        self.values("").flat_map(str::lines)
    }
}

impl Block {
    /// The first key: what an object is.
    pub(super) fn class(&self) -> &str {
        self.attributes.first().map_or("", |first| &first.key)
    }

    pub(super) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let those = self.attributes.iter().filter(move |one| one.key == key);
        those.map(|one| one.value.as_str())
    }

    /// The first value that is not empty, or an empty one.
    pub(super) fn get(&self, key: &str) -> &str {
        let found = self
            .attributes
            .iter()
            .find(|one| one.key == key && !one.value.is_empty());
        found.map_or("", |one| &one.value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.attributes.iter().any(|one| one.key == key)
    }

    /// The lines of all attributes with one of these names, in the order of the text.
    pub(super) fn lines<'a>(&'a self, keys: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let those = self
            .attributes
            .iter()
            .filter(|one| keys.contains(&one.key.as_str()));
        those.flat_map(|one| {
            // An empty remark separates, though it has no line.
            let lines = if one.value.is_empty() {
                "\n"
            } else {
                &one.value
            };
            lines.lines()
        })
    }
}

#[derive(Default)]
struct Scanner {
    parts: Vec<Part>,
    section: String,
    is_open: bool,
}

impl Scanner {
    fn line(&mut self, line: &str) {
        let text = line.trim();
        let lower: String = text.chars().take(24).collect::<String>().to_lowercase();
        if is_banner(text) || OPENINGS.iter().any(|opening| lower.starts_with(opening)) {
            self.parts.push(Part::default());
            self.section.clear();
            self.is_open = false;
        }
        if text.is_empty() || text.len() > 3 && text.chars().all(|c| "-=_*".contains(c)) {
            self.is_open = false;
        } else if let Some(comment) = text.strip_prefix(['%', '#']) {
            self.is_open = false;
            self.part()
                .comments
                .push(comment.trim_matches(['%', '#', ' ']).to_owned());
        } else if text.starts_with('[') && text.ends_with(']') {
            self.is_open = false;
            self.section = text.trim_matches(['[', ']', ' ']).to_lowercase();
            let heading = self.section.clone();
            self.part().comments.push(heading);
        } else {
            self.attribute(line);
        }
    }

    fn attribute(&mut self, line: &str) {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let text = line.trim();
        if self.is_open && self.goes_on(text, indent) {
            return;
        }
        let (key, value) = split(text).unwrap_or_default();
        let value = if key.is_empty() { text } else { value }.to_owned();
        let section = self.section.clone();
        let is_open = self.is_open;
        let blocks = &mut self.part().blocks;
        let class = blocks.last().map_or("", Block::class);
        let begins = CLASSES.contains(&key.as_str()) && !class.starts_with("nic-hdl");
        if !is_open || begins {
            blocks.push(Block {
                section,
                attributes: Vec::new(),
                indent,
            });
        }
        if let Some(block) = blocks.last_mut() {
            block.attributes.push(Attribute { key, value });
        }
        self.is_open = true;
    }

    /// Whether a line belongs to the value above it: it stands deeper than its block, or begins with
    /// the plus sign of RFC 2622 2.
    fn goes_on(&mut self, text: &str, indent: usize) -> bool {
        let block = self.part().blocks.last_mut();
        let deeper = block.filter(|block| indent > block.indent || text.starts_with('+'));
        let Some(last) = deeper.and_then(|block| block.attributes.last_mut()) else {
            return false;
        };
        if !last.value.is_empty() {
            last.value.push('\n');
        }
        last.value
            .push_str(text.trim_start_matches('+').trim_start());
        true
    }

    fn part(&mut self) -> &mut Part {
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

/// What clients print when they go on to another server: `[Querying whois.isp.example]`,
/// `[whois.isp.example]`, `Found a referral to …`, and `# whois.isp.example`.
fn is_banner(text: &str) -> bool {
    let is_host = |text: &str| {
        text.contains('.')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c))
    };
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let named = inner.is_some_and(|inner| {
        is_host(inner) || inner.starts_with("Querying ") || inner.starts_with("Redirected to ")
    });
    let commented = text.strip_prefix("# ").is_some_and(|host| {
        is_host(host)
            && ["whois.", "rwhois."]
                .iter()
                .any(|head| host.starts_with(head))
    });
    named || commented || text.starts_with("Found a referral to ")
}

/// `key: value`, `class:key:value`, `key;I:value`, `a. [key]  value` and `[key]  value`.
fn split(text: &str) -> Option<(String, &str)> {
    let numbered = text
        .find(". [")
        .filter(|at| *at <= 2)
        .map_or(text, |at| &text[at + 2..]);
    if let Some((key, value)) = numbered
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return Some((key.trim().to_lowercase(), value.trim()));
    }
    let (key, value) = text.split_once(':')?;
    let is_class = RWHOIS.iter().any(|class| key.eq_ignore_ascii_case(class));
    if let Some((inner, behind)) = value
        .split_once(':')
        .filter(|(inner, _)| is_class && is_key(inner))
    {
        let inner = inner.split(';').next().unwrap_or(inner);
        return Some((format!("{key}:{inner}").to_lowercase(), behind.trim()));
    }
    let key = key.split(';').next().unwrap_or(key).trim();
    let is_whole = is_key(key) && !value.starts_with("//");
    is_whole.then(|| (key.to_lowercase(), value.trim()))
}

fn is_key(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || " -_/.;".contains(c);
    let length = text.chars().take(LONGEST_KEY + 1).count();
    (1..=LONGEST_KEY).contains(&length)
        && text.starts_with(char::is_alphanumeric)
        && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let parts = parts(text);
        let parts = parts.iter().map(|part| {
            let blocks = part.blocks.iter().map(|block| {
                let lines = block
                    .attributes
                    .iter()
                    .map(|one| format!("{}={}", one.key, one.value));
                lines.collect::<Vec<_>>().join("|")
            });
            blocks.collect::<Vec<_>>().join(" ## ").replace('\n', "\\n")
        });
        parts.collect::<Vec<_>>().join(" %% ")
    }

    #[test]
    fn attributes_are_found_however_they_are_written() {
        for (text, expected) in [
            (
                "inetnum:  192.0.2.0/24\nnetname:X",
                "inetnum=192.0.2.0/24|netname=X",
            ),
            (
                "\tinetnum: 192.0.2.0/24\n\tnetname: X",
                "inetnum=192.0.2.0/24|netname=X",
            ),
            (
                "descr: a\n       b: c\n+ d\nnetname: X",
                "descr=a\\nb: c\\nd|netname=X",
            ),
            ("inetnum: a\n\nrole: b", "inetnum=a ## role=b"),
            (
                "inetnum: a\nsource: TEST\nrole: b\nnic-hdl: C",
                "inetnum=a|source=TEST ## role=b|nic-hdl=C",
            ),
            (
                "nic-hdl: A\nperson: B\ne-mail: c@d.example",
                "nic-hdl=A|person=B|e-mail=c@d.example",
            ),
            (
                "network:Abuse-Contact;I:a@b.example",
                "network:abuse-contact=a@b.example",
            ),
            (
                "network:IP-Network:2001:db8::/32",
                "network:ip-network=2001:db8::/32",
            ),
            (
                "a. [Network Number]     192.0.2.0/24\no. [Abuse]",
                "network number=192.0.2.0/24|abuse=",
            ),
            ("[最終更新]   2026/01/01", "最終更新=2026/01/01"),
            ("IPv4 Address       : 192.0.2.0", "ipv4 address=192.0.2.0"),
            (
                "   Technical contact:\n      net@isp.example",
                "technical contact=net@isp.example",
            ),
            (
                "Example (NET6-2001-DB8-1) 2001:db8:: - 2001:db8::1",
                "=Example (NET6-2001-DB8-1) 2001:db8:: - 2001:db8::1",
            ),
            ("https://isp.example/", "=https://isp.example/"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn several_servers_are_several_parts() {
        let text = "[Querying whois.a.example]\n[whois.a.example]\nnetname: A\nFound a referral to whois.b.example.\n\n%rwhois V-1.5\nnetwork:ID:B\n# whois.c.example\n\nnetname: C";
        assert_eq!(
            shown(text),
            " %% netname=A %% =Found a referral to whois.b.example. %% network:id=B %% netname=C"
        );
        assert_eq!(parts("").len(), 0);
    }

    #[test]
    fn headings_stand_above_what_follows() {
        let parts =
            parts("[ Abuse Contact ]\nName : x\n\nE-Mail : a@b.example\n\n[ Other ]\nName : y");
        let sections: Vec<&str> = parts[0]
            .blocks
            .iter()
            .map(|block| block.section.as_str())
            .collect();
        assert_eq!(sections, ["abuse contact", "abuse contact", "other"]);
    }
}
