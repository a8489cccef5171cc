//! What a relay's answer means: for the letter, for the connection, and for the relay itself.

use crate::model::{OutcomeKind, Step};

/// How one step of the dialogue was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Code and text, lines joined by spaces.
    Said(u16, String),
    /// Cut off, silent, or not SMTP; in our words.
    Broken(String),
}

/// What may be done with the connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The transaction is whole: the next letter may use it.
    Clean,
    /// It may be used again once RSET has been answered.
    Reset,
    /// Something is out of step or broken: it is dropped.
    Dirty,
}

/// What an answer says of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// It does not take what we send, whatever the letter; some in a row, and it is left alone.
    Sender,
    /// It cannot be spoken to; more of them in a row, and it is left alone.
    Connection,
    /// No waiting heals it: a password, a certificate.
    Lasting,
}

/// What becomes of everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: OutcomeKind,
    pub(super) line: Line,
    pub(super) fault: Fault,
}

/// Answers that a row of the table is about.
#[derive(Clone, Copy, Debug)]
enum About {
    Codes(&'static [u16]),
    /// 552, or 5.3.4 at the head of the text: the letter is larger than the relay takes (RFC 1870).
    Size,
    /// 4 stands for all from 400 to 499.
    Class(u16),
    /// What no server may say here, such as 354 to RCPT.
    OutOfStep,
    Broken,
}

struct Row(&'static [Step], About, OutcomeKind, Line, Fault);

const EACH: &[Step] = &[Step::Mail, Step::Rcpt, Step::Data, Step::Dot];
const BEFORE: &[Step] = &[Step::Mail, Step::Rcpt, Step::Data];
const MAIL: &[Step] = &[Step::Mail];
const DOT: &[Step] = &[Step::Dot];

/// The first row that fits decides.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row(DOT,    About::Class(2),   OutcomeKind::Accepted,  Line::Clean, Fault::None),
    // RFC 5321 3.8: the relay is going. What it has not taken by then it has not taken.
    Row(EACH,   About::Codes(&[421]), OutcomeKind::Relay,  Line::Dirty, Fault::Connection),
    // RFC 4954 4 and 6: we may not speak here at all.
    Row(EACH,   About::Codes(&[530, 534, 535, 538]), OutcomeKind::Relay, Line::Dirty, Fault::Lasting),
    Row(EACH,   About::Size,       OutcomeKind::Refused,   Line::Reset, Fault::None),
    // Said of the sender, not of the recipient: a wrong setting must not use up a campaign.
    Row(MAIL,   About::Class(5),   OutcomeKind::Relay,     Line::Reset, Fault::Sender),
    Row(MAIL,   About::Class(4),   OutcomeKind::Deferred,  Line::Reset, Fault::Sender),
    // Out of order, says the other side: then one of us has lost count.
    Row(BEFORE, About::Codes(&[503]), OutcomeKind::Relay,  Line::Dirty, Fault::Connection),
    Row(EACH,   About::Class(4),   OutcomeKind::Deferred,  Line::Reset, Fault::None),
    Row(EACH,   About::Class(5),   OutcomeKind::Refused,   Line::Reset, Fault::None),
    // RFC 5321 4.5.3.2.6, RFC 1047: once the dot is sent, only 2xx, 4xx and 5xx say what became of it.
    Row(DOT,    About::OutOfStep,  OutcomeKind::Uncertain, Line::Dirty, Fault::Connection),
    Row(DOT,    About::Broken,     OutcomeKind::Uncertain, Line::Dirty, Fault::Connection),
    Row(BEFORE, About::OutOfStep,  OutcomeKind::Relay,     Line::Dirty, Fault::Connection),
    Row(BEFORE, About::Broken,     OutcomeKind::Relay,     Line::Dirty, Fault::Connection),
];

impl Answer {
    /// Whether the dialogue may go on: 2xx, and to DATA 3xx.
    pub(super) fn goes_on(&self, step: Step) -> bool {
        let wanted = if step == Step::Data { 3 } else { 2 };
        matches!(self, Self::Said(code, _) if code / 100 == wanted)
    }

    /// What an answer that ends the dialogue means.
    pub(super) fn verdict(&self, step: Step) -> Verdict {
        let fits = |Row(steps, about, ..): &&Row| steps.contains(&step) && about.fits(self);
        match TABLE.iter().find(fits) {
            Some(Row(_, _, kind, line, fault)) => Verdict {
                kind: *kind,
                line: *line,
                fault: *fault,
            },
            // No row is missing, as the test shows; if one were, nobody should be harmed by it.
            None => Verdict {
                kind: OutcomeKind::Relay,
                line: Line::Dirty,
                fault: Fault::Connection,
            },
        }
    }

    /// The code, 0 where there is none; the enhanced one (RFC 3463), or nothing; and what was said.
    pub(super) fn told(self, step: Step) -> (u16, String, String) {
        let is_out_of_step = About::OutOfStep.fits(&self) && !self.goes_on(step);
        match self {
            Self::Broken(what) => (0, String::new(), what),
            Self::Said(code, text) if is_out_of_step => {
                (code, String::new(), format!("out of step: {text}"))
            }
            Self::Said(code, text) => (code, enhanced_code(&text, code), text),
        }
    }
}

impl About {
    fn fits(self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Broken, Answer::Broken(_)) => true,
            (_, Answer::Broken(_)) | (Self::Broken, _) => false,
            (Self::Codes(codes), Answer::Said(code, _)) => codes.contains(code),
            (Self::Size, Answer::Said(code, text)) => {
                *code == 552 || (code / 100 == 5 && enhanced_code(text, *code) == "5.3.4")
            }
            (Self::Class(class), Answer::Said(code, _)) => code / 100 == class,
            (Self::OutOfStep, Answer::Said(code, _)) => !matches!(code / 100, 4 | 5),
        }
    }
}

