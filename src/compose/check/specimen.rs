//! The values that a letter's templates may use, by example: what the stage itself would hand them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::compose::Settings;
use crate::compose::attach::Attached;
use crate::compose::evidence::{Evidence, NetworkWords};
use crate::compose::frame::Frames;
use crate::compose::hosts::Lines;
use crate::compose::jurisdiction::{ENGLISH, Jurisdiction, Translation};
use crate::compose::layout::Setter;
use crate::compose::occasion::Occasion;
use crate::compose::reasons::{Way, reasons};
use crate::compose::write::{Told, Writer};
use crate::model::{Format, Mailbox, Notice, Signatory, Terminal, Timestamp, TokenKeys, Via};
use crate::store::SuspectRow;
use crate::templates::{Error, Templates};

/// The values of a letter about one row, with something in each list. Only the shape counts: what
/// stands in them is [varied](super::vary) anyhow.
///
/// # Errors
/// When the English that every letter needs is not whole.
pub(super) fn values(templates: &Templates) -> Result<Value, Error> {
    let english = Translation::of(templates, &Jurisdiction::default(), ENGLISH)?;
    let settings = settings()?;
    let notice = notice()?;
    let (networks, ways, rows) = observations()?;
    let signatories = [signatory()];
    let occasion = Occasion {
        subjects: vec![String::new()],
        ..Occasion::default()
    };
    let writer = Writer {
        templates,
        setter: &Setter::default(),
        frames: &Frames::default(),
        settings: &settings,
        letter: "notice",
        notice: &notice,
        number: 1,
        tokens: &TokenKeys::default(),
        own: &english,
        english: &english,
        signatories: &signatories,
        networks: &networks,
        holder: "",
        ways: &ways,
        format: Format::Csv,
        tlp: None,
        occasion: &occasion,
        now: Timestamp(0),
    };
    let evidence = Evidence {
        rows: &rows,
        networks: &networks,
        tlp: None,
    };
    let told = Told {
        ticket: "",
        part: 1,
        parts: 1,
        csv_name: "",
        evidence: &evidence,
        listed: &evidence.listed(),
        lines: &Lines::of(&rows, 1),
        attached: &Attached::default(),
        reasons: &reasons(&[1], &ways, &networks),
    };
    serde_json::to_value(writer.values(&told, &english, false)).map_err(|error| unlikely(&error))
}

fn settings() -> Result<Settings, Error> {
    Ok(Settings {
        sender_name: String::new(),
        sender: mailbox("sender@agency.example")?,
        reply_to: mailbox("desk@agency.example")?,
        bounce_domain: String::new(),
        reply_tokens: false,
        public: String::new(),
        verify: String::new(),
        ticket_prefix: "LW".to_owned(),
        table_rows: 1,
        part_rows: 1,
        part_bytes: 1,
        part_reports: 1,
        format: Format::Csv,
        fingerprint: String::new(),
    })
}

fn notice() -> Result<Notice, Error> {
    Ok(Notice {
        id: 1,
        round: 1,
        mailbox: mailbox("abuse@isp.example")?,
        country: String::new(),
        locale: ENGLISH.to_owned(),
        suspects: 1,
        networks: 1,
    })
}

type Observations = (
    HashMap<i64, NetworkWords>,
    HashMap<i64, Way>,
    Vec<SuspectRow>,
);

fn observations() -> Result<Observations, Error> {
    let range = "192.0.2.1".parse();
    let range = range.map_err(|error: crate::model::RangeError| unlikely(&error))?;
    let row = SuspectRow {
        id: 1,
        finding: 1,
        feed: String::new(),
        line: 1,
        range,
        seen_at: Some(Timestamp(0)),
        seen_from: None,
        class: String::new(),
        source: String::new(),
        evidence: String::new(),
        port: None,
        terminal: Terminal::Unknown,
        sample: None,
        sighting: None,
        told_from: None,
    };
    let network = NetworkWords {
        range: "192.0.2.0/24".to_owned(),
        ..NetworkWords::default()
    };
    let way = Way {
        via: Via::Own,
        answers_for: String::new(),
        country: String::new(),
        past: String::new(),
    };
    Ok((
        HashMap::from([(1, network)]),
        HashMap::from([(1, way)]),
        vec![row],
    ))
}

fn signatory() -> Signatory {
    Signatory {
        agency: String::new(),
        local_name: String::new(),
        names: BTreeMap::new(),
        mailbox: None,
        country: String::new(),
        framework: String::new(),
        from: None,
        until: None,
        position: None,
    }
}

fn mailbox(address: &str) -> Result<Mailbox, Error> {
    address
        .parse()
        .map_err(|error: crate::model::MailboxError| unlikely(&error))
}

fn unlikely(error: &dyn std::fmt::Display) -> Error {
    Error::about("the example", error)
}
