//! `POST /api/join`: a link is spent, a device is bound.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    routing::post,
};
use ed25519_dalek::VerifyingKey;
use protocol::http::{ErrorCode, Join, Joined};

use super::{Body, Refusal, refuse};
use crate::{
    app::Shared,
    secret,
    store::join_links::{NewDevice, Spent},
};

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/join", post(join))
}

async fn join(
    State(app): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(join): Body<Join>,
) -> Result<Json<Joined>, Refusal> {
    let now_ms = app.clock.now_ms();
    app.failures.check(peer.ip(), now_ms)?;
    let new = new_device(&join)?;
    let spent = match secret::decode::<16>(&join.token) {
        Some(_) => app.store.spend_join_link(&secret::hash(&join.token), &new, now_ms).await?,
        None => Spent::Unknown,
    };
    let (person, campaign) = match spent {
        Spent::Joined { person, campaign } => (person, campaign),
        refused @ (Spent::Unknown | Spent::Spent | Spent::Expired | Spent::Revoked | Spent::Taken) => {
            app.failures.count(peer.ip(), now_ms);
            tracing::info!(device = %new.id, ?refused, "a device could not join");
            return Err(refusal(&refused));
        }
    };
    let gone = || refuse(ErrorCode::Internal, "The server made a mistake. Its log says which");
    let person = app.store.person(person).await?.ok_or_else(gone)?;
    let campaign = app.store.campaign(campaign).await?.ok_or_else(gone)?;
    tracing::info!(device = %new.id, person = %person.id, campaign = %campaign.id, "a device joined");
    Ok(Json(Joined { volunteer: person.name, campaign: campaign.seen() }))
}

fn new_device(join: &Join) -> Result<NewDevice, Refusal> {
    let key = secret::decode::<32>(&join.public_key)
        .filter(|key| VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak()))
        .ok_or_else(|| refuse(ErrorCode::Invalid, "The device's key is damaged; a fault of the app"))?;
    let name: String = join.device_name.chars().filter(|c| !c.is_control()).take(80).collect();
    let name = match name.trim() {
        "" => "A computer".to_owned(),
        name => name.to_owned(),
    };
    Ok(NewDevice { id: join.device_id, public_key: key, name })
}

fn refusal(spent: &Spent) -> Refusal {
    match spent {
        Spent::Spent => refuse(ErrorCode::LinkSpent, "This link was used. Ask the organiser for a new one"),
        Spent::Expired => {
            refuse(ErrorCode::LinkExpired, "This link has ended. Ask the organiser for a new one")
        }
        Spent::Revoked => refuse(ErrorCode::DeviceRevoked, "This device was switched off by an organiser"),
        Spent::Taken => {
            refuse(ErrorCode::Invalid, "Another device has this id or key; the app must make new ones")
        }
        Spent::Unknown | Spent::Joined { .. } => refuse(
            ErrorCode::UnknownLink,
            "This server does not know this link. Ask the organiser for a new one",
        ),
    }
}
