//! Out of what all sources say, whom to write to: the rungs, best first, and the verdict.

use std::collections::HashMap;

use super::source::Says;
use crate::config::SourceName;
use crate::model::{Finding, Mailbox, Rung, Suppression, Timestamp, Verdict};

/// What is decided about one spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) rungs: Vec<Rung>,
    /// The web form that the network wants instead of mail, or empty.
    pub(super) form: String,
    /// Who goes before the first rung and is not written to any more, with why.
    pub(super) passed_over: Vec<String>,
    pub(super) passed: Vec<Mailbox>,
}

/// One verdict out of what all sources say, in their order. `last_resorts` (AS and CSIRT) are for
/// networks that have nobody; not for those whose registry could not be asked yet.
pub(super) fn judge(says: &[(SourceName, Says)], last_resorts: Vec<Rung>) -> Judged {
    let mut rungs: Vec<Rung> = Vec::new();
    let mut second: Vec<Rung> = Vec::new();
    let mut later: Option<(Timestamp, String)> = None;
    let mut form = None;
    let (mut none, mut silent) = (Vec::new(), Vec::new());
    for (_, one) in says {
        match one {
            Says::Never(reason) if rungs.is_empty() => {
                return Judged {
                    verdict: Verdict::Withheld,
                    reason: reason.clone(),
                    rungs,
                    form: String::new(),
                    passed_over: Vec::new(),
                    passed: Vec::new(),
                };
            }
            Says::Never(_) | Says::Unasked => {}
            Says::Silent(reason) => silent.push(reason.clone()),
            Says::Whom(found) => rungs.extend(found.iter().cloned()),
            Says::Perhaps(found) => second.extend(found.iter().cloned()),
            Says::Form { url, reason } => {
                form = form.or(Some((url.clone(), reason.clone())));
            }
            Says::Nobody(reason) => none.push(reason.clone()),
            Says::Later { until, why } if later.as_ref().is_none_or(|(at, _)| until < at) => {
                later = Some((*until, why.clone()));
            }
            Says::Later { .. } => {}
        }
    }
    let has_asked_for_form = rungs.is_empty() && form.is_some();
    rungs.extend(second);
    let is_open = rungs.is_empty() && later.is_some();
    if !is_open && !has_asked_for_form {
        rungs.extend(last_resorts);
    }
    without_repeats(&mut rungs);
    let (form, form_reason) = form.filter(|_| has_asked_for_form).unwrap_or_default();
    let (verdict, reason) = match (rungs.first().filter(|_| !has_asked_for_form), later) {
        (Some(rung), _) => (rung.matched(), rung.reason.clone()),
        (None, _) if has_asked_for_form => (Verdict::Unresolved, form_reason),
        (None, Some((until, why))) => (Verdict::Deferred { until }, why),
        (None, None) if says.is_empty() => {
            (Verdict::Unresolved, "no source is switched on".to_owned())
        }
        (None, None) if none.is_empty() => (Verdict::Unresolved, silent.join("; ")),
        (None, None) => (Verdict::Unresolved, none.join("; ")),
    };
    if has_asked_for_form {
        rungs.clear();
    }
    Judged {
        verdict,
        reason,
        rungs,
        form,
        passed_over: Vec::new(),
        passed: Vec::new(),
    }
}

/// Addresses that nothing is written to, each with why.
#[derive(Debug, Default)]
pub(super) struct Suppressed(HashMap<Mailbox, String>);

impl Suppressed {
    pub(super) fn new(all: Vec<Suppression>) -> Self {
        let hold = all.into_iter().filter(|one| one.approved_by.is_some());
        Self(hold.map(|one| (one.address, one.reason)).collect())
    }

    fn why(&self, mailbox: &Mailbox) -> Option<&str> {
        self.0.get(&mailbox.base()).map(String::as_str)
    }
}

