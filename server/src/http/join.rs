//! `POST /api/join`: a link is spent, a device is bound.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    routing::post,
};
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::{
    http::{ApiError, ErrorCode, Join, Joined, join_text},
    plain,
};

use super::{Body, Refusal, failures::Who, refuse, to_the_end};
use crate::{
    app::Shared,
    secret,
    store::{
        devices::DeviceRow,
        join_links::{NewDevice, Spent},
    },
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
    let now = app.clock.now();
    let new = new_device(&join)?;
    let before = app.store.device(new.id).await?;
    let hash = secret::decode::<16>(&join.token).map(|_| secret::hash(&join.token));
    // Whoever holds an invitation, or joined before, does not wait for strangers behind the same address.
    let who = match &before {
        Some(before) if before.public_key == new.public_key => Who::Device(new.id, peer.ip()),
        Some(_) | None => Who::Network(peer.ip()),
    };
    let invited = match &hash {
        Some(hash) => app.store.is_open_join_link(hash, now.wall).await?,
        None => false,
    };
    if !invited {
        app.limits.failures.check(who, now)?;
    }
    to_the_end(spend(app, hash, new, before, who)).await
}

/// Spends the link; then, where the device was another's, what it did for them ends.
async fn spend(
    app: Shared,
    hash: Option<Vec<u8>>,
    new: NewDevice,
    before: Option<DeviceRow>,
    who: Who,
) -> Result<Json<Joined>, Refusal> {
    let now = app.clock.now();
    let spent = match &hash {
        Some(hash) => app.store.spend_join_link(hash, &new, now.wall).await?,
        None => Spent::Unknown,
    };
    let (person, campaign) = match spent {
        Spent::Joined { person, campaign } => (person, campaign),
        refused @ (Spent::Unknown | Spent::Spent(_) | Spent::Expired(_) | Spent::Revoked | Spent::Taken) => {
            app.limits.failures.count(who, now);
            tracing::info!(device = %new.id, ?refused, "a device could not join");
            return Err(refusal(refused));
        }
    };
    if before.is_some_and(|before| (before.person_id, before.campaign_id) != (person, campaign)) {
        // What it did for the others ends: its sign-in, line and desk are theirs.
        let _lock = app.ari.account_lock(new.id).await;
        app.store.sign_out(new.id, now.wall).await?;
        app.dialling.sign_out(new.id).await;
    }
    let gone = || {
        tracing::error!(device = %new.id, "a device joined, and its person or campaign is not there; a fault of ours");
        refuse(ErrorCode::Internal, "The server made a mistake. Its log says which")
    };
    let person = app.store.person(person).await?.ok_or_else(gone)?;
    let campaign = app.store.campaign(campaign).await?.ok_or_else(gone)?;
    tracing::info!(device = %new.id, person = %person.id, campaign = %campaign.id, "a device joined");
    Ok(Json(Joined { volunteer: person.name, campaign: campaign.seen() }))
}

/// Also whether it has the key that it says it has.
fn new_device(join: &Join) -> Result<NewDevice, Refusal> {
    let (key, verifying) = secret::decode::<32>(&join.public_key)
        .and_then(|bytes| Some((bytes, VerifyingKey::from_bytes(&bytes).ok()?)))
        .filter(|(_, key)| !key.is_weak())
        .ok_or_else(|| refuse(ErrorCode::Invalid, "The device's key is damaged; a fault of the app"))?;
    let text = join_text(&join.token, join.device_id, &key);
    secret::decode::<64>(&join.signature)
        .filter(|signature| verifying.verify_strict(&text, &Signature::from_bytes(signature)).is_ok())
        .ok_or_else(|| {
            refuse(ErrorCode::Invalid, "The device's key did not sign this; a fault of the app")
        })?;
    let name: String = plain::name(&join.device_name).chars().take(80).collect();
    let name = match name.trim() {
        "" => "A computer".to_owned(),
        name => name.to_owned(),
    };
    Ok(NewDevice { id: join.device_id, public_key: key, name })
}

fn refusal(spent: Spent) -> Refusal {
    match spent {
        Spent::Spent(link) => {
            let words = format!("This link was used. {} can send a new one", link.organiser);
            Refusal(ApiError { link: Some(link), ..ApiError::new(ErrorCode::LinkSpent, words) })
        }
        Spent::Expired(link) => {
            let words = format!("This link has ended. {} can send a new one", link.organiser);
            Refusal(ApiError { link: Some(link), ..ApiError::new(ErrorCode::LinkExpired, words) })
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
