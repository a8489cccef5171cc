//! Reports written for people: whom they are about, and what they say of each, whoever wrote them.

use super::address;
use super::candidate::{Candidate, Rank, candidates, is_daemon};
use super::fields::Fields;
use super::reasons::floor;
use super::report::Block;
use super::status::{Code, reply};
use super::telling::told;

/// Lines of a report that are read.
const LINES: usize = 400;
/// Bytes of a line that are read.
const WIDE: usize = 2000;
/// Lines that go with one recipient.
const SAID: usize = 14;
/// Recipients of one report that are kept.
const MOST: usize = 200;

/// Addresses that a report names though it is not about them.
pub(super) struct Bystanders {
    /// Who wrote the letter, and so gets the report.
    pub(super) ours: Vec<String>,
    /// Who wrote the report.
    pub(super) theirs: Option<String>,
    /// To whom the letter was, if to one.
    pub(super) wrote: Option<String>,
}

/// Everybody whom a report's own text is about, with what it says of them.
pub(super) fn recipients(report: &str, bystanders: &Bystanders) -> Vec<Block> {
    let lines = lines(report, LINES);
    let mut found = candidates(&lines);
    let is_ours = |one: &Candidate<'_>| {
        bystanders
            .ours
            .iter()
            .any(|ours| address::same(ours, one.address))
    };
    let is_theirs = |one: &Candidate<'_>| {
        bystanders
            .theirs
            .as_deref()
            .is_some_and(|theirs| address::same(theirs, one.address))
    };
    for unwanted in [
        &is_theirs as &dyn Fn(&Candidate<'_>) -> bool,
        &is_ours,
        &is_desk,
    ] {
        if found
            .iter()
            .any(|one| !unwanted(one) && one.rank <= Rank::Replied)
        {
            found.retain(|one| !unwanted(one));
        } else {
            found.retain(|one| !unwanted(one) || one.rank < Rank::Replied);
        }
    }
    let Some(best) = found.iter().map(|one| one.rank).min() else {
        return bare_name(&lines, bystanders).into_iter().collect();
    };
    // Of a line that names somebody surely, the rest only goes with it.
    let sure: Vec<usize> = found
        .iter()
        .filter(|one| one.rank == Rank::Alone)
        .map(|one| one.line)
        .collect();
    found.retain(|one| one.rank == Rank::Alone || !sure.contains(&one.line));
    if best >= Rank::Mentioned {
        if let Some(wrote) = &bystanders.wrote {
            let near = found
                .iter()
                .find(|one| address::same(one.address, wrote))
                .map(|one| said(&lines, one, &[]));
            return vec![Block {
                diagnostic: near.unwrap_or_default(),
                ..Block::of_address(wrote.clone())
            }];
        }
        if let Some(block) = bare_name(&lines, bystanders) {
            return vec![block];
        }
        found.retain(|one| one.rank == best);
        found.truncate(1);
    }
    found.retain(|one| one.rank == best || (best == Rank::Alone && one.rank == Rank::First));
    let stops: Vec<usize> = found.iter().map(|one| one.line).collect();
    let mut blocks: Vec<Block> = Vec::new();
    for one in found.iter().take(MOST) {
        let said = said(&lines, one, &stops);
        match blocks.iter_mut().find(|block| {
            block
                .last
                .as_deref()
                .is_some_and(|last| address::same(last, one.address))
        }) {
            Some(known)
                if known.diagnostic.is_empty()
                    || (Code::find(&known.diagnostic).is_none()
                        && reply(&known.diagnostic).is_none()) =>
            {
                known.status = trouble(&said).or(known.status.take());
                known.diagnostic = join(&known.diagnostic, &said);
            }
            Some(_) => {}
            None => blocks.push(Block {
                last: Some(one.address.to_owned()),
                status: trouble(&said),
                diagnostic: said,
                ..Block::default()
            }),
        }
    }
    blocks
}

/// Whether it names somebody otherwise than in passing.
pub(super) fn names_sure(report: &str, bystanders: &Bystanders) -> bool {
    let lines = lines(report, 40);
    let is_other = |one: &Candidate<'_>| {
        !bystanders
            .ours
            .iter()
            .any(|ours| address::same(ours, one.address))
            && bystanders
                .theirs
                .as_deref()
                .is_none_or(|theirs| !address::same(theirs, one.address))
    };
    candidates(&lines)
        .iter()
        .any(|one| one.rank <= Rank::Replied && is_other(one))
}

