//! Makes suspects of a feed's rows: finds the columns, reads the cells, screens the addresses.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::screen::{Limits, screen};
use super::{Wrong, moment, place};
use crate::model::{AddressRange, Refusal, Span, Suspect, Terminal, Timestamp, plain_text};
use crate::sheet::{Columns, Format, Mapping, Meaning, Plan, Record, Sheet, SheetError, Text};

const CLASS_LEN: usize = 64;
const SOURCE_LEN: usize = 128;
const EVIDENCE_LEN: usize = 1_000;

/// How the columns of feeds are named: by IntelMQ, Shadowserver, abuse.ch, DShield, and by hand.
#[rustfmt::skip]
static PLAN: Plan = Plan {
    meanings: &[
        Meaning { key: "ip", looks: Some(place::looks), names: &[
            "ip", "source.ip", "src_ip", "ip_address", "ip_addr", "address", "addr", "suspect",
            "host", "host_ip", "source_address", "src_addr", "client_ip", "remote_ip", "remote_addr",
            "attacker_ip", "infected_ip", "ipv4", "ipv6", "ip_range", "range", "network", "cidr",
            "prefix", "subnet", "netblock", "source.network",
            "IPアドレス", "アドレス", "送信元IPアドレス", "送信元IP", "発信元IPアドレス"] },
        Meaning { key: "first", looks: None, names: &[
            "first_ip", "start_ip", "first_address", "start_address", "range_start", "ip_start",
            "ip_from", "first", "start", "開始アドレス", "開始IPアドレス"] },
        Meaning { key: "last", looks: None, names: &[
            "last_ip", "end_ip", "last_address", "end_address", "range_end", "ip_end", "ip_to",
            "last", "end", "終了アドレス", "終了IPアドレス"] },
        Meaning { key: "seen", looks: Some(moment::looks), names: &[
            "last_seen", "last_seen_utc", "time.source", "seen_at", "seen", "timestamp", "datetime",
            "date_time", "date_and_time", "detected_at", "detected", "observed_at", "event_time",
            "source_time", "time_utc", "timestamp_utc", "first_seen", "first_seen_utc",
            "time.observation", "日時", "検知日時", "検出日時", "発生日時", "受信日時", "観測日時"] },
        Meaning { key: "date", looks: None, names: &["date", "day", "日付", "年月日"] },
        Meaning { key: "time", looks: None, names: &["time", "time_of_day", "clock", "時刻", "時間"] },
        Meaning { key: "class", looks: None, names: &[
            "class", "classification.type", "infection", "category", "malware.name", "malware",
            "threat", "tag", "type", "classification.taxonomy", "kind", "種別", "分類"] },
        Meaning { key: "source", looks: None, names: &[
            "source", "reporter", "feed", "feed.name", "sensor", "reported_by", "trap",
            "情報源", "通報者", "報告者"] },
        Meaning { key: "evidence", looks: None, names: &[
            "evidence", "log", "log_line", "helo", "comment", "comments", "note", "notes", "remarks",
            "message", "description", "event_description.text", "備考", "ログ", "根拠", "証拠"] },
        Meaning { key: "port", looks: None, names: &[
            "source.port", "src_port", "source_port", "sport", "client_port", "port",
            "ポート", "ポート番号", "送信元ポート"] },
        Meaning { key: "terminal", looks: None, names: &[
            "terminal", "device", "device_type", "terminal_type", "端末", "端末種別"] },
    ],
    required: &[&["ip"], &["first", "last"]],
};

/// How a feed is read, and what holds for rows that do not say.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Columns that staff named.
    pub map: Vec<Mapping>,
    /// Told from the content where it is `None`.
    pub format: Option<Format>,
    /// The zone of times that name none.
    pub time_zone: TimeZone,
    pub class: String,
    pub source: String,
    pub seen_at: Option<Timestamp>,
    pub terminal: Terminal,
    pub now: Timestamp,
    /// How far clocks may run ahead: what lies farther in the future is refused.
    pub future: Span,
    /// Whether documentation addresses count as public, for tests and the demonstration.
    pub allow_documentation: bool,
    /// The shortest prefix that a row may name.
    pub widest_ipv4: u8,
    pub widest_ipv6: u8,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `line` counts from 1, the header included.
    Suspect {
        line: u64,
        suspect: Suspect,
    },
    Refused(Refusal),
}

/// Begins to read a feed; `name` is what messages call it.
///
/// # Errors
/// When it cannot be read at all, or no column holds addresses.
pub fn read(input: Text, name: &str, reading: &Reading) -> Result<Rows, SheetError> {
    let sheet = Sheet::read(input, name, reading.format, &PLAN, &reading.map)?;
    Ok(Rows {
        sheet,
        reading: reading.clone(),
    })
}

