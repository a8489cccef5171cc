//! How a rule is spelt on the command line.

use std::fmt;
use std::str::FromStr;

use super::{Action, Rule, Step};
use crate::model::Span;

/// Why a rule of the command line cannot be read, and how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

/// `STEP [PATTERN] ACTION [xN]`, where the pattern stands at MAIL, RCPT, DATA and DOT only:
///
/// ```text
/// RCPT slow@isp.example 451 4.7.1 greylisted, come back in 300 seconds x2
/// MAIL * 550 5.7.1 no          EHLO 502-no\n502 never       CONNECT close 421 4.3.2 busy
/// DOT *@isp.example close      DOT * accept-close x1        DATA * stall
/// RCPT * delay 2s              QUIT garbage !?\xff
/// ```
///
/// In replies and garbage `\n` is a line end, in garbage also `\xHH` a byte.
impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (text, times) = split_times(text.trim())?;
        let (step, mut rest) = first_word(text);
        let Some((name, at)) = Step::ALL
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(step))
        else {
            return Err(RuleError(format!(
                "\"{step}\" is no step: begin with CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, \
                 DOT or QUIT"
            )));
        };
        let mut matching = None;
        let (word, after) = first_word(rest);
        if at.knows_an_address() {
            if word != "*" && word != "<>" && !word.contains('@') {
                return Err(RuleError(format!(
                    "\"{word}\" is no address pattern: behind {name} write *, name@isp.example, \
                     *@isp.example or name@*"
                )));
            }
            matching = Some(word.to_owned()).filter(|word| word != "*");
            rest = after;
        } else if word == "*" {
            rest = after;
        } else if word.contains('@') {
            return Err(RuleError(format!(
                "{name} knows no address: leave \"{word}\" out"
            )));
        }
        Ok(Self {
            at,
            matching,
            times,
            action: action(name, at, rest)?,
        })
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text
        .split_once(char::is_whitespace)
        .unwrap_or((text, Default::default()));
    (word, rest.trim())
}

fn split_times(text: &str) -> Result<(&str, Option<u32>), RuleError> {
    let Some((head, last)) = text.rsplit_once(char::is_whitespace) else {
        return Ok((text, None));
    };
    let count = last.strip_prefix(['x', 'X']).unwrap_or_default();
    if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return Ok((text, None));
    }
    match count.parse() {
        Ok(times) if times > 0 => Ok((head.trim_end(), Some(times))),
        _ => Err(RuleError(format!(
            "\"{last}\" is no number of times: write x1 to x{}, or leave it out for always",
            u32::MAX
        ))),
    }
}

fn action(name: &str, at: Step, text: &str) -> Result<Action, RuleError> {
    let (word, rest) = first_word(text);
    let nothing_behind = |action: Action| match rest {
        "" => Ok(action),
        _ => Err(RuleError(format!(
            "\"{rest}\" is too much behind \"{word}\""
        ))),
    };
    match word.to_ascii_lowercase().as_str() {
        "close" if rest.is_empty() => Ok(Action::Close),
        "close" => Ok(Action::ReplyThenClose(reply(rest)?)),
        "accept-close" if at == Step::Dot => nothing_behind(Action::AcceptThenClose),
        "accept-close" => Err(RuleError(format!(
            "accept-close is for DOT, where a letter is taken; at {name} write close"
        ))),
        "stall" => nothing_behind(Action::Stall),
        "garbage" => Ok(Action::Garbage(garbage(rest)?)),
        "delay" => match rest.parse::<Span>() {
            Ok(span) => Ok(Action::Delay(span.to_std())),
            Err(why) => Err(RuleError(why)),
        },
        _ => Ok(Action::Reply(reply(text)?)),
    }
}

/// Every line of a reply begins with the same code, all but the last with a hyphen behind it
/// (RFC 5321 4.2.1). Worse than that is what `garbage` is for.
fn reply(text: &str) -> Result<String, RuleError> {
    let wrong = |why: fmt::Arguments<'_>| {
        RuleError(format!(
            "\"{text}\" is no answer: {why}; write a reply such as 451 4.7.1 later, or close, \
             accept-close, stall, delay 2s, garbage"
        ))
    };
    let reply = text.replace("\\n", "\n");
    let code = reply.get(..3).unwrap_or_default();
    if !matches!(code.parse(), Ok(200..=599)) {
        return Err(wrong(format_args!("it has no code from 200 to 599")));
    }
    let mut lines = reply.split('\n').peekable();
    while let Some(line) = lines.next() {
        let separator = line.strip_prefix(code).map(|rest| rest.chars().next());
        match (separator, lines.peek()) {
            (Some(Some('-')), Some(_)) | (Some(None | Some(' ')), None) => {}
            (_, Some(_)) => {
                return Err(wrong(format_args!(
                    "a line before the last begins with {code}-"
                )));
            }
            (_, None) => {
                return Err(wrong(format_args!(
                    "the last line begins with {code} and a space"
                )));
            }
        }
    }
    Ok(reply)
}

