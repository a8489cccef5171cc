//! Every command with its flags; the help that people read is written here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::again::Again;
use super::audit::Audit;
use super::backup::{Backup, Restore};
use super::contacts::{Overrides, Signatories};
use super::doctor::Options as Doctor;
use super::holds::Hold;
use super::ingest::Options as Ingest;
use super::jurisdiction::Action as Jurisdiction;
use super::key::Key;
use super::letters::Letter;
use super::lookup::Options as Lookup;
use super::prune::Prune;
use super::replies::Reply;
use super::run::Options as Run;
use super::schedules::Action as Schedule;
use super::sink::Options as Sink;
use super::suppressions::Suppress;
use super::tables::Table;
use super::waves::Waves;
use super::words::Template;
use crate::model::{Tlp, TlpError};

/// Tells every network which of its machines send spam, and follows what happens.
#[derive(Debug, Parser)]
#[command(
    name = "lapwing",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_help = "Try it: lapwing demo\nExit codes: 0 done, 1 failed, 2 usage or settings, 3 some rows or letters failed,\n            4 not found, 5 refused by state, 6 temporary (database or relay), 7 not permitted,\n            8 nothing to do, 9 no database of this version (or migrate --check has something to do), 130/143 stopped"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// Print JSON: one object, or one a line for lists
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// sqlite:FILE or postgres://USER@HOST/NAME, before what the settings say
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LAPWING_DATABASE_URL",
        hide_env_values = true
    )]
    pub(super) database: Option<String>,
    /// Settings to read instead of ./lapwing.toml
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "LAPWING_CONFIG",
        hide_env_values = true
    )]
    pub(super) config: Option<PathBuf>,
    /// Who is acting; without it, the user of the operating system
    #[arg(long = "as", global = true, value_name = "WHO")]
    pub(super) by: Option<String>,
    /// Say what would be done, and write nothing
    #[arg(long, global = true)]
    pub(super) dry_run: bool,
    /// No progress bars
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Try the whole job on made-up data with a local mail catcher; nothing leaves this machine
    Demo(Demo),
    /// Write lapwing.toml here (never over one that is there) and make the database
    Init(Init),
    /// Make the database or bring it up to date; safe when two start at once
    Migrate(Migrate),
    /// Print every setting with its default and what it does
    Config(super::settings::Options),
    /// Look whether all is ready for a live campaign: here, in the DNS (SPF, DKIM, DMARC, PTR, MX), at the
    /// relay and the registries
    Doctor(Doctor),
    /// Create, submit, approve, pause and cancel campaigns
    #[command(subcommand)]
    Campaign(Campaign),
    /// Read suspects from CSV, TSV, JSON lines or plain lines, packed or not, into a campaign
    Import(Import),
    /// Write down a campaign's refused rows as CSV, each with reason and remedy
    Refused(Export),
    /// Find who answers for each suspect's network
    Resolve(OfCampaign),
    /// Write down the suspects that no letter speaks of as CSV, each with its reason
    Unplaced(Export),
    /// Write the letters of a campaign
    Compose(OfCampaign),
    /// Show the letters of a campaign as they will leave
    Preview(Preview),
    /// Send what is due of an approved campaign
    Send(super::stages::Send),
    /// Read feeds and write their letters at set times, without anybody there
    #[command(subcommand)]
    Schedule(Schedule),
    /// Run what is due of all schedules once, send what is approved of it, and end: for cron
    Run(Run),
    /// Run schedules, send what comes due of all approved campaigns, take in what comes back; until Ctrl-C
    /// or SIGTERM
    Serve(super::serve::Options),
    /// Open the next round of a campaign: whoever is next gets what its letters told dead addresses
    FollowUp(super::follow_up::Options),
    /// Ask whether a service here is ready: exit code 0 if it is, else 1 and why
    Healthcheck(super::health::Options),
    /// Read mail that came back: what it is, whom it is about, and why
    Ingest(Ingest),
    /// Show how far a campaign is
    Status(super::stages::Status),
    /// Report what became of every row, suspect and letter
    Report(OfCampaign),
    /// List and show letters, with all that happened to each
    #[command(subcommand)]
    Letter(Letter),
    /// See whether the letters' words are whole in every language, and take a copy to edit
    #[command(subcommand)]
    Template(Template),
    /// Show the networks around an address or range, the mailbox that answers for it, and why
    Lookup(Lookup),
    /// Load registries' dumps and tables of networks and contacts
    #[command(subcommand)]
    Table(Table),
    /// Show how hard each registry has been asked today, and which are closed to us until when
    Registries,
    /// Decide that a prefix, AS or handle has another mailbox, or is never written to
    #[command(subcommand)]
    Override(Overrides),
    /// Let nothing leave to a domain, an address or under a ticket for a while
    #[command(subcommand)]
    Hold(Hold),
    /// See what came back, and what was made of it: bounces, answers of machines and of people
    #[command(subcommand)]
    Reply(Reply),
    /// Write nothing to an address, because it is dead, complained or asked for it
    #[command(subcommand)]
    Suppression(Suppress),
    /// Keep the dated roll of agencies that sign
    #[command(subcommand)]
    Signatory(Signatories),
    /// Show what a country changes in its letters: languages, agencies, note, reserved measures
    #[command(subcommand)]
    Jurisdiction(Jurisdiction),
    /// Make and show the OpenPGP key that letters are signed with
    #[command(subcommand)]
    Key(Key),
    /// Copy the whole database into one file, while others work with it
    Backup(Backup),
    /// Put a backup in the database's place; what it thinks is unsent is held
    Restore(Restore),
    /// Show what has been kept long enough, and take it away; what proves a letter stays
    Prune(Prune),
    /// See who decided what, when and from where, and that nobody has changed it since
    #[command(subcommand)]
    Audit(Audit),
    /// Measure how fast this machine sends
    #[command(subcommand)]
    Bench(super::bench::Bench),
    /// Catch all mail on this machine, and answer badly where told to
    Sink(Sink),
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where its database and letters go
    #[arg(long, default_value = "lapwing-demo")]
    pub(super) dir: PathBuf,
    /// End when all is done, instead of keeping the mail catcher open on a terminal
    #[arg(long)]
    pub(super) once: bool,
}

