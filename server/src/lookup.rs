//! Who has this number: one look into the contacts of every list.

use protocol::{http::ApiError, number::Number, outcome::Outcome};
use serde::{Deserialize, Serialize};

use crate::store::Store;

/// What is known of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedUp {
    /// In international form; for the organiser.
    pub number: String,
    /// Since when it is not to be rung, UTC epoch milliseconds.
    pub do_not_call_since: Option<i64>,
    /// The contacts with it, newest first.
    pub contacts: Vec<Found>,
}

/// A contact with the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its id, as it stands in the logs.
    pub contact_id: String,
    /// Name of the campaign whose list it is on.
    pub campaign: String,
    /// "Margaret Hollis".
    pub name: String,
    /// The organisation's own key.
    pub reference: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// What came of the last one.
    pub last_outcome: Option<Outcome>,
    /// Not to be rung before, UTC epoch milliseconds; `None`: never again on this list.
    pub due_at: Option<i64>,
}

/// Looks a number up.
///
/// # Errors
/// As the store.
pub async fn look_up(store: &Store, number: &Number) -> Result<LookedUp, ApiError> {
    let campaigns = store.campaigns().await?;
    let contacts = store.contacts_with_number(number).await?;
    let name_of = |id| campaigns.iter().find(|c| c.id == id).map(|c| c.form.name.clone()).unwrap_or_default();
    Ok(LookedUp {
        number: number.e164().to_owned(),
        do_not_call_since: store.do_not_call_since(number).await?,
        contacts: contacts
            .into_iter()
            .map(|contact| Found {
                contact_id: contact.id.to_string(),
                campaign: name_of(contact.campaign_id),
                name: contact.name,
                reference: contact.reference,
                attempts: contact.attempts,
                last_outcome: contact.last_outcome,
                due_at: contact.open.then_some(contact.due_at),
            })
            .collect(),
    })
}
