//! A report as people read it on a terminal.

use std::fmt::Write;

use super::Report;
use crate::model::{CampaignKind, Wait};
use crate::store::Tally;

/// Columns of the longest bar.
const BAR: i64 = 30;

/// What became of letters that were accepted.
const FATES: &[(&str, &str)] = &[
    (
        "delayed",
        "delayed: a mail server behind the next one still tries",
    ),
    (
        "relayed",
        "handed to a mail server that reports nothing more",
    ),
    ("expanded", "given to the members of a list"),
    ("delivered", "delivered"),
    (
        "bounced-soft",
        "came back, for a cause that may pass or is ours",
    ),
    ("bounced-hard", "came back: the address is dead"),
];

const ANSWERS: &[(&str, &str)] = &[
    ("noted", "answered by a machine, with nothing that matters"),
    ("acknowledged", "acknowledged: the desk has opened a case"),
    ("replied", "answered by a person (lapwing reply list)"),
    ("complained", "complained of: nothing more is written there"),
];

impl Report {
    /// The short of it: where the campaign stands and what comes next.
    #[must_use]
    pub fn status(&self) -> String {
        let mut text = format!("Campaign {} is {}", self.campaign.name, self.campaign.state);
        if let Some(last) = self.decisions.last() {
            let _ = write!(text, " ({} by {}, {}", last.kind.as_str(), last.by, last.at);
            if !last.reason.is_empty() {
                let _ = write!(text, ": {}", last.reason);
            }
            text.push(')');
        }
        text.push('\n');
        text.push_str(&self.kept());
        text.push('\n');
        text.push_str(&self.rows());
        if self.totals.letters > 0 {
            text.push_str(&self.letters());
        }
        let _ = writeln!(text, "\nNext: {}", self.next_step());
        text
    }

    /// What the campaign is: `a reminder after spring, TLP:AMBER, with a copy to each country's agencies`.
    fn kind(&self) -> String {
        let campaign = &self.campaign;
        let mut kind = match campaign.kind {
            CampaignKind::Notice => "a notice".to_owned(),
            CampaignKind::Advisory => "an advisory".to_owned(),
            CampaignKind::Reminder => match &self.after {
                Some(first) => format!("a reminder after {first}"),
                None => "a reminder".to_owned(),
            },
        };
        if campaign.letter != campaign.kind.as_str() {
            kind.push_str(&format!(", letter {}", campaign.letter));
        }
        if let Some(mark) = campaign.tlp {
            kind.push_str(&format!(", {mark}"));
        }
        if campaign.require_evidence {
            kind.push_str(", of rows with time and basis only");
        }
        if campaign.cover {
            kind.push_str(", with a copy to each country's agencies");
        }
        kind
    }

    /// What a restored or thinned campaign no longer has, or may not do; empty for any other.
    fn kept(&self) -> String {
        let mut text = String::new();
        if let Some(at) = self.campaign.restored_at {
            let _ = writeln!(
                text,
                "Nothing of it leaves: it was restored from a backup at {at}, and what was sent after the backup was \
                 taken\nis not known."
            );
        }
        if let Some(at) = self.campaign.thinned_at {
            let _ = writeln!(
                text,
                "Its evidence was removed at {at}: samples, what feeds told beside address and time, attachments."
            );
        }
        if let Some(at) = self.campaign.letters_gone_at {
            let _ = writeln!(text, "The words of its letters were removed at {at}.");
        }
        text
    }

