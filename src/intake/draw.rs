//! Draws an advisory's addressees from the local table: one for each holder in the chosen countries.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::load::{Done, added};
use crate::model::{Addressee, Campaign, CampaignState, KnownBy, Progress, Timestamp};
use crate::store::{Error, Store};

/// Rows of the table read at a time, and addressees stored in one transaction.
const PAGE: i64 = 5_000;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// ISO 3166-1 alpha-2, in capitals.
    pub countries: Vec<String>,
    /// Only holders of autonomous systems: operators, and not their customers.
    pub systems_only: bool,
}

/// Adds one addressee for each holder that the table knows in the chosen countries: the first of its
/// networks that names a contact, else the first of its networks, else its AS. A holder is told by its
/// name, else by its handle, within its country; what has neither stands for itself. Drawing again
/// adds what has come since; where nobody has, the campaign stays as it was.
///
/// # Errors
/// [`Error::Refused`] once the campaign is approved; the database's. What is stored by then stays.
pub async fn draw(
    store: &Store,
    campaign: &Campaign,
    drawing: &Drawing,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<Done, Error> {
    let mut list = List {
        campaign,
        import: 0,
        by,
        now,
        is_open: false,
    };
    if !matches!(
        campaign.state,
        CampaignState::Draft | CampaignState::Submitted
    ) {
        list.open(store).await?;
    }
    let feed = format!("table: {}", drawing.countries.join(", "));
    let import = store.begin_drawing(campaign.id, &feed, by, now).await?;
    list.import = import;
    let mut drawn = Drawn::new(store, Some(list), progress);
    drawn.all(drawing).await?;
    let finished_at = Some(now).filter(|_| !progress.is_stopped());
    Ok(Done {
        counts: store.finish_import(import, finished_at).await?,
        ..Done::default()
    })
}

/// What a drawing would bring to an empty list.
///
/// # Errors
/// The database's.
pub async fn foresee_drawing(
    store: &Store,
    drawing: &Drawing,
    progress: &Progress,
) -> Result<Done, Error> {
    let mut drawn = Drawn::new(store, None, progress);
    drawn.all(drawing).await?;
    let mut done = Done::default();
    done.counts.rows = drawn.line as i64;
    done.counts.fresh = done.counts.rows;
    Ok(done)
}

/// Where the drawn are kept.
struct List<'a> {
    campaign: &'a Campaign,
    import: i64,
    by: &'a str,
    now: Timestamp,
    /// Letters to fewer than these are void.
    is_open: bool,
}

impl List<'_> {
    async fn open(&mut self, store: &Store) -> Result<(), Error> {
        let Campaign { name, kind, .. } = self.campaign;
        store.reopen(name, self.by, added(*kind), self.now).await?;
        self.is_open = true;
        Ok(())
    }
}

struct Drawn<'a> {
    store: &'a Store,
    /// Without it nothing is kept.
    to: Option<List<'a>>,
    line: u64,
    /// Hashes of those that have been drawn: eight bytes for each, whatever their names.
    holders: HashSet<u64>,
    progress: &'a Progress,
}

impl<'a> Drawn<'a> {
    fn new(store: &'a Store, to: Option<List<'a>>, progress: &'a Progress) -> Self {
        Self {
            store,
            to,
            line: 0,
            holders: HashSet::new(),
            progress,
        }
    }

    async fn all(&mut self, drawing: &Drawing) -> Result<(), Error> {
        for country in &drawing.countries {
            for with_contact in [true, false] {
                if !drawing.systems_only {
                    self.networks(country, with_contact).await?;
                }
            }
            self.systems(country).await?;
        }
        Ok(())
    }

    async fn networks(&mut self, country: &str, with_contact: bool) -> Result<(), Error> {
        let mut after = 0;
        while !self.progress.is_stopped() {
            let page = self.store.networks_in(country, with_contact, after, PAGE);
            let page = page.await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = *last;
            let mut addressees = Vec::new();
            for (_, network) in page {
                let names = [&network.holder, &network.handle, &network.name];
                if self.is_new(country, names) {
                    addressees.push(Addressee {
                        known_by: KnownBy::Range(network.range),
                        mailbox: None,
                        holder: network.holder,
                        country: country.to_owned(),
                        locale: network.locale,
                    });
                }
            }
            self.add(addressees).await?;
        }
        Ok(())
    }

    async fn systems(&mut self, country: &str) -> Result<(), Error> {
        let mut after = 0;
        while !self.progress.is_stopped() {
            let page = self.store.systems_in(country, after, PAGE).await?;
            let Some((last, ..)) = page.last() else {
                break;
            };
            after = *last;
            let mut addressees = Vec::new();
            for (asn, holder, handle, name) in page {
                let asn = u32::try_from(asn).unwrap_or_default();
                if self.is_new(country, [&holder, &handle, &name]) {
                    addressees.push(Addressee {
                        known_by: KnownBy::As(asn),
                        mailbox: None,
                        holder,
                        country: country.to_owned(),
                        locale: String::new(),
                    });
                }
            }
            self.add(addressees).await?;
        }
        Ok(())
    }

    /// Whether the first of the names that says something has not come up in this country.
    fn is_new(&mut self, country: &str, names: [&String; 3]) -> bool {
        let Some(name) = names.into_iter().find(|name| !name.is_empty()) else {
            return true;
        };
        let mut hasher = DefaultHasher::new();
        (country, name.to_lowercase()).hash(&mut hasher);
        self.holders.insert(hasher.finish())
    }

    async fn add(&mut self, addressees: Vec<Addressee>) -> Result<(), Error> {
        let rows = addressees.len() as u64;
        let first = self.line + 1;
        self.line += rows;
        let addressees: Vec<(u64, Addressee)> = (first..).zip(addressees).collect();
        if let Some(list) = &mut self.to {
            let campaign = list.campaign.id;
            if !list.is_open && !self.store.has_addressees(campaign, &addressees).await? {
                list.open(self.store).await?;
            }
            self.store
                .add_addressees(campaign, list.import, &addressees, &[], rows)
                .await?;
        }
        self.progress.add(rows);
        Ok(())
    }
}
