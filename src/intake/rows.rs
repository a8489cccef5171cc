//! Makes suspects of a feed's rows: finds the columns, reads the cells, screens the addresses.

use jiff::tz::TimeZone;

use super::headers::PLAN;
use super::notes::{Noted, Notes};
use super::screen::{Limits, screen};
use super::seen::{self, Seen};
use super::{Fault, Wrong, evidence, moment, operators, place, sample};
use crate::model::{
    AddressRange, Addressee, CampaignKind, Refusal, Span, Suspect, Terminal, Timestamp, Tlp,
    TlpError, plain_text,
};
use crate::sheet::{Format, Mapping, Record, Sheet, SheetError, Text};

const CLASS_LEN: usize = 64;
const SOURCE_LEN: usize = 128;

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
    /// The mark of the letters that the rows are for: a row that is marked otherwise is refused.
    pub tlp: Option<Tlp>,
    /// Suspects, or for an advisory the operators to write to.
    pub kind: CampaignKind,
    /// Whether a row must say when it was seen, and how that is known.
    pub require_evidence: bool,
    /// In a reminder: what was seen before says nothing of what has happened since the first letter.
    pub since: Option<Timestamp>,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `line` counts from 1, the header included.
    Suspect {
        line: u64,
        suspect: Suspect,
    },
    Addressee {
        line: u64,
        addressee: Addressee,
    },
    Refused(Refusal),
}

/// Begins to read a feed; `name` is what messages call it.
///
/// # Errors
/// When it cannot be read at all, or no column holds addresses (for an advisory: AS, prefixes or
/// mailboxes).
pub fn read(input: Text, name: &str, reading: &Reading) -> Result<Rows, SheetError> {
    let plan = match reading.kind {
        CampaignKind::Advisory => &operators::PLAN,
        CampaignKind::Notice | CampaignKind::Reminder => &PLAN,
    };
    let sheet = Sheet::read(input, name, reading.format, plan, &reading.map)?;
    Ok(Rows {
        sheet,
        reading: reading.clone(),
        notes: Notes::default(),
    })
}

/// The rows of a feed, one after the other.
pub struct Rows {
    sheet: Sheet,
    reading: Reading,
    notes: Notes,
}

impl Rows {
    /// What was taken for what: `ip` from `Source_IP`. A first time that stands alone is the time.
    #[must_use]
    pub fn taken(&self) -> Vec<(&'static str, Vec<&str>)> {
        let mut taken = self.sheet.columns().taken();
        if !taken
            .iter()
            .any(|(key, _)| ["seen", "date", "time"].contains(key))
        {
            for (key, _) in taken.iter_mut().filter(|(key, _)| *key == "seen_from") {
                *key = "seen";
            }
        }
        taken
    }

    /// The columns that say nothing about a suspect. With JSON it grows as rows come.
    #[must_use]
    pub fn ignored_columns(&self) -> Vec<&str> {
        self.sheet.columns().ignored()
    }
}

impl Rows {
    /// Of the suspects so far.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        Some(match self.sheet.next_row()? {
            Err(refusal) => Row::Refused(refusal),
            Ok(record) if self.reading.kind == CampaignKind::Advisory => {
                match operators::addressee(&record, self.reading.allow_documentation) {
                    Ok(addressee) => Row::Addressee {
                        line: record.line(),
                        addressee,
                    },
                    Err((key, wrong)) => {
                        Row::Refused(record.refuse(key, &wrong.reason, wrong.remedy))
                    }
                }
            }
            Ok(record) => match suspect(&record, &self.reading) {
                Ok((suspect, noted)) => {
                    let line = record.line();
                    self.notes.add(line, noted);
                    Row::Suspect { line, suspect }
                }
                Err((key, wrong)) => Row::Refused(record.refuse(key, &wrong.reason, wrong.remedy)),
            },
        })
    }
}

