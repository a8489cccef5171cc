//! Why letters ended, as somebody names it who wants them tried again.

use std::convert::Infallible;
use std::str::FromStr;

/// A code, an enhanced code or its beginning, or a part of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `550`.
    Code(i64),
    /// `5.7.1`; `5.7` are all that begin so.
    Enhanced(String),
    /// Part of the reply, in whatever case.
    Words(String),
}

impl Cause {
    #[must_use]
    pub fn matches(&self, code: i64, enhanced: &str, reply: &str) -> bool {
        match self {
            Self::Code(wanted) => *wanted == code,
            Self::Enhanced(wanted) => enhanced
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            Self::Words(wanted) => reply.to_lowercase().contains(wanted.as_str()),
        }
    }
}

impl FromStr for Cause {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = text.split('.').collect();
        Ok(match (parts.as_slice(), text.parse()) {
            (_, Ok(code)) if is_number(text) && text.len() == 3 => Self::Code(code),
            ([_, _] | [_, _, _], _) if parts.iter().all(|part| is_number(part)) => {
                Self::Enhanced(text.to_owned())
            }
            _ => Self::Words(text.to_lowercase()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_known_by_its_shape() {
        let reply = "5.7.1 Client host BLOCKED by list";
        for (text, matches) in [
            ("550", true),
            ("55", false),
            ("551", false),
            ("5.7.1", true),
            ("5.7", true),
            ("5.7.10", false),
            ("5.1", false),
            ("blocked", true),
            ("Blocked by", true),
            ("greylisted", false),
        ] {
            let cause: Cause = text.parse().unwrap();
            assert_eq!(cause.matches(550, "5.7.1", reply), matches, "{text}");
        }
    }
}