/// The rows of a feed, one after the other.
pub struct Rows {
    sheet: Sheet,
    reading: Reading,
}

impl Rows {
    /// What was taken for what: `ip` from `Source_IP`.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        self.sheet.columns()
    }

    /// The columns that say nothing about a suspect. With JSON it grows as rows come.
    #[must_use]
    pub fn ignored_columns(&self) -> Vec<&str> {
        self.sheet.columns().ignored()
    }

    /// Whether reading ended before the feed did: the last refusal says why.
    #[must_use]
    pub fn was_cut_off(&self) -> bool {
        self.sheet.was_cut_off()
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        Some(match self.sheet.next_row()? {
            Err(refusal) => Row::Refused(refusal),
            Ok(record) => match suspect(&record, &self.reading) {
                Ok(suspect) => Row::Suspect {
                    line: record.line(),
                    suspect,
                },
                Err((key, wrong)) => Row::Refused(record.refuse(key, &wrong.reason, wrong.remedy)),
            },
        })
    }
}

/// A cell that is wrong: the key it stands for, and what is wrong with it.
type Fault = (&'static str, Wrong);

fn suspect(record: &Record<'_>, reading: &Reading) -> Result<Suspect, Fault> {
    let (range, beside) = place_of(record)?;
    let limits = Limits {
        allow_documentation: reading.allow_documentation,
        widest_ipv4: reading.widest_ipv4,
        widest_ipv6: reading.widest_ipv6,
    };
    let key = if has(record, "ip") { "ip" } else { "first" };
    screen(range, limits).map_err(|wrong| (key, wrong))?;
    let text = |key, limit, default: &str| match record.get(key) {
        "" => default.to_owned(),
        text => plain_text(text, limit),
    };
    Ok(Suspect {
        range,
        seen_at: seen_at(record, reading)?,
        class: text("class", CLASS_LEN, &reading.class),
        source: text("source", SOURCE_LEN, &reading.source),
        evidence: text("evidence", EVIDENCE_LEN, ""),
        port: port(record.get("port"))
            .map_err(|wrong| ("port", wrong))?
            .or(beside),
        terminal: match record.get("terminal") {
            "" => reading.terminal,
            text => terminal(text),
        },
    })
}

/// Whether a row says something: feeds write `-` and `null` for nothing.
fn has(record: &Record<'_>, key: &str) -> bool {
    !is_nothing(record.get(key))
}

fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "-" | "null" | "NULL" | "None" | "\\N")
}

/// The row's addresses, and the port written beside one.
fn place_of(record: &Record<'_>) -> Result<(AddressRange, Option<u16>), Fault> {
    if has(record, "ip") {
        return place::read(record.get("ip")).map_err(|wrong| ("ip", wrong));
    }
    if !has(record, "first") {
        return Err(("ip", Wrong::new("there is no address", place::REMEDY)));
    }
    let end = |key| {
        let (range, _) = place::read(record.get(key)).map_err(|wrong| (key, wrong))?;
        if range.is_single() {
            return Ok(range.first());
        }
        let reason = format!("{range} is a range, where one address is wanted");
        Err((key, Wrong::new(reason, place::REMEDY)))
    };
    let first = end("first")?;
    let last = if has(record, "last") {
        end("last")?
    } else {
        first
    };
    match AddressRange::new(first, last) {
        Ok(range) => Ok((range, None)),
        Err(error) => Err(("last", Wrong::new(error.reason, error.remedy))),
    }
}

fn seen_at(record: &Record<'_>, reading: &Reading) -> Result<Option<Timestamp>, Fault> {
    let (key, text): (_, Cow<'_, str>) = if has(record, "seen") {
        ("seen", record.get("seen").into())
    } else {
        match (has(record, "date"), has(record, "time")) {
            (true, true) => {
                let (date, time) = (record.get("date"), record.get("time"));
                ("date", format!("{date} {time}").into())
            }
            (true, false) => ("date", record.get("date").into()),
            (false, true) => ("time", record.get("time").into()),
            (false, false) => return Ok(reading.seen_at),
        }
    };
    let moment = moment::read(&text, &reading.time_zone).map_err(|wrong| (key, wrong))?;
    if moment > reading.now.plus(reading.future) {
        let wrong = Wrong::new(
            format!("{moment} lies in the future"),
            "see whether the time zone is right (--time-zone), and the clock of the feed",
        );
        return Err((key, wrong));
    }
    Ok(Some(moment))
}

