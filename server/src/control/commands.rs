//! What each of the organiser's commands does.

use std::{collections::HashSet, time::Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use jiff::SignedDuration;
use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
    number::Number,
    plain,
};
use url::Url;

use super::{
    Answer, CampaignSeen, Command, DeviceSeen, Invited, PersonSeen, RESULTS_AT_ONCE, Status, TrunkCalls,
    TrunkSeen, WithoutSound, server::Upload,
};
use crate::{
    app::{App, Shared},
    campaign_form::{BadForm, CampaignForm, one_line},
    dialling::card,
    health,
    import::{BadFile, Importer, Refused},
    lookup, number,
    place::Openings,
    secret,
    store::{
        StoreError,
        backup::BackupRefused,
        campaigns::{CampaignPause, CampaignRow, hours_word},
        imports::NotAdded,
        trunks::TrunkRow,
        undo::Scope,
    },
    trunk_form::TrunkChange,
    undo,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Runs a command. A refusal is an answer too.
pub async fn run(app: &Shared, command: Command, upload: &mut Upload<'_>) -> Answer {
    let done = match command {
        Command::Status {} => status(app).await,
        Command::CampaignCreate { form } => create(app, &form).await,
        Command::CampaignList {} => list(app).await,
        Command::CampaignShow { campaign } => show(app, &campaign).await,
        Command::CampaignPause { campaign, by, message } => pause(app, &campaign, by, message).await,
        Command::CampaignResume { campaign } => resume(app, &campaign).await,
        Command::Import { campaign, source } => import(app, &campaign, &source, upload).await,
        Command::Invite { campaign, name, server, days } => invite(app, &campaign, &name, server, days).await,
        Command::PeopleList {} => people(app).await,
        Command::PeopleRevoke { person } => revoke_person(app, &person).await,
        Command::DeviceRevoke { device } => revoke_device(app, device).await,
        Command::PeopleUndo { person, device, since, until, by, done } => {
            undo(app, &person, device, Period { since, until }, by, done).await
        }
        Command::TrunkSet { name, change } => set_trunk(app, name, change).await,
        Command::TrunkList {} => trunks(app).await,
        Command::TrunkShow { name } => show_trunk(app, name).await,
        Command::Lookup { number, country } => look_up(app, &number, &country).await,
        Command::Backup { file } => {
            let bytes = app.store.back_up(&file).await;
            bytes.map(|bytes| Answer::BackedUp { file, bytes }).map_err(No::from)
        }
        Command::Results { campaign, after } => results(app, &campaign, after).await,
    };
    done.unwrap_or_else(|No(message)| Answer::Refused { message })
}

/// A refusal in words.
struct No(String);

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoStorage(_) => Self(format!("{error}. Free some space, or make it writable")),
            StoreError::Conflict(_) | StoreError::Fault(_) | StoreError::Open(_) => {
                tracing::error!(%error, "an organiser's command failed");
                Self(format!("the server made a mistake; its log says more ({error})"))
            }
        }
    }
}

impl From<ApiError> for No {
    fn from(error: ApiError) -> Self {
        if error.code == ErrorCode::NoStorage {
            return Self(
                "the server cannot write to its disk; nothing was changed. Free some space, or make it writable"
                    .into(),
            );
        }
        Self(error.message)
    }
}

impl From<BadForm> for No {
    fn from(error: BadForm) -> Self {
        Self(error.to_string())
    }
}

impl From<BadFile> for No {
    fn from(error: BadFile) -> Self {
        Self(format!("{error}. Nothing was imported"))
    }
}

impl From<BackupRefused> for No {
    fn from(error: BackupRefused) -> Self {
        Self(error.to_string())
    }
}

async fn status(app: &App) -> Result<Answer, No> {
    let mut without_sound = Vec::new();
    for (device, since_ms) in app.dialling.without_sound().await {
        // One that was taken away meanwhile is nobody's.
        let Some(device) = app.store.device(device).await? else { continue };
        let person = app.store.person(device.person_id).await?;
        let volunteer = person.map_or_else(String::new, |person| person.name);
        without_sound.push(WithoutSound { volunteer, device: device.name, since_ms });
    }
    let trunk = app.store.trunk(&app.config.trunk.endpoint).await.ok().flatten();
    Ok(Answer::Status(Status {
        trunk_calls: trunk.map(|row| Box::new(trunk_seen(app, row))),
        without_sound,
        health: health::look(app).await,
        trunk: app.dialling.trunk(),
        address: app.address.to_string(),
        origin: app.config.public_url.clone().unwrap_or_else(|| app.origin()),
        authority: app.identity.pin().map(|pin| URL_SAFE_NO_PAD.encode(pin)),
    }))
}

