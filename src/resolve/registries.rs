//! Which registry a server belongs to, and how hard it may be asked.

use std::collections::{BTreeMap, HashMap};

use crate::config::Registry;
use crate::model::{Limits, Span};

pub(super) const WHOIS_PORT: u16 = 43;

/// A WHOIS server: its name or address, and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Clone, Debug)]
pub(super) struct Registries {
    named: BTreeMap<String, Registry>,
    by_host: HashMap<String, String>,
}

impl Registries {
    pub(super) fn new(named: &BTreeMap<String, Registry>) -> Self {
        let mut by_host = HashMap::new();
        for (name, registry) in named {
            for host in registry.hosts.iter().chain([&registry.whois]) {
                if !host.is_empty() {
                    by_host.insert(host.to_ascii_lowercase(), name.clone());
                }
            }
        }
        Self {
            named: named.clone(),
            by_host,
        }
    }

    /// The registry that a server belongs to; a server of nobody's counts by itself, under its host.
    pub(super) fn of(&self, host: &str, port: u16) -> String {
        let host = host.to_ascii_lowercase();
        self.by_host
            .get(&format!("{host}:{port}"))
            .or_else(|| self.by_host.get(&host))
            .cloned()
            .unwrap_or(host)
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        name != "other" && self.named.contains_key(name)
    }

    pub(super) fn limits(&self, name: &str) -> Limits {
        let of = |registry: &Registry| Limits {
            at_once: registry.at_once.max(1),
            every: registry.every,
            a_day: registry.a_day,
        };
        self.named
            .get(name)
            .or_else(|| self.named.get("other"))
            .map_or(
                Limits {
                    at_once: 1,
                    every: Span::seconds(1),
                    a_day: 0,
                },
                of,
            )
    }

    pub(super) fn whois(&self, name: &str) -> Option<Server> {
        let text = &self.named.get(name)?.whois;
        (!text.is_empty()).then(|| server(text))
    }
}

/// `whois.isp.example`, `whois.isp.example:4343`, `[2001:db8::1]:43`.
pub(super) fn server(text: &str) -> Server {
    let whole = |host: &str| Server {
        host: host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase(),
        port: WHOIS_PORT,
    };
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => Server {
                port,
                ..whole(host)
            },
            Err(_) => whole(text),
        },
        _ => whole(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_with_and_without_port() {
        for (text, host, port) in [
            ("whois.isp.example", "whois.isp.example", 43),
            ("Whois.ISP.example:4321", "whois.isp.example", 4321),
            ("[2001:db8::1]:4321", "2001:db8::1", 4321),
            ("2001:db8::1", "2001:db8::1", 43),
            ("127.0.0.1:0", "127.0.0.1", 0),
        ] {
            let server = server(text);
            assert_eq!((server.host.as_str(), server.port), (host, port));
        }
    }
}
