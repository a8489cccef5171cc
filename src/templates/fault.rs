//! What keeps a template from being read, in the words of those who write letters.

use handlebars::TemplateError;

/// The line, and what is wrong with it.
pub(super) fn fault(text: &str, error: &TemplateError) -> (Option<usize>, String) {
    if let Some((line, problem)) = unpaired(text) {
        return (Some(line), problem);
    }
    let Some((line, column)) = error.pos() else {
        return (None, error.reason().to_string());
    };
    let words = text.lines().nth(line.saturating_sub(1));
    let words = words.unwrap_or_default();
    let before: String = words.chars().take(column).collect();
    let tag = words.get(before.rfind("{{").unwrap_or_default()..);
    let tag: String = tag.unwrap_or_default().chars().take(40).collect();
    let problem = match tag.trim() {
        "" => "cannot be read from here on; look at the {{…}} before it".to_owned(),
        tag => format!("cannot be read from \"{tag}\" on; look at the {{{{…}}}} there"),
    };
    (Some(line), problem)
}

/// The first braces or block without its other half.
fn unpaired(text: &str) -> Option<(usize, String)> {
    let mut open: Vec<(&str, &str, usize)> = Vec::new();
    let (mut line, mut rest) = (1, text);
    while let Some(at) = rest.find("{{") {
        line += rest[..at].matches('\n').count();
        let is_escaped = rest[..at].ends_with('\\');
        rest = &rest[at..];
        if is_escaped {
            rest = rest.trim_start_matches('{');
            continue;
        }
        let Some(tag) = tag(rest) else {
            let begun = rest.lines().next().unwrap_or_default();
            let begun: String = begun.chars().take(40).collect();
            return Some((line, format!("\"{begun}\" has no }}}} to close its {{{{")));
        };
        let inner = tag.trim_matches(['{', '}', '~']);
        let words = inner.trim_start_matches(['#', '^', '/', '*', '>', '~', ' ']);
        let name = words.split_whitespace().next().unwrap_or_default();
        match inner.chars().next() {
            Some('#') => open.push((name, tag, line)),
            Some('^') if !name.is_empty() => open.push((name, tag, line)),
            Some('/') => match open.pop() {
                Some((opened, _, _)) if opened == name => {}
                Some((opened, block, at)) => {
                    let problem = format!(
                        "{block} is opened here and not closed: {{{{/{opened}}}}} is missing before the {tag} of line {line}"
                    );
                    return Some((at, problem));
                }
                None => return Some((line, format!("{tag} closes what was never opened"))),
            },
            _ => {}
        }
        line += tag.matches('\n').count();
        rest = &rest[tag.len()..];
    }
    let (opened, block, at) = open.pop()?;
    let problem = format!("{block} is opened here and never closed: {{{{/{opened}}}}} is missing");
    Some((at, problem))
}

/// From its first brace to its last; `None` where another begins before it ends.
fn tag(text: &str) -> Option<&str> {
    let (end, closing) = match text {
        comment if comment.starts_with("{{!--") => (comment.find("--}}")?, "--}}"),
        bare if bare.starts_with("{{{") => (bare.find("}}}")?, "}}}"),
        plain => (plain.find("}}")?, "}}"),
    };
    let tag = text.get(..end + closing.len())?;
    let inner = tag.trim_start_matches('{');
    (inner.starts_with('!') || !inner.contains("{{")).then_some(tag)
}

#[cfg(test)]
mod tests {
    use handlebars::Template;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_plain_words_with_its_line() {
        for (text, line, said) in [
            (
                "one\n{{#if a}}\n{{#each b}}x{{/each}}\n",
                2,
                "{{#if a}} is opened here and never closed: {{/if}} is missing",
            ),
            (
                "{{#each b}}\n{{~#if a}}{{else}}\n{{/each}}\n",
                2,
                "{{~#if a}} is opened here and not closed: {{/if}} is missing before the {{/each}} of line 3",
            ),
            (
                "{{!-- {{#if --}}\\{{#if}}{{^if a}}\n{{/if}}\n{{/if}}",
                3,
                "{{/if}} closes what was never opened",
            ),
            (
                "one\nKeep {{ticket in the subject, {{holder}}\n",
                2,
                "\"{{ticket in the subject, {{holder}}\" has no }} to close its {{",
            ),
            (
                "one\n{{ticket}",
                2,
                "\"{{ticket}\" has no }} to close its {{",
            ),
            (
                "one\n{{sender name=}} two\n",
                2,
                "cannot be read from \"{{sender name=}} two\" on; look at the {{…}} there",
            ),
        ] {
            let error = Template::compile(text).unwrap_err();
            let (at, problem) = fault(text, &error);
            assert_eq!((at, problem.as_str()), (Some(line), said), "{error}");
        }
    }

    #[test]
    fn nothing_is_wrong_with_what_is_shipped() {
        let templates = crate::templates::Templates::load(std::path::Path::new("")).unwrap();
        for name in templates.names("").filter(|name| name.ends_with(".hbs")) {
            assert_eq!(unpaired(templates.text(name).unwrap()), None, "{name}");
        }
    }
}
