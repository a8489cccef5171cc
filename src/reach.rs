//! Where questions, referrals and redirects may lead: to public addresses, and to nothing inside; and an HTTP
//! client that goes no farther.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};

use crate::model::{Address, AddressRange, Use, use_of};

/// WHOIS (RFC 3912) and RWhois (RFC 2167); what else an answer names may be anybody's.
const WHOIS_PORTS: [u16; 2] = [43, 4321];

/// An answer names the next server, so it must not be able to name one of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    besides: Vec<AddressRange>,
}

impl Reach {
    /// `besides`: prefixes that are allowed though they are not public.
    pub(crate) fn new(besides: &[AddressRange]) -> Self {
        Self {
            besides: besides.to_vec(),
        }
    }

    pub(crate) fn allows(&self, ip: IpAddr) -> bool {
        use_of(Address::from(ip)) == Use::Public || self.names(ip)
    }

    /// Whether a referral may be followed, as far as that shows without asking for the name.
    ///
    /// # Errors
    /// In words, why not.
    pub(crate) fn admits(&self, host: &str, port: u16) -> Result<(), String> {
        let ip = host.parse::<IpAddr>().ok();
        match ip {
            Some(ip) if !self.allows(ip) => return Err(format!("{ip} is no public address")),
            None if !is_name(host) => return Err("the server's name is none".to_owned()),
            _ => {}
        }
        let is_besides = ip.is_some_and(|ip| self.names(ip));
        if port != 0 && (is_besides || WHOIS_PORTS.contains(&port)) {
            return Ok(());
        }
        Err(format!("{host} has no WHOIS on port {port}"))
    }

    fn names(&self, ip: IpAddr) -> bool {
        let single = AddressRange::single(Address::from(ip));
        self.besides.iter().any(|space| space.contains(single))
    }

    /// The addresses of a host that may be spoken to.
    ///
    /// # Errors
    /// In words: the name is not known, or leads to no address that is allowed.
    pub(crate) async fn find(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        if port == 0 {
            return Err(format!("{host} is named with port 0"));
        }
        let all: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) if !is_name(host) => return Err("the server's name is none".to_owned()),
            Err(_) => tokio::net::lookup_host((host, port))
                .await
                .map_err(|fault| format!("{host} is not found: {fault}"))?
                .collect(),
        };
        let allowed: Vec<SocketAddr> = all
            .iter()
            .copied()
            .filter(|server| self.allows(server.ip()))
            .collect();
        match (all.first(), allowed.is_empty()) {
            (None, _) => Err(format!("{host} has no address")),
            (Some(first), true) => Err(format!(
                "{host} leads to {}, which is no public address",
                first.ip()
            )),
            _ => Ok(allowed),
        }
    }
}

/// How long a connection is kept for the next question; registries close theirs after about as long.
const KEPT: Duration = Duration::from_secs(30);

const USER_AGENT: &str = concat!("lapwing/", env!("CARGO_PKG_VERSION"));

/// A client that follows nothing by itself, and whose names lead nowhere else than `reach` allows. URLs that
/// name an address are the caller's to check.
///
/// # Errors
/// When TLS cannot be set up.
pub(crate) fn client(reach: &Reach, timeout: Duration) -> Result<Client, Box<dyn Error>> {
    Ok(Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        // A proxy would resolve names by itself, out of reach of `Reach`.
        .no_proxy()
        .dns_resolver(Within(reach.clone()))
        .connect_timeout(timeout)
        .pool_idle_timeout(KEPT)
        .http1_only()
        .tls_backend_preconfigured(tls()?)
        .build()?)
}

/// The world's roots as compiled in, for a container has none of its own.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Names are resolved to addresses that may be spoken to, at every connection anew: a name that led
/// outside a minute ago may lead inside now.
struct Within(Reach);

impl Resolve for Within {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = reach.find(name.as_str(), 443).await.map_err(Refused)?;
            // Port 0 stands for that of the URL.
            let addresses = found.into_iter().map(|mut server| {
                server.set_port(0);
                server
            });
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// A name that leads nowhere, or nowhere that may be spoken to.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Refused {}

/// A fault, its cause, and so on down.
pub(crate) fn chain<'a>(
    fault: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(fault), |fault| (*fault).source())
}

/// A host name of letters, digits, hyphens and dots (RFC 1123 2.1).
pub(crate) fn is_name(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_inside_is_reached() {
        let reach = Reach::default();
        for host in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "169.254.169.254",
            "::ffff:192.168.0.1",
            "fe80::1",
            "0.0.0.0",
            "192.0.2.1",
            "a\r\nb",
            "",
        ] {
            assert!(reach.find(host, 43).await.is_err(), "{host}");
        }
        assert!(reach.find("1.1.1.1", 43).await.is_ok());
        assert!(reach.find("1.1.1.1", 0).await.is_err());
        let reach = Reach::new(&["127.0.0.0/8".parse().unwrap()]);
        assert!(reach.find("127.0.0.2", 43).await.is_ok());
        assert!(reach.find("10.0.0.1", 43).await.is_err());
    }
}