impl Judged {
    /// The next who is still written to, and why not the one before.
    pub(super) fn past(mut self, suppressed: &Suppressed) -> Self {
        if !matches!(self.verdict, Verdict::Matched { .. }) {
            return self;
        }
        let first = self.rungs.first().map(|rung| rung.mailbox.clone());
        let (mut passed, mut passed_over) = (Vec::new(), Vec::new());
        self.rungs
            .retain(|rung| match suppressed.why(&rung.mailbox) {
                Some(why) => {
                    passed_over.push(format!("nothing is written to {} ({why})", rung.mailbox));
                    passed.push(rung.mailbox.clone());
                    false
                }
                None => true,
            });
        let next = self.rungs.first();
        if passed.is_empty() || next.map(|rung| &rung.mailbox) == first.as_ref() {
            return self;
        }
        let told = passed_over.join("; ");
        (self.verdict, self.reason) = match next {
            Some(rung) => (rung.matched(), format!("{}; {told}", rung.reason)),
            None => (Verdict::Withheld, told),
        };
        self.passed_over = passed_over;
        self.passed = passed;
        self
    }

    pub(super) fn finding(self, network: Option<i64>, country: String) -> Finding {
        Finding {
            id: 0,
            network,
            country,
            verdict: self.verdict,
            reason: self.reason,
            rungs: self.rungs,
            form: self.form,
            passed: self.passed,
        }
    }
}

fn without_repeats(rungs: &mut Vec<Rung>) {
    let mut seen = Vec::new();
    rungs.retain(|rung| {
        let is_new = !seen.contains(&rung.mailbox);
        seen.push(rung.mailbox.clone());
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Via;

    fn rung(mailbox: &str, via: Via) -> Rung {
        Rung {
            via,
            mailbox: mailbox.parse().unwrap(),
            locale: String::new(),
            format: None,
            answers_for: String::new(),
            reason: via.as_str().to_owned(),
        }
    }

    fn told(says: Vec<Says>, last_resorts: Vec<Rung>) -> String {
        let says: Vec<_> = says
            .into_iter()
            .map(|one| (SourceName::Table, one))
            .collect();
        let judged = judge(&says, last_resorts);
        let rungs: Vec<&str> = judged
            .rungs
            .iter()
            .map(|rung| rung.mailbox.as_str())
            .collect();
        let until = match judged.verdict {
            Verdict::Deferred { until } => format!(" {}", until.0),
            _ => String::new(),
        };
        let verdict = judged.verdict.as_str();
        format!(
            "{verdict}{until} [{}] {}{}",
            rungs.join(" "),
            judged.reason,
            judged.form
        )
    }

    #[test]
    fn later_is_not_none_and_nobody_is_skipped() {
        let own = || Says::Whom(vec![rung("own@isp.example", Via::Own)]);
        let perhaps = || Says::Perhaps(vec![rung("tech@isp.example", Via::Own)]);
        let csirt = || vec![rung("csirt@cert.example", Via::Csirt)];
        let nobody = || Says::Nobody("nobody".to_owned());
        let later = |at| Says::Later {
            until: Timestamp(at),
            why: "limit".to_owned(),
        };
        let form = || Says::Form {
            url: " U".to_owned(),
            reason: "form".to_owned(),
        };
        let never = || Says::Never("never".to_owned());
        for (says, resorts, expected) in [
            (vec![], vec![], "unresolved [] no source is switched on"),
            (
                vec![nobody(), nobody()],
                vec![],
                "unresolved [] nobody; nobody",
            ),
            (
                vec![nobody()],
                csirt(),
                "matched [csirt@cert.example] csirt",
            ),
            (vec![later(7), nobody()], csirt(), "deferred 7 [] limit"),
            (
                vec![nobody(), later(9), later(7)],
                vec![],
                "deferred 7 [] limit",
            ),
            (
                vec![later(7), own()],
                csirt(),
                "matched [own@isp.example csirt@cert.example] own",
            ),
            (
                vec![perhaps(), own()],
                vec![],
                "matched [own@isp.example tech@isp.example] own",
            ),
            (
                vec![perhaps(), later(7)],
                vec![],
                "matched [tech@isp.example] own",
            ),
            (vec![own(), own()], vec![], "matched [own@isp.example] own"),
            (vec![never(), own()], csirt(), "withheld [] never"),
            (vec![form(), nobody()], csirt(), "unresolved [] form U"),
            (vec![own(), form()], vec![], "matched [own@isp.example] own"),
        ] {
            assert_eq!(told(says, resorts), expected);
        }
    }
}