/// A line that goes on and on says nothing at its end.
fn lines(report: &str, most: usize) -> Vec<&str> {
    report
        .lines()
        .take(most)
        .map(|line| &line[..floor(line, WIDE)])
        .collect()
}

/// Those that Exim and its like name in the report's own header.
pub(super) fn failed_recipients(header: &Fields) -> Vec<String> {
    let names = ["x-failed-recipients", "x-bounced-address"];
    let lists = names.iter().map(|name| header.addresses(name));
    lists
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Some leave out their own domain: a word alone, behind a line that announces it.
fn bare_name(lines: &[&str], bystanders: &Bystanders) -> Option<Block> {
    let domain = bystanders.theirs.as_deref()?.split_once('@')?.1;
    let full: Vec<&&str> = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let announced = full.windows(2).find(|pair| {
        let lower = pair[0].to_ascii_lowercase();
        let name = pair[1].trim();
        let is_name = (2..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        lower.trim_end().ends_with(':')
            && (lower.contains("recipient")
                || lower.contains("address")
                || lower.contains("mail from")
                || lower.contains("user"))
            && is_name
    })?;
    let address = format!("{}@{domain}", announced[1].trim());
    Some(Block {
        last: Some(address),
        diagnostic: announced[0].trim().to_owned(),
        ..Block::default()
    })
}

/// Postmasters, daemons and the robots of lists are seldom written to, and often named.
fn is_desk(one: &Candidate<'_>) -> bool {
    const ROBOTS: [&str; 6] = [
        "-ctl",
        "-request",
        "-help",
        "-subscribe",
        "-unsubscribe",
        "-owner",
    ];
    let local = one
        .address
        .split('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    is_daemon(one.address) || ROBOTS.iter().any(|end| local.ends_with(end))
}

/// What follows an address until the next one or the paragraph's end; where nothing does, what leads to it.
fn said(lines: &[&str], one: &Candidate<'_>, stops: &[usize]) -> String {
    let next = stops
        .iter()
        .copied()
        .find(|stop| *stop > one.line)
        .unwrap_or(lines.len());
    let rest = one
        .rest
        .trim_start_matches(['>', ':', '.', ' ', '"', ')', ']', ',', ';'])
        .trim();
    let mut said = match one.rank {
        Rank::Alone | Rank::First => rest.to_owned(),
        _ => lines[one.line].trim().to_owned(),
    };
    let mut blanks = 0;
    let behind = &lines[(one.line + 1).min(next)..next];
    let behind = &behind[..behind.len().min(SAID)];
    for (line, _) in behind.iter().zip(told(behind)).filter(|(_, told)| !told) {
        let line = line.trim();
        if line.is_empty() {
            blanks += 1;
            // An empty line may stand between an address and its reason, but not behind the reason.
            if !said.is_empty() || blanks > 2 {
                break;
            }
            continue;
        }
        if is_rule(line) {
            break;
        }
        said = join(&said, line);
    }
    if reply(&said).is_none() && Code::find(&said).is_none() {
        let before = lines[..one.line]
            .iter()
            .rev()
            .take(4)
            .find(|line| reply(line).is_some() || Code::find(line).is_some());
        // What was said just before an address is of it, unless that was another's.
        if let Some(before) = before
            && !before.contains('@')
            && said.len() < 20
        {
            said = join(&said, before.trim());
        }
    }
    said
}

/// A line of dashes or the like, with or without a title.
fn is_rule(line: &str) -> bool {
    line.starts_with("---")
        || line.starts_with("===")
        || line.starts_with("***")
        || line.starts_with("___")
}

fn join(one: &str, other: &str) -> String {
    match (one, other) {
        ("", other) => other.to_owned(),
        (one, "") => one.to_owned(),
        (one, other) => format!("{one} {other}"),
    }
}

/// What a text says of success is of a step of the way, as often as not: it is no status of a recipient's.
fn trouble(said: &str) -> Option<Code> {
    Code::find(said).filter(|code| code.class() != 2)
}
