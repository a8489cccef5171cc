//! Which hosts take the mail of those who may be written to: asked of the DNS here, kept for sending.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use serde::Serialize;

use super::Work;
use crate::model::{Campaign, Domain, Progress, Span};
use crate::store;

/// Questions under way at once: the resolver may be shared with others.
const AT_ONCE: usize = 16;

/// An answer counts for so long. Who has just changed providers gets a few letters in the wrong pace;
/// by the zones' own times, minutes to hours, each run would ask for all anew.
const KEEP: Span = Span(7 * 24 * 3_600_000);

/// Findings looked at together.
const PAGE: i64 = 2_000;

/// So many questions in a row without any reply, and the resolver is taken for dead: what is known of the
/// others is not worth the wait.
const SILENCES: usize = 2 * AT_ONCE;

/// Hosts taken from one answer.
const HOSTS: usize = 16;

/// What became of asking for the MX of domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    pub domains: u64,
    /// Those of them of which nothing was heard now; what was known of them stays.
    pub unanswered: u64,
    /// Whether the resolver was left alone before all were asked for.
    pub given_up: bool,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.domains == 1 { "" } else { "s" };
        write!(f, "{} domain{s} asked for their MX", self.domains)?;
        if self.unanswered > 0 {
            write!(f, ", {} without an answer", self.unanswered)?;
        }
        if self.given_up {
            f.write_str("; the resolver is silent, so the others were not asked for")?;
        }
        Ok(())
    }
}

/// What came back for one domain.
enum Heard {
    Hosts(Vec<String>),
    /// The resolver could not tell.
    Nothing,
    /// The resolver did not speak.
    Silence,
}

/// Asks for the MX of everybody whom a campaign's findings may be written to, where no answer of the last
/// days is known. That nobody answers is told, and stops nothing.
///
/// # Errors
/// The database's.
pub(super) async fn ask(
    work: &Work<'_>,
    resolver: &TokioResolver,
    campaign: &Campaign,
    progress: &Progress,
) -> Result<Asked, store::Error> {
    let store = work.store;
    let timeout = work.settings.dns.timeout.to_std();
    let mut asked = Asked::default();
    let mut unanswered = HashSet::new();
    let mut silences = 0;
    let mut after = 0;
    loop {
        let page = store.domains_of_findings(campaign.id, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(asked);
        };
        after = *last;
        let domains: BTreeSet<&str> = page.iter().map(|(_, domain)| domain.as_str()).collect();
        let domains: Vec<&str> = domains.into_iter().collect();
        let known = store.exchangers(&domains).await?;
        let oldest = work.clock.now().minus(KEEP);
        let is_open = |domain: &&str| {
            let is_fresh = known.get(*domain).is_some_and(|one| one.told_at > oldest);
            !is_fresh && !unanswered.contains(*domain)
        };
        let open: Vec<&str> = domains.into_iter().filter(is_open).collect();
        let questions = open
            .iter()
            .map(|domain| async move { (*domain, exchangers(resolver, timeout, domain).await) });
        let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
        let mut told = Vec::with_capacity(open.len());
        while let Some((domain, heard)) = answers.next().await {
            asked.domains += 1;
            silences = match heard {
                Heard::Silence => silences + 1,
                Heard::Hosts(_) | Heard::Nothing => 0,
            };
            match heard {
                Heard::Hosts(hosts) => told.push((domain.to_owned(), hosts)),
                Heard::Nothing | Heard::Silence => {
                    asked.unanswered += 1;
                    unanswered.insert(domain.to_owned());
                }
            }
            asked.given_up = silences >= SILENCES;
            if asked.given_up || progress.is_stopped() {
                break;
            }
        }
        drop(answers);
        store.put_exchangers(told, work.clock.now()).await?;
        if asked.given_up || progress.is_stopped() {
            return Ok(asked);
        }
    }
}

async fn exchangers(resolver: &TokioResolver, timeout: Duration, domain: &str) -> Heard {
    let Ok(name) = Name::from_ascii(format!("{domain}.")) else {
        return Heard::Hosts(Vec::new());
    };
    let lookup = resolver.lookup(name, RecordType::MX);
    match tokio::time::timeout(timeout, lookup).await {
        Ok(Ok(lookup)) => {
            let hosts = lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::MX(mx) => host(&mx.exchange),
                    _ => None,
                });
            Heard::Hosts(hosts.take(HOSTS).collect())
        }
        Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => match none.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Heard::Hosts(Vec::new()),
            _ => Heard::Nothing,
        },
        Ok(Err(NetError::Dns(_))) => Heard::Nothing,
        Ok(Err(_)) | Err(_) => Heard::Silence,
    }
}

/// As settings write it; `None` for what is no host, as the root where no mail is taken (RFC 7505).
fn host(name: &Name) -> Option<String> {
    let name = name.to_ascii();
    let host: Domain = name.trim_end_matches('.').parse().ok()?;
    (!host.is_below()).then(|| host.name().to_owned())
}
