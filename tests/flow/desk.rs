//! What people do at their desks in a story: staff import, decide and export, a recipient opens a letter.

use std::collections::BTreeMap;
use std::sync::Arc;

use lapwing::approve::{self, Preflight};
use lapwing::compose;
use lapwing::intake;
use lapwing::model::{Clock, DecisionKind, Letter, Progress};
use lapwing::report::export;
use lapwing::resolve::{self, Lookup, Wish};
use lapwing::sheet;
use lapwing::store::{Error, SuspectRow, Totals};
use lapwing::templates::Templates;
use sqlx::{AssertSqlSafe, Connection};

use crate::world::World;

/// A row of a CSV file by the names of its columns.
pub(crate) type Row = BTreeMap<String, String>;

impl World {
    /// Imports a feed under a name of its own.
    pub(crate) async fn import(&self, name: &str, feed: &str) -> Result<intake::Done, Error> {
        self.import_until(name, feed, &Progress::default()).await
    }

    /// Imports a feed until `progress` is stopped.
    pub(crate) async fn import_until(
        &self,
        name: &str,
        feed: &str,
        progress: &Progress,
    ) -> Result<intake::Done, Error> {
        let campaign = self.campaign().await;
        let rows = intake::read(text(feed), name, &self.reading()).unwrap();
        let (store, now) = (&self.store, self.now);
        intake::run_once(store, &campaign, name, rows, "author", now, progress).await
    }

    /// Loads a table of overrides: `subject,mailbox[,language,reason,owner,until]`.
    pub(crate) async fn overrides(&self, csv: &str) -> Vec<i64> {
        let mut ids = Vec::new();
        for row in resolve::read_overrides(text(csv), "overrides.csv", None, &[]).unwrap() {
            let resolve::OverrideRow::Override { entry, .. } = row else {
                panic!("{row:?}");
            };
            let whole = entry.entered("", self.now);
            ids.push(self.store.add_override(&whole).await.unwrap());
        }
        ids
    }

    /// Loads the roll of those who sign.
    pub(crate) async fn roll(&self, csv: &str) {
        let rows = compose::read_roll(text(csv), "roll.csv", None, &[]).unwrap();
        let roll: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
        self.store
            .put_signatories(&roll, "author", self.now)
            .await
            .unwrap();
    }