/// The suspect of a row, and what of it was taken otherwise than it stands there.
fn suspect(record: &Record<'_>, reading: &Reading) -> Result<(Suspect, Noted), Fault> {
    let (range, beside) = place_of(record)?;
    let limits = Limits {
        allow_documentation: reading.allow_documentation,
        widest_ipv4: reading.widest_ipv4,
        widest_ipv6: reading.widest_ipv6,
    };
    let key = if has(record, "ip") { "ip" } else { "first" };
    screen(range, limits).map_err(|wrong| (key, wrong))?;
    marked_alike(record, reading).map_err(|wrong| ("tlp", wrong))?;
    let mut noted = Noted::default();
    let mut text = |key, limit, default: &str| match record.get(key) {
        "" => default.to_owned(),
        text => noted.line(text, limit),
    };
    let latest = reading.now.plus(reading.future);
    let said = seen::read(record, &reading.time_zone, latest)?;
    let logged = match said {
        None => moment::logged(record.as_line().unwrap_or_else(|| record.get("evidence"))),
        Some(_) => None,
    };
    if let Some(moment) = logged {
        seen::not_ahead(moment, latest).map_err(|wrong| ("evidence", wrong))?;
    }
    let seen = said.or(logged.map(Seen::from));
    let suspect = Suspect {
        range,
        seen_at: seen.map_or(reading.seen_at, |seen| Some(seen.at)),
        seen_from: seen.and_then(|seen| seen.from),
        class: text("class", CLASS_LEN, &reading.class),
        source: text("source", SOURCE_LEN, &reading.source),
        evidence: evidence::of(record, logged.is_some(), &mut noted),
        port: port(record.get("port"))
            .map_err(|wrong| ("port", wrong))?
            .or(beside),
        terminal: match record.get("terminal") {
            "" => reading.terminal,
            text => terminal(text),
        },
        sample: sample::of(record, &mut noted),
    };
    if reading.require_evidence {
        has_evidence(&suspect)?;
    }
    if let Some(since) = reading.since {
        seen_since(&suspect, since).map_err(|wrong| ("seen", wrong))?;
    }
    noted.is_zoneless = seen.is_some_and(|seen| seen.is_zoneless);
    Ok((suspect, noted))
}

/// Whether a row says something: feeds write `-` and `null` for nothing.
fn has(record: &Record<'_>, key: &str) -> bool {
    !is_nothing(record.get(key))
}