/// A source port; 0 and what means nothing is none.
fn port(text: &str) -> Result<Option<u16>, Wrong> {
    if is_nothing(text) {
        return Ok(None);
    }
    match text.parse::<u16>() {
        Ok(port) => Ok(Some(port).filter(|port| *port > 0)),
        Err(_) => Err(Wrong::new(
            format!("\"{}\" is no port", plain_text(text, 60)),
            "write a number from 1 to 65535, or nothing",
        )),
    }
}

/// A word that nobody knows is as good as none: it keeps no suspect back.
fn terminal(text: &str) -> Terminal {
    match text {
        "パソコン" | "ＰＣ" => Terminal::Pc,
        "携帯" | "携帯電話" | "スマートフォン" | "スマホ" => Terminal::Mobile,
        _ => Terminal::from_text(text).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::sheet;

    /// Every file in `tests/fixtures/intake` is read as its `.expect` file says: how, in a first
    /// line `# zone=Asia/Tokyo map=ip=col3`, and what comes out, a line each. `BLESS=1` writes the
    /// `.expect` files anew, to be read with care.
    #[test]
    fn every_feed_is_read_as_expected() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/intake");
        let mut feeds: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending != "expect"))
            .collect();
        feeds.sort();
        assert!(feeds.len() > 20, "the fixtures are gone");
        let mut wrong = String::new();
        for feed in feeds {
            let expect = PathBuf::from(format!("{}.expect", feed.display()));
            let expected = fs::read_to_string(&expect).unwrap_or_default();
            let options = expected.lines().next().filter(|line| line.starts_with('#'));
            let told = told(&feed, options.unwrap_or("#"));
            if std::env::var_os("BLESS").is_some() {
                fs::write(&expect, &told).unwrap();
            } else if told != expected {
                write!(wrong, "{}\n{told}\n", feed.display()).unwrap();
            }
        }
        assert!(wrong.is_empty(), "read otherwise than expected:\n{wrong}");
    }

    fn reading(options: &str) -> Reading {
        let mut reading = Reading {
            map: Vec::new(),
            format: None,
            time_zone: TimeZone::UTC,
            class: "spam".to_owned(),
            source: "feed".to_owned(),
            seen_at: None,
            terminal: Terminal::Unknown,
            now: Timestamp(1_795_262_400_000),
            future: Span::seconds(3_600),
            allow_documentation: true,
            widest_ipv4: 16,
            widest_ipv6: 32,
        };
        for option in options.trim_start_matches('#').split_whitespace() {
            match option.split_once('=').unwrap() {
                ("zone", name) => reading.time_zone = TimeZone::get(name).unwrap(),
                ("map", mapping) => reading.map.push(mapping.parse().unwrap()),
                ("format", name) => reading.format = Some(name.parse().unwrap()),
                ("seen", time) => {
                    reading.seen_at = Some(moment::read(time, &TimeZone::UTC).unwrap());
                }
                _ => panic!("no such option: {option}"),
            }
        }
        reading
    }

    fn told(feed: &Path, options: &str) -> String {
        let mut told = format!("{options}\n");
        let text = sheet::open(feed).unwrap().text;
        let name = feed.file_name().unwrap().to_str().unwrap();
        let mut rows = match read(text, name, &reading(options)) {
            Ok(rows) => rows,
            Err(error) => return told + &format!("error: {error}\n"),
        };
        for row in rows.by_ref() {
            match row {
                Row::Suspect { line, suspect: s } => {
                    let seen = s
                        .seen_at
                        .map_or_else(|| "-".to_owned(), |seen| seen.to_string());
                    let port = s
                        .port
                        .map_or_else(|| "-".to_owned(), |port| port.to_string());
                    let evidence: String = s.evidence.chars().take(60).collect();
                    writeln!(
                        told,
                        "{line}\t{} {seen} {port} {} class={} source={} evidence={evidence}",
                        s.range,
                        s.terminal.as_str(),
                        s.class,
                        s.source,
                    )
                }
                Row::Refused(r) => {
                    assert!(!r.remedy.is_empty() && r.raw.len() <= sheet::LONGEST_RAW);
                    writeln!(told, "{}\trefused: {}: {}", r.line, r.column, r.reason)
                }
            }
            .unwrap();
        }
        for (key, columns) in rows.columns().taken() {
            writeln!(told, "{key} = {}", columns.join(", ")).unwrap();
        }
        if !rows.ignored_columns().is_empty() {
            writeln!(told, "ignored: {}", rows.ignored_columns().join(", ")).unwrap();
        }
        told
    }
}
