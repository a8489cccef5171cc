//! What a template uses: every value it names, how, and where; the templates that it includes followed.

use std::collections::BTreeSet;

use handlebars::template::{
    DecoratorTemplate, HelperTemplate, Parameter, TemplateElement as Element,
};
use handlebars::{JsonValue, Template};

use super::Templates;

/// One place where a template names a value, or another template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The value from the root: `sender.name`, `networks[].range`; of an included template, its name.
    pub name: String,
    pub how: How,
    pub file: String,
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    Printed,
    /// By `{{{…}}}` or `{{&…}}`, so that it would not be [marked](super::MARKS).
    Bare,
    /// By `if`, `unless`, `each` or `with`: it decides what else is said.
    Asked,
    /// Beside the texts that it is held against.
    Compared(Vec<String>),
    /// A template included where the root's values are at hand, or only those of a block.
    Included {
        at_root: bool,
    },
}

impl Templates {
    /// All uses of a template and those it includes, in the order in which they stand; none where
    /// there is no such template.
    #[must_use]
    pub fn uses(&self, name: &str) -> Vec<Use> {
        let mut walk = Walk {
            templates: self,
            file: name.to_owned(),
            scopes: vec![String::new()],
            found: Vec::new(),
        };
        walk.file(name);
        walk.found
    }

    /// The names of the templates that one includes, itself or through others.
    #[must_use]
    pub fn included(&self, name: &str) -> BTreeSet<String> {
        let included = |one: Use| matches!(one.how, How::Included { .. }).then_some(one.name);
        self.uses(name).into_iter().filter_map(included).collect()
    }
}

struct Walk<'t> {
    templates: &'t Templates,
    file: String,
    /// Where names begin, the innermost block last.
    scopes: Vec<String>,
    found: Vec<Use>,
}

impl Walk<'_> {
    fn file(&mut self, name: &str) {
        let templates = self.templates;
        if let Some(template) = templates.written.get_template(name) {
            let outer = std::mem::replace(&mut self.file, name.to_owned());
            self.template(template);
            self.file = outer;
        }
    }

    fn template(&mut self, template: &Template) {
        for (element, place) in template.elements.iter().zip(&template.mapping) {
            let line = place.0;
            match element {
                Element::Expression(one) => self.expression(one, How::Printed, line),
                Element::HtmlExpression(one) => self.expression(one, How::Bare, line),
                Element::HelperBlock(one) => self.block(one, line),
                Element::PartialExpression(one) | Element::PartialBlock(one) => {
                    self.include(one, line);
                }
                _ => {}
            }
        }
    }

    fn expression(&mut self, one: &HelperTemplate, how: How, line: usize) {
        if one.params.is_empty() && one.hash.is_empty() {
            self.value(&one.name, how, line);
        } else {
            self.compared(one, line);
        }
    }

    fn block(&mut self, one: &HelperTemplate, line: usize) {
        let opened = match one.name.as_name() {
            Some("each") => Some("[]"),
            Some("with") => Some(""),
            _ => None,
        };
        for asked in &one.params {
            self.value(asked, How::Asked, line);
        }
        let scope = opened.zip(one.params.first().and_then(Parameter::as_name));
        let inner = scope.and_then(|(items, raw)| Some(self.path(raw)? + items));
        if let Some(template) = &one.template {
            let depth = self.scopes.len();
            self.scopes.extend(inner);
            self.template(template);
            self.scopes.truncate(depth);
        }
        if let Some(template) = &one.inverse {
            self.template(template);
        }
    }

    fn include(&mut self, one: &DecoratorTemplate, line: usize) {
        let name = one.name.as_name().unwrap_or_default();
        let name = name.trim_matches(['\'', '[', ']']).to_owned();
        let at_root = self.scopes.len() == 1 && one.params.is_empty();
        self.add(name.clone(), How::Included { at_root }, line);
        self.file(&name);
    }

    fn compared(&mut self, one: &HelperTemplate, line: usize) {
        let texts = one.params.iter().filter_map(|param| match param {
            Parameter::Literal(JsonValue::String(text)) => Some(text.clone()),
            _ => None,
        });
        let how = How::Compared(texts.collect());
        for param in one.params.iter().chain(one.hash.values()) {
            self.value(param, how.clone(), line);
        }
    }

    fn value(&mut self, param: &Parameter, how: How, line: usize) {
        match param {
            Parameter::Name(raw) => self.named(raw, how, line),
            Parameter::Path(_) => self.named(param.as_name().unwrap_or_default(), how, line),
            Parameter::Subexpression(inner) => {
                if let Element::Expression(one) = inner.as_element() {
                    self.expression(one, How::Asked, line);
                }
            }
            _ => {}
        }
    }

    fn named(&mut self, raw: &str, how: How, line: usize) {
        if let Some(name) = self.path(raw) {
            self.add(name, how, line);
        }
    }

    /// The value from the root; `None` for what a block knows of itself, like `@index`.
    fn path(&self, raw: &str) -> Option<String> {
        let mut rest = raw;
        let mut scopes = self.scopes.len();
        while let Some(outer) = rest.strip_prefix("../") {
            rest = outer;
            scopes = scopes.saturating_sub(1).max(1);
        }
        let scope = self.scopes.get(scopes - 1).map_or("", String::as_str);
        let rest = ["this.", "./", "this/"]
            .iter()
            .find_map(|lead| rest.strip_prefix(lead))
            .unwrap_or(rest);
        match (scope, rest) {
            (_, rest) if rest.starts_with('@') => None,
            (scope, "this" | "." | "") => Some(scope.to_owned()),
            ("", rest) => Some(rest.to_owned()),
            (scope, rest) => Some(format!("{scope}.{rest}")),
        }
    }

    fn add(&mut self, name: String, how: How, line: usize) {
        let file = self.file.clone();
        self.found.push(Use {
            name,
            how,
            file,
            line,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_value_is_found_by_its_path_from_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        file(
            "a.hbs",
            "{{ticket}}\n{{#if csirt}}{{{holder}}}{{else}}{{sender.name}}{{/if}}\n\
             {{#each networks}}\n{{range}} {{../mailbox}} {{@index}}\n{{#if asn}}{{this.asn}}{{/if}}\n{{/each}}\n\
             {{#each subjects}}{{this}}{{/each}}{{#if (eq tlp \"TLP:RED\")}}x{{/if}}\n{{> b.hbs}}\n",
        );
        file("b.hbs", "\n\n{{reply_to}}");
        let templates = Templates::load(Path::new(folder.path())).unwrap();
        let uses = templates.uses("a.hbs");
        let told: Vec<String> = uses
            .iter()
            .map(|one| format!("{} {:?} {}:{}", one.name, one.how, one.file, one.line))
            .collect();
        assert_eq!(
            told,
            [
                "ticket Printed a.hbs:1",
                "csirt Asked a.hbs:2",
                "holder Bare a.hbs:2",
                "sender.name Printed a.hbs:2",
                "networks Asked a.hbs:3",
                "networks[].range Printed a.hbs:4",
                "mailbox Printed a.hbs:4",
                "networks[].asn Asked a.hbs:5",
                "networks[].asn Printed a.hbs:5",
                "subjects Asked a.hbs:7",
                "subjects[] Printed a.hbs:7",
                "tlp Compared([\"TLP:RED\"]) a.hbs:7",
                "b.hbs Included { at_root: true } a.hbs:8",
                "reply_to Printed b.hbs:3",
            ]
        );
    }
}
