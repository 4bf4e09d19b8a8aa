//! What a volunteer sees of a campaign.

use serde::{Deserialize, Serialize};

use crate::ids::CampaignId;

/// A campaign as the volunteer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Its name, "Winter Warmth".
    pub name: String,
    /// On whose behalf the calls are made, "Lantern Street Trust".
    pub organisation: String,
    /// How callees are dialled.
    pub mode: Mode,
    /// The first name of the person to ask, "Ruth".
    pub organiser: String,
}

/// How callees are dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The volunteer sees the card, then presses Call (the field also says preview).
    OneTouch,
}

/// One part of a script, with its fields already filled in for one callee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ScriptPart {
    /// Words to say aloud.
    Say {
        /// The text in runs, so that filled-in fields can be tinted.
        runs: Vec<Run>,
    },
    /// An instruction to the volunteer; never read out.
    Cue {
        /// The text in runs.
        runs: Vec<Run>,
    },
}

/// A run of text in a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Run {
    /// The text.
    pub text: String,
    /// Whether it was filled in from the card, the volunteer or the campaign.
    pub filled: bool,
}
