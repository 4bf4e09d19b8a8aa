//! Identifiers: UUIDv7, as text on the wire and in the store, one type for each kind.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, specta::Type)]
        #[serde(transparent)]
        pub struct $name(#[specta(type = String)] Uuid);

        impl $name {
            /// Wraps an identifier that was made with [`Uuid::now_v7`] or read from the store.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// One try to reach one contact; also the id of the callee's channel in Asterisk.
    AttemptId,
    /// A list with its script, outcomes, caller ID, mode and rules.
    CampaignId,
    /// A record on a campaign's list.
    ContactId,
    /// A volunteer's installation of the app; also the user name of its SIP account.
    DeviceId,
    /// One volunteer's hold on one contact.
    LeaseId,
    /// One press of an outcome key: what makes delivery at least once into applied once.
    OutcomeId,
    /// A volunteer, supervisor, uploader or admin.
    PersonId,
}
