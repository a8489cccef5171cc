//! The ways of one question: over the servers that RDAP redirects to, that WHOIS refers to, or DNS.

use super::answer::{Reply, Status};
use super::desk::{Desk, End, Errand};
use super::keep::Given;
use super::rdap::Exchange;
use super::walk::Walk;
use crate::model::Subject;
use crate::store::Error;

/// Redirects after the first server.
const HOPS: usize = 5;

impl Desk {
    pub(super) async fn over_rdap(
        &self,
        errand: &mut Errand<'_>,
        subject: Subject,
    ) -> Result<End, Error> {
        let Some(mut url) = self.rdap.begin(subject) else {
            return Ok(End::Nobody);
        };
        let mut asked = Vec::new();
        loop {
            let host = url.host_str().unwrap_or_default().to_owned();
            let registry = self
                .registries
                .of(&host, url.port_or_known_default().unwrap_or(443));
            if let Some(end) = self.enter(errand, &registry, subject).await? {
                return Ok(end);
            }
            let exchange = self.rdap.exchange(&url, subject, self.now()).await;
            asked.push(url.clone());
            let (reply, raw) = match exchange {
                Exchange::Moved(next) => {
                    errand.hear(&host, url.as_str(), format!("moved to {next}"));
                    if !asked.contains(&next) && asked.len() <= HOPS {
                        url = next;
                        continue;
                    }
                    let words = "each server refers to another".to_owned();
                    let status = Status::Broken { words };
                    (
                        Reply {
                            status,
                            ..Reply::default()
                        },
                        String::new(),
                    )
                }
                Exchange::Told { reply, raw } => (reply, raw),
            };
            errand.hear(&host, url.as_str(), raw);
            return Ok(End::Given(Box::new(Given {
                source: errand.source,
                asked: subject,
                reply,
                server: host,
                registry,
                keep: None,
            })));
        }
    }

    pub(super) async fn over_whois(
        &self,
        errand: &mut Errand<'_>,
        subject: Subject,
    ) -> Result<End, Error> {
        let lane = self.lane(subject);
        let mut walk = Walk::begin(&self.registries, self.whois.reach(), Some(&lane), subject);
        let (mut is_first, mut shut) = (true, None);
        while let Some(step) = walk.step() {
            match self.enter(errand, &step.registry, subject).await? {
                None => {}
                // A referral that may not be followed now leaves the question open.
                Some(End::Closed {
                    registry,
                    until,
                    why,
                }) if !is_first => {
                    shut = Some((registry, until, why.clone()));
                    let wait = Some(until.since(self.now()));
                    let status = Status::Later { wait, words: why };
                    walk.told(Reply {
                        status,
                        ..Reply::default()
                    });
                    continue;
                }
                Some(end) => return Ok(end),
            }
            let (reply, raw) = self.whois.exchange(&step.server, &step.line, subject).await;
            errand.hear(&step.server.host, &step.line, raw);
            walk.told(reply);
            is_first = false;
        }
        let Some((reply, server, registry)) = walk.best() else {
            return Ok(End::Nobody);
        };
        // One that is closed has not failed once more by that.
        let is_later = matches!(reply.status, Status::Later { .. });
        if let Some((_, until, why)) = shut.filter(|(closed, ..)| is_later && *closed == registry) {
            return Ok(End::Closed {
                registry,
                until,
                why,
            });
        }
        Ok(End::Given(Box::new(Given {
            source: errand.source,
            asked: subject,
            reply,
            server: server.host,
            registry,
            keep: None,
        })))
    }

    pub(super) async fn over_dns(
        &self,
        errand: &mut Errand<'_>,
        subject: Subject,
    ) -> Result<End, Error> {
        let Some(dns) = &self.dns else {
            return Ok(End::Nobody);
        };
        if let Some(end) = self.enter(errand, "dns", subject).await? {
            return Ok(end);
        }
        let told = dns.ask(subject).await;
        errand.hear("dns", &subject.to_string(), told.raw);
        Ok(End::Given(Box::new(Given {
            source: errand.source,
            asked: subject,
            reply: told.reply,
            server: "dns".to_owned(),
            registry: "dns".to_owned(),
            keep: told.keep,
        })))
    }
}