fn garbage(text: &str) -> Result<Vec<u8>, RuleError> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = match piece.as_bytes() {
            [b'n', ..] => (b'\n', &piece[1..]),
            [b'r', ..] => (b'\r', &piece[1..]),
            [b'x', ..] => {
                let hex = piece.get(1..3).unwrap_or_default();
                let byte = u8::from_str_radix(hex, 16)
                    .map_err(|_| RuleError(format!("\"\\{piece}\" is no byte: write \\xff")))?;
                (byte, &piece[3..])
            }
            _ => {
                return Err(RuleError(format!(
                    "\"\\{piece}\" is not known: in garbage write \\n, \\r or \\xff"
                )));
            }
        };
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rule(at: Step, matching: Option<&str>, times: Option<u32>, action: Action) -> Rule {
        let matching = matching.map(str::to_owned);
        Rule {
            at,
            matching,
            times,
            action,
        }
    }

    #[test]
    fn rules_are_read_from_the_command_line() {
        let says = |text: &str| Action::Reply(text.to_owned());
        for (text, read) in [
            (
                "RCPT slow@isp.example 451 4.7.1 later x2",
                rule(
                    Step::Rcpt,
                    Some("slow@isp.example"),
                    Some(2),
                    says("451 4.7.1 later"),
                ),
            ),
            (
                "DOT *@isp.example close",
                rule(Step::Dot, Some("*@isp.example"), None, Action::Close),
            ),
            (
                "MAIL * 550 5.7.1 no",
                rule(Step::Mail, None, None, says("550 5.7.1 no")),
            ),
            (
                "mail <> 550",
                rule(Step::Mail, Some("<>"), None, says("550")),
            ),
            (
                r"ehlo 502-no\n502 never",
                rule(Step::Ehlo, None, None, says("502-no\n502 never")),
            ),
            (
                "CONNECT * close 421 4.3.2 busy X3",
                rule(
                    Step::Connect,
                    None,
                    Some(3),
                    Action::ReplyThenClose("421 4.3.2 busy".to_owned()),
                ),
            ),
            (
                " DOT  abuse@*  Accept-Close  x1 ",
                rule(Step::Dot, Some("abuse@*"), Some(1), Action::AcceptThenClose),
            ),
            ("DATA * stall", rule(Step::Data, None, None, Action::Stall)),
            (
                "AUTH delay 2s",
                rule(
                    Step::Auth,
                    None,
                    None,
                    Action::Delay(Duration::from_secs(2)),
                ),
            ),
            (
                r"QUIT garbage !?\xff\r\n",
                rule(
                    Step::Quit,
                    None,
                    None,
                    Action::Garbage(b"!?\xff\r\n".to_vec()),
                ),
            ),
        ] {
            assert_eq!(text.parse(), Ok(read), "{text}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_says_what_to_write() {
        for (text, hint) in [
            ("", "begin with CONNECT"),
            ("BDAT * close", "\"BDAT\" is no step"),
            ("RCPT 451 4.7.1 later", "behind RCPT write *"),
            ("RCPT", "behind RCPT write *"),
            ("EHLO a@isp.example close", "EHLO knows no address"),
            ("RCPT *", "write a reply such as"),
            ("RCPT * later", "no code from 200 to 599"),
            ("RCPT * 999 later", "no code from 200 to 599"),
            ("RCPT * 45é later", "no code from 200 to 599"),
            (r"RCPT * 451 one\n451 two", "begins with 451-"),
            (r"RCPT * 451-one\n452 two", "begins with 451 and a space"),
            ("RCPT * 451-", "begins with 451 and a space"),
            ("RCPT * close later", "no code from 200 to 599"),
            ("RCPT * accept-close", "is for DOT"),
            ("RCPT * stall now", "\"now\" is too much"),
            ("RCPT * delay soon", "not a length of time"),
            ("RCPT * 451 later x0", "no number of times"),
            ("RCPT * 451 later x99999999999", "no number of times"),
            (r"RCPT * garbage \q", "not known"),
            (r"RCPT * garbage \xé", "is no byte"),
        ] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
