//! Who carries letters out: relays over SMTP, the next where one is in trouble; or a folder.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::{Fault, Line};
use super::breaker::{Breaker, Pass};
use super::dialogue::{Connection, Parcel};
use super::folder;
use super::relay::{Relay, RelayPace, Trouble};
use crate::config::{Config, Transport};
use crate::model::{Clock, Letter, Mailbox, Outcome, Timestamp};

/// Both arms are real: the folder is how letters are looked at before anybody gets one.
#[derive(Debug)]
pub enum Courier {
    /// In the order in which they are asked.
    Smtp(Vec<Station>),
    Folder(PathBuf),
}

/// A relay, how it is doing, and the connections to it that are open and at rest.
#[derive(Debug)]
pub struct Station {
    relay: Relay,
    breaker: Breaker,
    /// Since when each is at rest.
    idle: Mutex<Vec<(Box<Connection>, Timestamp)>>,
}

impl Courier {
    /// The courier that the settings name; nothing is connected yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        match config.send.transport {
            Transport::Folder => Self::Folder(config.send.folder.clone()),
            Transport::Smtp => {
                let station = |(_, smtp)| {
                    let relay = Relay::from_settings(config, smtp);
                    Station::new(relay, config.send.connections)
                };
                Self::Smtp(config.relays().into_iter().map(station).collect())
            }
        }
    }

    /// Why nothing can leave at this moment, if so: every relay is left alone. The one that is tried
    /// again first says it.
    pub(super) fn shut(&self, now: Timestamp) -> Option<Trouble> {
        let Self::Smtp(stations) = self else {
            return None;
        };
        let shut: Option<Vec<Trouble>> = stations.iter().map(|one| one.breaker.shut(now)).collect();
        shut?.into_iter().min_by_key(|trouble| trouble.again_at)
    }

    /// The relay that is asked first at this moment, with its pace.
    pub(super) fn first(&self, now: Timestamp) -> Option<RelayPace> {
        let Self::Smtp(stations) = self else {
            return None;
        };
        let open = stations.iter().find(|one| one.breaker.shut(now).is_none());
        open.or(stations.first()).map(|one| one.relay.pace.clone())
    }

    /// Whether letters need a seat before they leave.
    pub(super) fn has_seats(&self) -> bool {
        match self {
            Self::Folder(_) => false,
            Self::Smtp(stations) => stations.iter().any(|one| one.relay.pace.connections > 0),
        }
    }

    /// Waits until there is room for one more way out.
    ///
    /// # Errors
    /// Every relay is left alone, or comes to be.
    pub(super) async fn enter(&self, now: Timestamp) -> Result<Entry<'_>, Trouble> {
        let stations = match self {
            Self::Folder(folder) => return Ok(Entry::Folder(folder)),
            Self::Smtp(stations) => stations,
        };
        loop {
            for station in stations {
                if let Ok(pass) = station.breaker.enter(now).await {
                    return Ok(Entry::Smtp { station, pass });
                }
            }
            if let Some(trouble) = self.shut(now) {
                return Err(trouble);
            }
        }
    }

    /// Says goodbye on all connections at rest.
    pub async fn close(&self) {
        if let Self::Smtp(stations) = self {
            for station in stations {
                let idle = std::mem::take(&mut *station.idle());
                for (connection, _) in idle {
                    connection.quit().await;
                }
            }
        }
    }
}

impl Station {
    fn new(relay: Relay, connections: usize) -> Self {
        Self {
            relay,
            breaker: Breaker::new(connections),
            idle: Mutex::default(),
        }
    }

    /// A connection that has not been at rest for too long, or a new one.
    async fn connect(&self, now: Timestamp) -> Result<Box<Connection>, Trouble> {
        loop {
            let rested = self.idle().pop();
            let Some((connection, since)) = rested else {
                break;
            };
            if now.since(since) < self.relay.idle && !connection.is_worn(&self.relay, now) {
                return Ok(connection);
            }
            connection.quit().await;
        }
        self.relay
            .open(now)
            .await
            .map(Box::new)
            .inspect_err(|trouble| {
                let fault = if trouble.is_lasting {
                    Fault::Lasting
                } else {
                    Fault::Connection
                };
                self.breaker.went_wrong(fault, trouble.clone(), now);
            })
    }

    fn note(&self, outcome: &Outcome, fault: Fault, now: Timestamp) {
        if fault == Fault::None {
            return self.breaker.went_well();
        }
        let trouble = Trouble::told_by(outcome, fault == Fault::Lasting);
        self.breaker.went_wrong(fault, trouble, now);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Box<Connection>, Timestamp)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to go out.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    Folder(&'a Path),
    Smtp {
        station: &'a Station,
        pass: Pass<'a>,
    },
}

/// A way out that could not be opened.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) trouble: Trouble,
    /// Nobody else has a way out who could carry the letters.
    pub(super) is_alone: bool,
    /// There is nothing to be gained by asking again at once.
    pub(super) is_final: bool,
}

impl<'a> Entry<'a> {
    /// An open connection, or the folder.
    ///
    /// # Errors
    /// The relay cannot be spoken to; no letter is to blame for that.
    pub(super) async fn open(self, now: Timestamp) -> Result<Way<'a>, Refused> {
        match self {
            Self::Folder(folder) => match folder::make_ready(folder).await {
                Ok(()) => Ok(Way::Folder(folder)),
                Err(trouble) => Err(Refused {
                    trouble,
                    is_alone: true,
                    is_final: true,
                }),
            },
            Self::Smtp { station, pass } => match station.connect(now).await {
                Ok(connection) => Ok(Way::Smtp {
                    station,
                    connection,
                    _pass: pass,
                }),
                Err(trouble) => Err(Refused {
                    trouble,
                    is_alone: station.breaker.is_alone(),
                    is_final: false,
                }),
            },
        }
    }
}

/// A way out for one letter after another. A connection is given back only by [`Way::rest`], after
/// a whole transaction: dropped at any other moment, it is closed.
#[derive(Debug)]
pub(super) enum Way<'a> {
    Folder(&'a Path),
    Smtp {
        station: &'a Station,
        connection: Box<Connection>,
        _pass: Pass<'a>,
    },
}

impl<'a> Way<'a> {
    /// Sends one letter, and returns the way if it can be used again.
    pub(super) async fn send(
        self,
        letter: &Letter,
        to: &Mailbox,
        message: Vec<u8>,
        clock: &Clock,
    ) -> (Outcome, Option<Way<'a>>) {
        match self {
            Self::Folder(folder) => {
                let outcome = folder::put_down(folder, letter, message).await;
                (outcome, Some(self))
            }
            Self::Smtp {
                station,
                mut connection,
                _pass,
            } => {
                let relay = &station.relay;
                let parcel = Parcel {
                    from: &letter.envelope_from,
                    to,
                    message,
                };
                let (mut outcome, line, fault) = connection.send(relay, parcel).await;
                outcome.sent_to = Some(to.clone());
                let now = clock.now();
                station.note(&outcome, fault, now);
                if line == Line::Dirty {
                    return (outcome, None);
                }
                if connection.is_worn(relay, now) || station.breaker.shut(now).is_some() {
                    connection.quit().await;
                    return (outcome, None);
                }
                let way = Self::Smtp {
                    station,
                    connection,
                    _pass,
                };
                (outcome, Some(way))
            }
        }
    }

    pub(super) fn rest(self, now: Timestamp) {
        if let Self::Smtp {
            station,
            connection,
            ..
        } = self
        {
            station.idle().push((connection, now));
        }
    }
}
