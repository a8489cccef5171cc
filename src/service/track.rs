//! The tracking stage as a service: mail is let in, and what has come is read and acted on.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Event, LONGEST, LOOK, SHORTEST};
use crate::config::Imap;
use crate::model::Clock;
use crate::retry::{Pauses, rest};
use crate::track::{self, Counts, imap, lmtp};

/// How often it is said what came in.
const TELLS: Duration = Duration::from_secs(10);

/// Where the server does not say that something came, or it came unseen.
const LOOK_INTO_MAILBOX: Duration = Duration::from_secs(5 * 60);

/// What lets mail in and makes of it what it means for our letters.
pub struct Tracker<'a> {
    pub desk: track::Work<'a>,
    pub door: &'a lmtp::Settings,
    /// Fetched from as well, where one is named.
    pub imap: &'a Imap,
    pub clock: &'a Clock,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Tracker<'_> {
    /// Listens where there is a listener, until the progress is stopped.
    pub async fn run(&self, listener: Option<TcpListener>) {
        let counts = watch::Sender::new(Counts::default());
        let work = lmtp::Work {
            store: self.desk.store,
            settings: self.door,
            clock: self.clock,
            progress: self.desk.progress,
            counts: &counts,
        };
        let address = listener.as_ref().and_then(|one| one.local_addr().ok());
        (self.tell)(Event::Listening {
            lmtp: address.map(|address| address.to_string()),
        });
        let letting_in = async {
            if let Some(listener) = listener {
                lmtp::serve(listener, work).await;
            }
        };
        let fetching = async {
            if !self.imap.host.is_empty() {
                self.fetch(&counts).await;
            }
        };
        let ((), (), (), mut told) =
            tokio::join!(letting_in, fetching, self.read(), self.tell_of(&counts));
        // What was under way when the others had ended.
        self.tell_what_is_new(&mut told, &counts);
    }

    async fn fetch(&self, counts: &watch::Sender<Counts>) {
        (self.tell)(Event::Fetching {
            imap: format!("{}@{}", self.imap.username, self.imap.host),
        });
        let work = imap::Work {
            store: self.desk.store,
            settings: self.imap,
            look_every: LOOK_INTO_MAILBOX,
            after_trouble: 5 * SHORTEST,
            clock: self.clock,
            progress: self.desk.progress,
            counts,
        };
        imap::watch(work).await;
    }

    /// Whatever lies in the store unread, by whichever way it came.
    async fn read(&self) {
        let mut pauses = Pauses::growing(SHORTEST, LONGEST);
        let mut trouble = String::new();
        while !self.desk.progress.is_stopped() {
            let pause = match track::run_once(&self.desk, self.clock.now()).await {
                Ok(done) => {
                    if done.read > 0 {
                        (self.tell)(Event::Read(done));
                    }
                    pauses.reset();
                    trouble.clear();
                    LOOK
                }
                // Whatever it is, nothing is lost by waiting: the messages stay unread.
                Err(error) => {
                    let told = error.to_string();
                    if trouble != told {
                        (self.tell)(Event::Trouble { told: told.clone() });
                        trouble = told;
                    }
                    pauses.take()
                }
            };
            rest(self.desk.progress, pause).await;
        }
    }

    async fn tell_of(&self, counts: &watch::Sender<Counts>) -> Counts {
        let mut told = Counts::default();
        while !self.desk.progress.is_stopped() {
            self.tell_what_is_new(&mut told, counts);
            rest(self.desk.progress, TELLS).await;
        }
        told
    }

    fn tell_what_is_new(&self, told: &mut Counts, counts: &watch::Sender<Counts>) {
        let counts = counts.borrow().clone();
        let new = counts.since(told);
        if new != Counts::default() {
            (self.tell)(Event::Received(new));
        }
        *told = counts;
    }
}