    /// All of it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "Report on campaign {}, {}, as of {}\nIt is {}.\n{}\n",
            self.campaign.name,
            self.campaign.state,
            self.at,
            self.kind(),
            self.kept()
        );
        text.push_str(&self.rows());
        if self.totals.letters > 0 {
            text.push_str(&self.letters());
        }
        if !self.countries.is_empty() {
            text.push_str(&self.by_country());
        }
        if !self.not_written.is_empty() {
            text.push_str(match self.campaign.kind {
                CampaignKind::Advisory => "\nAddressees in no letter\n",
                CampaignKind::Notice | CampaignKind::Reminder => "\nSuspects in no letter\n",
            });
            for line in &self.not_written {
                let _ = writeln!(
                    text,
                    "{:>9}  {}: {}",
                    line.suspects, line.verdict, line.reason
                );
            }
        }
        if !self.replies.is_empty() {
            text.push_str("\nWhat mail servers said, other than yes\n");
            for said in &self.replies {
                let _ = writeln!(text, "{:>9}  {}: {}", said.times, said.outcome, said.reply);
            }
        }
        if !self.decisions.is_empty() {
            text.push_str("\nDecisions\n");
            for decision in &self.decisions {
                let _ = write!(
                    text,
                    "  {}  {} by {}",
                    decision.at,
                    decision.kind.as_str(),
                    decision.by
                );
                if let Some(digest) = decision.digest.get(..12) {
                    let _ = write!(text, ", letters {digest}…");
                }
                if !decision.unreviewed.is_empty() {
                    let _ = write!(text, ", unreviewed {}", decision.unreviewed.join(" "));
                }
                if !decision.reason.is_empty() {
                    let _ = write!(text, ": {}", decision.reason);
                }
                text.push('\n');
            }
        }
        text
    }

    fn rows(&self) -> String {
        let totals = &self.totals;
        let import = &totals.import;
        let mut text = String::from("Rows of the feeds\n");
        let mut line = |n: i64, what: &str| {
            let _ = writeln!(text, "{n:>9}  {what}");
        };
        line(import.rows, "read");
        let kind = self.campaign.kind;
        match kind {
            CampaignKind::Advisory => {
                line(import.fresh, "addressees");
                line(import.repeated, "repeated: the same operator once more");
                line(import.refused, "refused: no operator");
                text.push_str("\nAddressees\n");
            }
            CampaignKind::Notice | CampaignKind::Reminder => {
                line(import.fresh, "suspects");
                line(import.repeated, "repeated: the same observation once more");
                line(import.refused, "refused: no suspect");
                text.push_str("\nSuspects\n");
            }
        }
        if totals.cut > 0 {
            let _ = writeln!(
                text,
                "{:>9}  range(s) over several networks, cut into {} pieces that count below",
                totals.cut, totals.pieces
            );
        }
        let again = self.ask_again.map(|again| format!(", from {again} on"));
        let deferred = format!(
            "deferred: a registry is to be asked later{}",
            again.unwrap_or_default()
        );
        for (verdict, what) in [
            ("waiting", "not resolved yet"),
            ("matched", "with a contact"),
            ("unresolved", "unresolved: no contact known"),
            ("form", "to be told by a web form, not by mail"),
            ("withheld", "withheld: an override says never"),
            ("deferred", &deferred),
        ] {
            let n = totals.of(verdict);
            if n > 0 || verdict == "matched" {
                let _ = writeln!(text, "{n:>9}  {what}");
            }
        }
        text
    }

    fn letters(&self) -> String {
        let totals = &self.totals;
        let mut text = format!(
            "\nLetters\n{:>9}  in {} notices, {} {} {}s\n",
            totals.letters,
            totals.notices,
            self.campaign.kind.covers(),
            totals.letter_rows,
            self.campaign.kind.rows()
        );
        let waiting: i64 = self.queue.waits.iter().map(|wait| wait.count).sum();
        let heard: i64 = self.queue.fates.iter().map(|fate| fate.count).sum();
        for Tally { name, count } in &self.queue.states {
            let (count, said) = match name.as_str() {
                "accepted" => (
                    count - heard,
                    "accepted by the next mail server (that is not yet delivered)",
                ),
                "scheduled" => (count - waiting, "deferred, to be tried again"),
                other => (*count, other),
            };
            if count > 0 {
                let _ = writeln!(text, "{count:>9}  {said}");
            }
        }
        for Tally { name, count } in &self.queue.waits {
            let said = Wait::from_text(name).map(Wait::words);
            let _ = writeln!(text, "{count:>9}  {}", said.unwrap_or("wait"));
        }
        for (tallies, words) in [(&self.queue.fates, FATES), (&self.queue.answers, ANSWERS)] {
            for Tally { name, count } in tallies {
                let said = words.iter().find(|(word, _)| word == name);
                let said = said.map_or(name.as_str(), |(_, said)| said);
                let _ = writeln!(text, "{count:>9}  {said}");
            }
        }
        if self
            .queue
            .fates
            .iter()
            .any(|fate| fate.name == "bounced-hard")
        {
            let name = &self.campaign.name;
            let _ = writeln!(
                text,
                "           who else answers for those networks is told by: lapwing follow-up {name} {name}-2"
            );
        }
        for wave in &self.waves {
            let (start, takes) = (wave.starts_at, &wave.takes);
            let _ = writeln!(text, "           wave: from {start} on, {takes}");
        }
        if self.queue.accepted_elsewhere > 0 {
            let _ = writeln!(
                text,
                "{:>9}  of these did not go to their recipients, but to a folder or to send.redirect_to",
                self.queue.accepted_elsewhere
            );
        }
        if self.queue.uncertain_attempts > 0 {
            let _ = writeln!(
                text,
                "{:>9}  attempts cut off after the message was handed over: these letters may have arrived twice\n           (lapwing letter list {} --state uncertain)",
                self.queue.uncertain_attempts, self.campaign.name
            );
        }
        if let Some(oldest) = self.queue.oldest_open {
            let _ = writeln!(
                text,
                "           oldest open: {} in the queue",
                self.at.since(oldest)
            );
        }
        if let Some(next) = self.queue.next_retry {
            let _ = writeln!(text, "           next retry:  {next}");
        }
        if let Some(until) = self.queue.leased_until {
            let _ = writeln!(
                text,
                "           held by a worker until {until} at the latest"
            );
        }
        text
    }

    fn by_country(&self) -> String {
        let most = self
            .countries
            .iter()
            .map(|line| line.suspects)
            .max()
            .unwrap_or(0)
            .max(1);
        let rows = match self.campaign.kind {
            CampaignKind::Advisory => "addressees",
            CampaignKind::Notice | CampaignKind::Reminder => "suspects",
        };
        let mut text = format!("\nBy country\n{rows:>19}  letters\n");
        for line in &self.countries {
            let country = if line.country.is_empty() {
                "??"
            } else {
                &line.country
            };
            let bar =
                "█".repeat(usize::try_from((line.suspects * BAR + most - 1) / most).unwrap_or(0));
            let states: Vec<String> = line
                .states
                .iter()
                .map(|tally| format!("{} {}", tally.count, tally.name))
                .collect();
            let _ = writeln!(
                text,
                "      {country:>4} {:>8} {:>8}  {bar:<30}  {}",
                line.suspects,
                line.letters,
                states.join(", ")
            );
        }
        text
    }
}
