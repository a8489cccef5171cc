//! What a subject tells before it comes to the point: an answer, a letter handed on, a machine.

use super::reasons::plain;

/// `Re:` in the languages that have another.
pub(super) fn is_reply(subject: &str) -> bool {
    let lower = subject.trim_start().to_lowercase();
    [
        "re:", "re :", "re[", "aw:", "antw:", "sv:", "vs:", "odp:", "res:", "rif:", "ref:", "tr:",
        "回复", "回覆", "答复", "返信", "答覆", "回信", "отв:", "ha:", "на:", "ynt:", "atb:",
        "bls:", "vá:",
    ]
    .iter()
    .any(|mark| lower.starts_with(mark))
}

/// A letter that somebody hands on, in the languages that mail programs have.
pub(super) fn is_forward(subject: &str) -> bool {
    let lower = subject.trim_start().to_lowercase();
    [
        "fw:",
        "fwd:",
        "fwd ",
        "[fwd",
        "wg:",
        "tr:",
        "rv:",
        "enc:",
        "i:",
        "doorst",
        "vb:",
        "vl:",
        "pd:",
        "пересл",
        "перес",
        "转发",
        "轉寄",
        "轉發",
        "転送",
        "전달",
        "ilt:",
        "tovabbitas:",
        "továbbítás:",
        "πρθ:",
        "pf:",
    ]
    .iter()
    .any(|mark| lower.starts_with(mark))
}

/// Whether words are those of the mail that is answered, and not of the answer: they follow its mark closely.
pub(super) fn keeps(subject: &str, words: &str) -> bool {
    const NEAR: usize = 16;
    let text = plain(subject);
    is_reply(subject) && text.find(&plain(words)).is_some_and(|at| at < NEAR)
}

/// Words of a subject that only machines head their answers with.
pub(super) fn automatic(subject: &str, is_list: bool) -> Option<String> {
    // Words that people on lists head their own mail with.
    const UNSURE: [&str; 12] = [
        "vacation",
        "on vacation",
        "on holiday",
        "away:",
        "away from",
        "i am away",
        "absence",
        "absent",
        "assenza",
        "不在",
        "ausência",
        "abwesend",
    ];
    const STARTS: [&str; 62] = [
        "automatic reply",
        "auto reply",
        "auto-reply",
        "autoreply",
        "auto:",
        "auto response",
        "auto-response",
        "autoresponse",
        "automated reply",
        "automated response",
        "automatic response",
        "automatically generated",
        "out of office",
        "out-of-office",
        "out of the office",
        "ooo:",
        "away from",
        "i am away",
        "vacation",
        "on vacation",
        "on holiday",
        "away:",
        "automatische antwort",
        "abwesenheit",
        "abwesend",
        "automatische eingangsbestätigung",
        "eingangsbestätigung",
        "antwort: abwesen",
        "réponse automatique",
        "absence",
        "absent",
        "accusé de réception",
        "message d'absence",
        "respuesta automática",
        "respuesta automatica",
        "fuera de la oficina",
        "fuera de oficina",
        "acuse de recibo",
        "resposta automática",
        "resposta automatica",
        "fora do escritório",
        "ausência",
        "risposta automatica",
        "fuori ufficio",
        "assenza",
        "automatisch antwoord",
        "afwezig",
        "automatische reactie",
        "autosvar",
        "automaattinen vastaus",
        "automatyczna odpowiedź",
        "nieobecność",
        "автоматический ответ",
        "автоответ",
        "自動返信",
        "自動応答",
        "不在",
        "自动回复",
        "自動回覆",
        "自动答复",
        "자동 회신",
        "부재중",
    ];
    let lower = subject.trim().to_lowercase();
    let mut bare = lower.as_str();
    bare = bare
        .strip_prefix('[')
        .filter(|inner| STARTS.iter().any(|start| inner.starts_with(start)))
        .unwrap_or(bare);
    while let Some(rest) = ["re:", "fw:", "fwd:", "aw:", "sv:", "["]
        .iter()
        .find_map(|mark| bare.strip_prefix(mark))
    {
        // `[Queue] Auto: …`
        bare = match bare.strip_prefix('[') {
            Some(tag) => tag
                .split_once(']')
                .map_or("", |(_, rest)| rest)
                .trim_start(),
            None => rest.trim_start(),
        };
    }
    // A person who answers a vacation's note keeps its subject.
    let is_kept = lower.starts_with("re:") || lower.starts_with("aw:");
    let start = STARTS
        .iter()
        .find(|start| bare.starts_with(**start))
        .filter(|start| !(is_kept || is_list && UNSURE.contains(start)));
    let anywhere = [
        "out of office",
        "autoreply",
        "auto-reply",
        "auto reply",
        "autoresponse",
        "auto response",
        "automatic reply",
        "automatyczna odpowiedź",
        "(automatic reply)",
        "[auto-reply]",
        "[autoreply]",
        "abwesenheitsnotiz",
        "自動返信",
        "自动回复",
    ];
    if let Some(prefix) = automatic_prefix(subject) {
        return Some(format!("the subject begins with \"{prefix}\""));
    }
    let words = start.or_else(|| {
        anywhere
            .iter()
            .find(|words| lower.contains(**words))
            .filter(|_| !is_kept)
    })?;
    Some(format!("the subject says \"{words}\""))
}

/// "Automatic reply" before a colon, whatever the language: most have the same stem for the one word.
fn automatic_prefix(subject: &str) -> Option<&str> {
    let (prefix, _) = subject
        .trim_start_matches(['[', '(', '\u{3010}', ' '])
        .split_once([':', '\u{ff1a}', ']', ')', '\u{3011}'])
        .unwrap_or((subject, ""));
    let text = plain(prefix);
    let has = |list: &[&str]| list.iter().any(|stem| text.contains(stem));
    (prefix.chars().count() <= 40 && has(&AUTOMATIC) && has(&REPLY)).then_some(prefix)
}

const AUTOMATIC: [&str; 24] = [
    "automat",
    "otomat",
    "auto-",
    "auto ",
    "autom",
    "automaat",
    "автомат",
    "αυτοματ",
    "αυτόματ",
    "自動",
    "自动",
    "자동",
    "אוטומט",
    "аутомат",
    "תגובה אוטומט",
    "تلقائي",
    "آلي",
    "خودکار",
    "อัตโนมัติ",
    "tự dộng",
    "sjalfvirk",
    "samodejn",
    "स्वचालित",
    "avtomat",
];

const REPLY: [&str; 50] = [
    "repl",
    "respon",
    "answer",
    "antwort",
    "repons",
    "respuesta",
    "respost",
    "rispost",
    "antwoord",
    "reactie",
    "svar",
    "vastau",
    "odpow",
    "odpov",
    "odgovor",
    "отве",
    "ответ",
    "відпов",
    "отгов",
    "yanit",
    "cevap",
    "raspuns",
    "valasz",
    "απαντησ",
    "απάντησ",
    "回",
    "返信",
    "応答",
    "答复",
    "회신",
    "응답",
    "מענה",
    "balas",
    "tra loi",
    "trả lời",
    "vastaus",
    "رد",
    "תשובה",
    "תגובה",
    "پاسخ",
    "ตอบ",
    "atsakym",
    "atbild",
    "одговор",
    "vastus",
    "pergjigj",
    "उत्तर",
    "जवाब",
    "回复",
    "回覆",
];