async fn create(app: &App, form: &CampaignForm) -> Result<Answer, No> {
    let new = form.check(app.config.trunk.kind)?;
    if app.store.find_campaign(&new.name).await?.is_some() {
        return Err(No(format!("there is a campaign \"{}\" already; choose another name", new.name)));
    }
    let id = app.store.add_campaign(&new, app.clock.now_ms()).await?;
    tracing::info!(campaign = %id, "a campaign was made");
    show(app, &id.to_string()).await
}

async fn list(app: &App) -> Result<Answer, No> {
    let mut campaigns = Vec::new();
    for row in app.store.campaigns().await? {
        campaigns.push(seen(app, row).await?);
    }
    Ok(Answer::Campaigns { campaigns })
}

async fn show(app: &App, campaign: &str) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    Ok(Answer::Campaign(Box::new(seen(app, row).await?)))
}

async fn pause(app: &App, campaign: &str, by: Option<String>, message: Option<String>) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    let by = match by {
        Some(by) => one_line("--by", &by)?,
        None => row.form.organiser.clone(),
    };
    let message = match message {
        Some(message) => Some(one_line("--message", &message)?),
        // Somebody may have said already until when it is.
        None => row.pause.and_then(|pause| pause.message),
    };
    let pause = CampaignPause { at: app.clock.now_ms(), by, message };
    app.store.pause_campaign(row.id, Some(&pause)).await?;
    app.dialling.campaign_changed(row.id).await;
    tracing::info!(campaign = %row.id, "a campaign was paused");
    show(app, &row.id.to_string()).await
}

async fn resume(app: &App, campaign: &str) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    app.store.pause_campaign(row.id, None).await?;
    app.dialling.campaign_changed(row.id).await;
    tracing::info!(campaign = %row.id, "a campaign goes on");
    show(app, &row.id.to_string()).await
}

async fn import(app: &App, campaign: &str, source: &str, upload: &mut Upload<'_>) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    let source: String = plain::name(source).chars().take(200).collect();
    let rules =
        card::rules(&row).map_err(|why| No(format!("the campaign's settings are not allowed: {why}")))?;
    let openings = Openings::from(rules, &row.form.country, app.clock.now_ms());
    let mut importer = Importer::new(&source, openings, app.config.trunk.kind);
    loop {
        let chunk = upload.next().await.map_err(No)?;
        if chunk.is_empty() {
            break;
        }
        // Reading numbers is work: it must not hold up the calls.
        let fed = tokio::task::spawn_blocking(move || importer.feed(&chunk).map(|()| importer));
        importer = fed.await.map_err(|error| No(format!("the server made a mistake: {error}")))??;
    }
    let (contacts, mut report) = importer.finish()?;
    let now_ms = app.clock.now_ms();
    let begun = Instant::now();
    let not_added = app.store.add_contacts(row.id, &source, &contacts, report.refused, now_ms).await?;
    let written_ms = begun.elapsed().as_millis();
    let not_added = not_added.into_iter().map(|(line, why)| {
        let why = match why {
            NotAdded::OnTheList => "on this list already; that row was left as it is",
            NotAdded::DoNotCall => "asked never to be rung again",
        };
        Refused { line, column: "phone".into(), why: why.into() }
    });
    report.take_back(not_added.collect());
    report.close();
    app.dialling.contacts_added(row.id);
    tracing::info!(campaign = %row.id, kept = report.kept, refused = report.refused, written_ms, "a list was imported");
    Ok(Answer::Imported(report))
}

async fn invite(app: &App, campaign: &str, name: &str, server: Option<Url>, days: u32) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    let name = one_line("--name", name)?;
    if !(1..=30).contains(&days) {
        return Err(No("--days: must be between 1 and 30".into()));
    }
    if server.as_ref().is_some_and(|server| server.scheme() != "https" || server.host_str().is_none()) {
        return Err(No("--server: must start with https://".into()));
    }
    let now_ms = app.clock.now_ms();
    let known = app.store.find_people(&name).await?;
    let known = known.iter().find(|person| person.revoked_at.is_none());
    let person = match known {
        Some(person) => person.id,
        None => app.store.add_volunteer(&name, now_ms).await?,
    };
    let token = secret::random::<16>();
    let expires_at = now_ms + i64::from(days) * DAY_MS;
    app.store.add_join_link(&secret::hash(&token), person, row.id, now_ms, expires_at).await?;
    tracing::info!(%person, campaign = %row.id, "a volunteer was invited");
    Ok(Answer::Invited(Invited {
        link: app.join_link(token, server).text(),
        name,
        known: known.is_some(),
        campaign: row.form.name,
        expires_at,
    }))
}

