//! What of a report tells why: without the lines in which it tells our own letter again.

use super::reasons::plain;

/// The report without what it repeats of the letter: a letter about spam is not refused for spam by being named.
pub(super) fn telling(report: &str, subject: &str) -> String {
    let mut kept = String::with_capacity(report.len());
    let mut is_value = false;
    for line in report.lines() {
        let value = subject_line(line);
        let is_told = value.is_some() || is_value && !line.trim().is_empty();
        is_value = match value {
            Some(value) => value.trim().is_empty(),
            None => is_value && line.trim().is_empty(),
        };
        if !is_told {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    match subject.trim() {
        subject if subject.chars().count() >= SHORT => kept.replace(subject, " "),
        _ => kept,
    }
}

/// Letters of a subject that may stand in a sentence of their own right.
const SHORT: usize = 8;

/// What follows the word for it, if this line tells the subject of a letter.
pub(super) fn subject_line(line: &str) -> Option<&str> {
    let line = line.trim_start_matches([' ', '\t', '>', '|', '*', '-', '\u{2022}', '\u{3000}']);
    let (label, value) = line.split_once([':', '\u{ff1a}'])?;
    if label.len() > 60 {
        return None;
    }
    let label: String = plain(label)
        .chars()
        .filter(|c| !matches!(c, ' ' | '\u{3000}'))
        .collect();
    LABELS.contains(&label.as_str()).then_some(value)
}

/// The words for it, without blanks and accents.
const LABELS: [&str; 39] = [
    "subject",
    "mailsubject",
    "messagesubject",
    "originalsubject",
    "themessagesubjectwas",
    "thesubjectofthemessageis",
    "thesubjectofthemessagewas",
    "withsubject",
    "messagetitle",
    "betreff",
    "objet",
    "sujet",
    "asunto",
    "assunto",
    "oggetto",
    "onderwerp",
    "temat",
    "tema",
    "тема",
    "predmet",
    "predmetzpravy",
    "targy",
    "konu",
    "subiect",
    "amne",
    "emne",
    "aihe",
    "θεμα",
    "θέμα",
    "件名",
    "題名",
    "表題",
    "主题",
    "主旨",
    "标题",
    "主題",
    "제목",
    "메일제목",
    "נושא",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_letter_was_about_is_left_out() {
        let report = "Ihre Nachricht\n\n  Betreff: Spam aus Ihrem Netz\n\nkonnte nicht\nSubject:\n   Spam\nMail \"Spam aus Ihrem Netz\" failed\n主　题：Spam\n";
        let told = telling(report, "Spam aus Ihrem Netz");
        assert!(!told.to_lowercase().contains("spam"), "{told}");
        assert!(told.contains("konnte nicht") && told.contains("failed"));
        assert_eq!(subject_line("The subject matter: x"), None);
    }
}
