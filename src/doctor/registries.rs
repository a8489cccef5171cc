//! The registries' servers: whether this machine reaches them at all. A knock is no question, and counts as none.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Area, Finding, Grade};
use crate::config::{Config, SourceName};
use crate::tls;

const WHOIS: u16 = 43;
const HTTPS: u16 = 443;

/// A door to knock at.
#[derive(Debug, PartialEq, Eq)]
struct Door {
    registry: String,
    host: String,
    port: u16,
    is_secure: bool,
}

/// Knocks at all of them at once: at those that resolving would ask, or at all where it asks none.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let patience = config.doctor.timeout.to_std();
    let doors = doors(config);
    let knocks = doors.iter().map(|door| knock(door, patience));
    let found = join_all(knocks).await;
    match found.as_slice() {
        [first, _, ..] if found.iter().all(|one| one.grade == Grade::Warn) => {
            let said = format!(
                "none of {} servers of registries can be reached; the first: {}",
                found.len(),
                first.said
            );
            vec![Area::Registries.warn("registries", said, &first.remedy)]
        }
        _ => found,
    }
}

fn doors(config: &Config) -> Vec<Door> {
    let sources = &config.resolve.sources;
    let asks = |source| sources.contains(&source);
    let asks_none = !asks(SourceName::Rdap) && !asks(SourceName::Whois);
    let mut doors = Vec::new();
    for (name, registry) in &config.resolve.registry {
        let (host, port) = place(&registry.whois);
        if (asks_none || asks(SourceName::Whois)) && !host.is_empty() {
            doors.push(Door {
                registry: name.clone(),
                host,
                port,
                is_secure: false,
            });
        }
        // The other hosts of a house are old names, or lead there from elsewhere.
        let mut hosts = registry.hosts.iter();
        let rdap = hosts.find(|host| host.starts_with("rdap."));
        if let Some(host) = rdap.filter(|_| asks_none || asks(SourceName::Rdap)) {
            doors.push(Door {
                registry: name.clone(),
                host: host.clone(),
                port: HTTPS,
                is_secure: true,
            });
        }
    }
    doors
}

/// `HOST` or `HOST:PORT`.
fn place(text: &str) -> (String, u16) {
    let bare = |host: &str| host.trim_matches(['[', ']']).to_owned();
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (bare(host), port.parse().unwrap_or(WHOIS))
        }
        _ => (bare(text), WHOIS),
    }
}

async fn knock(door: &Door, patience: Duration) -> Finding {
    let Door {
        registry,
        host,
        port,
        is_secure,
    } = door;
    let opening = async {
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        if *is_secure {
            tls::shake_hands(stream, host, Path::new("")).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let why = match timeout(patience, opening).await {
        Ok(Ok(())) => {
            return Area::Registries.ok("registry", format!("{registry}: {host}:{port} answers"));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("nothing within {patience:?}"),
    };
    Area::Registries.warn(
        "registry",
        format!("{registry}: {host}:{port} cannot be reached: {why}"),
        "may this machine reach it? what only it knows is deferred; see resolve.sources",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_doors_are_those_that_resolving_asks() {
        let mut config = config::shipped().unwrap();
        let all = doors(&config).len();
        let rdap = |doors: &[Door]| doors.iter().filter(|door| door.is_secure).count();
        config.resolve.sources = vec![SourceName::Overrides, SourceName::Rdap];
        let secure = doors(&config);
        assert_eq!(rdap(&secure), secure.len());
        assert!(secure.iter().any(|door| door.host == "rdap.arin.net"));
        config.resolve.sources = vec![SourceName::Whois];
        let whois = doors(&config);
        assert!(rdap(&whois) == 0 && whois.iter().any(|door| door.host == "whois.ripe.net"));
        assert_eq!(secure.len() + whois.len(), all);
        config.resolve.sources = vec![SourceName::Table];
        assert_eq!(doors(&config).len(), all, "whoever asks for it by name");
    }

    #[tokio::test]
    async fn a_door_is_open_or_not() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let mut config = config::shipped().unwrap();
        config.resolve.sources = vec![SourceName::Whois];
        config.resolve.registry.retain(|name, _| name == "ripe");
        let place = listener.local_addr().unwrap().to_string();
        config.resolve.registry.get_mut("ripe").unwrap().whois = place;
        assert!(look(&config).await[0].said.ends_with(" answers"));
        drop(listener);
        let found = look(&config).await;
        assert_eq!(found.len(), 1);
        assert!(found[0].said.contains("cannot be reached"), "{found:?}");
        assert!(found[0].remedy.contains("resolve.sources"), "{found:?}");
    }
}
