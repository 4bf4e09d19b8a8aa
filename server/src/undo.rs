//! An organiser takes back what a person's computers marked: who that is, and by which rules their contacts are open
//! again.

use std::collections::{BTreeMap, BTreeSet};

use dialler::{CampaignRules, ContactFacts, ContactNext, retry, rules};
use protocol::{ids::CampaignId, outcome::Outcome};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    dialling::card,
    store::{
        StoreError,
        campaigns::CampaignRow,
        undo::{Kind, LastCall, Mark, Scope},
    },
};

/// How many are listed; all are counted.
const LISTED: usize = 5_000;

/// What was taken back, or would be. Times are UTC epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// From when on.
    pub since: i64,
    /// Until when: what is marked later is not in this list.
    pub until: i64,
    /// Who decided so.
    pub by: String,
    /// It was done; else it is only listed.
    pub done: bool,
    /// Computers that are still signed in, and may go on.
    pub signed_in: Vec<String>,
    /// The first 5,000, the oldest first.
    pub marks: Vec<MarkSeen>,
    /// All.
    pub count: usize,
    /// Contacts that may be rung again.
    pub open_again: usize,
}

/// Something that was marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkSeen {
    /// When.
    pub at: i64,
    /// "Margaret Hollis".
    pub name: String,
    /// Name of the campaign.
    pub campaign: String,
    /// The word of the outcome, pressed or not, or what was done with the card: `later`, `do-not-call`.
    pub marked: String,
    /// The outcome that stands there now; `None`: of a card that was not rung.
    pub outcome: Option<Outcome>,
    /// What the contact is now.
    pub then: Then,
}

/// What a contact is after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// To be rung again, from then on.
    Due(i64),
    /// Done: it had all its attempts, or what was marked before says so.
    Done,
    /// As it was: somebody rang it since, or marked it too.
    AsItWas,
}

/// Takes back what these devices marked, or lists it.
///
/// # Errors
/// [`StoreError`]; then nothing was changed.
pub async fn take_back(
    app: &App,
    scope: &Scope,
    signed_in: Vec<String>,
    done: bool,
) -> Result<Undone, StoreError> {
    let now = app.clock.now_ms();
    let campaigns = app.store.campaigns().await?;
    let by_id: BTreeMap<CampaignId, CampaignRules> =
        campaigns.iter().map(|row| (row.id, rules_of(row))).collect();
    let next = |facts: &ContactFacts, call: Option<LastCall>| match (by_id.get(&facts.campaign), call) {
        (Some(rules), Some(call)) => retry::after(call.outcome, call.again_at, facts, rules, call.ended_at),
        // It was on a card, so it may be on one again.
        (Some(rules), None) => ContactNext::Due(rules::next_allowed(facts, rules, now).unwrap_or(now)),
        (None, _) => ContactNext::Due(now),
    };
    let marks = app.store.take_back(scope, &next, now, done).await?;
    if done {
        let touched: BTreeSet<CampaignId> = marks.iter().map(|mark| mark.campaign).collect();
        touched.into_iter().for_each(|campaign| app.dialling.contacts_added(campaign));
        tracing::info!(marks = marks.len(), by = %scope.by, devices = ?scope.devices, "what was marked was taken back");
    }
    let open_again: BTreeSet<_> = marks
        .iter()
        .filter(|mark| matches!(mark.next, Some(ContactNext::Due(_))))
        .map(|mark| mark.contact)
        .collect();
    Ok(Undone {
        since: scope.since,
        until: scope.until.unwrap_or_else(|| newest(&marks, now)),
        by: scope.by.clone(),
        done,
        signed_in,
        count: marks.len(),
        open_again: open_again.len(),
        marks: marks.into_iter().take(LISTED).map(|mark| seen(mark, &campaigns)).collect(),
    })
}

/// Now, or later: what was marked while the clock was ahead is to be found again.
fn newest(marks: &[Mark], now: i64) -> i64 {
    marks.iter().map(|mark| mark.at).fold(now, i64::max)
}

fn rules_of(row: &CampaignRow) -> CampaignRules {
    card::rules(row).unwrap_or_else(|_| card::rules_to_end_by(row))
}

fn seen(mark: Mark, campaigns: &[CampaignRow]) -> MarkSeen {
    let campaign = campaigns.iter().find(|row| row.id == mark.campaign);
    let (marked, outcome) = match mark.kind {
        Kind::Outcome { was, now } => (was.word(), Some(now)),
        Kind::Call(outcome) => (outcome.word(), Some(outcome)),
        Kind::Later => ("later", None),
        Kind::DoNotCall => (Outcome::DoNotCall.word(), None),
    };
    MarkSeen {
        at: mark.at,
        name: mark.name,
        campaign: campaign.map(|row| row.form.name.clone()).unwrap_or_default(),
        marked: marked.to_owned(),
        outcome,
        then: match mark.next {
            Some(ContactNext::Due(at)) => Then::Due(at),
            Some(ContactNext::Done) => Then::Done,
            None => Then::AsItWas,
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_listed_lasts_until_now_or_until_the_last_mark_of_a_clock_that_was_ahead() {
        let mark = |at| Mark {
            contact: "0190a000-0000-7000-8000-000000000001".parse().unwrap(),
            campaign: "0190a000-0000-7000-8000-000000000002".parse().unwrap(),
            name: "Margaret Hollis".into(),
            at,
            kind: Kind::Later,
            next: None,
        };
        assert_eq!(newest(&[], 7), 7);
        assert_eq!(newest(&[mark(3), mark(5)], 7), 7);
        assert_eq!(newest(&[mark(3), mark(9)], 7), 9);
    }
}
