//! A report as people read it on a terminal.

use std::fmt::Write;

use super::Report;
use crate::model::CampaignKind;

/// Columns of the longest bar.
const BAR: i64 = 30;

impl Report {
    /// The short of it: where the campaign stands and what comes next.
    #[must_use]
    pub fn status(&self) -> String {
        let mut text = self.letters.heading();
        text.push('\n');
        text.push_str(&self.rows());
        text.push_str(&self.all_letters());
        let _ = writeln!(text, "\nNext: {}", self.next_step());
        text
    }

    /// What the campaign is: `a reminder after spring, TLP:AMBER, with a copy to each country's agencies`.
    fn kind(&self) -> String {
        let campaign = &self.letters.campaign;
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

    /// All of it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "Report on campaign {}, {}, as of {}\nIt is {}.\n{}\n",
            self.letters.campaign.name,
            self.letters.campaign.state,
            self.letters.at,
            self.kind(),
            self.letters.kept()
        );
        text.push_str(&self.rows());
        text.push_str(&self.all_letters());
        if !self.countries.is_empty() {
            text.push_str(&self.by_country());
        }
        if !self.not_written.is_empty() {
            text.push_str(match self.letters.campaign.kind {
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
        if !self.letters.decisions.is_empty() {
            text.push_str("\nDecisions\n");
            for decision in &self.letters.decisions {
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
        let kind = self.letters.campaign.kind;
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

    fn all_letters(&self) -> String {
        let totals = &self.totals;
        if totals.letters == 0 {
            return String::new();
        }
        let kind = self.letters.campaign.kind;
        format!(
            "\nLetters\n{:>9}  in {} notices, {} {} {}s\n{}",
            totals.letters,
            totals.notices,
            kind.covers(),
            totals.letter_rows,
            kind.rows(),
            self.letters.counts()
        )
    }

    fn by_country(&self) -> String {
        let most = self
            .countries
            .iter()
            .map(|line| line.suspects)
            .max()
            .unwrap_or(0)
            .max(1);
        let rows = match self.letters.campaign.kind {
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
