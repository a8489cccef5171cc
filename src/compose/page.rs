//! A letter as a page by itself: for a browser, and for paper.

use super::layout::escape;
use crate::model::Letter;

/// On paper a letter needs what a mail program shows above it.
const STYLE: &str = "<style>
header.mail { border-bottom: 1px solid #767676; margin-bottom: 1.5em; padding-bottom: 0.5em; }
header.mail table { width: auto; margin: 0; font-size: 0.9em; }
header.mail th, header.mail td { border: 0; padding: 0.1em 1em 0.1em 0; white-space: normal; overflow-wrap: anywhere; }
header.mail th { white-space: nowrap; font-weight: normal; color: #595959; }
</style>
";

/// The letter's HTML with the head of the mail on top.
#[must_use]
pub fn page(letter: &Letter) -> String {
    let mut lines = vec![
        (
            "From",
            format!("{} <{}>", letter.sender_name, letter.sender),
        ),
        ("To", letter.recipient.to_string()),
        ("Date", letter.dated_at.to_string()),
        ("Subject", letter.subject.clone()),
    ];
    if letter.reply_to != letter.sender {
        lines.push(("Reply-To", letter.reply_to.to_string()));
    }
    let names = letter.attachments.iter().map(|one| one.name.as_str());
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        lines.push(("Attached", names.join(", ")));
    }
    if !letter.signed_by.is_empty() {
        let key = format!("when it leaves, by the key {}", letter.signed_by);
        lines.push(("Signed", key));
    }
    let rows = lines.iter().map(|(name, value)| {
        let value = escape(value);
        format!("<tr><th scope=\"row\">{name}</th><td><bdi>{value}</bdi></td></tr>\n")
    });
    let head = format!(
        "<header class=\"mail\" lang=\"en\" dir=\"ltr\">\n<table>\n{}</table>\n</header>\n",
        rows.collect::<String>()
    );
    let html = letter.html.as_str();
    let styled = html.find("</head>").unwrap_or(0);
    let body = html.find("<body>").map_or(styled, |at| at + "<body>".len());
    format!(
        "{}{STYLE}{}\n{head}{}",
        &html[..styled],
        &html[styled..body],
        html[body..].trim_start_matches('\n')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mailbox, Timestamp};

    #[test]
    fn the_mails_head_stands_on_the_page_and_writes_no_markup() {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        let letter = Letter {
            subject: "[LW-000042-5] <script>".to_owned(),
            sender_name: "A & B".to_owned(),
            html: "<html><head></head>\n<body>\n<main>x</main></body></html>".to_owned(),
            id: 1,
            ticket: "LW-000042-5".to_owned(),
            part: 1,
            parts: 1,
            locale: "en".to_owned(),
            country: "JP".to_owned(),
            sender: mailbox("a@agency.example"),
            reply_to: mailbox("a@agency.example"),
            recipient: mailbox("abuse@isp.example"),
            envelope_from: mailbox("b@agency.example"),
            message_id: "x@agency.example".to_owned(),
            dated_at: Timestamp(0),
            text: String::new(),
            opt_out: String::new(),
            signed_by: "1E5A 0B3C".to_owned(),
            rows: 1,
            attachments: Vec::new(),
        };
        let unsigned = Letter {
            signed_by: String::new(),
            ..letter.clone()
        };
        assert!(!page(&unsigned).contains("Signed"));
        let page = page(&letter);
        for part in [
            "A &amp; B &lt;a@agency.example&gt;",
            "abuse@isp.example",
            "[LW-000042-5] &lt;script&gt;",
            "<th scope=\"row\">Signed</th><td><bdi>when it leaves, by the key 1E5A 0B3C</bdi>",
            "</style>\n</head>\n<body>\n<header class=\"mail\"",
            "</header>\n<main>x</main></body></html>",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("Attached") && !page.contains("<script>"));
    }
}
