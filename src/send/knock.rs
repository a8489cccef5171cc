//! A knock at the relay's door: whether letters could be handed over, without handing one over.

use lettre::transport::smtp::extension::Extension;

use super::relay::{Relay, Trouble};
use crate::config::Config;
use crate::model::Span;

/// What a relay let us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knocked {
    /// The connection is in the clear, and the relay would secure it.
    pub offers_starttls: bool,
    pub is_logged_in: bool,
}

/// Opens a connection as sending does, TLS and login included, and says goodbye. Each step may take
/// `patience` and no longer, for somebody waits.
///
/// # Errors
/// The step at which it ended and why, as sending would say it.
pub async fn knock(config: &Config, patience: Span) -> Result<Knocked, Trouble> {
    let mut relay = Relay::from_settings(config);
    relay.connect_timeout = relay.connect_timeout.min(patience);
    relay.command_timeout = relay.command_timeout.min(patience);
    let connection = relay.open().await?;
    let knocked = Knocked {
        offers_starttls: connection.offers(Extension::StartTls),
        is_logged_in: relay.login.is_some(),
    };
    connection.quit().await;
    Ok(knocked)
}
