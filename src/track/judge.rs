//! What is to be done for a message that came back: nothing that it does not prove.

use super::find::Found;
use crate::model::{
    Action, AutoReply, Class, Evidence, Mailbox, Reading, ReplyState, Reported, Span, Suppression,
    SuppressionCause, Timestamp, Weight, is_ticket, typed_ticket,
};

/// Who decides what no person does.
pub(super) const RULES: &str = "lapwing";

/// What people write who want no more letters. Whether they get none is for staff to say.
const ENOUGH: [&str; 14] = [
    "unsubscribe",
    "opt out",
    "opt-out",
    "remove us from",
    "remove me from",
    "stop sending",
    "do not contact",
    "abmelden",
    "désinscrire",
    "desinscrire",
    "darse de baja",
    "cancelar inscrição",
    "配信停止",
    "отписать",
];

/// How what comes back is acted upon.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long nothing is written to an address that proved dead.
    pub dead_for: Span,
    /// When a letter that came back for a cause that passes is sent once more; zero: never.
    pub again_after: Span,
    pub ticket_prefix: String,
}

/// What is made of a message beside what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Consequence {
    /// Of the recipients reported.
    pub(super) counts: Vec<bool>,
    pub(super) untrue: String,
    pub(super) state: ReplyState,
    pub(super) suppress: Vec<Suppression>,
    pub(super) again_at: Option<Timestamp>,
}

/// A report on a letter that does not say to whom: the letter knows.
pub(super) fn complete(reading: &mut Reading, found: &Found) {
    let action = match reading.class {
        Class::BounceHard | Class::BounceSoft => Action::Failed,
        Class::Delayed => Action::Delayed,
        Class::Delivered => Action::Delivered,
        Class::AutoReply | Class::Feedback | Class::Human | Class::Other => return,
    };
    let to = found
        .letter
        .as_ref()
        .and_then(|letter| letter.recipients.first());
    if let (Some(to), true) = (
        to,
        reading.recipients.is_empty() && found.by.proves_reports(),
    ) {
        reading.recipients.push(Reported {
            address: to.to_string(),
            final_address: None,
            action,
            class: reading.class,
            status: None,
            diagnostic: String::new(),
            reason: None,
            weight: None,
        });
    }
}

/// A letter of ours that came back as it was: nobody wrote that.
pub(super) fn know_ours(reading: &mut Reading, message: &[u8], is_ours: impl Fn(&str) -> bool) {
    if !matches!(reading.class, Class::Human | Class::AutoReply) {
        return;
    }
    let head = String::from_utf8_lossy(&message[..message.len().min(16 << 10)]);
    let mut fields = head.lines().take_while(|line| !line.is_empty());
    let id = fields.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_id = name.eq_ignore_ascii_case("message-id");
        is_id.then(|| value.trim().trim_matches(['<', '>']).to_owned())
    });
    if id.is_some_and(|id| is_ours(&id)) {
        reading.class = Class::Other;
        reading.auto_reply = None;
        reading.evidence.push(Evidence {
            layer: "ours",
            says: "its Message-ID is one of ours: our own letter came back".to_owned(),
        });
    }
}

/// Whoever answers keeps our ticket in the subject: it is no number of theirs.
pub(super) fn forget_our_ticket(reading: &mut Reading, prefix: &str) {
    let is_ours = |ticket: &mut String| is_ticket(&typed_ticket(ticket, prefix));
    reading.ticket.take_if(is_ours);
}

