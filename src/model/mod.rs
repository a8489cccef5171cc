//! The nouns: plain data, and the rules that need nothing else.

mod range;
pub use range::{Address, AddressRange, RangeError};

mod space;
pub use space::{SPACES, Use, use_of};

mod time;
pub use time::{Clock, Span, Timestamp};

mod suspect;
pub use suspect::{Refusal, Sighting, Suspect, Terminal};

mod network;
pub use network::{Network, Tier, parse_asn};

mod subject;
pub use subject::Subject;

mod addressee;
pub use addressee::{Addressee, KnownBy, KnownByError};

mod registry;
pub use registry::{Answer, AnswerOutcome, Limits, Permit, Question, block_of};

mod system;
pub use system::{AutonomousSystem, Registered, Teller};

mod contact;
pub use contact::{Format, Mailbox, MailboxError, Override, OverrideSubject, SubjectError};

mod campaign;
pub use campaign::{
    Campaign, CampaignKind, CampaignState, Decision, DecisionKind, NewCampaign, Terms,
};

mod audit;
pub use audit::{AuditEnd, AuditRow, CHAIN_BEGIN, Origin};

mod tlp;
pub use tlp::{Tlp, TlpError};

mod finding;
pub use finding::{Finding, Rung, Verdict, Via};

mod letter;
pub use letter::{Attachment, Letter, Notice, digest_of_set, hex, is_ticket, ticket, typed_ticket};

mod arrived;
pub use arrived::{Arrived, KEPT, WayIn};

mod reply;
pub use reply::{FoundBy, ReplyState};

mod suppression;
pub use suppression::{Suppression, SuppressionCause};

mod fate;
pub use fate::{Answered, Fate};

mod token;
pub use token::{LetterNumber, Purpose, TOKEN_KEYS, TokenKey, TokenKeys, Untrue, token_in};

mod header;
pub use header::{field_name, has_header};

mod language;
pub use language::{language_tag, nearest_language};

mod signatory;
pub use signatory::{Signatory, roll_digest, signing};

mod delivery;
pub use delivery::{Attempt, Delivery, DeliveryState, Outcome, OutcomeKind, Step};

mod hold;
pub use hold::{Domain, DomainError, FOREVER, Hold, HoldSubject, SlotOf, Wait};

mod cause;
pub use cause::Cause;

mod wave;
pub use wave::{Takes, Wave};

mod cell;
pub use cell::{neutral_cell, plain_text};

mod mask;
pub use mask::masked;

mod progress;
pub use progress::Progress;

mod incoming;
pub use incoming::{Action, AutoReply, Class, Evidence, Reading, Reported, Weight};

mod schedule;
pub use schedule::{Extent, Feed, Paused, Plan, Policy, Schedule, Standing};

mod run;
pub use run::{FileFate, FileLine, Occasion, Run, RunSheet, RunState, RunStep, SheetMail};
