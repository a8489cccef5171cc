//! The rows of one notice, read page by page: once to find its parts, and once more to write them
//! where they do not fit into memory.

use std::collections::VecDeque;

use super::attach::Messages;
use super::hosts::{self, hosts};
use super::parts::{Cutter, Limits};
use super::redact::Redactor;
use crate::model::{Format, Mailbox};
use crate::store::{Error, Store, SuspectRow};

/// Rows read at a time, at most.
const PAGE: usize = 5_000;

pub(super) struct Rows<'a> {
    store: &'a Store,
    campaign: i64,
    mailbox: &'a Mailbox,
    page: usize,
    after: Option<SuspectRow>,
    ahead: VecDeque<SuspectRow>,
    is_end: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn of(
        store: &'a Store,
        campaign: i64,
        mailbox: &'a Mailbox,
        limits: Limits,
    ) -> Self {
        Self {
            store,
            campaign,
            mailbox,
            page: limits.rows.clamp(1, PAGE),
            after: None,
            ahead: VecDeque::new(),
            is_end: false,
        }
    }

    /// How many rows each part has; afterwards the rows are read from the first again.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn parts(
        &mut self,
        format: Format,
        limits: Limits,
    ) -> Result<Vec<usize>, Error> {
        let mut cutter = Cutter::new(format, limits);
        self.read_page().await?;
        let fits = self.is_end;
        loop {
            for row in &self.ahead {
                cutter.add(row);
            }
            if self.is_end {
                break;
            }
            self.ahead.clear();
            self.read_page().await?;
        }
        if !fits {
            self.after = None;
            self.ahead.clear();
            self.is_end = false;
        }
        Ok(cutter.parts())
    }

    /// The next `count` rows, in the order in which letters tell of them.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn take(&mut self, count: usize) -> Result<Vec<SuspectRow>, Error> {
        while self.ahead.len() < count && !self.is_end {
            self.read_page().await?;
        }
        let mut rows: Vec<SuspectRow> = self.ahead.drain(..count.min(self.ahead.len())).collect();
        hosts::order(&mut rows);
        Ok(rows)
    }

    async fn read_page(&mut self) -> Result<(), Error> {
        let (mailbox, limit) = (self.mailbox.as_str(), self.page as i64);
        let page = self
            .store
            .evidence(self.campaign, mailbox, self.after.as_ref(), limit)
            .await?;
        self.is_end = page.len() < self.page;
        self.after = page.last().cloned().or(self.after.take());
        self.ahead.extend(page);
        Ok(())
    }
}

/// The key's name in the store.
const KEY: &str = "redaction";

/// The messages that a letter about these rows shows: of each address the latest, redacted.
///
/// # Errors
/// The database's.
pub(super) async fn messages(
    store: &Store,
    rows: &[SuspectRow],
    redactor: &mut Option<Redactor>,
    dry_run: bool,
) -> Result<Messages, Error> {
    let mut messages = Messages::new();
    for row in hosts(rows).filter_map(|host| host.sampled()) {
        let Some(key) = row.sample else { continue };
        let redactor = match redactor {
            Some(made) => made,
            None => redactor.insert(Redactor::new(match dry_run {
                // Nobody keeps these letters, and nothing may be written down for them.
                true => store.known_secret(KEY).await?.unwrap_or_default(),
                false => store.secret(KEY).await?,
            })),
        };
        let message = store.sample(key).await?;
        messages.insert(row.id, redactor.redact(&message));
    }
    Ok(messages)
}
