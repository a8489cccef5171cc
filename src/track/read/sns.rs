//! Notices of Amazon's that come as JSON in a mail, as its notification service sends them.

use serde_json::Value;

use super::report::{Block, action};
use super::status::Code;
use crate::model::Action;

/// Whether it complains or fails, the recipients, and the identifier of the letter.
pub(super) struct Notification {
    pub(super) is_complaint: bool,
    pub(super) recipients: Vec<Block>,
    pub(super) message_id: Option<String>,
}

pub(super) fn read(text: &str) -> Option<Notification> {
    let start = text.find('{')?;
    if !text[start..].contains("notificationType") && !text[start..].contains("eventType") {
        return None;
    }
    // Mail folds what is long.
    let json = text[start..].replace("!\n ", "").replace('\n', "");
    let value: Value = serde_json::Deserializer::from_str(&json)
        .into_iter()
        .next()?
        .ok()?;
    let inner = value
        .get("Message")
        .and_then(Value::as_str)
        .and_then(|inner| serde_json::from_str(inner).ok());
    let value: Value = inner.unwrap_or(value);
    let kind = value
        .get("notificationType")
        .or_else(|| value.get("eventType"))?
        .as_str()?;
    let (list, name) = match kind {
        "Bounce" => (&value["bounce"]["bouncedRecipients"], "bounce"),
        "Complaint" => (&value["complaint"]["complainedRecipients"], "complaint"),
        "Delivery" => (&value["delivery"]["recipients"], "delivery"),
        "DeliveryDelay" => (
            &value["deliveryDelay"]["delayedRecipients"],
            "deliveryDelay",
        ),
        _ => return None,
    };
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_sure = text(&value[name], "bounceType").is_some_and(|kind| kind == "Permanent");
    let usual = match name {
        "bounce" => Action::Failed,
        "deliveryDelay" => Action::Delayed,
        _ => Action::Delivered,
    };
    let recipients = list.as_array()?.iter().take(100).map(|one| Block {
        last: text(one, "emailAddress").or_else(|| one.as_str().map(str::to_owned)),
        action: text(one, "action")
            .and_then(|word| action(&word))
            .or(Some(usual)),
        status: text(one, "status").and_then(|code| Code::find(&code)),
        diagnostic: text(one, "diagnosticCode").unwrap_or_else(|| {
            if is_sure {
                "user unknown".to_owned()
            } else {
                String::new()
            }
        }),
        ..Block::default()
    });
    let headers = value["mail"]["headers"].as_array().into_iter().flatten();
    let id = headers
        .filter(|one| {
            one["name"]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case("message-id"))
        })
        .find_map(|one| text(one, "value"));
    Some(Notification {
        is_complaint: name == "complaint",
        recipients: recipients.collect(),
        message_id: id.map(|id| id.trim_matches(['<', '>']).to_owned()),
    })
}
