//! Whether all is ready for a live campaign, looked at before one begins: nothing is written, no mail is sent.
//!
//! What is found is data, finding by finding: in order, unknown, doubtful, or to be mended, with the
//! remedy. DKIM signatures are the relay's to make; whether the keys for them are published, and what
//! else a recipient's mail server looks up about us, is asked of the DNS as that server asks it.

mod domain;
mod machine;
mod names;
mod readiness;
mod registries;
mod relay;
mod spf;

use std::time::Instant;

use serde::Serialize;

use crate::config::{Config, SourceName};
use crate::model::{Timestamp, plain_text};
use names::Names;

/// The longest word from outside that is shown, in characters.
const LONGEST: usize = 400;

/// What a finding is about, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    Settings,
    Key,
    Letters,
    /// What the DNS says of our mail domain.
    Domain,
    Relay,
    Disk,
    Clock,
    Registries,
}

/// How a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    Ok,
    /// Nobody answered, so nobody knows.
    Unknown,
    /// Doubtful, for people to weigh.
    Warn,
    /// Letters would not leave, not arrive or not be believed.
    Mend,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub area: Area,
    /// What was looked at, for programs: `spf`, `ptr`, `store` …
    pub check: &'static str,
    pub grade: Grade,
    pub said: String,
    /// What to do; empty where nothing is to be done.
    pub remedy: String,
}

/// All that was found, area by area.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub mend: usize,
    pub warn: usize,
    pub unknown: usize,
    pub findings: Vec<Finding>,
}

impl Report {
    fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|one| one.area);
        let count = |grade| findings.iter().filter(|one| one.grade == grade).count();
        Self {
            mend: count(Grade::Mend),
            warn: count(Grade::Warn),
            unknown: count(Grade::Unknown),
            findings,
        }
    }
}

impl Area {
    pub const ALL: [Self; 8] = [
        Self::Settings,
        Self::Key,
        Self::Letters,
        Self::Domain,
        Self::Relay,
        Self::Disk,
        Self::Clock,
        Self::Registries,
    ];

    /// What is looked at where nobody says what: all, and the registries where resolving asks them.
    #[must_use]
    pub fn usual(config: &Config) -> Vec<Self> {
        let sources = &config.resolve.sources;
        let asks = sources.contains(&SourceName::Rdap) || sources.contains(&SourceName::Whois);
        let areas = Self::ALL.into_iter();
        areas
            .filter(|area| asks || *area != Self::Registries)
            .collect()
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Key => "key",
            Self::Letters => "letters",
            Self::Domain => "domain",
            Self::Relay => "relay",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Registries => "registries",
        }
    }

    fn ok(self, check: &'static str, said: impl AsRef<str>) -> Finding {
        self.found(check, Grade::Ok, said.as_ref(), "")
    }

    fn unknown(self, check: &'static str, said: impl AsRef<str>) -> Finding {
        let remedy = "ask again, or name another resolver by doctor.resolver";
        self.found(check, Grade::Unknown, said.as_ref(), remedy)
    }

    /// Somebody else than the DNS does not answer, and is complained of elsewhere.
    fn found_nobody(self, check: &'static str, said: impl AsRef<str>) -> Finding {
        self.found(check, Grade::Unknown, said.as_ref(), "")
    }

    fn warn(self, check: &'static str, said: impl AsRef<str>, remedy: impl AsRef<str>) -> Finding {
        self.found(check, Grade::Warn, said.as_ref(), remedy.as_ref())
    }

    fn mend(self, check: &'static str, said: impl AsRef<str>, remedy: impl AsRef<str>) -> Finding {
        self.found(check, Grade::Mend, said.as_ref(), remedy.as_ref())
    }

    /// Records and replies come from outside: they are shown on one line, and not without end.
    fn found(self, check: &'static str, grade: Grade, said: &str, remedy: &str) -> Finding {
        Finding {
            area: self,
            check,
            grade,
            said: plain_text(said, LONGEST),
            remedy: plain_text(remedy, LONGEST),
        }
    }
}

/// Looks at these areas, all at once: settings, key, letters, disk and clock here, domain, relay and
/// registries outside.
pub async fn examine(config: &Config, now: Timestamp, areas: &[Area]) -> Report {
    let began = Instant::now();
    let clock = async {
        match areas.contains(&Area::Clock) {
            true => Some(machine::clock(config, now, began).await),
            false => None,
        }
    };
    let registries = async {
        match areas.contains(&Area::Registries) {
            true => registries::look(config).await,
            false => Vec::new(),
        }
    };
    let (mut findings, clock, outside, registries) = tokio::join!(
        readiness::look(config, now, areas),
        clock,
        outside(config, areas),
        registries,
    );
    findings.extend(outside.into_iter().chain(clock).chain(registries));
    if areas.contains(&Area::Disk) {
        findings.extend(machine::disks(config));
    }
    findings.retain(|one| areas.contains(&one.area));
    Report::of(findings)
}

async fn outside(config: &Config, areas: &[Area]) -> Vec<Finding> {
    if !areas.contains(&Area::Domain) && !areas.contains(&Area::Relay) {
        return Vec::new();
    }
    let names = match Names::new(&config.doctor) {
        Ok(names) => names,
        Err(problem) => {
            let mut findings = vec![Area::Domain.mend("resolver", problem, "")];
            findings.extend(relay::knock(config).await);
            return findings;
        }
    };
    let (mut findings, addresses) = relay::addresses(&names, config).await;
    let (domain, pointers, knocked) = tokio::join!(
        domain::look(&names, config, &addresses),
        relay::pointers(&names, &addresses),
        relay::knock(config),
    );
    findings.extend(domain.into_iter().chain(pointers).chain(knocked));
    findings
}