async fn people(app: &App) -> Result<Answer, No> {
    let campaigns = app.store.campaigns().await?;
    let devices = app.store.devices().await?;
    let signed_in: HashSet<DeviceId> =
        app.store.signed_in_devices(app.clock.now_ms()).await?.into_iter().collect();
    let name_of = |id| campaigns.iter().find(|c| c.id == id).map(|c| c.form.name.clone()).unwrap_or_default();
    let people = app.store.people().await?.into_iter().map(|person| PersonSeen {
        id: person.id.to_string(),
        name: person.name,
        revoked_at: person.revoked_at,
        devices: devices
            .iter()
            .filter(|device| device.person_id == person.id)
            .map(|device| DeviceSeen {
                id: device.id,
                name: device.name.clone(),
                campaign: name_of(device.campaign_id),
                revoked_at: device.revoked_at,
                signed_in: signed_in.contains(&device.id),
            })
            .collect(),
    });
    Ok(Answer::People { people: people.collect() })
}

async fn revoke_person(app: &App, person: &str) -> Result<Answer, No> {
    let mut found = app.store.find_people(person).await?;
    found.retain(|person| person.revoked_at.is_none());
    let person = match found.as_slice() {
        [] => {
            return Err(No(format!(
                "nobody active is called \"{person}\"; see: ringround-server people list"
            )));
        }
        [one] => one,
        several => {
            let ids: Vec<String> = several.iter().map(|p| p.id.to_string()).collect();
            return Err(No(format!("several people are called that; name one by id: {}", ids.join(", "))));
        }
    };
    let devices = app.store.revoke_person(person.id, app.clock.now_ms()).await?;
    tracing::info!(person = %person.id, devices = devices.len(), "a person was revoked");
    // All at once: none waits for another's Asterisk.
    for switched_off in join_all(devices.iter().map(|device| switch_off(app, *device))).await {
        switched_off?;
    }
    Ok(Answer::Revoked { person: Some(person.name.clone()), devices })
}

async fn revoke_device(app: &App, device: DeviceId) -> Result<Answer, No> {
    if !app.store.revoke_device(device, app.clock.now_ms()).await? {
        return Err(No("no active device has this id; see: ringround-server people list".into()));
    }
    tracing::info!(%device, "a device was revoked");
    switch_off(app, device).await?;
    Ok(Answer::Revoked { person: None, devices: vec![device] })
}

/// Its token is worth nothing already; this takes its line, account, tunnel and `/live`.
async fn switch_off(app: &App, device: DeviceId) -> Result<(), No> {
    let organiser = match app.store.device(device).await? {
        Some(row) => app.store.campaign(row.campaign_id).await?.map(|row| row.form.organiser),
        None => None,
    };
    app.dialling.revoke(device, organiser.unwrap_or_default()).await;
    Ok(())
}

struct Period {
    since: i64,
    until: Option<i64>,
}

/// Of whoever is meant, switched off or not.
async fn undo(
    app: &App,
    person: &str,
    device: Option<DeviceId>,
    period: Period,
    by: Option<String>,
    done: bool,
) -> Result<Answer, No> {
    let mut devices = app.store.devices().await?;
    match device {
        Some(device) => devices.retain(|row| row.id == device),
        None => {
            let found = app.store.find_people(person).await?;
            let [one] = found.as_slice() else {
                let ids: Vec<String> = found.iter().map(|person| person.id.to_string()).collect();
                return Err(No(match ids.as_slice() {
                    [] => format!("nobody is called \"{person}\"; see: ringround-server people list"),
                    _ => format!("several people are called that; name one by id: {}", ids.join(", ")),
                }));
            };
            devices.retain(|row| row.person_id == one.id);
            if devices.is_empty() {
                return Err(No(format!("{} has no computer yet: there is nothing to take back", one.name)));
            }
        }
    }
    let Some(first) = devices.first() else {
        return Err(No("no computer is known by that; see: ringround-server people list".into()));
    };
    let by = match by {
        Some(by) => one_line("--by", &by)?,
        None => {
            app.store.campaign(first.campaign_id).await?.map(|row| row.form.organiser).unwrap_or_default()
        }
    };
    for row in &devices {
        if done && app.store.is_in_a_call(row.id).await? {
            let name = &row.name;
            return Err(No(format!(
                "{name} has a call that is not over, or waits for its outcome. Switch it off (people revoke), and try \
                 again in half a minute"
            )));
        }
    }
    let now_ms = app.clock.now_ms();
    let signed_in = app.store.signed_in_devices(now_ms).await?;
    let signed_in = devices
        .iter()
        .filter(|row| signed_in.contains(&row.id))
        .map(|row| format!("{} ({})", row.name, row.id));
    let signed_in = signed_in.collect();
    let devices = devices.iter().map(|row| row.id).collect();
    let scope = Scope { devices, since: period.since, until: period.until, by };
    Ok(Answer::Undone(undo::take_back(app, &scope, signed_in, done).await?))
}

