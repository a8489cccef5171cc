//! Stage 6 as staff see it: what comes back, whom it is about, and what follows from it.

mod act;
mod doubt;
mod forged;
mod people;
mod postfix;

use std::fmt::Write;

use lapwing::model::{Arrived, Letter, Progress, WayIn};
use lapwing::store::{ReplyFilter, ReplyLine};
use lapwing::track::{self, Done, Settings};

use crate::world::World;

/// A mail server's report (RFC 3464) on a letter, as it stands in a message.
pub(crate) struct Report {
    pub(crate) action: &'static str,
    pub(crate) status: &'static str,
    pub(crate) said: &'static str,
    pub(crate) recipient: String,
    /// The Message-ID that it gives back.
    pub(crate) returned: String,
    pub(crate) envid: Option<String>,
}

impl Report {
    pub(crate) fn of(
        letter: &Letter,
        action: &'static str,
        status: &'static str,
        said: &'static str,
    ) -> Self {
        Self {
            action,
            status,
            said,
            recipient: letter.recipient.to_string(),
            returned: letter.message_id.clone(),
            envid: None,
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::from(
            "From: MAILER-DAEMON@mx.isp.example (Mail Delivery System)\r\n\
             Subject: Delivery Status Notification\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"next\"\r\n\r\n\
             --next\r\nContent-Type: text/plain\r\n\r\nThis is the mail system at mx.isp.example.\r\n\r\n\
             --next\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.isp.example\r\n",
        );
        if let Some(envid) = &self.envid {
            let _ = write!(text, "Original-Envelope-Id: {envid}\r\n");
        }
        let _ = write!(
            text,
            "\r\nFinal-Recipient: rfc822; {}\r\nAction: {}\r\nStatus: {}\r\nDiagnostic-Code: smtp; {}\r\n\r\n\
             --next\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{}>\r\nSubject: x\r\n\r\n--next--\r\n",
            self.recipient, self.action, self.status, self.said, self.returned
        );
        text
    }
}

/// A message from somebody, in answer to a letter.
pub(crate) fn answer(headers: &str, text: &str) -> String {
    format!(
        "{headers}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
}

/// The mail server hands a message over.
pub(crate) async fn hand_over(world: &World, to: &str, message: &str) -> (i64, bool) {
    // Reports have no sender, people have one.
    let is_report = message.contains("multipart/report") || message.contains("auto-replied");
    let arrived = Arrived {
        via: WayIn::Lmtp,
        came_at: world.now,
        envelope_from: Some(if is_report { "" } else { "x@isp.example" }.to_owned()),
        envelope_to: to.to_owned(),
        size: message.len() as u64,
        message: message.as_bytes().to_vec(),
    };
    world.store.put_incoming(&arrived).await.unwrap()
}

/// Reads what came.
pub(crate) async fn read(world: &World) -> Done {
    let settings = Settings::from_config(&world.config);
    let reasons = track::read::Reasons::shipped();
    let work = track::Work {
        store: &world.store,
        reasons: &reasons,
        settings: &settings,
        progress: &Progress::default(),
    };
    track::run_once(&work, world.now).await.unwrap()
}

/// Hands a message over and reads it.
pub(crate) async fn comes_back(world: &World, to: &str, message: &str) -> Done {
    hand_over(world, to, message).await;
    read(world).await
}

/// All that came back, the newest first.
pub(crate) async fn all(world: &World) -> Vec<ReplyLine> {
    let all = world
        .store
        .came_back(ReplyFilter::default(), i64::MAX, 1_000);
    all.await.unwrap()
}

/// Letters to the desks 1 to `n`, all accepted.
pub(crate) async fn sent(world: &World, n: usize) {
    crate::send::queue(world, n).await;
    assert_eq!(world.send().await.accepted, n as u64);
}
