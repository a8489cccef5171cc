//! Letters: as they will leave, in lists, and with all that happened to each.

use std::path::Path;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::Ended;
use super::arguments::Preview;
use super::context::{Context, Usage};
use super::output::{count, print};
use super::{holds, replies, verify};
use crate::model::{self, Answered, Delivery, DeliveryState, Fate, Mailbox, Wait, typed_ticket};
use crate::store::{Error, LetterFilter, Store};
use crate::{compose, send};

const PAGE: i64 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum Letter {
    /// The letters of a campaign
    List {
        /// Its name
        campaign: String,
        /// How its delivery stands; uncertain finds those sent again since, too
        #[arg(long, value_parser = PossibleValuesParser::new(states()))]
        state: Option<String>,
        /// Two letters: JP
        #[arg(long)]
        country: Option<String>,
        /// Part of the recipient's address
        #[arg(long)]
        mailbox: Option<String>,
    },
    /// One letter: what it says, and all that happened to it
    Show {
        /// As in the subject: LW-000042-5
        ticket: String,
        /// Which part, where there are several
        #[arg(long, default_value_t = 1)]
        part: i64,
        /// Show the HTML instead of the text
        #[arg(long)]
        html: bool,
    },
    /// Whether a letter with this ticket left us, and what a caller who asks may be told: ends with
    /// 0 if it is genuine, 4 if not, 2 if it was misread
    Verify {
        /// As in the subject, or as it was typed or read out: LW-000042-5, "lw 000042 5"
        #[arg(required = true)]
        ticket: Vec<String>,
        /// Name the mailbox it went to, too, and not its domain only
        #[arg(long)]
        full: bool,
    },
}

pub(super) async fn preview(context: &Context, options: &Preview) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    if campaign.composed_at.is_none() {
        anyhow::bail!(Error::Refused(format!(
            "the letters of \"{0}\" are not written, or not since it changed; run `lapwing compose {0}`",
            campaign.name
        )));
    }
    if let Some(at) = campaign.letters_gone_at {
        anyhow::bail!(Error::Refused(format!(
            "the words of the letters of \"{0}\" were removed at {at}; what is left of each: lapwing letter list {0}",
            campaign.name
        )));
    }
    if let Some(folder) = &options.to {
        return write_all(context, &store, campaign.id, folder, options.html).await;
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
    if options.html && !context.out.json {
        // One page and nothing besides: it goes into a file, and from there to a printer.
        print(&compose::page(&letter))?;
        return Ok(Ended::Well);
    }
    context.out.say(&letter, show(&letter, false))?;
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
    html: bool,
) -> anyhow::Result<Ended> {
    if !context.dry_run {
        std::fs::create_dir_all(folder)?;
    }
    let (mut after, mut written) = (0, 0_i64);
    let mut signed_by = String::new();
    loop {
        let page = store.letters(campaign, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id;
        for letter in &page {
            let message = send::message(letter)
                .map_err(|error| anyhow::anyhow!("{}: {error}", letter.ticket))?;
            let name = folder.join(send::file_name(letter));
            if context.dry_run {
            } else if html {
                std::fs::write(name.with_extension("html"), compose::page(letter))?;
            } else {
                std::fs::write(name, message)?;
            }
            signed_by.clone_from(&letter.signed_by);
            written += 1;
        }
    }
    let told = serde_json::json!({ "letters": written, "folder": folder, "signed_by": signed_by });
    let mut said = format!("{} in {}", count(written, "letter"), folder.display());
    if !signed_by.is_empty() {
        said.push_str(&format!(
            ", not signed yet: each is when it leaves, by the key {signed_by}"
        ));
    }
    context.out.say(&told, said)?;
    Ok(Ended::Well)
}

pub(super) async fn run(context: &Context, action: &Letter) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Letter::List {
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
        Letter::Show { ticket, part, html } => {
            show_one(context, &store, ticket, *part, *html).await
        }
        Letter::Verify { ticket, full } => verify::verify(context, &ticket.join(" "), *full).await,
    }
}