pub(super) fn is_nothing(text: &str) -> bool {
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

/// A letter has one mark, and what its source marked must not go out under another.
fn marked_alike(record: &Record<'_>, reading: &Reading) -> Result<(), Wrong> {
    let Some((_, text)) = record.get_said("tlp", |text| !is_nothing(text)) else {
        return Ok(());
    };
    let mark: Tlp = text.parse().map_err(|error: TlpError| {
        Wrong::new(error.to_string(), "mend the mark, or ask its source")
    })?;
    match reading.tlp {
        Some(own) if own == mark => Ok(()),
        Some(own) if own < mark => Err(Wrong::new(
            format!("the row is {mark}, stricter than the campaign's {own}"),
            "put it into a campaign of that mark (campaign new NAME --tlp MARK), or ask its source",
        )),
        Some(own) => Err(Wrong::new(
            format!("the row is {mark}, and the campaign is {own}"),
            "put it into a campaign of that mark (campaign new NAME --tlp MARK); marks are not mixed",
        )),
        None => Err(Wrong::new(
            format!("the row is {mark}, and the campaign's letters carry no mark"),
            "put it into a campaign of that mark (campaign new NAME --tlp MARK)",
        )),
    }
}

const ADD_TIME: &str = "add when it was seen, in UTC; --seen gives one to a whole feed";

/// What an abuse desk needs at least: when, and who says so or how it is known.
fn has_evidence(suspect: &Suspect) -> Result<(), Fault> {
    if suspect.seen_at.is_none() {
        return Err((
            "seen",
            Wrong::new(
                "there is no time, and this campaign takes no row without",
                ADD_TIME,
            ),
        ));
    }
    if is_nothing(&suspect.source) && suspect.evidence.is_empty() {
        return Err((
            "source",
            Wrong::new(
                "nothing says how it is known, and this campaign takes no row without",
                "add a source or evidence; --source gives one to a whole feed",
            ),
        ));
    }
    Ok(())
}

/// That a machine was seen before its operator was told is no sign that nothing was done.
fn seen_since(suspect: &Suspect, since: Timestamp) -> Result<(), Wrong> {
    match suspect.seen_at {
        Some(at) if at > since => Ok(()),
        Some(at) => Err(Wrong::new(
            format!("it was seen at {at}, and the first letters were approved at {since}"),
            "tell it in a notice: a reminder speaks of what was seen since",
        )),
        None => Err(Wrong::new(
            format!("there is no time, and a reminder speaks of what was seen since {since}"),
            ADD_TIME,
        )),
    }
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
            tlp: None,
            kind: CampaignKind::Notice,
            require_evidence: false,
            since: None,
        };
        for option in options.trim_start_matches('#').split_whitespace() {
            match option.split_once('=').unwrap() {
                ("encoding", _) => {}
                ("zone", name) => reading.time_zone = TimeZone::get(name).unwrap(),
                ("map", mapping) => reading.map.push(mapping.parse().unwrap()),
                ("format", name) => reading.format = Some(name.parse().unwrap()),
                ("tlp", mark) => reading.tlp = Some(mark.parse().unwrap()),
                ("kind", kind) => reading.kind = CampaignKind::from_text(kind).unwrap(),
                ("evidence", "required") => {
                    (reading.require_evidence, reading.source) = (true, String::new());
                }
                ("seen", time) => {
                    reading.seen_at = Some(moment::read(time, &TimeZone::UTC).unwrap().at);
                }
                _ => panic!("no such option: {option}"),
            }
        }
        reading
    }

    fn told(feed: &Path, options: &str) -> String {
        let mut told = format!("{options}\n");
        let charset = options
            .split_once("encoding=")
            .map(|(_, label)| label.parse().unwrap());
        let text = sheet::open(feed, charset).unwrap().text;
        let name = feed.file_name().unwrap().to_str().unwrap();
        let mut rows = match read(text, name, &reading(options)) {
            Ok(rows) => rows,
            Err(error) => return told + &format!("error: {error}\n"),
        };
        for row in rows.by_ref() {
            match row {
                Row::Suspect { line, suspect: s } => {
                    let mut seen = s
                        .seen_at
                        .map_or_else(|| "-".to_owned(), |seen| seen.to_string());
                    if let Some(from) = s.seen_from {
                        seen.insert_str(0, &format!("{from}.."));
                    }
                    let port = s
                        .port
                        .map_or_else(|| "-".to_owned(), |port| port.to_string());
                    let mut evidence: String = s.evidence.chars().take(60).collect();
                    if s.evidence.ends_with(" […]") && !evidence.ends_with(" […]") {
                        evidence.push_str(" […]");
                    }
                    writeln!(
                        told,
                        "{line}\t{} {seen} {port} {} class={} source={} evidence={evidence}{}",
                        s.range,
                        s.terminal.as_str(),
                        s.class,
                        s.source,
                        s.sample.map_or_else(String::new, |sample| {
                            format!(
                                " sample={} bytes: {:?}",
                                sample.len(),
                                sample.lines().next()
                            )
                        }),
                    )
                }
                Row::Addressee { line, addressee: a } => {
                    let mailbox = a.mailbox.as_ref().map_or("-", |mailbox| mailbox.as_str());
                    writeln!(
                        told,
                        "{line}\t{} {mailbox} {} {} {}",
                        a.known_by, a.country, a.locale, a.holder
                    )
                }
                Row::Refused(r) => {
                    assert!(!r.remedy.is_empty() && r.raw.len() <= sheet::LONGEST_RAW);
                    writeln!(told, "{}\trefused: {}: {}", r.line, r.column, r.reason)
                }
            }
            .unwrap();
        }
        let notes = rows.notes();
        if notes.zoneless > 0 {
            writeln!(told, "zoneless: {}", notes.zoneless).unwrap();
        }
        for (what, tally) in [("cut", notes.cut), ("headless", notes.headless)] {
            if let Some(line) = tally.line {
                writeln!(told, "{what}: {}, as in line {line}", tally.count).unwrap();
            }
        }
        for (key, columns) in rows.taken() {
            writeln!(told, "{key} = {}", columns.join(", ")).unwrap();
        }
        if !rows.ignored_columns().is_empty() {
            writeln!(told, "ignored: {}", rows.ignored_columns().join(", ")).unwrap();
        }
        told
    }
}
