//! Calling hours: R15.

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// When a campaign's callees may be rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// The word `rules` in the store: R15's default for the United Kingdom.
    Rules,
    /// The word `always`: only towards a simulated trunk.
    Always,
}

impl Hours {
    /// The hours of a word in the store.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "rules" => Some(Self::Rules),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// Whose bank holidays count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// `GB`: not known which part, so the holidays of all.
    UnitedKingdom,
    /// `GB-EAW`, `GB-ENG`, `GB-WLS`
    EnglandAndWales,
    /// `GB-SCT`
    Scotland,
    /// `GB-NIR`
    NorthernIreland,
}

impl Region {
    /// The region of a campaign's `country`; `None` if there is no preset for it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "GB" => Some(Self::UnitedKingdom),
            "GB-EAW" | "GB-ENG" | "GB-WLS" => Some(Self::EnglandAndWales),
            "GB-SCT" => Some(Self::Scotland),
            "GB-NIR" => Some(Self::NorthernIreland),
            _ => None,
        }
    }
}

/// A time zone by its name, `Europe/London`, from the bundled data.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}