async fn list(context: &Context, store: &Store, filter: &LetterFilter) -> anyhow::Result<Ended> {
    context.out.remark(&format!(
        "{:<14} {:<5} {:<12} {:>7}  {:<3} {:<5} {:<40} next try",
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
            let due = match (line.waits, line.due_at) {
                (Some(Wait::Hold), _) => "held".to_owned(),
                (Some(wait), Some(at)) => format!("{at} ({})", wait.as_str()),
                (None, Some(at)) => at.to_string(),
                (_, None) => String::new(),
            };
            let text = format!(
                "{:<14} {part:<5} {:<12} {:>7}  {:<3} {:<5} {:<40} {due}{doubt}{}",
                line.ticket,
                line.state,
                line.rows,
                line.country,
                line.locale,
                line.recipient,
                line.answered
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
    let ticket = typed_ticket(ticket, &context.config().sender.ticket_prefix);
    let letters = store.letters_by_ticket(&ticket).await?;
    let Some(letter) = letters.iter().find(|letter| letter.part == part) else {
        anyhow::bail!(Error::NotFound {
            what: "part of that letter",
            name: part.to_string()
        });
    };
    let story = store.delivery_of(letter.id).await?;
    let (_, digest) = store.letter(letter.id).await?;
    let [words_gone, files_gone] = store.gone_of(letter.id).await?;
    let mut text = show(letter, html);
    if let Some(at) = files_gone.filter(|_| !letter.attachments.is_empty()) {
        text.push_str(&format!(
            "\n(Its attachments were removed at {at}, as keep.evidence says.)\n"
        ));
    }
    if let Some(at) = words_gone {
        text.push_str(&format!(
            "(Its words were removed at {at}, as keep.letters says.)\n"
        ));
    }
    text.push_str(&format!(
        "\nSHA-256 of all that left, as approved: {digest}\n"
    ));
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
    }
    let came_back = replies::about(store, letter.id).await?;
    for line in came_back.iter().rev() {
        text.push_str(&format!("  {}\n", replies::describe(line)));
        text.push_str(&replies::said(line));
    }
    if let Some((delivery, _)) = &story {
        let due = waiting(store, delivery).await?;
        text.push_str(&format!("  now {}{due}\n", replies::standing(delivery)));
    }
    let (delivery, attempts) = story.unzip();
    let told = serde_json::json!({
        "letter": letter, "digest": digest, "delivery": delivery, "attempts": attempts, "came_back": came_back,
        "attachments_removed_at": files_gone, "words_removed_at": words_gone,
    });
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

/// What a scheduled delivery waits for.
async fn waiting(store: &Store, delivery: &Delivery) -> Result<String, Error> {
    if delivery.state != DeliveryState::Scheduled {
        return Ok(String::new());
    }
    if let (Some(Wait::Hold), Some(id)) = (delivery.waits, delivery.hold) {
        let hold = store.hold(id).await?;
        return Ok(format!(", held by hold {id}: {}", holds::describe(&hold)));
    }
    let why = match delivery.waits {
        Some(wait) => format!(" ({})", wait.as_str()),
        None => String::new(),
    };
    Ok(format!(", next try {}{why}", delivery.due_at))
}

fn redirected(letter: &model::Letter, sent_to: Option<&Mailbox>) -> String {
    match sent_to {
        Some(mailbox) if *mailbox != letter.recipient => {
            format!("                        redirected to {mailbox}, not to its recipient\n")
        }
        _ => String::new(),
    }
}

fn show(letter: &model::Letter, html: bool) -> String {
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
            "Signed: when it leaves, by the key {}\n",
            letter.signed_by
        ));
    }
    text.push('\n');
    text.push_str(if html { &letter.html } else { &letter.text });
    text
}

/// `composed` before it is in the queue; of those scheduled some are `held`.
fn states() -> Vec<&'static str> {
    let states = DeliveryState::ALL.into_iter().map(DeliveryState::as_str);
    let states = std::iter::once("composed").chain(states);
    let fates = Fate::ALL.into_iter().map(Fate::as_str);
    let answers = Answered::ALL.into_iter().map(Answered::as_str);
    let heard = fates.chain(answers).filter(|word| !word.is_empty());
    states.chain(["held"]).chain(heard).collect()
}
