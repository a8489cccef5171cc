//! Records that lead through every branch of a template: each value given and not given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::templates::{How, Use};

/// One record, and what is particular about it, in words.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) values: Value,
}

/// All names that a record has: `sender.name`, `networks`, `networks[].range`.
pub(super) fn names(values: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each(&mut values.clone(), "", &mut |name, _| {
        names.insert(name.to_owned());
    });
    names
}

/// With everything given and with nothing of what is asked for, and from both each single thing
/// turned round; each value prints its own name, but for those that are held against texts.
pub(super) fn records(specimen: &Value, uses: &[Use]) -> Vec<Record> {
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    let mut compared: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in uses {
        match &one.how {
            How::Asked => drop(asked.insert(&one.name)),
            How::Compared(texts) => compared
                .entry(&one.name)
                .or_default()
                .extend(texts.iter().map(String::as_str)),
            _ => {}
        }
    }
    let mut full = specimen.clone();
    each(&mut full, "", &mut |name, value| given(name, value));
    let mut bare = full.clone();
    for name in &asked {
        turn(&mut bare, name, None);
    }
    let mut records = vec![
        record("with everything given", full.clone()),
        record("with only what is always given", bare.clone()),
    ];
    for name in asked {
        let mut without = full.clone();
        turn(&mut without, name, None);
        records.push(record(&format!("without {name}"), without));
        // What lies in a list needs the list.
        let mut with = bare.clone();
        for (at, _) in name.match_indices("[]") {
            turn(&mut with, &name[..at], Some(&full));
        }
        turn(&mut with, name, Some(&full));
        records.push(record(&format!("with only {name}"), with));
    }
    for (name, texts) in compared {
        for text in texts {
            let mut with = full.clone();
            each(&mut with, "", &mut |found, value| {
                if found == name {
                    *value = Value::from(text);
                }
            });
            records.push(record(&format!("with {name} as \"{text}\""), with));
        }
    }
    records
}

fn record(name: &str, values: Value) -> Record {
    Record {
        name: name.to_owned(),
        values,
    }
}

fn given(name: &str, value: &mut Value) {
    match value {
        Value::Bool(_) => *value = Value::Bool(true),
        Value::Null | Value::Number(_) | Value::String(_) => *value = Value::from(name),
        Value::Array(_) | Value::Object(_) => {}
    }
}

/// Takes a value away, or gives it back as it stands in `from`.
fn turn(values: &mut Value, name: &str, from: Option<&Value>) {
    each(values, "", &mut |found, value| {
        if found != name {
            return;
        }
        *value = match (from, &value) {
            (Some(from), _) => first(from, name).unwrap_or(Value::Null),
            (None, Value::Bool(_)) => Value::Bool(false),
            (None, Value::Array(_)) => Value::Array(Vec::new()),
            (None, _) => Value::from(""),
        };
    });
}

fn first(values: &Value, name: &str) -> Option<Value> {
    let mut found = None;
    each(&mut values.clone(), "", &mut |at, value| {
        if at == name && found.is_none() {
            found = Some(value.clone());
        }
    });
    found
}

/// Goes through all values, the outer ones first.
fn each(value: &mut Value, name: &str, then: &mut impl FnMut(&str, &mut Value)) {
    if !name.is_empty() {
        then(name, value);
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let inner = match name {
                    "" => key.clone(),
                    _ => format!("{name}.{key}"),
                };
                each(value, &inner, then);
            }
        }
        Value::Array(items) => {
            for item in items {
                each(item, &format!("{name}[]"), then);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(name: &str, how: How) -> Use {
        Use {
            name: name.to_owned(),
            how,
            file: String::new(),
            line: 1,
        }
    }

    #[test]
    fn every_name_is_known_and_every_branch_is_gone_through() {
        let specimen = json!({
            "ticket": "", "split": false, "tlp": "", "verify": "",
            "networks": [{ "range": "192.0.2.0/24", "asn": null }],
        });
        let names: Vec<String> = names(&specimen).into_iter().collect();
        assert_eq!(
            names,
            [
                "networks",
                "networks[]",
                "networks[].asn",
                "networks[].range",
                "split",
                "ticket",
                "tlp",
                "verify"
            ]
        );
        let uses = [
            used("ticket", How::Printed),
            used("split", How::Asked),
            used("networks", How::Asked),
            used("networks[].asn", How::Asked),
            used("tlp", How::Compared(vec!["TLP:RED".to_owned()])),
        ];
        let records = records(&specimen, &uses);
        let of = |name: &str| {
            let found = records.iter().find(|one| one.name == name);
            found.unwrap_or_else(|| panic!("{name}")).values.clone()
        };
        let network = json!([{ "range": "networks[].range", "asn": "networks[].asn" }]);
        assert_eq!(
            of("with everything given"),
            json!({ "ticket": "ticket", "split": true, "tlp": "tlp", "verify": "verify", "networks": network })
        );
        assert_eq!(
            of("with only what is always given"),
            json!({ "ticket": "ticket", "split": false, "tlp": "tlp", "verify": "verify", "networks": [] })
        );
        assert_eq!(of("without split")["split"], json!(false));
        assert_eq!(of("with only split")["networks"], json!([]));
        assert_eq!(of("without networks[].asn")["networks"][0]["asn"], "");
        assert_eq!(of("with only networks[].asn")["networks"], network);
        assert_eq!(of("with tlp as \"TLP:RED\"")["tlp"], "TLP:RED");
        assert_eq!(records.len(), 2 + 3 * 2 + 1);
    }
}
