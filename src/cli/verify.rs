//! Somebody asks whether a letter is ours: what the person at the desk may say.

use serde::Serialize;

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use crate::model::{Mailbox, Timestamp, is_ticket, typed_ticket};
use crate::store::TicketPart;

/// Whatever the caller holds, it is no letter that left us.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotOurs(String);

/// What is known of a ticket.
#[derive(Serialize)]
struct Known<'a> {
    ticket: &'a str,
    check_digit: &'static str,
    genuine: bool,
    campaign: &'a str,
    /// Not the mailbox: who asks is a stranger.
    domain: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox: Option<&'a Mailbox>,
    sent_at: Timestamp,
    parts: i64,
    /// Parts that have left so far.
    sent: usize,
    may_say: String,
}

/// Ends well only where a letter under this ticket has left: a number can be guessed, for tickets are
/// given out one after another.
pub(super) async fn verify(context: &Context, ticket: &str, full: bool) -> anyhow::Result<Ended> {
    let ticket = typed_ticket(ticket, &context.config().sender.ticket_prefix);
    check_form(&ticket)?;
    let desk = &context.config().sender;
    let desk = desk.reply_to().map_err(Usage)?;
    let parts = context.store().await?.ticket(&ticket).await?;
    let left = parts.iter().filter_map(|part| Some((part, part.left_at?)));
    let Some((part, sent_at)) = left.clone().min_by_key(|(_, at)| *at) else {
        anyhow::bail!(NotOurs(not_ours(&ticket, &parts, &desk)));
    };
    let (domain, day) = (part.recipient.domain(), sent_at.date());
    let number = match part.parts {
        1 => String::new(),
        n => format!(", in {n} parts"),
    };
    let known = Known {
        ticket: &ticket,
        check_digit: "right",
        genuine: true,
        campaign: &part.campaign,
        domain,
        mailbox: full.then_some(&part.recipient),
        sent_at,
        parts: part.parts,
        sent: left.count(),
        may_say: format!(
            "yes, a letter with this ticket left us on {day} for a mailbox at {domain}{number}"
        ),
    };
    context.out.say(&known, describe(&known, &desk))?;
    Ok(Ended::Well)
}

fn check_form(ticket: &str) -> Result<(), Usage> {
    if is_ticket(ticket) {
        return Ok(());
    }
    let digits = ticket.chars().filter(char::is_ascii_digit).count();
    let why = if ticket.matches('-').count() == 2 && digits >= 7 {
        "its check digit is wrong, so it was misheard, mistyped or made up"
    } else {
        "a ticket looks like LW-000042-5"
    };
    Err(Usage(format!(
        "\"{ticket}\" is no ticket: {why}; have it read out once more"
    )))
}

fn not_ours(ticket: &str, parts: &[TicketPart], desk: &Mailbox) -> String {
    let why = match parts {
        [] => "its check digit is right, but we have no letter with it",
        _ => "a letter with it is written, but none has left us to its recipient",
    };
    format!(
        "{ticket} is not genuine: {why}. Tell the caller that the letter is not from us, not to act on it, and to forward it with all headers to {desk}"
    )
}

fn describe(known: &Known<'_>, desk: &Mailbox) -> String {
    let mailbox = match known.mailbox {
        Some(mailbox) => format!("{mailbox} (not for the caller)"),
        None => format!("a mailbox at {}", known.domain),
    };
    format!(
        "{} is genuine: its check digit is right, and we sent it.\n\
         \n  to        {mailbox}\n  sent      {}\n  campaign  {}\n  parts     {}, {} sent\n\
         \nYou may say: {}.\n\
         You may not say to which mailbox, nor what is in it: a ticket can be passed on, or copied into a\n\
         forged letter. If the caller is not of {}, or the letter is of another day, or asks for a password,\n\
         for money or to open something, it is not ours: ask for it, with all headers, at {desk}.\n",
        known.ticket,
        known.sent_at,
        known.campaign,
        count(known.parts, "part"),
        known.sent,
        known.may_say,
        known.domain,
    )
}