    /// Puts a template before the shipped ones.
    pub(crate) fn template(&self, name: &str, text: &str) {
        let path = self.templates.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Resolves until `progress` is stopped.
    pub(crate) async fn resolve_with(&self, progress: &Arc<Progress>) -> resolve::Done {
        let campaign = self.campaign().await;
        let templates = Templates::load(&self.templates).unwrap();
        let clock = self.clock();
        let work = self.resolving(&templates, &clock);
        resolve::run_once(&work, &campaign, progress).await.unwrap()
    }

    pub(crate) async fn resolve_campaign(&self, name: &str) -> resolve::Done {
        let campaign = self.store.campaign(name).await.unwrap();
        let templates = Templates::load(&self.templates).unwrap();
        let clock = self.clock();
        let work = self.resolving(&templates, &clock);
        resolve::run_once(&work, &campaign, &Arc::default())
            .await
            .unwrap()
    }

    fn resolving<'a>(&'a self, templates: &'a Templates, clock: &'a Clock) -> resolve::Work<'a> {
        resolve::Work {
            store: &self.store,
            templates,
            settings: &self.config.resolve,
            allow_documentation: true,
            by: "author",
            worker: "worker",
            clock,
            wants_exchangers: self.config.knows_by_mx(),
        }
    }

    pub(crate) async fn lookup(&self, subject: &str) -> Vec<Lookup> {
        let templates = Templates::load(&self.templates).unwrap();
        let clock = self.clock();
        let work = self.resolving(&templates, &clock);
        let subject = subject.parse().unwrap();
        resolve::lookup(&work, subject, &Wish::default(), &Progress::default())
            .await
            .unwrap()
    }

    pub(crate) async fn totals(&self) -> Totals {
        let campaign = self.campaign().await;
        self.store.totals(campaign.id).await.unwrap()
    }

    /// The counts, after seeing that every row and every suspect is in exactly one place.
    pub(crate) async fn sums(&self) -> Totals {
        let totals = self.totals().await;
        let rows = totals.import;
        assert_eq!(rows.rows, rows.fresh + rows.repeated + rows.refused);
        let placed: i64 = totals.suspects.iter().map(|tally| tally.count).sum();
        assert_eq!(placed, rows.fresh - totals.cut + totals.pieces);
        totals
    }

    /// Where each suspect is: `192.0.2.1 abuse@isp.example`, or with its verdict; in the order of
    /// the addresses.
    pub(crate) async fn places(&self) -> Vec<String> {
        self.places_in(self.campaign().await.id).await
    }

    pub(crate) async fn places_in(&self, campaign: i64) -> Vec<String> {
        let mut placed: Vec<(SuspectRow, String)> = Vec::new();
        for mailbox in self.store.mailboxes(campaign, "", 10_000).await.unwrap() {
            let rows = self
                .store
                .evidence(campaign, mailbox.as_str(), None, 100_000)
                .await;
            placed.extend(
                rows.unwrap()
                    .into_iter()
                    .map(|row| (row, mailbox.to_string())),
            );
        }
        let open = self.store.unplaced(campaign, 0, 100_000).await.unwrap();
        placed.extend(open.into_iter().map(|(row, verdict, _)| (row, verdict)));
        placed.sort_by_key(|(row, place)| (row.range, row.seen_at, place.clone()));
        placed
            .iter()
            .map(|(row, place)| format!("{} {place}", row.range))
            .collect()
    }

    pub(crate) async fn refused_rows(&self) -> Vec<Row> {
        let (campaign, mut out) = (self.campaign().await, Vec::new());
        let count = export::refused(
            &self.store,
            campaign.id,
            export::Sheet::new(&mut out, false),
        )
        .await
        .unwrap();
        let rows = rows_of(&out);
        assert_eq!(rows.len() as i64, count);
        rows
    }

    pub(crate) async fn unplaced_rows(&self) -> Vec<Row> {
        let (campaign, mut out) = (self.campaign().await, Vec::new());
        let count = export::unplaced(
            &self.store,
            campaign.id,
            export::Sheet::new(&mut out, false),
        )
        .await
        .unwrap();
        let rows = rows_of(&out);
        assert_eq!(rows.len() as i64, count);
        rows
    }

    /// All letters, opened.
    pub(crate) async fn opened(&self) -> Vec<Letter> {
        let campaign = self.campaign().await;
        self.store.letters(campaign.id, 0, 10_000).await.unwrap()
    }

    /// The one letter to a mailbox, opened.
    pub(crate) async fn letter_to(&self, mailbox: &str) -> Letter {
        let letters = self.opened().await;
        let mut to: Vec<Letter> = letters
            .into_iter()
            .filter(|letter| letter.recipient.as_str() == mailbox)
            .collect();
        assert_eq!(to.len(), 1, "letters to {mailbox}");
        to.remove(0)
    }

    pub(crate) async fn submit_as(&self, who: &str) -> Result<Preflight, Error> {
        let campaign = self.campaign().await;
        let (review, progress) = (&self.review, Progress::default());
        approve::submit(&self.store, &campaign, who, review, self.now, &progress).await
    }

    pub(crate) async fn approve_as(&self, who: &str) -> Result<Preflight, Error> {
        let campaign = self.campaign().await;
        let (review, progress) = (&self.review, Progress::default());
        approve::approve(&self.store, &campaign, who, "", review, self.now, &progress).await
    }

    pub(crate) async fn decide(&self, kind: DecisionKind, who: &str, why: &str) {
        let campaign = self.campaign().await;
        approve::decide(&self.store, &campaign, kind, who, "", why, self.now)
            .await
            .unwrap();
    }

    pub(crate) async fn state(&self) -> &'static str {
        self.campaign().await.state.as_str()
    }

    /// The campaign's history in words, the oldest first.
    pub(crate) async fn history(&self) -> Vec<String> {
        let campaign = self.campaign().await;
        let decisions = self.store.decisions(campaign.id).await.unwrap();
        decisions
            .iter()
            .map(|one| {
                let said = format!("{} by {}: {}", one.kind.as_str(), one.by, one.reason);
                said.trim_end_matches(": ").to_owned()
            })
            .collect()
    }

    /// What somebody does to the database past the program; returns how many rows it touched.
    pub(crate) async fn behind_our_back(&self, sql: &str) -> u64 {
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await;
        connection.close().await.unwrap();
        done.unwrap().rows_affected()
    }
}

/// The rows of a CSV file as a machine at the other end reads them.
pub(crate) fn rows_of(csv: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(csv);
    reader.deserialize().map(Result::unwrap).collect()
}

/// The rows of all CSV files of a letter.
pub(crate) fn attached(letter: &Letter) -> Vec<Row> {
    letter
        .attachments
        .iter()
        .filter(|attachment| attachment.media_type.starts_with("text/csv"))
        .flat_map(|attachment| rows_of(&attachment.content))
        .collect()
}

/// One column of many rows.
pub(crate) fn column<'r>(rows: &'r [Row], name: &str) -> Vec<&'r str> {
    rows.iter().map(|row| row[name].as_str()).collect()
}

pub(crate) fn text(text: &str) -> sheet::Text {
    sheet::unwrap(std::io::Cursor::new(text.to_owned().into_bytes())).unwrap()
}
