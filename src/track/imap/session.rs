//! One session with a mailbox: what is new is kept, then put away, then waited for.

use async_imap::types::UnsolicitedResponse;
use futures_util::TryStreamExt as _;

use super::{Error, Stream, Stubborn, Work, in_time};
use crate::model::{Arrived, KEPT, WayIn};
use crate::retry::rest;
use crate::track::mailbox::told;

pub(super) struct Session<'a, S: Stream> {
    imap: async_imap::Session<S>,
    work: Work<'a>,
    /// Under which name it is remembered how far the mailbox is read.
    name: String,
    validity: u32,
    can: Can,
}

/// What the server offers beyond RFC 3501.
#[derive(Clone, Copy)]
struct Can {
    idle: bool,
    r#move: bool,
    uid_expunge: bool,
}

impl<'a, S: Stream> Session<'a, S> {
    /// Opens the folder.
    pub(super) async fn open(
        mut imap: async_imap::Session<S>,
        work: Work<'a>,
    ) -> Result<Self, Error> {
        let settings = work.settings;
        let offers = in_time(async { Ok(imap.capabilities().await?) }).await?;
        let can = Can {
            idle: offers.has_str("IDLE"),
            r#move: offers.has_str("MOVE"),
            uid_expunge: offers.has_str("UIDPLUS"),
        };
        if !settings.done_folder.is_empty() {
            // It is there already, mostly.
            let _ = in_time(async { Ok(imap.create(&settings.done_folder).await?) }).await;
        }
        let folder = in_time(async { Ok(imap.select(&settings.folder).await?) }).await?;
        let validity = folder.uid_validity.ok_or_else(|| {
            Error::Told("the server gives no lasting numbers (UIDVALIDITY)".to_owned())
        })?;
        let name = format!(
            "{}@{}:{}/{}",
            settings.username, settings.host, settings.port, settings.folder
        );
        Ok(Self {
            imap,
            work,
            name,
            validity,
            can,
        })
    }

    /// Looks and waits in turn; comes back when it is asked to stop.
    pub(super) async fn run(mut self, stubborn: &mut Stubborn) -> Result<(), Error> {
        while !self.work.progress.is_stopped() {
            self.look(stubborn).await?;
            self.work.counts.send_modify(|counts| counts.looks += 1);
            if self.work.progress.is_stopped() {
                break;
            }
            if !self.has_grown() {
                self = self.wait().await?;
            }
        }
        // A server that does not answer any more has nothing to tell.
        let _ = in_time(async { Ok(self.imap.logout().await?) }).await;
        Ok(())
    }

    /// All that is new.
    async fn look(&mut self, stubborn: &mut Stubborn) -> Result<(), Error> {
        while self.imap.unsolicited_responses.try_recv().is_ok() {}
        let store = self.work.store;
        let last = store.read_up_to(&self.name, self.validity).await?;
        let Some(first) = last.checked_add(1) else {
            return Ok(());
        };
        let query = format!("UID {first}:*");
        let found = in_time(async { Ok(self.imap.uid_search(&query).await?) }).await?;
        // RFC 3501 6.4.8: `*` is the last one, even where that comes before `first`.
        let mut new: Vec<u32> = found.into_iter().filter(|uid| *uid >= first).collect();
        new.sort_unstable();
        for uid in new {
            if self.work.progress.is_stopped() {
                break;
            }
            if stubborn.is_hopeless(uid) {
                self.tell(&Error::Told(format!(
                    "message {uid} cannot be fetched; it stays in {}: look at it there",
                    self.work.settings.folder
                )));
                store.put_read_up_to(&self.name, self.validity, uid).await?;
                continue;
            }
            let fetched = self.fetch(uid).await;
            if let Some(arrived) = fetched.inspect_err(|_| stubborn.failed(uid))? {
                let (_, is_new) = store.put_incoming(&arrived).await?;
                self.work.counts.send_modify(|counts| {
                    counts.messages += u64::from(is_new);
                    counts.again += u64::from(!is_new);
                });
            }
            store.put_read_up_to(&self.name, self.validity, uid).await?;
            self.put_away(uid).await;
        }
        Ok(())
    }

