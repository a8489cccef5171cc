//! What of a report tells why: without the lines in which it tells our own letter again.

use super::reasons::plain;

/// The report without what it repeats of the letter: a letter about spam is not refused for spam by being named.
pub(super) fn telling(report: &str, subject: &str) -> String {
    let lines: Vec<&str> = report.lines().collect();
    let mut kept = String::with_capacity(report.len());
    for (line, is_told) in lines.iter().zip(told(&lines)) {
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

/// Which lines tell the subject of a letter: behind a word for it, or below it.
pub(super) fn told(lines: &[&str]) -> Vec<bool> {
    let mut is_next = false;
    let of_line = |line: &&str| {
        let value = subject_of(line);
        let is_empty = line.trim().is_empty();
        let is_told = value.is_some() || is_next && !is_empty;
        is_next = match value {
            Some(value) => value.trim().is_empty(),
            None => is_next && is_empty,
        };
        is_told
    };
    lines.iter().map(of_line).collect()
}

/// Letters of a subject that may stand in a sentence of their own right.
const SHORT: usize = 8;

/// What follows the word for it, if this line tells the subject of a letter.
fn subject_of(line: &str) -> Option<&str> {
    let line = line
        .trim_start_matches([
            ' ', '\t', '>', '|', '*', '-', '\u{2022}', '\u{3000}', '\u{a0}',
        ])
        .trim_end();
    let line = line.trim_start_matches('\u{3010}');
    // In a table the word stands alone.
    let (label, value) = line
        .split_once([':', '\u{ff1a}', '\u{3011}'])
        .unwrap_or((line, ""));
    if label.is_empty() || label.len() > 40 {
        return None;
    }
    let label: String = plain(label)
        .chars()
        .filter(|c| !matches!(c, ' ' | '\u{3000}' | '\u{a0}' | '*'))
        .collect();
    let is_one = LABELS.contains(&label.as_str())
        || label.chars().count() <= 6 && ENDINGS.iter().any(|word| label.ends_with(word));
    is_one.then_some(value)
}

/// Where no blank stands between words: "the original mail's subject".
const ENDINGS: [&str; 6] = ["件名", "主题", "主旨", "主題", "标题", "제목"];

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
        let report = "Ihre Nachricht\n\n  Betreff: Spam aus Ihrem Netz\n\nkonnte nicht\nSubject:\n   Spam\nMail \"Spam aus Ihrem Netz\" failed\n主　题：Spam\n【件名】 Spam\n原邮件主题：Spam\n";
        let told = telling(report, "Spam aus Ihrem Netz");
        assert!(!told.to_lowercase().contains("spam"), "{told}");
        assert!(told.contains("konnte nicht") && told.contains("failed"));
        assert_eq!(subject_of("The subject matter: x"), None);
    }
}
