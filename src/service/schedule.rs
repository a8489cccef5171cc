//! The scheduler as a service: each schedule by itself, so that a long run keeps no other from its time.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::Event;
use crate::model::{Span, Timestamp};
use crate::retry::rest;
use crate::scheduler::{self, Mailed, Ran, Which, Work, headline};
use crate::store;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(5);

/// When a sheet that could not be mailed is tried again.
const MAIL_AGAIN: Span = Span(5 * 60_000);

/// Runs what falls due; any number of them share one database.
pub struct Scheduler<'a> {
    pub work: Work<'a>,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Scheduler<'_> {
    /// Until the progress is stopped. What waiting heals is waited for, and all the rest is told.
    pub async fn run(&self) {
        (self.tell)(Event::Scheduling {
            worker: self.work.worker.to_owned(),
        });
        let mut busy: HashSet<String> = HashSet::new();
        let mut running = FuturesUnordered::new();
        let mut trouble = String::new();
        let mut mail_at = Timestamp(i64::MIN);
        loop {
            if !self.work.progress.is_stopped() {
                match self.work.store.schedules().await {
                    Ok(schedules) => {
                        for one in schedules {
                            if busy.insert(one.name.clone()) {
                                running.push(self.look_at(one.name));
                            }
                        }
                    }
                    Err(error) => self.trouble(&mut trouble, &error),
                }
            }
            if self.work.progress.is_stopped() {
                // Each ends after the step in hand, and is gone on with by whoever comes next.
                while let Some((_, ran)) = running.next().await {
                    ran.iter().flatten().for_each(|one| self.tell_of(one));
                }
                return;
            }
            let looking_again = rest(self.work.progress, LOOK);
            tokio::pin!(looking_again);
            loop {
                tokio::select! {
                    Some((name, ran)) = running.next(), if !running.is_empty() => {
                        busy.remove(&name);
                        match ran {
                            Ok(ran) => {
                                if !ran.is_empty() {
                                    mail_at = Timestamp(i64::MIN);
                                }
                                trouble.clear();
                                ran.iter().for_each(|one| self.tell_of(one));
                            }
                            // It was removed meanwhile.
                            Err(store::Error::NotFound { .. }) => {}
                            Err(error) => self.trouble(&mut trouble, &error),
                        }
                    }
                    () = &mut looking_again => break,
                }
            }
            let now = self.work.clock.now();
            if now >= mail_at && !self.work.progress.is_stopped() {
                mail_at = now.plus(MAIL_AGAIN);
                self.mail(&mut trouble).await;
            }
        }
    }

    async fn look_at(&self, name: String) -> (String, Result<Vec<Ran>, store::Error>) {
        let which = Which {
            schedule: Some(&name),
            at_once: false,
        };
        let ran = scheduler::run_once(&self.work, which, self.work.clock.now()).await;
        (name, ran)
    }

    async fn mail(&self, trouble: &mut String) {
        match scheduler::mail_sheets(&self.work).await {
            Ok(mailed) => {
                for Mailed { schedule, told, .. } in mailed {
                    (self.tell)(Event::Sheet { schedule, told });
                }
            }
            Err(error) => self.trouble(trouble, &error),
        }
    }

    fn tell_of(&self, ran: &Ran) {
        (self.tell)(Event::Ran {
            schedule: ran.schedule.clone(),
            due_at: ran.run.due_at,
            state: ran.run.state,
            campaign: ran.campaign.clone(),
            told: headline(ran),
        });
    }

    /// Told once, however often it is met.
    fn trouble(&self, before: &mut String, error: &store::Error) {
        let told = error.to_string();
        if *before != told {
            (self.tell)(Event::Trouble { told: told.clone() });
            *before = told;
        }
    }
}
