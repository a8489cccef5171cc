//! The DNS as recipients' mail servers ask it about us, each question within its time.

use std::net::IpAddr;
use std::time::Duration;

use mail_auth::common::cache::NoCache;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::proto::rr::RData;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DmarcOutput, DmarcResult, DnsError, Error, IprevOutput, IprevResult,
    MessageAuthenticator, SpfOutput, SpfResult,
};
use tokio::time::timeout;

use crate::{config, resolve};

/// RFC 7208 4.6.4 gives a whole evaluation 20 seconds: so many questions of five.
const QUESTIONS: u32 = 4;

pub(super) struct Names {
    mail: MessageAuthenticator,
    timeout: Duration,
}

/// Why nobody knows, in words.
#[derive(Clone, Debug)]
pub(super) struct Unanswered(pub(super) String);

impl Names {
    /// # Errors
    /// A setting that cannot be used, with what to write instead.
    pub(super) fn new(settings: &config::Doctor) -> Result<Self, String> {
        let timeout = settings.timeout.to_std();
        let (config, options) = resolve::asking("doctor.resolver", &settings.resolver, timeout)?;
        let mail = MessageAuthenticator::new(config, options)
            .map_err(|fault| format!("no DNS resolver can be made: {fault}"))?;
        Ok(Self { mail, timeout })
    }

    /// The TXT records of a name, each joined to one string; none where there are none.
    pub(super) async fn texts(&self, name: &str) -> Result<Vec<String>, Unanswered> {
        let lookup = async {
            let lookup = self.mail.resolver().txt_lookup(format!("{name}.")).await?;
            let records = lookup.answers().iter();
            let texts = records.filter_map(|record| match &record.data {
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            });
            Ok(texts
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .collect())
        };
        self.within("TXT", name, lookup).await
    }

    /// The mail exchanges of a domain, the preferred first, without the dot at their end; `.` alone
    /// where it takes no mail (RFC 7505).
    pub(super) async fn exchanges(&self, domain: &str) -> Result<Vec<String>, Unanswered> {
        let lookup = async {
            let records = self.mail.mx_lookup(domain, none()).await?;
            let hosts = records.rrset.iter().flat_map(|mx| mx.exchanges.iter());
            Ok(hosts.map(|host| without_dot(host)).collect())
        };
        self.within("MX", domain, lookup).await
    }

    /// The addresses of a host, of both families.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unanswered> {
        let v4 = async {
            let records = self.mail.ipv4_lookup(host, none()).await?;
            Ok(records.rrset.iter().copied().map(IpAddr::from).collect())
        };
        let v6 = async {
            let records = self.mail.ipv6_lookup(host, none()).await?;
            Ok(records.rrset.iter().copied().map(IpAddr::from).collect())
        };
        let (v4, v6) = tokio::join!(self.within("A", host, v4), self.within("AAAA", host, v6));
        match (v4, v6) {
            (Ok(mut addresses), Ok(more)) => {
                addresses.extend::<Vec<IpAddr>>(more);
                Ok(addresses)
            }
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => Ok(some),
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }

    /// Whether the SPF record of an envelope domain lets this address send (RFC 7208 4).
    pub(super) async fn spf(&self, domain: &str, address: IpAddr) -> SpfResult {
        let sender = format!("bounces@{domain}");
        let asked = SpfParameters::verify_mail_from(address, domain, domain, &sender);
        let told = timeout(self.timeout * QUESTIONS, self.mail.verify_spf(asked));
        told.await
            .map_or(SpfResult::TempError, |told| told.result())
    }

    /// The policy of a From domain, found up the tree (RFC 9989 4.10), and whether an envelope domain
    /// that passes SPF aligns with it.
    pub(super) async fn dmarc(
        &self,
        from: &str,
        envelope: &str,
    ) -> Result<DmarcOutput, Unanswered> {
        let head = format!("From: <a@{from}>\r\n\r\n");
        let late = || Unanswered(format!("no answer about _dmarc.{from} in time"));
        let message = AuthenticatedMessage::parse(head.as_bytes()).ok_or_else(late)?;
        let passed = SpfOutput::new(envelope.to_owned()).with_result(SpfResult::Pass);
        let asked = DmarcParameters::new(&message, &[], envelope, &passed);
        let told = timeout(self.timeout * QUESTIONS, self.mail.verify_dmarc(asked));
        let told = told.await.map_err(|_| late())?;
        match told.spf_result() {
            DmarcResult::TempError(fault) => Err(Unanswered(format!(
                "no answer about _dmarc.{from}: {fault}"
            ))),
            _ => Ok(told),
        }
    }

    /// Whether the name of an address leads back to it (RFC 8601 3).
    pub(super) async fn pointer(&self, address: IpAddr) -> Result<IprevOutput, Unanswered> {
        let told = timeout(self.timeout * QUESTIONS, self.mail.verify_iprev(address)).await;
        let told = told.map_err(|_| Unanswered("no answer in time".to_owned()))?;
        match told.result() {
            IprevResult::TempError(fault) => Err(Unanswered(fault.to_string())),
            _ => Ok(told),
        }
    }

    async fn within<T>(
        &self,
        kind: &str,
        name: &str,
        lookup: impl Future<Output = Result<Vec<T>, Error>>,
    ) -> Result<Vec<T>, Unanswered> {
        let why = match timeout(self.timeout, lookup).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(Error::Dns(DnsError::RecordNotFound(_)))) => return Ok(Vec::new()),
            Ok(Err(Error::Dns(DnsError::Resolver(why)))) => why,
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => format!("nothing within {:?}", self.timeout),
        };
        Err(Unanswered(format!(
            "no answer about the {kind} of {name}: {why}"
        )))
    }
}

/// Everything is asked once: there is nothing to remember.
fn none<K, V>() -> Option<&'static NoCache<K, V>> {
    None
}

/// As people write names; the root stays what it is.
pub(super) fn without_dot(name: &str) -> String {
    match name.strip_suffix('.') {
        None | Some("") => name.to_owned(),
        Some(bare) => bare.to_owned(),
    }
}
