//! `POST /api/sign-in/challenge`, `/api/sign-in`, `/api/sign-out`: a signed challenge becomes a
//! bearer token and a SIP account, both for 12 hours.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    routing::post,
};
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::{
    http::{AskChallenge, Challenge, ErrorCode, SignIn, SignedIn, sign_in_text},
    ids::DeviceId,
};
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice, failures::Who, refuse, to_the_end};
use crate::{app::Shared, provisioning, secret, store::devices::DeviceRow};

const LIFE_MS: i64 = 12 * 60 * 60 * 1_000;
/// By then the app has its new sign-in, and comes back with it at once.
const OLDER_SOCKET_CLOSES_AFTER: Duration = Duration::from_secs(3);

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/sign-in/challenge", post(challenge))
        .route("/api/sign-in", post(sign_in))
        .route("/api/sign-out", post(sign_out))
}

/// Costs nothing and keeps nothing, so anybody may ask, in any device's name.
async fn challenge(State(app): State<Shared>, Body(ask): Body<AskChallenge>) -> Json<Challenge> {
    Json(Challenge { challenge: app.challenges.give(ask.device_id, app.clock.now()) })
}

/// A device's own signature is looked at first (50 us), however often others failed in its name: a good one always passes.
async fn sign_in(
    State(app): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(answer): Body<SignIn>,
) -> Result<Json<SignedIn>, Refusal> {
    let now = app.clock.now();
    // Counted and written down until there were too many: who fails on and on fills no disk.
    let note = |who: Who, refusal: &Refusal| {
        app.limits.failures.check(who, now)?;
        app.limits.failures.count(who, now);
        tracing::info!(device = %answer.device_id, code = ?refusal.0.code, "a device could not sign in");
        Ok::<_, Refusal>(())
    };
    let Some(device) = app.store.device(answer.device_id).await? else {
        let not_known = "This server does not know this device. Ask the organiser for a new link";
        let refusal = refuse(ErrorCode::NotFound, not_known);
        note(Who::Network(peer.ip()), &refusal)?;
        return Err(refusal);
    };
    let genuine = app
        .challenges
        .read(device.id, &answer.challenge, now)
        .filter(|challenge| signed(&device, challenge, &answer.signature))
        .is_some_and(|challenge| app.challenges.spend(challenge, now));
    if !genuine {
        let refusal = refuse(ErrorCode::SignInAgain, "The sign-in failed; the app tries again by itself");
        note(Who::Claimed(device.id, peer.ip()), &refusal)?;
        return Err(refusal);
    }
    app.limits.sign_in(device.id, now.wall)?;
    let person = app.store.person(device.person_id).await?;
    if device.revoked_at.is_some() || person.is_none_or(|person| person.revoked_at.is_some()) {
        note(Who::Device(device.id, peer.ip()), &revoked())?;
        return Err(revoked());
    }
    // A token that cannot be kept must not leave an account with a password nobody knows.
    app.store.probe(now.wall).await?;
    let signed_in = to_the_end(keep(app.clone(), device, now.wall)).await?;
    signed_in.map(Json).ok_or_else(revoked)
}

fn revoked() -> Refusal {
    refuse(ErrorCode::DeviceRevoked, "This device was switched off by an organiser")
}

/// Makes the account and keeps the sign-in; `None`: the device was revoked meanwhile.
async fn keep(app: Shared, device: DeviceRow, now_ms: i64) -> Result<Option<SignedIn>, Refusal> {
    // Nobody else makes or removes this account until its sign-in is kept.
    let _lock = app.ari.account_lock(device.id).await;
    let account = provisioning::account_for(&app.ari, device.id).await?;
    let token = secret::random::<32>();
    let expires_at_ms = now_ms + LIFE_MS;
    if !app.store.sign_in(&secret::hash(&token), device.id, now_ms, expires_at_ms).await? {
        // Revoked while Asterisk made the account, which was removed before it was there.
        if let Err(error) = app.ari.remove_account(&device.id.to_string()).await {
            tracing::warn!(%error, device = %device.id, "the SIP account will be removed when Asterisk is back");
        }
        return Ok(None);
    }
    close_older_socket(&app, device.id);
    tracing::info!(device = %device.id, "a device signed in");
    Ok(Some(SignedIn {
        token,
        expires_at_ms,
        sip_password: account.password.to_string(),
        sip_domain: account.domain,
    }))
}

/// `/live` stays open for as long as its sign-in does. The tunnel is left: the app may be renewing its sign-in
/// beside a line that is up, and its next tunnel closes this one, which only the new sign-in can open.
fn close_older_socket(app: &Shared, device: DeviceId) {
    let Some(older) = app.live.socket(device) else { return };
    let live = app.live.clone();
    tokio::spawn(async move {
        tokio::time::sleep(OLDER_SOCKET_CLOSES_AFTER).await;
        live.close_if_current(device, older);
    });
}

fn signed(device: &DeviceRow, challenge: &[u8], signature: &str) -> bool {
    let Some(signature) = secret::decode::<64>(signature) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&device.public_key) else { return false };
    key.verify_strict(&sign_in_text(challenge), &Signature::from_bytes(&signature)).is_ok()
}

async fn sign_out(State(app): State<Shared>, device: SignedInDevice) -> Result<Json<Value>, Refusal> {
    to_the_end(async move {
        let _lock = app.ari.account_lock(device.id).await;
        app.store.sign_out(device.id, app.clock.now_ms()).await?;
        app.dialling.sign_out(device.id).await;
        tracing::info!(device = %device.id, "a device signed out");
        Ok(Json(json!({})))
    })
    .await
}
