//! The whole way of a letter, from the claim to its result on record, beside the least that any sender has to do.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use lapwing::config::{self, Transport};
use lapwing::model::{Clock, Timestamp};
use lapwing::send::{self, Built, Courier};
use tokio::runtime::Runtime;

use crate::approved::{Campaign, Words};
use crate::postfix::{Cost, Postfix, Text};
use crate::{Bars, CONNECTIONS, LETTERS, ROUNDS, ROWS};

/// The whole way of one kind of letters, the best of all rounds.
pub(crate) struct WholeWay {
    pub(crate) words: Words,
    /// Bytes of a letter, in the mean.
    length: usize,
    bare: Cost,
    /// Seconds without a database.
    connections: f64,
    pub(crate) sqlite: Cost,
    postgres: Option<Cost>,
}

impl WholeWay {
    pub(crate) fn on_sqlite(postfix: &Postfix, words: Words) -> Result<Self> {
        let mut way = Self {
            words,
            length: 0,
            bare: Cost::NONE,
            connections: f64::INFINITY,
            sqlite: Cost::NONE,
            postgres: None,
        };
        for _ in 0..ROUNDS {
            let campaign = Campaign::on_sqlite(LETTERS, words)?;
            let built = campaign.built()?;
            way.length = size(&built);
            let sink = postfix.sink()?;
            way.send_bare(postfix, sink.address)?;
            way.connections = way.connections.min(send_built(&built, sink.address)?);
            drop(built);
            way.sqlite.lower_to(campaign.send(sink.address)?);
        }
        Ok(way)
    }

    pub(crate) fn on_postgres(&mut self, postfix: &Postfix) -> Result<()> {
        for _ in 0..ROUNDS {
            let Some(campaign) = Campaign::on_postgres(LETTERS, self.words)? else {
                break;
            };
            let sink = postfix.sink()?;
            self.send_bare(postfix, sink.address)?;
            let best = self.postgres.get_or_insert(Cost::NONE);
            best.lower_to(campaign.send(sink.address)?);
        }
        Ok(())
    }

    fn send_bare(&mut self, postfix: &Postfix, to: SocketAddr) -> Result<()> {
        let text = Text::OfBytes(self.length);
        self.bare
            .lower_to(postfix.source(to, CONNECTIONS, LETTERS, text)?);
        Ok(())
    }

    pub(crate) fn print(&self, bars: &mut Bars) {
        let name = self.words.name();
        println!(
            "\nwhole way, {name}: {LETTERS} of {ROWS} observations, {:.1} kB each, {CONNECTIONS} connections, the best of {ROUNDS} rounds\n",
            self.length as f64 / 1e3
        );
        println!(
            "{:20} {:>10} {:>7} {:>15} {:>7}",
            "", "letters/s", "ratio", "processor time", "ratio"
        );
        let bare = self.bare;
        let row = |who: &str, cost: &Cost| {
            println!(
                "{who:20} {:10.0} {:7.2} {:12.1} µs {:7.1}",
                LETTERS as f64 / cost.passed,
                bare.passed / cost.passed,
                cost.worked * 1e6 / LETTERS as f64,
                cost.worked / bare.worked
            );
        };
        row("smtp-source", &bare);
        let ratio = bare.passed / self.connections;
        println!(
            "{:20} {:10.0} {ratio:7.2}",
            "no database",
            LETTERS as f64 / self.connections,
        );
        bars.least(&format!("{name}, no database"), ratio, 0.9);
        row("lapwing, SQLite", &self.sqlite);
        let ratio = bare.passed / self.sqlite.passed;
        bars.least(&format!("{name}, SQLite"), ratio, 0.25);
        let ratio = self.sqlite.worked / bare.worked;
        bars.most(&format!("{name}, processor time"), ratio, 12.5);
        match &self.postgres {
            Some(cost) => {
                row("lapwing, PostgreSQL", cost);
                let ratio = bare.passed / cost.passed;
                bars.least(&format!("{name}, PostgreSQL"), ratio, 0.1);
            }
            None => println!("lapwing, PostgreSQL: skipped: it is not installed"),
        }
    }
}

/// Bytes, in the mean.
fn size(built: &[Built]) -> usize {
    built.iter().map(|one| one.message.len()).sum::<usize>() / built.len()
}

/// Seconds that our connections take for what was built before.
fn send_built(built: &[Built], to: SocketAddr) -> Result<f64> {
    let mut config = config::shipped()?;
    config.send.transport = Transport::Smtp;
    config.send.connections = CONNECTIONS;
    config.smtp.host = to.ip().to_string();
    config.smtp.port = to.port();
    let courier = Courier::new(&config);
    let clock = Clock::starting_at(Timestamp(0));
    let sending = send::send_bare(&courier, CONNECTIONS, built, &clock);
    let began = Instant::now();
    let accepted = Runtime::new()?.block_on(sending)?;
    ensure!(accepted == built.len(), "{accepted} were accepted");
    Ok(began.elapsed().as_secs_f64())
}