/// RFC 3463: the first word of a reply, where its class is the code's.
fn enhanced_code(reply: &str, code: u16) -> String {
    let first = reply.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<&str> = first.split('.').collect();
    let is_code = numbers.len() == 3
        && numbers
            .iter()
            .all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
        && numbers[0] == (code / 100).to_string();
    if is_code {
        first.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Answer {
        let (code, text) = text.split_once(' ').unwrap();
        Answer::Said(code.parse().unwrap(), text.to_owned())
    }

    #[test]
    fn every_answer_at_every_step_means_something() {
        use Fault::{Connection, Lasting, None, Sender};
        use Line::{Clean, Dirty, Reset};
        use OutcomeKind::{Accepted, Deferred, Refused, Relay, Uncertain};
        use Step::{Data, Dot, Mail, Rcpt};
        #[rustfmt::skip]
        let cases = [
            (Mail, said("451 4.3.0 busy"),          Deferred,  Reset, Sender),
            (Mail, said("452 4.3.1 disk full"),     Deferred,  Reset, Sender),
            (Mail, said("550 5.7.1 not you"),       Relay,     Reset, Sender),
            (Mail, said("552 too large"),           Refused,   Reset, None),
            (Mail, said("554 5.3.4 too large"),     Refused,   Reset, None),
            (Mail, said("503 5.5.1 EHLO first"),    Relay,     Reset, Sender),
            (Mail, said("530 5.7.0 log in"),        Relay,     Dirty, Lasting),
            (Mail, said("535 5.7.8 who?"),          Relay,     Dirty, Lasting),
            (Mail, said("421 4.3.2 bye"),           Relay,     Dirty, Connection),
            (Mail, said("354 go on"),               Relay,     Dirty, Connection),
            (Mail, Answer::Broken("cut".into()),    Relay,     Dirty, Connection),
            (Rcpt, said("450 4.2.1 full"),          Deferred,  Reset, None),
            (Rcpt, said("550 5.1.1 nobody"),        Refused,   Reset, None),
            (Rcpt, said("552 5.2.2 mailbox full"),  Refused,   Reset, None),
            (Rcpt, said("503 5.5.1 MAIL first"),    Relay,     Dirty, Connection),
            (Rcpt, said("530 5.7.0 log in"),        Relay,     Dirty, Lasting),
            (Rcpt, said("421 4.3.2 bye"),           Relay,     Dirty, Connection),
            (Rcpt, said("199 what"),                Relay,     Dirty, Connection),
            (Rcpt, Answer::Broken("cut".into()),    Relay,     Dirty, Connection),
            (Data, said("452 4.3.1 disk full"),     Deferred,  Reset, None),
            (Data, said("554 5.7.1 enough"),        Refused,   Reset, None),
            (Data, said("250 what"),                Relay,     Dirty, Connection),
            (Data, said("421 4.3.2 bye"),           Relay,     Dirty, Connection),
            (Data, Answer::Broken("cut".into()),    Relay,     Dirty, Connection),
            (Dot,  said("250 2.0.0 ok"),            Accepted,  Clean, None),
            (Dot,  said("451 4.7.1 later"),         Deferred,  Reset, None),
            (Dot,  said("554 5.6.0 not this"),      Refused,   Reset, None),
            (Dot,  said("554 5.3.4 too large"),     Refused,   Reset, None),
            (Dot,  said("503 5.5.1 no"),            Refused,   Reset, None),
            (Dot,  said("421 4.3.2 bye"),           Relay,     Dirty, Connection),
            (Dot,  said("354 go on"),               Uncertain, Dirty, Connection),
            (Dot,  said("101 what"),                Uncertain, Dirty, Connection),
            (Dot,  Answer::Broken("cut".into()),    Uncertain, Dirty, Connection),
        ];
        for (step, answer, kind, line, fault) in cases {
            let verdict = Verdict { kind, line, fault };
            assert_eq!(answer.verdict(step), verdict, "{step:?} {answer:?}");
        }
    }

    #[test]
    fn no_answer_is_without_a_row() {
        for step in EACH {
            for code in 0..1_000 {
                let answer = Answer::Said(code, String::new());
                let fits =
                    |Row(steps, about, ..): &Row| steps.contains(step) && about.fits(&answer);
                assert!(TABLE.iter().any(fits), "{step:?} {code}");
            }
        }
    }

    #[test]
    fn only_what_is_asked_for_goes_on() {
        for (step, code, goes_on) in [
            (Step::Mail, 250, true),
            (Step::Rcpt, 251, true),
            (Step::Rcpt, 252, true),
            (Step::Rcpt, 354, false),
            (Step::Data, 354, true),
            (Step::Data, 250, false),
            (Step::Mail, 550, false),
        ] {
            let answer = Answer::Said(code, String::new());
            assert_eq!(answer.goes_on(step), goes_on, "{step:?} {code}");
        }
    }

    #[test]
    fn enhanced_codes_are_read_where_they_are_some() {
        for (reply, code, enhanced) in [
            ("4.7.1 greylisted", 451, "4.7.1"),
            ("5.1.1 no such user", 550, "5.1.1"),
            ("2.0.0 Ok: queued as 4Z", 250, "2.0.0"),
            ("5.1.1 but 4xx", 451, ""),
            ("192.0.2.1 blocked", 550, ""),
            ("no", 550, ""),
            ("", 550, ""),
        ] {
            assert_eq!(enhanced_code(reply, code), enhanced, "{reply}");
        }
    }
}
