//! What a writer says himself: without the mail that he answers or hands on.

use super::reasons::plain;

/// Lines that are read; whoever quotes does it before.
const LINES: usize = 1000;

/// The text without quoted lines, up to where another's letter begins.
pub(super) fn own(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(LINES).collect();
    let mut own = String::with_capacity(text.len());
    let mut has_said = false;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('>') {
            continue;
        }
        if has_said && begins_anothers(&lines[at..]) {
            break;
        }
        has_said |= line.chars().any(char::is_alphanumeric);
        own.push_str(line);
        own.push('\n');
    }
    own
}

/// `-----Original Message-----`, `On Tuesday A wrote:`, or the head that Outlook sets above what it quotes.
fn begins_anothers(lines: &[&str]) -> bool {
    let line = lines[0].trim();
    // Few lines have a colon or are ruled.
    if !(line.starts_with(['-', '_', '*', 'B']) || line.contains([':', '\u{ff1a}'])) {
        return false;
    }
    let text = plain(line);
    let is_ruled = text.starts_with("--") || text.starts_with("__") || text.starts_with("**");
    let says = |list: &[&str]| list.iter().any(|words| text.contains(words));
    if text.starts_with("begin forwarded message") || is_ruled && says(&TITLES) {
        return true;
    }
    let is_led = text.ends_with(':') && text.len() < 200;
    if is_led && text.chars().any(|c| c.is_ascii_digit()) && says(&WROTE) {
        return true;
    }
    let next: Vec<&&str> = lines[1..]
        .iter()
        .filter(|line| !line.trim().is_empty())
        .take(4)
        .collect();
    begins_with(line, &FROM)
        && next.iter().any(|line| begins_with(line, &TO))
        && next.iter().any(|line| begins_with(line, &SUBJECT))
}

/// A label of a head, in bold or not, and its colon.
fn begins_with(line: &str, labels: &[&str]) -> bool {
    let line = plain(line);
    let line = line.trim_start_matches([' ', '*', '_']);
    line.split_once([':', '\u{ff1a}'])
        .is_some_and(|(label, _)| labels.contains(&label.trim_end_matches([' ', '*', '_'])))
}

const TITLES: [&str; 18] = [
    "original message",
    "original mail",
    "forwarded message",
    "ursprungliche nachricht",
    "weitergeleitete nachricht",
    "original-nachricht",
    "message d'origine",
    "message transfere",
    "mensaje original",
    "mensaje reenviado",
    "mensagem original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "wiadomosc oryginalna",
    "исходное сообщение",
    "пересылаемое сообщение",
    "元のメッセージ",
    "原始邮件",
];

const WROTE: [&str; 16] = [
    "wrote",
    "writes",
    "schrieb",
    "a ecrit",
    "escribio",
    "escreveu",
    "ha scritto",
    "schreef",
    "skrev",
    "napisal",
    "kirjoitti",
    "пишет",
    "написал",
    "yazdi",
    "写道",
    "作成",
];

const FROM: [&str; 16] = [
    "from",
    "von",
    "de",
    "da",
    "van",
    "fran",
    "fra",
    "od",
    "от",
    "kimden",
    "lahettaja",
    "差出人",
    "发件人",
    "寄件者",
    "보낸 사람",
    "felado",
];

const TO: [&str; 16] = [
    "to",
    "an",
    "a",
    "para",
    "aan",
    "till",
    "til",
    "do",
    "кому",
    "kime",
    "vastaanottaja",
    "宛先",
    "收件人",
    "收件者",
    "받는 사람",
    "komu",
];

const SUBJECT: [&str; 16] = [
    "subject",
    "betreff",
    "objet",
    "asunto",
    "assunto",
    "oggetto",
    "onderwerp",
    "amne",
    "emne",
    "temat",
    "тема",
    "konu",
    "件名",
    "主题",
    "主旨",
    "제목",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_not_ones_own() {
        for (text, expected) in [
            ("Done.\n> User unknown\nBye.\n", "Done.\nBye.\n"),
            (
                "Done.\n-----Original Message-----\nUser unknown\n",
                "Done.\n",
            ),
            (
                "Fini.\n\nLe 11/03/2025, A a écrit :\nUser unknown\n",
                "Fini.\n\n",
            ),
            (
                "Ok\n\nVon: A\nGesendet: heute\nAn: b\nBetreff: C\n\nUser unknown\n",
                "Ok\n\n",
            ),
            (
                "From: a\nTo: b\nSubject: c\n",
                "From: a\nTo: b\nSubject: c\n",
            ),
        ] {
            assert_eq!(own(text), expected);
        }
    }
}