async fn set_trunk(app: &App, name: Option<String>, change: TrunkChange) -> Result<Answer, No> {
    let change = change.check()?;
    let name = name.unwrap_or_else(|| app.config.trunk.endpoint.clone());
    let row = app.store.change_trunk(&name, &change).await?.ok_or_else(|| no_trunk(&name))?;
    if row.name == app.config.trunk.endpoint {
        app.dialling.trunk_changed().await?;
    }
    tracing::info!(trunk = %row.name, form = ?row.form, "a trunk was set");
    Ok(Answer::Trunk(trunk_seen(app, row)))
}

async fn trunks(app: &App) -> Result<Answer, No> {
    let rows = app.store.trunks().await?;
    Ok(Answer::Trunks { trunks: rows.into_iter().map(|row| trunk_seen(app, row)).collect() })
}

async fn show_trunk(app: &App, name: Option<String>) -> Result<Answer, No> {
    let name = name.unwrap_or_else(|| app.config.trunk.endpoint.clone());
    let row = app.store.trunk(&name).await?.ok_or_else(|| no_trunk(&name))?;
    Ok(Answer::Trunk(trunk_seen(app, row)))
}

fn no_trunk(name: &str) -> No {
    let name: String = name.chars().take(100).collect();
    No(format!(
        "there is no trunk \"{name}\" (a trunk is known once a server was started with it); see: ringround-server trunk list"
    ))
}

fn trunk_seen(app: &App, row: TrunkRow) -> TrunkSeen {
    let calls = (row.name == app.config.trunk.endpoint).then(|| TrunkCalls {
        in_use: app.metrics.trunk_channels.get(),
        in_line: app.metrics.calls_in_line.get(),
    });
    TrunkSeen { name: row.name, form: row.form, calls }
}

async fn look_up(app: &App, text: &str, country: &str) -> Result<Answer, No> {
    // As lists hold it: it may be one that would not be taken any more.
    let number = match Number::from_e164(text.trim()) {
        Ok(number) => number,
        Err(_) => number::read(text, country).map_err(|why| No(format!("\"{text}\": {why}")))?.number,
    };
    Ok(Answer::LookedUp(lookup::look_up(&app.store, &number).await?))
}

async fn results(app: &App, campaign: &str, after: Option<protocol::ids::AttemptId>) -> Result<Answer, No> {
    let row = find(app, campaign).await?;
    let rows = app.store.results(row.id, after, RESULTS_AT_ONCE).await?;
    let more = rows.len() >= usize::try_from(RESULTS_AT_ONCE).unwrap_or(usize::MAX);
    Ok(Answer::Results { rows, more })
}

async fn find(app: &App, campaign: &str) -> Result<CampaignRow, No> {
    app.store.find_campaign(campaign.trim()).await?.ok_or_else(|| {
        let name: String = campaign.chars().take(100).collect();
        No(format!("there is no campaign \"{name}\"; see: ringround-server campaign list"))
    })
}

async fn seen(app: &App, row: CampaignRow) -> Result<CampaignSeen, No> {
    let list = app.store.count_list(row.id, app.clock.now_ms()).await?;
    let spacing = SignedDuration::from_millis(row.form.spacing_ms);
    Ok(CampaignSeen {
        id: row.id.to_string(),
        list,
        paused_by: row.pause.as_ref().map(|pause| pause.by.clone()),
        pause_message: row.pause.and_then(|pause| pause.message),
        form: CampaignForm {
            name: row.form.name,
            organisation: row.form.organisation,
            organiser: row.form.organiser,
            caller_id: row.form.caller_id.e164().to_owned(),
            country: row.form.country,
            time_zone: row.form.time_zone,
            abroad: row.form.abroad,
            script: row.form.script,
            hours: hours_word(row.form.hours).into(),
            spacing: format!("{spacing:#}"),
            attempts_allowed: row.form.attempts_allowed,
        },
    })
}