#[derive(Debug, Args)]
pub(super) struct Init {}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Change nothing; end with 9 where something is to be done
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Args)]
pub(super) struct OfCampaign {
    /// Its name
    pub(super) campaign: String,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Its name
    pub(super) campaign: String,
    /// Where to write; - is standard output
    #[arg(long, default_value = "-")]
    pub(super) to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Its name
    pub(super) campaign: String,
    /// The feed; - is standard input
    pub(super) file: PathBuf,
    /// Say which column holds what: ip=Source_IP, seen=col3 (ip, first, last, seen,
    /// seen_from, date, time, class, source, evidence, port, terminal, tlp)
    #[arg(long, value_name = "WHAT=COLUMN")]
    pub(super) map: Vec<crate::sheet::Mapping>,
    /// csv, tsv, jsonl or lines; told from the content when not given
    #[arg(long)]
    pub(super) format: Option<crate::sheet::Format>,
    /// shift_jis, gb18030, euc-kr, big5, windows-1252 …; told from each line when not given
    #[arg(long, value_name = "LABEL")]
    pub(super) encoding: Option<crate::sheet::Charset>,
    /// Zone of times that name none, as Asia/Tokyo
    #[arg(long, value_name = "ZONE")]
    pub(super) time_zone: Option<String>,
    /// Class of rows that name none
    #[arg(long, default_value = "spam")]
    pub(super) class: String,
    /// Source of rows that name none, as the letters will print it
    #[arg(long)]
    pub(super) source: Option<String>,
    /// Time of rows that name none: RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) seen: Option<String>,
    /// Take documentation addresses (192.0.2.0/24, 2001:db8::/32 …) for public ones
    #[arg(long)]
    pub(super) allow_documentation: bool,
    /// Refuse IPv4 ranges wider than this prefix length
    #[arg(long, value_name = "LEN")]
    pub(super) widest_ipv4: Option<u8>,
    /// Refuse IPv6 ranges wider than this prefix length
    #[arg(long, value_name = "LEN")]
    pub(super) widest_ipv6: Option<u8>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Campaign {
    /// Begin a campaign
    New {
        /// Its name
        name: String,
        /// Which letter it writes
        #[arg(long, default_value = "notice")]
        letter: String,
        /// With whom its letters may be shared (TLP 2.0): CLEAR, GREEN, AMBER, AMBER+STRICT, RED, or none;
        /// without it letter.tlp, and CLEAR for an advisory
        #[arg(long, value_name = "MARK", value_parser = mark)]
        tlp: Option<Mark>,
        /// The campaign that a reminder reminds of; its letters' tickets and addresses are named
        #[arg(long, value_name = "FIRST")]
        after: Option<String>,
        /// Write each country's agencies that have a mailbox in the roll which operators were written to
        #[arg(long)]
        cover: bool,
        /// Refuse rows without a time, or without source and evidence
        #[arg(long)]
        require_evidence: bool,
    },
    /// Add the holders that the table knows in some countries to an advisory's list, one of each
    Draw {
        /// Its name
        name: String,
        /// ISO 3166: DE,JP
        #[arg(long, value_name = "CODES", value_delimiter = ',', required = true)]
        country: Vec<String>,
        /// Only holders of an AS: operators, and not their customers
        #[arg(long)]
        systems: bool,
    },
    /// All campaigns, the newest first
    List,
    /// One campaign with its history
    Show {
        /// Its name
        name: String,
    },
    /// Show or set its phased start: who is written to from when on
    Waves(Waves),
    /// Vouch for the rendered letters and ask a second person
    Submit {
        /// Its name
        name: String,
    },
    /// Agree as the second person; the letters go into the queue
    Approve {
        /// Its name
        name: String,
        /// Why; it is kept
        #[arg(long, default_value = "")]
        reason: String,
        /// In live mode: the languages to send though nobody who reads them has reviewed them: ja,de
        #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
        unreviewed: Vec<String>,
    },
    /// Send it back to its author
    Return {
        /// Its name
        name: String,
        /// What is to be mended
        #[arg(long)]
        reason: String,
    },
    /// Hand out nothing more of it until it is resumed
    Pause {
        /// Its name
        name: String,
        /// Why; it is kept
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Go on with a paused campaign
    Resume {
        /// Its name
        name: String,
    },
    /// Try letters once more that were refused, expired or failed, when their cause is seen to
    Retry(Again),
    /// Stop it for good; what has left has left
    Cancel {
        /// Its name
        name: String,
        /// Why; it is kept
        #[arg(long, default_value = "")]
        reason: String,
        /// Do not ask back
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Preview {
    /// Its name
    pub(super) campaign: String,
    /// Write all of them as .eml files (with --html as pages) into this folder instead of showing the
    /// first
    #[arg(long, value_name = "DIR")]
    pub(super) to: Option<PathBuf>,
    /// Show the letter to this mailbox
    #[arg(long)]
    pub(super) mailbox: Option<String>,
    /// As a page for a browser or a printer, with the mail's head: lapwing preview NAME --html > x.html
    #[arg(long)]
    pub(super) html: bool,
}

/// A table to read, and how.
#[derive(Debug, Args)]
pub(super) struct TableFile {
    /// The table; - is standard input
    pub(super) file: PathBuf,
    /// Say which column holds what: range=col1, agency=Name
    #[arg(long, value_name = "WHAT=COLUMN")]
    pub(super) map: Vec<crate::sheet::Mapping>,
    /// shift_jis, gb18030, euc-kr, big5, windows-1252 …; told from each line when not given
    #[arg(long, value_name = "LABEL")]
    pub(super) encoding: Option<crate::sheet::Charset>,
}

/// A sharing mark that was asked for, or that there be none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(pub(super) Option<Tlp>);

fn mark(text: &str) -> Result<Mark, TlpError> {
    match text {
        "none" => Ok(Mark(None)),
        text => text.parse().map(|tlp| Mark(Some(tlp))),
    }
}
