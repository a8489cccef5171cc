//! Registries' dumps and other tables: how they are asked for, and what loading them did.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Ended;
use super::context::{BYTES, Context};
use super::feed::say_refusals;
use super::output::count;
use crate::resolve::{self, TableDone};
use crate::store::Store;

const TOGETHER: &str = "\
Each file is known by its content, packed or not: a registry's database in RPSL (RIPE's and
APNIC's split files, AFRINIC's one), delegated-extended statistics of any registry, or a table
of ranges. Files that refer to each other are loaded together, in any order: inetnum, inet6num
and aut-num with organisation, role and irt, else their contacts cannot be found. Networks of
the same range are renewed; statistics, and rows without contact, take away nothing that
another source told.";

/// Dumps and tables to read together, and how.
#[derive(Debug, Args)]
pub(super) struct TableFiles {
    /// Dumps and tables; - is standard input, but not for a registry's database
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Say which column of a table holds what: range=col1, country=CC
    #[arg(long, value_name = "WHAT=COLUMN")]
    pub(super) map: Vec<crate::sheet::Mapping>,
    /// shift_jis, gb18030, euc-kr, big5, windows-1252 …; told from each line when not given
    #[arg(long, value_name = "LABEL")]
    pub(super) encoding: Option<crate::sheet::Charset>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Table {
    /// Load networks, AS numbers and contacts from registries' dumps or a CSV
    #[command(after_help = TOGETHER)]
    Load(TableFiles),
    /// What has been loaded
    List,
}

pub(super) async fn run(context: &Context, action: &Table) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Table::Load(from) => load(context, &store, from).await,
        Table::List => {
            let known = store.table_loads().await?;
            context.out.none(
                known.is_empty(),
                "No table yet: lapwing table load NETWORKS.csv",
            )?;
            for load in known {
                let text = format!(
                    "{}  {}: {} networks, {} refused, by {}",
                    load.loaded_at, load.name, load.networks, load.refused, load.loaded_by
                );
                context.out.line(&load, text)?;
            }
            Ok(Ended::Well)
        }
    }
}

async fn load(context: &Context, store: &Store, from: &TableFiles) -> anyhow::Result<Ended> {
    let watch = context.watch(BYTES);
    let files = resolve::TableFiles {
        files: &from.files,
        charset: from.encoding,
        map: &from.map,
    };
    let into = (!context.dry_run).then_some(store);
    let now = context.clock.now();
    let loaded = resolve::load_tables(into, &files, &context.by, now, &watch.progress).await?;
    let stopped = watch.stopped_by();
    drop(watch);
    let mut is_partly = false;
    for done in &loaded {
        say_refusals(context, &done.name, &done.refusals)?;
        context.out.line(done, told(done))?;
        if done.lacking > 0 {
            context.out.remark(&format!(
                "  {} of them refer to objects that no file held: load them together with those of \
                 organisation, role and irt",
                done.lacking
            ))?;
        }
        is_partly |= done.refused > 0;
    }
    if context.dry_run {
        context.out.remark("Nothing was written (--dry-run).")?;
    }
    Ok(match stopped {
        Some(code) => Ended::Stopped(code),
        None if is_partly => Ended::Partly,
        None => Ended::Well,
    })
}

/// What a file gave; what it cannot hold is not named.
fn told(done: &TableDone) -> String {
    let mut parts = vec![
        count(done.networks as i64, "network"),
        format!("{} with a contact of their own", done.with_contact),
    ];
    if done.systems > 0 {
        parts.push(count(done.systems as i64, "AS number"));
    }
    if done.references > 0 {
        let objects = count(done.references as i64, "object");
        parts.push(format!("{objects} to refer to"));
    }
    if done.passed > 0 {
        let passed = done.passed;
        parts.push(format!("{passed} given to nobody or held elsewhere"));
    }
    parts.push(format!("{} refused", done.refused));
    format!("{}: {}", done.name, parts.join(", "))
}
