//! Apps that end and come back: evening after evening, or at once, as after a crash or an update. Asterisk must know where
//! the newer one is, and the end of the older must not take that away.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{
    api::Api,
    handset::{Handset, Standing},
    networks::Home,
    volunteer::{authorise, new_key, settings, spend},
    world::World,
};
use ed25519_dalek::SigningKey;
use protocol::{http::SignedIn, ids::DeviceId, join_link::JoinLink};
use serde_json::json;
use softphone::{Registration, Why};
use uuid::Uuid;

const REGISTERED_WITHIN: Duration = Duration::from_secs(20);
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// A device that has joined.
struct Device {
    id: DeviceId,
    key: SigningKey,
    link: JoinLink,
    api: Api,
    home: Home,
}

impl Device {
    async fn joined(world: &World, home: &Home, name: &str) -> Result<Self> {
        let link = world.server.invite(name)?;
        let api = Api::new(home, &link.server, &world.server)?;
        let (id, key) = (DeviceId::new(Uuid::now_v7()), new_key()?);
        spend(&api, &link, id, &key).await?;
        Ok(Self { id, key, link, api, home: home.clone() })
    }

    async fn sign_in(&self) -> Result<SignedIn> {
        authorise(&self.api, self.id, &self.key).await
    }

    /// Starts a telephone beside the older, which ends meanwhile, and waits until it is registered.
    async fn comes_back(&self, sign_in: &SignedIn, older: Option<Handset>) -> Result<Handset> {
        let newer = Handset::start(&self.home, settings(&self.link, self.id, sign_in)?)?;
        drop(older);
        let registered = |now: &Standing| now.registration == Some(Registration::Registered);
        newer.until("the registration", REGISTERED_WITHIN, registered).await?;
        Ok(newer)
    }

    /// Whether Asterisk can call it, soon and for longer than the end of an older tunnel takes.
    async fn is_known(&self, world: &World) -> Result<bool> {
        let resource = format!("endpoints/PJSIP/{}", self.id);
        let is_online = async || anyhow::Ok(world.node.get(&resource).await?["state"] == "online");
        let soon = async {
            while !is_online().await? {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        if tokio::time::timeout(KNOWN_WITHIN, soon).await.is_err() {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        is_online().await
    }
}

/// Asterisk adds a list in a changed account to the one that it had: on the twenty-first evening they did not fit any more,
/// and every REGISTER was answered 500.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_month_of_evenings_a_device_still_registers() {
    let mut world = World::with(&[]).await.unwrap();
    let maya = Device::joined(&world, &world.home().unwrap(), "Maya").await.unwrap();
    for _ in 0..20 {
        maya.sign_in().await.unwrap();
    }
    // It has signed in too often by now, and the server forgets that.
    world.server.start_again().await.unwrap();
    for _ in 0..10 {
        maya.sign_in().await.unwrap();
    }
    let _handset = maya.comes_back(&maya.sign_in().await.unwrap(), None).await.unwrap();
    assert!(maya.is_known(&world).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_does_not_fit_any_more_is_mended_by_the_next_sign_in() {
    let world = World::with(&[]).await.unwrap();
    let maya = Device::joined(&world, &world.home().unwrap(), "Maya").await.unwrap();
    let sign_in = maya.sign_in().await.unwrap();
    let account = format!("asterisk/config/dynamic/res_pjsip/auth/{}", maya.id);
    let list = json!({"fields": [{"attribute": "supported_algorithms_uas", "value": "SHA-256,MD5"}]});
    for _ in 0..21 {
        world.node.request("PUT", &account, &list).await.unwrap();
    }
    let refused = |now: &Standing| {
        matches!(now.registration, Some(Registration::Lost { why: Why::Registrar(500), .. }))
    };
    let handset = Handset::start(&maya.home, settings(&maya.link, maya.id, &sign_in).unwrap()).unwrap();
    handset.until("500", REGISTERED_WITHIN, refused).await.unwrap();
    let _handset = maya.comes_back(&maya.sign_in().await.unwrap(), Some(handset)).await.unwrap();
    assert!(maya.is_known(&world).await.unwrap());
}

/// As often as the tunnels of one device are opened without a wait.
const ROUNDS: usize = 10;
const DEVICES: usize = 12;

async fn lost(world: &World, anew: bool) -> Result<usize> {
    let (home, mut lost) = (world.home()?, 0);
    for which in 0..DEVICES {
        let device = Device::joined(world, &home, &format!("Volunteer {which}")).await?;
        let mut sign_in = device.sign_in().await?;
        let mut older = None;
        for round in 0..ROUNDS {
            if anew {
                sign_in = device.sign_in().await?;
            }
            let newer = device.comes_back(&sign_in, older).await;
            older = Some(newer.with_context(|| format!("device {which}, round {round}"))?);
            if !device.is_known(world).await? {
                eprintln!("device {which}, round {round}: registered, and Asterisk does not know it");
                lost += 1;
            }
        }
    }
    Ok(lost)
}

#[ignore = "minutes: scripts/test e2e who_comes_back --run-ignored all"]
#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_comes_back_at_once_is_known() {
    let world = World::with(&[]).await.unwrap();
    assert_eq!(lost(&world, false).await.unwrap(), 0, "{}", world.logs());
}

#[ignore = "minutes: scripts/test e2e who_comes_back --run-ignored all"]
#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_signs_in_again_at_once_is_known() {
    let world = World::with(&[]).await.unwrap();
    assert_eq!(lost(&world, true).await.unwrap(), 0, "{}", world.logs());
}
