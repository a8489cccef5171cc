//! The nouns: plain data, and the rules that need nothing else.

mod range;
pub use range::{Address, AddressRange, RangeError};

mod time;
pub use time::{Clock, Span, Timestamp};

mod suspect;
pub(crate) use suspect::leading_i64;
pub use suspect::{Refusal, Suspect, Terminal};

mod network;
pub use network::{Network, parse_asn};

mod contact;
pub use contact::{Mailbox, MailboxError, Override, OverrideSubject};