    /// `None` where somebody has removed it meanwhile.
    async fn fetch(&mut self, uid: u32) -> Result<Option<Arrived>, Error> {
        let query = format!("(UID RFC822.SIZE BODY.PEEK[]<0.{KEPT}>)");
        let imap = &mut self.imap;
        let fetched = in_time(async {
            let stream = imap.uid_fetch(uid.to_string(), &query).await?;
            Ok(stream.try_collect::<Vec<_>>().await?)
        });
        let fetched = fetched.await?;
        // The server may tell of others' flags in between.
        let Some(one) = fetched
            .iter()
            .find(|one| one.uid == Some(uid) && one.body().is_some())
        else {
            return self.expect_gone(uid).await.map(|()| None);
        };
        let mut message = one.body().unwrap_or_default().to_vec();
        message.truncate(KEPT);
        let (envelope_from, envelope_to) = told(&message);
        Ok(Some(Arrived {
            via: WayIn::Imap,
            came_at: self.work.clock.now(),
            envelope_from,
            envelope_to,
            size: u64::from(one.size.unwrap_or(0)).max(message.len() as u64),
            message,
        }))
    }

    /// A connection that is cut off, and a server that says no, end the list of what is fetched as its end
    /// does: that nothing came is no proof that there is nothing.
    async fn expect_gone(&mut self, uid: u32) -> Result<(), Error> {
        let imap = &mut self.imap;
        let query = format!("UID {uid}");
        let found = in_time(async { Ok(imap.uid_search(&query).await?) }).await?;
        in_time(async { Ok(imap.noop().await?) }).await?;
        if found.contains(&uid) {
            return Err(Error::Told(format!("message {uid} is not given to us")));
        }
        Ok(())
    }

    /// The message is kept: that it cannot be put away is told, and harms nothing.
    async fn put_away(&mut self, uid: u32) {
        if let Err(error) = self.try_put_away(uid).await {
            self.tell(&error);
        }
    }

    fn tell(&self, trouble: &Error) {
        self.work.counts.send_modify(|counts| {
            counts.failed += 1;
            counts.trouble = trouble.to_string();
        });
    }

    async fn try_put_away(&mut self, uid: u32) -> Result<(), Error> {
        let (imap, can) = (&mut self.imap, self.can);
        let (uid, folder) = (uid.to_string(), &self.work.settings.done_folder);
        in_time(async {
            if can.r#move && !folder.is_empty() {
                return Ok(imap.uid_mv(&uid, folder).await?);
            }
            let mut flags = r"+FLAGS.SILENT (\Seen)";
            if !folder.is_empty() {
                imap.uid_copy(&uid, folder).await?;
                flags = r"+FLAGS.SILENT (\Seen \Deleted)";
            }
            let stored = imap.uid_store(&uid, flags).await?;
            stored.try_collect::<Vec<_>>().await?;
            // Without UIDPLUS all would go that anybody has marked.
            if !folder.is_empty() && can.uid_expunge {
                let expunged = imap.uid_expunge(&uid).await?;
                expunged.try_collect::<Vec<_>>().await?;
            }
            Ok(())
        })
        .await
    }

    /// Whether something came since the last look began.
    fn has_grown(&mut self) -> bool {
        let mut grown = false;
        while let Ok(told) = self.imap.unsolicited_responses.try_recv() {
            grown |= matches!(told, UnsolicitedResponse::Exists(_));
        }
        grown
    }

    /// Until the server says that something came, or it is time to look anyway.
    async fn wait(self) -> Result<Self, Error> {
        let work = self.work;
        if !self.can.idle {
            rest(work.progress, work.look_every).await;
            return Ok(self);
        }
        let Self {
            imap,
            name,
            validity,
            can,
            ..
        } = self;
        let mut idle = imap.idle();
        in_time(async { Ok(idle.init().await?) }).await?;
        let (comes, interrupt) = idle.wait_with_timeout(work.look_every);
        tokio::select! {
            told = comes => { told?; }
            () = rest(work.progress, work.look_every) => {}
        }
        drop(interrupt);
        let imap = in_time(async { Ok(idle.done().await?) }).await?;
        Ok(Self {
            imap,
            work,
            name,
            validity,
            can,
        })
    }
}