/// What follows from a message for its letter, its address and for staff.
pub(super) fn consequence(
    settings: &Settings,
    incoming: i64,
    reading: &Reading,
    found: &Found,
    came_at: Timestamp,
) -> Consequence {
    let mut follows = Consequence {
        counts: vec![false; reading.recipients.len()],
        untrue: found.untrue.clone(),
        state: state(reading),
        ..Consequence::default()
    };
    let (Some(letter), true) = (&found.letter, found.untrue.is_empty()) else {
        return follows;
    };
    if !reading.recipients.is_empty() && is_report(reading.class) {
        if found.by.proves_reports() {
            let is_meant = |one: &Reported| found.is_returned || is_about(one, &letter.recipients);
            follows.counts = reading.recipients.iter().map(is_meant).collect();
            if !follows.counts.contains(&true) {
                let others: Vec<&str> = reading
                    .recipients
                    .iter()
                    .map(|one| one.address.as_str())
                    .collect();
                follows.untrue = format!(
                    "it is about {}, whom the letter did not go to",
                    others.join(", ")
                );
            }
        } else {
            "whoever has the letter could have written it".clone_into(&mut follows.untrue);
        }
    }
    // A letter that was redirected says nothing of the desk it was written to.
    let desk = match letter.recipients.as_slice() {
        [one] => std::slice::from_ref(one),
        _ => &[],
    };
    let suppression = |address: &Mailbox, cause, reason: &str, until| Suppression {
        id: 0,
        address: address.clone(),
        cause,
        reason: reason.to_owned(),
        incoming: Some(incoming),
        by: RULES.to_owned(),
        at: came_at,
        approved_by: (cause != SuppressionCause::OptOut).then(|| RULES.to_owned()),
        until,
    };
    for (one, _) in reading
        .recipients
        .iter()
        .zip(&follows.counts)
        .filter(|(_, counts)| **counts)
    {
        match one.class {
            Class::BounceHard => {
                let until = Some(came_at.plus(settings.dead_for));
                let told = told(one);
                let dead = desk.iter().filter(|_| is_about(one, desk));
                let dead =
                    dead.map(|address| suppression(address, SuppressionCause::Dead, &told, until));
                follows.suppress.extend(dead);
            }
            Class::BounceSoft if one.weight == Some(Weight::Ours) => {
                follows.state = ReplyState::Open
            }
            Class::BounceSoft if settings.again_after.0 > 0 => {
                follows.again_at = Some(came_at.plus(settings.again_after));
            }
            _ => {}
        }
    }
    if found.by.proves_answers() {
        let all = |cause, reason: &str, until| {
            let of = |address: &Mailbox| suppression(address, cause, reason, until);
            desk.iter().map(of).collect::<Vec<_>>()
        };
        if is_complaint(reading) {
            // Whoever was forwarded the letter knows its Message-ID: that stops letters, but not for ever.
            let until = (!found.by.proves_reports()).then(|| came_at.plus(settings.dead_for));
            let told = "they complained of a letter";
            follows.suppress = all(SuppressionCause::Complaint, told, until);
        } else if reading.class == Class::Human && wants_no_more(reading) {
            let told = "they asked for no more letters";
            follows.suppress = all(SuppressionCause::OptOut, told, None);
        }
    }
    follows
}

/// Whether somebody has to look at it.
fn state(reading: &Reading) -> ReplyState {
    let is_for_staff = match reading.class {
        Class::Human => true,
        Class::Feedback => is_complaint(reading),
        // The one is answered by hand or not at all, the other may name who reads letters now.
        Class::AutoReply => matches!(
            reading.auto_reply,
            Some(AutoReply::Challenge | AutoReply::AddressRetired)
        ),
        _ => false,
    };
    match is_for_staff {
        true => ReplyState::Open,
        false => ReplyState::Nothing,
    }
}

fn is_report(class: Class) -> bool {
    matches!(
        class,
        Class::BounceHard | Class::BounceSoft | Class::Delayed | Class::Delivered
    )
}

fn is_complaint(reading: &Reading) -> bool {
    reading.class == Class::Feedback && reading.is_complaint
}

fn wants_no_more(reading: &Reading) -> bool {
    let head: String = reading.text.chars().take(400).collect();
    let said = format!("{}\n{head}", reading.subject).to_lowercase();
    ENOUGH.iter().any(|words| said.contains(words))
}

fn is_about(reported: &Reported, recipients: &[Mailbox]) -> bool {
    let told = [Some(&reported.address), reported.final_address.as_ref()];
    let mut told = told
        .into_iter()
        .flatten()
        .filter_map(|text| text.parse::<Mailbox>().ok());
    told.any(|told| recipients.iter().any(|one| one.base() == told.base()))
}

/// In one line: code and words of the mail server.
fn told(reported: &Reported) -> String {
    let words = [
        reported.status.as_deref().unwrap_or_default(),
        &reported.diagnostic,
    ];
    let words: Vec<&str> = words
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect();
    let text = words.join(" ");
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.is_empty() {
        true => "the letter came back".to_owned(),
        false => text.chars().take(300).collect(),
    }
}
