//! What is counted, as Prometheus reads it; no label takes a word from outside.

use std::collections::BTreeMap;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::config::Config;
use crate::metrics;
use crate::model::{CampaignState, Class, OutcomeKind, RunState, Timestamp};
use crate::store::{Overview, RegistryLine, Tally};

pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry that stands for all hosts that are not named in the settings.
const OTHER: &str = "other";

type Label = [(&'static str, String); 1];

/// Questions a day that each registry of the settings may be asked; 0: no end.
#[derive(Debug)]
pub(super) struct Limits(BTreeMap<String, u32>);

impl Limits {
    pub(super) fn from_config(config: &Config) -> Self {
        let registries = config.resolve.registry.iter();
        Self(
            registries
                .map(|(name, registry)| (name.clone(), registry.a_day))
                .collect(),
        )
    }

    /// Under which label a line of the database counts. What stands behind a slash is a registry's gate,
    /// which is closed by itself.
    fn name<'a>(&'a self, line: &'a RegistryLine) -> &'a str {
        let name = line.name.split('/').next().unwrap_or_default();
        match self.0.contains_key(name) {
            true => name,
            false => OTHER,
        }
    }
}

/// The whole page; without a `overview` the database did not answer.
pub(super) fn text(
    overview: Option<&Overview>,
    limits: &Limits,
    started_at: Timestamp,
    now: Timestamp,
) -> String {
    let mut registry = Registry::default();
    metrics::register(&mut registry);
    let mut page = Page(&mut registry);
    page.gauge(
        "process_start_time_seconds",
        "When this process began",
        started_at.0 / 1000,
    );
    page.gauges(
        "lapwing_build_info",
        "Which version this process is",
        "version",
        [(env!("CARGO_PKG_VERSION").to_owned(), 1)],
    );
    page.gauge(
        "lapwing_database_up",
        "Whether the database answered; without it what is counted there is missing",
        i64::from(overview.is_some()),
    );
    if let Some(overview) = overview {
        page.overview(overview, now);
        page.registries(overview, limits);
    }
    let mut text = String::new();
    // Into a string nothing can fail.
    let _ = encode(&mut text, &registry);
    text
}

struct Page<'a>(&'a mut Registry);

impl Page<'_> {
    fn overview(&mut self, overview: &Overview, now: Timestamp) {
        self.gauges(
            "lapwing_queue_letters",
            "Letters that have not come to their end, by state",
            "state",
            all(["ready", "scheduled", "leased"], &overview.queue),
        );
        let waited = overview.oldest_due.map_or(0, |due| now.since(due).0 / 1000);
        self.gauge(
            "lapwing_queue_oldest_due_seconds",
            "For how long the letter has been due that has waited longest, of campaigns that are being sent",
            waited,
        );
        self.counters(
            "lapwing_attempts",
            "Attempts to hand a letter over, by what came of them, since the database was made",
            "outcome",
            all(
                OutcomeKind::ALL.map(OutcomeKind::as_str),
                &overview.attempts,
            ),
        );
        self.counters(
            "lapwing_incoming",
            "Messages that came back, by what they are, since the database was made",
            "class",
            all(Class::ALL.map(Class::as_str), &overview.incoming),
        );
        self.gauge(
            "lapwing_incoming_unread",
            "Messages that came back and have not been read",
            overview.unread,
        );
        self.gauge(
            "lapwing_replies_open",
            "Answers that wait for staff",
            overview.open_replies,
        );
        self.gauges(
            "lapwing_campaigns",
            "Campaigns, by state",
            "state",
            all(
                CampaignState::ALL.map(CampaignState::as_str),
                &overview.campaigns,
            ),
        );
        self.gauges(
            "lapwing_runs",
            "Runs of schedules, by state",
            "state",
            all(RunState::ALL.map(RunState::as_str), &overview.runs),
        );
        self.gauge(
            "lapwing_last_run_time_seconds",
            "When the last run of a schedule began; 0: there was none",
            overview.last_run.map_or(0, |began| began.0 / 1000),
        );
        self.gauge(
            "lapwing_workers",
            "Services that say that they live",
            overview.workers,
        );
    }

    fn registries(&mut self, overview: &Overview, limits: &Limits) {
        let mut asked: BTreeMap<&str, i64> =
            limits.0.keys().map(|name| (name.as_str(), 0)).collect();
        let mut closed = asked.clone();
        for line in &overview.registries {
            let name = limits.name(line);
            *asked.entry(name).or_default() += line.asked_today;
            *closed.entry(name).or_default() |= i64::from(line.closed_until.is_some());
        }
        let owned = |counts: BTreeMap<&str, i64>| {
            let counts = counts.into_iter();
            counts
                .map(|(name, n)| (name.to_owned(), n))
                .collect::<Vec<_>>()
        };
        self.gauges(
            "lapwing_registry_asked_today",
            "Questions put to each registry today (UTC)",
            "registry",
            owned(asked),
        );
        let limits = limits.0.iter();
        self.gauges(
            "lapwing_registry_daily_limit",
            "Questions that may be put to each registry a day; 0: no end",
            "registry",
            limits.map(|(name, limit)| (name.clone(), i64::from(*limit))),
        );
        self.gauges(
            "lapwing_registry_closed",
            "1: a registry, or one of its services, is closed to us for now",
            "registry",
            owned(closed),
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, i64)>,
    ) {
        let family = Family::<Label, Gauge>::default();
        for (word, value) in values {
            family.get_or_create(&[(label, word)]).set(value);
        }
        self.0.register(name, help, family);
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, i64)>,
    ) {
        let family = Family::<Label, Counter>::default();
        for (word, value) in values {
            let counter = family.get_or_create(&[(label, word)]);
            counter.inc_by(u64::try_from(value).unwrap_or_default());
        }
        self.0.register(name, help, family);
    }
}

