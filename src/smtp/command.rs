//! Command lines taken apart: verb, path, parameters (RFC 5321 4.1).

use std::borrow::Cow;

/// An address of the envelope with the parameters behind it, such as `RET=HDRS`, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeAddress {
    pub address: String,
    pub parameters: Vec<String>,
}

impl EnvelopeAddress {
    /// The value of a parameter, empty for one without.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    #[cfg(test)]
    pub(crate) fn plain(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            parameters: Vec::new(),
        }
    }
}

/// An answer: code, enhanced code (RFC 3463; empty where none is due) and text.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) status: &'static str,
    pub(crate) text: Cow<'static, str>,
}

pub(crate) fn reply(code: u16, status: &'static str, text: impl Into<Cow<'static, str>>) -> Reply {
    let text = text.into();
    Reply { code, status, text }
}

impl Reply {
    pub(crate) fn line(&self, shows_status: bool) -> String {
        let Self { code, status, text } = self;
        if shows_status && !status.is_empty() {
            format!("{code} {status} {text}")
        } else {
            format!("{code} {text}")
        }
    }
}

/// The verb in upper case, and what stands behind it.
pub(crate) fn split(line: &str) -> (String, &str) {
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    (verb.to_ascii_uppercase(), argument.trim())
}

/// Reads `FROM:<address> NAME=VALUE …`, or `TO:` by its keyword.
pub(crate) fn path(keyword: &str, argument: &str) -> Option<EnvelopeAddress> {
    let head = argument.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let inside = argument[keyword.len()..].trim_start().strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.find(|c: char| {
        let ends = c == '>' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let parameters = &inside[end + 1..];
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return None;
    }
    Some(EnvelopeAddress {
        address: inside[..end].to_owned(),
        parameters: parameters.split_whitespace().map(str::to_owned).collect(),
    })
}

/// A parameter that was offered, and which values it may have, in upper case.
pub(crate) type Known = (&'static str, fn(&str) -> bool);

/// What was not offered, stands twice or has no sense is refused.
pub(crate) fn check_parameters(party: &EnvelopeAddress, known: &[Known]) -> Result<(), Reply> {
    for (place, parameter) in party.parameters.iter().enumerate() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let same = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let Some((_, is_valid)) = known.iter().find(|(known, _)| same(name, known)) else {
            let text = format!("Parameter {name} was not offered");
            return Err(reply(555, "5.5.4", text));
        };
        let is_double = party.parameters[..place]
            .iter()
            .any(|earlier| same(name, earlier.split('=').next().unwrap_or_default()));
        if is_double || !is_valid(&value.to_ascii_uppercase()) {
            return Err(reply(501, "5.5.4", format!("Bad parameter {parameter}")));
        }
    }
    Ok(())
}
