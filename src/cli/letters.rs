//! Letters: as they will leave, in lists, and with all that happened to each.

use std::path::Path;

use super::Ended;
use super::arguments::{Letter as Action, Preview};
use super::context::{Context, Usage};
use super::output::count;
use crate::model::{Letter, Mailbox, is_ticket};
use crate::send;
use crate::store::{Error, LetterFilter, Store};

const PAGE: i64 = 200;

pub(super) async fn preview(context: &Context, options: &Preview) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    if campaign.composed_at.is_none() {
        anyhow::bail!(Error::Refused(format!(
            "the letters of \"{0}\" are not written, or not since it changed; run `lapwing compose {0}`",
            campaign.name
        )));
    }
    if let Some(folder) = &options.to {
        return write_all(context, &store, campaign.id, folder).await;
    }
    let wanted: Option<Mailbox> = options
        .mailbox
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error: crate::model::MailboxError| Usage(format!("--mailbox: {error}")))?;
    let filter = LetterFilter {
        campaign: campaign.id,
        recipient: wanted.as_ref().map(|mailbox| mailbox.as_str().to_owned()),
        ..LetterFilter::default()
    };
    let lines = store.letter_lines(&filter, 0, 1).await?;
    let Some(line) = lines.first() else {
        let name = wanted.map_or(campaign.name, |mailbox| mailbox.as_str().to_owned());
        anyhow::bail!(Error::NotFound {
            what: "letter to",
            name
        });
    };
    let (letter, _) = store.letter(line.id).await?;
    context.out.say(&letter, show(&letter, options.html))?;
    let all = store.totals(campaign.id).await?.letters;
    if all > 1 && wanted.is_none() {
        context.out.remark(&format!(
            "\nThis is 1 of {all} letters. All of them as files: lapwing preview {} --to DIR",
            campaign.name
        ))?;
    }
    Ok(Ended::Well)
}

async fn write_all(
    context: &Context,
    store: &Store,
    campaign: i64,
    folder: &Path,
) -> anyhow::Result<Ended> {
    if !context.dry_run {
        std::fs::create_dir_all(folder)?;
    }
    let (mut after, mut written) = (0, 0_i64);
    loop {
        let page = store.letters(campaign, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id;
        for letter in &page {
            let message = send::message(letter)
                .map_err(|error| anyhow::anyhow!("{}: {error}", letter.ticket))?;
            if !context.dry_run {
                std::fs::write(folder.join(send::file_name(letter)), message)?;
            }
            written += 1;
        }
    }
    let told = serde_json::json!({ "letters": written, "folder": folder });
    context.out.say(
        &told,
        format!("{} in {}", count(written, "letter"), folder.display()),
    )?;
    Ok(Ended::Well)
}

pub(super) async fn run(context: &Context, action: &Action) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Action::List {
            campaign,
            state,
            country,
            mailbox,
        } => {
            let filter = LetterFilter {
                campaign: store.campaign(campaign).await?.id,
                state: state.clone(),
                country: country.as_ref().map(|country| country.to_ascii_uppercase()),
                recipient: mailbox.clone(),
            };
            list(context, &store, &filter).await
        }
        Action::Show { ticket, part, html } => {
            show_one(context, &store, ticket, *part, *html).await
        }
        Action::Verify { ticket } => {
            let ticket = ticket.trim().to_ascii_uppercase();
            if !is_ticket(&ticket) {
                anyhow::bail!(Error::NotFound {
                    what: "letter (its check digit is wrong: it was mistyped or made up)",
                    name: ticket
                });
            }
            let letters = store.letters_by_ticket(&ticket).await?;
            for letter in &letters {
                let told = serde_json::json!({ "ticket": letter.ticket, "part": letter.part, "recipient": letter.recipient, "dated_at": letter.dated_at, "subject": letter.subject });
                let text = format!(
                    "{} is ours: to {}, {}, part {} of {}",
                    letter.ticket,
                    letter.recipient,
                    letter.dated_at.date(),
                    letter.part,
                    letter.parts
                );
                context.out.line(&told, text)?;
            }
            Ok(Ended::Well)
        }
    }
}

