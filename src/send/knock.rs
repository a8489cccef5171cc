//! A knock at the relay's door: whether letters could be handed over, without handing one over.

use super::relay::{Relay, Trouble};
use crate::config::{Config, Smtp};
use crate::model::{Span, Timestamp};

/// What a relay let us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knocked {
    /// The connection is in the clear, and the relay would secure it.
    pub offers_starttls: bool,
    pub is_logged_in: bool,
    /// It tells us what becomes of letters (RFC 3461).
    pub offers_dsn: bool,
    /// Bytes of the largest letter that it takes; `None`: it does not say (RFC 1870).
    pub max_size: Option<u64>,
}

/// The connection does not live long enough to grow old.
const ANY_TIME: Timestamp = Timestamp(0);

/// Opens a connection as sending does, TLS and login included, and says goodbye. Each step may take
/// `patience` and no longer, for somebody waits.
///
/// # Errors
/// The step at which it ended and why, as sending would say it.
pub async fn knock(config: &Config, smtp: &Smtp, patience: Span) -> Result<Knocked, Trouble> {
    let mut relay = Relay::from_settings(config, smtp);
    relay.connect_timeout = relay.connect_timeout.min(patience);
    relay.command_timeout = relay.command_timeout.min(patience);
    let connection = relay.open(ANY_TIME).await?;
    let knocked = Knocked {
        offers_starttls: connection.offers().starttls,
        is_logged_in: relay.login.is_some(),
        offers_dsn: connection.offers().dsn,
        max_size: connection.offers().max_size,
    };
    connection.quit().await;
    Ok(knocked)
}