/// All that there can be, those of which there are none among them: an alarm must not take what is not
/// there for good.
fn all<const N: usize>(words: [&str; N], tallies: &[Tally]) -> [(String, i64); N] {
    words.map(|word| {
        let tally = tallies.iter().find(|tally| tally.name == word);
        (word.to_owned(), tally.map_or(0, |tally| tally.count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn line(name: &str, asked_today: i64, closed_until: Option<Timestamp>) -> RegistryLine {
        RegistryLine {
            name: name.to_owned(),
            asked_today,
            closed_until,
            closed_why: String::new(),
            faults: 0,
        }
    }

    #[test]
    fn hosts_that_nobody_named_are_one_label() {
        let overview = Overview {
            registries: vec![
                line("arin", 3, None),
                line("ripe/whois", 0, Some(Timestamp(1))),
                line("whois.one.example", 4, None),
                line("whois.two.example\"\n", 5, None),
            ],
            oldest_due: Some(Timestamp(60_000)),
            ..Overview::default()
        };
        let limits = Limits::from_config(&config::shipped().unwrap());
        let text = text(
            Some(&overview),
            &limits,
            Timestamp(7_000),
            Timestamp(90_000),
        );
        for shown in [
            "process_start_time_seconds 7",
            "lapwing_database_up 1",
            "lapwing_queue_letters{state=\"ready\"} 0",
            "lapwing_queue_oldest_due_seconds 30",
            "lapwing_attempts_total{outcome=\"accepted\"} 0",
            "lapwing_incoming_total{class=\"bounce-hard\"} 0",
            "lapwing_runs{state=\"failed\"} 0",
            "lapwing_last_run_time_seconds 0",
            "lapwing_registry_asked_today{registry=\"arin\"} 3",
            "lapwing_registry_asked_today{registry=\"other\"} 9",
            "lapwing_registry_daily_limit{registry=\"ripe\"} 900",
            "lapwing_registry_closed{registry=\"ripe\"} 1",
            "lapwing_registry_closed{registry=\"arin\"} 0",
        ] {
            assert!(text.lines().any(|line| line == shown), "{shown}\n{text}");
        }
        assert!(!text.contains("example"), "{text}");
    }

    #[test]
    fn without_the_database_the_process_still_tells_of_itself() {
        let limits = Limits::from_config(&config::shipped().unwrap());
        let text = text(None, &limits, Timestamp(7_000), Timestamp(9_000));
        assert!(text.contains("lapwing_database_up 0\n"), "{text}");
        assert!(!text.contains("lapwing_queue"), "{text}");
    }
}