async fn list(context: &Context, store: &Store, filter: &LetterFilter) -> anyhow::Result<Ended> {
    context.out.remark(&format!(
        "{:<14} {:<5} {:<10} {:>7}  {:<3} {:<5} {:<40} next try",
        "ticket", "part", "state", "rows", "", "", "to"
    ))?;
    let mut after = 0;
    loop {
        let page = store.letter_lines(filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(Ended::Well);
        };
        after = last.id;
        for line in &page {
            let doubt = if line.uncertain > 0 {
                "may have arrived twice"
            } else {
                ""
            };
            let part = format!("{}/{}", line.part, line.parts);
            let due = line.due_at.map(|at| at.to_string()).unwrap_or_default();
            let text = format!(
                "{:<14} {part:<5} {:<10} {:>7}  {:<3} {:<5} {:<40} {due}{doubt}",
                line.ticket, line.state, line.rows, line.country, line.locale, line.recipient
            );
            context.out.line(line, text)?;
        }
    }
}

async fn show_one(
    context: &Context,
    store: &Store,
    ticket: &str,
    part: i64,
    html: bool,
) -> anyhow::Result<Ended> {
    let ticket = ticket.trim().to_ascii_uppercase();
    let letters = store.letters_by_ticket(&ticket).await?;
    let Some(letter) = letters.iter().find(|letter| letter.part == part) else {
        anyhow::bail!(Error::NotFound {
            what: "part of that letter",
            name: part.to_string()
        });
    };
    let story = store.delivery_of(letter.id).await?;
    let mut text = show(letter, html);
    text.push_str("\nWhat happened\n");
    text.push_str(&format!("  {}  written\n", letter.dated_at));
    if let Some((delivery, attempts)) = &story {
        text.push_str(&format!(
            "  {}  approved and put into the queue\n",
            delivery.queued_at
        ));
        for attempt in attempts {
            let told = match (&attempt.outcome, attempt.finished_at) {
                (Some(outcome), Some(at)) => {
                    let code = if outcome.code > 0 {
                        format!("{} ", outcome.code)
                    } else {
                        String::new()
                    };
                    format!(
                        "  {at}  attempt {}: {} at {} by {}: {code}{}\n",
                        attempt.number,
                        outcome.kind.as_str(),
                        outcome.step.as_str(),
                        outcome.relay,
                        outcome.reply
                    ) + &redirected(letter, outcome.sent_to.as_ref())
                }
                _ => format!(
                    "  {}  attempt {}: under way with {}\n",
                    attempt.began_at, attempt.number, attempt.worker
                ),
            };
            text.push_str(&told);
        }
        let due = if delivery.state.as_str() == "scheduled" {
            format!(", next try {}", delivery.due_at)
        } else {
            String::new()
        };
        text.push_str(&format!("  now {}{due}\n", delivery.state));
    }
    let (delivery, attempts) = story.unzip();
    let told = serde_json::json!({ "letter": letter, "delivery": delivery, "attempts": attempts });
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

fn redirected(letter: &Letter, sent_to: Option<&Mailbox>) -> String {
    match sent_to {
        Some(mailbox) if *mailbox != letter.recipient => {
            format!("                        redirected to {mailbox}, not to its recipient\n")
        }
        _ => String::new(),
    }
}

fn show(letter: &Letter, html: bool) -> String {
    let mut text = format!(
        "From: {} <{}>\nTo: {}\nReply-To: {}\nSubject: {}\nDate: {}\nMessage-ID: <{}>\n",
        letter.sender_name,
        letter.sender,
        letter.recipient,
        letter.reply_to,
        letter.subject,
        letter.dated_at,
        letter.message_id
    );
    for attachment in &letter.attachments {
        text.push_str(&format!(
            "Attachment: {} ({} bytes)\n",
            attachment.name,
            attachment.content.len()
        ));
    }
    if !letter.signed_by.is_empty() {
        text.push_str(&format!(
            "Signature: by {}, when it leaves\n",
            letter.signed_by
        ));
    }
    text.push('\n');
    text.push_str(if html { &letter.html } else { &letter.text });
    text
}
