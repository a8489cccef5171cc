//! The key that letters are signed with: made, shown, and what is to be known of it before approval.

use std::path::PathBuf;

use clap::Subcommand;

use super::Ended;
use super::context::{Context, Usage};
use crate::model::{Campaign, Mailbox, Span};
use crate::openpgp::{self, Facts, Made, Wanted};
use crate::send;
use crate::store::{Error, Store};

const LOCKED: &str = "\
It is locked with the passphrase that sending will need, by sign.passphrase_file or, best for
this one time, by LAPWING_SIGN__PASSPHRASE. Without one, whoever reads the file can sign.";

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make an Ed25519 key and write it into a file, with the public key beside it
    #[command(after_help = LOCKED)]
    New {
        /// Whose it is, as recipients will see it
        #[arg(long)]
        name: String,
        /// The address that letters come from
        #[arg(long, value_name = "MAILBOX")]
        email: Mailbox,
        /// Where the secret key goes; the public one goes into FILE.pub
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// How long it counts: 730d; for ever when not given
        #[arg(long, value_name = "TIME")]
        expires: Option<Span>,
    },
    /// The key that the settings name, or that lies in a file, with its public key
    Show {
        /// Without one: sign.key of the settings
        file: Option<PathBuf>,
    },
    /// Write the addresses of letters to come with a new key: what comes back proves itself by them
    Rotate {
        /// How long what comes back to the letters before it still counts
        #[arg(long, value_name = "TIME", default_value = "60d")]
        read_for: Span,
    },
}

pub(super) async fn run(context: &Context, action: &Key) -> anyhow::Result<Ended> {
    match action {
        Key::New {
            name,
            email,
            to,
            expires,
        } => {
            let wanted = Wanted {
                name,
                mailbox: email,
                passphrase: &context.config().sign.passphrase.0,
                expires: *expires,
            };
            let made = openpgp::make(&wanted, context.clock.now()).map_err(Usage)?;
            new(context, &made, to, wanted.passphrase.is_empty())
        }
        Key::Rotate { read_for } => rotate(context, *read_for).await,
        Key::Show { file } => {
            let file = match file {
                Some(file) => file,
                None if context.config().sign.key.as_os_str().is_empty() => {
                    anyhow::bail!(Usage(
                        "sign.key names no key, so letters are not signed; make one with `lapwing key new`"
                            .to_owned()
                    ))
                }
                None => &context.config().sign.key,
            };
            let now = context.clock.now();
            let key = openpgp::Key::read(file, now)?;
            let facts = key.facts();
            let mut text = describe(facts);
            for warning in facts.warnings(now) {
                text.push_str(&format!("note: {warning}\n"));
            }
            text.push_str(&format!("\n{}", facts.public));
            context.out.say(facts, text)?;
            Ok(Ended::Well)
        }
    }
}

async fn rotate(context: &Context, read_for: Span) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    if !context.dry_run {
        let now = context.clock.now();
        store.rotate_token_key(&context.by, now, read_for).await?;
    }
    let told = serde_json::json!({ "read_for": read_for.to_string() });
    let text = format!(
        "Letters composed from now on bear addresses of a new key; what comes back to those before counts until {read_for} after the last of them"
    );
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

fn new(context: &Context, made: &Made, to: &std::path::Path, open: bool) -> anyhow::Result<Ended> {
    let public = openpgp::public_file(to);
    let told = serde_json::json!({ "file": to, "public_file": public, "fingerprint": made.fingerprint, "public": made.public });
    let text = format!("fingerprint {}\n\n{}", made.fingerprint, made.public);
    if context.dry_run {
        context.out.say(&told, text)?;
        return Ok(Ended::Well);
    }
    openpgp::keep(made, to)?;
    context.out.say(&told, text)?;
    context.out.remark(&format!(
        "\nThe secret key is in {}{}; keep a copy where nobody else comes.\n\nNext: publish {} and the fingerprint where recipients look for you\n      [sign] key = \"{}\" in lapwing.toml",
        to.display(),
        if open { ", not locked" } else { "" },
        public.display(),
        to.display()
    ))?;
    Ok(Ended::Well)
}

fn describe(facts: &Facts) -> String {
    let end = facts
        .expires_at
        .map_or_else(|| "never".to_owned(), |end| end.to_string());
    format!(
        "{}\nfingerprint {}\nof          {}\nsigns by    {}{}\nmade        {}\nexpires     {end}\n",
        facts.file.display(),
        facts.fingerprint,
        facts.owner,
        facts.algorithm,
        if facts.is_locked {
            ", under a passphrase"
        } else {
            ""
        },
        facts.created_at,
    )
}

/// What is to be known about signatures before letters are submitted or approved. The key may lie on
/// another machine than the people: then that is one of the things to know, and no more.
pub(super) async fn warnings(
    context: &Context,
    store: &Store,
    campaign: &Campaign,
) -> anyhow::Result<Vec<String>> {
    let now = context.clock.now();
    let key = match openpgp::key(&context.config().sign, now) {
        Ok(key) => key,
        Err(error) => {
            return Ok(vec![format!(
                "nothing can be signed here: sign.key: {error}"
            )]);
        }
    };
    let facts = key.as_ref().map(openpgp::Key::facts);
    let mut warnings = facts.map_or_else(Vec::new, |facts| facts.warnings(now));
    let fingerprint = facts.map_or("", |facts| facts.fingerprint.as_str());
    let required = context.config().sign.required;
    match send::check_signers(store, campaign, fingerprint, required).await {
        Ok(()) => {}
        Err(Error::Refused(why)) => warnings.push(why),
        Err(error) => return Err(error.into()),
    }
    Ok(warnings)
}
