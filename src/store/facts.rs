//! What connections write down: each attempt as begun before SMTP talks, and as finished after.

use sqlx::Any;
use sqlx::pool::PoolConnection;
use tokio::sync::Mutex;

use super::said::Said;
use super::{Connection, Error, Store};
use crate::model::{DeliveryState, Outcome, Timestamp};

/// What a connection has to write down before it goes on.
#[derive(Clone, Debug)]
pub enum Fact {
    /// SMTP is about to talk.
    Begin {
        delivery: i64,
        /// The one that the delivery was claimed for: what another has begun meanwhile goes before.
        number: i64,
        worker: String,
        at: Timestamp,
        /// The lease runs anew from here; `None` where it has long to run.
        lease_until: Option<Timestamp>,
    },
    /// It has talked.
    Finish(Finish),
}

impl Fact {
    #[must_use]
    pub fn finish(&self) -> Option<&Finish> {
        match self {
            Self::Finish(finish) => Some(finish),
            Self::Begin { .. } => None,
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    pub delivery: i64,
    pub number: i64,
    pub worker: String,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub state: DeliveryState,
    pub due_at: Option<Timestamp>,
}

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The attempt may begin.
    Begun,
    Recorded,
    /// The lease is lost, or the campaign is paused or cancelled: do not send.
    NotOurs,
}

/// Writes facts by one connection that it keeps in hand: whenever one is taken from the pool or given back,
/// the pool asks whether it still answers, which takes as long as a fact or two.
#[derive(Debug)]
pub struct Pen {
    store: Store,
    held: Mutex<Option<PoolConnection<Any>>>,
}

impl Pen {
    #[must_use]
    pub fn of(store: Store) -> Self {
        let held = Mutex::default();
        Self { store, held }
    }

    /// As [`Store::record`]; the connection is kept until [`Pen::rest`].
    ///
    /// # Errors
    /// As [`Store::record`].
    pub async fn record(&self, facts: &[Fact]) -> Result<Vec<Granted>, Error> {
        let mut held = self.held.lock().await;
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => self.store.write.acquire().await?,
        };
        let granted = self.store.record_on(&mut connection, facts).await?;
        *held = Some(connection);
        Ok(granted)
    }

    /// Lets others write who wait for the connection.
    pub async fn rest(&self) {
        *self.held.lock().await = None;
    }
}

impl Store {
    /// Writes down what several connections have to say, in one transaction: one commit serves
    /// them all, and each goes on only when it is through. No two may speak of one delivery.
    ///
    /// # Errors
    /// The database's; then none is written down.
    pub async fn record(&self, facts: &[Fact]) -> Result<Vec<Granted>, Error> {
        let mut connection = self.write.acquire().await?;
        self.record_on(&mut connection, facts).await
    }

    async fn record_on(
        &self,
        connection: &mut Connection,
        facts: &[Fact],
    ) -> Result<Vec<Granted>, Error> {
        let said = Said::of(facts);
        if said.record_all(self.engine, connection).await? {
            let granted = |fact: &Fact| match fact {
                Fact::Finish(_) => Granted::Recorded,
                Fact::Begin { .. } => Granted::Begun,
            };
            return Ok(facts.iter().map(granted).collect());
        }
        let (finished, begun) = said.record_each(self.engine, connection).await?;
        let granted = |fact: &Fact| match fact {
            Fact::Finish(finish) if finished.contains(&finish.delivery) => Granted::Recorded,
            Fact::Begin { delivery, .. } if begun.contains(delivery) => Granted::Begun,
            _ => Granted::NotOurs,
        };
        Ok(facts.iter().map(granted).collect())
    }
}
