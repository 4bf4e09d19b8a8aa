//! What the store and Asterisk have, and what is made of it: at the start, after a reconnect, and
//! in passing, as news can be lost.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use dialler::Input;
use protocol::ids::DeviceId;
use tracing::{error, info, warn};

use super::Turn;
use crate::{
    dialling::{
        card,
        commands::Inward,
        rounds::{self, Listing},
        saves,
        trunk::TrunkRefuses,
        watch::Verdict,
    },
    store::{StoreError, trunks::TrunkRow},
    trunk_form::TrunkForm,
};

/// How long a failed list waits for the next.
const LIST_AGAIN: Duration = Duration::from_millis(500);

impl Turn {
    /// What the store knows: the trunk, campaigns, and attempts that were open when the server stopped.
    pub(super) async fn recall(&mut self) -> Result<(), StoreError> {
        let leases_end = self.parts.clock.now().steady + saves::LEASE_MS;
        if let Err(error) = self.parts.store.renew_all_leases(leases_end).await {
            warn!(%error, "the cards that apps held keep the times of the server's last run");
        }
        let trunk = self.recall_trunk().await?;
        self.trunk(trunk);
        for row in self.parts.store.campaigns().await? {
            self.campaign(&row);
        }
        for (device, recent) in self.parts.store.recent(self.now()).await? {
            let (cards, taken_off) = (recent.cards, recent.taken_off);
            self.handle(Input::Recent { device, cards, taken_off });
        }
        for open in self.parts.store.open_attempts(self.now()).await? {
            let device = open.device();
            let card = card::of(&self.parts.store, device, &open.held, open.held.facts.attempts).await?;
            let adopted = open.adopted(card);
            info!(attempt = %adopted.attempt, %device, state = ?adopted.state, "found an open attempt");
            self.owners.insert(adopted.attempt, device);
            self.handle(Input::Adopted(Box::new(adopted)));
        }
        Ok(())
    }

    /// How the trunk is set; one that is new here is as most are.
    async fn recall_trunk(&self) -> Result<TrunkForm, StoreError> {
        let name = self.way.endpoint();
        if let Some(row) = self.parts.store.trunk(name).await? {
            return Ok(row.form);
        }
        let row = TrunkRow { name: name.to_owned(), form: TrunkForm::default() };
        if let Err(error) = self.parts.store.add_trunk(&row, self.now()).await {
            warn!(%error, trunk = name, "the trunk's row cannot be written yet; numbers are written as +44..., without limits");
        }
        Ok(row.form)
    }

    /// Asks what Asterisk has, after a (re)connect.
    pub(super) fn list(&self, after: Duration) {
        let (ari, store, back) = (self.parts.ari.clone(), self.parts.store.clone(), self.back.clone());
        let (trunk, now, connection) = (self.way.endpoint().to_owned(), self.now(), self.connection);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let listing = rounds::list(&ari, &store, &trunk, now).await;
            let _ = back.send(Inward::Listed { connection, listing: Box::new(listing) });
        });
    }

    pub(super) fn listed(&mut self, listing: Result<Listing, rounds::ListError>) {
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                warn!(%error, "Asterisk's channels could not be listed; trying again");
                self.list(LIST_AGAIN);
                return;
            }
        };
        self.way.found(listing.trunk.as_deref());
        if let Err(why) = self.way.usable() {
            error!(%why, trunk = self.way.endpoint(), "nobody can be rung");
        }
        let owners = &self.owners;
        let found = self.exchange.adopt(&listing, |attempt| owners.get(&attempt).copied());
        info!(
            calls = found.calls.len(),
            lines = found.lines.len(),
            strays = found.strays.len(),
            "listed what Asterisk has"
        );
        for line in &found.lines {
            self.watch.adopted(&line.line.0, Instant::now());
        }
        self.hang_up_strays(found.strays);
        for bridge in &found.bridges {
            self.end_bridge(bridge);
        }
        self.compare_accounts(&listing);
        let held = self.held.take().unwrap_or_default();
        self.handle(Input::TelephoneBack { calls: found.calls, lines: found.lines });
        for event in held {
            self.event(event);
        }
    }

    /// Accounts of devices that are not signed in go. Asterisk writes new accounts to its disk about
    /// a second late: one that dies in that second, or loses its folder, has forgotten them. Their
    /// devices are asked to sign in again, which makes new ones.
    fn compare_accounts(&self, listing: &Listing) {
        let (ari, store, now) = (self.parts.ari.clone(), self.parts.store.clone(), self.now());
        let (live, tunnels) = (self.parts.live.clone(), self.parts.tunnels.clone());
        let accounts = listing.accounts.clone();
        let signed_in: HashSet<DeviceId> = listing.signed_in.keys().copied().collect();
        // An Asterisk that does not know its trunk yet does not know its accounts yet.
        let may_miss = listing.trunk.is_some();
        tokio::spawn(async move {
            let forgotten: Vec<DeviceId> =
                signed_in.iter().copied().filter(|device| may_miss && !accounts.contains(device)).collect();
            for device in forgotten {
                let _lock = ari.account_lock(device).await;
                if ari.has_account(&device.to_string()).await != Ok(false) {
                    continue;
                }
                match store.sign_out(device, now).await {
                    Ok(()) => {
                        info!(%device, "Asterisk has forgotten this device's account; it signs in again")
                    }
                    Err(error) => warn!(%error, %device, "a sign-in without an account could not be ended"),
                }
                live.close(device);
                tunnels.close(device);
            }
            rounds::remove_accounts(&ari, &store, accounts, &signed_in, now).await;
        });
    }

    pub(super) fn sweep(&self) {
        if self.held.is_some() || !self.parts.ari.is_here() {
            return;
        }
        if self.way.usable() == Err(TrunkRefuses::Unknown) {
            self.look_for_trunk();
        }
        let (channels, back, connection) = (self.parts.ari.channels(), self.back.clone(), self.connection);
        let provider = self.parts.ari.reachable(self.way.endpoint());
        tokio::spawn(rounds::watch_provider(provider, self.provider_silent.clone(), self.back.clone()));
        tokio::spawn(async move {
            match channels.await {
                Ok(channels) => {
                    let _ = back.send(Inward::Swept { connection, channels });
                }
                Err(error) => warn!(%error, "Asterisk's channels could not be listed"),
            }
        });
    }

    /// A starting Asterisk speaks to us before it has read its trunks.
    pub(super) fn look_for_trunk(&self) {
        let (found, back) = (self.parts.ari.contacts_of(self.way.endpoint()), self.back.clone());
        let connection = self.connection;
        tokio::spawn(async move {
            let contacts = found.await.ok();
            let _ = back.send(Inward::Trunk { connection, contacts });
        });
    }

    pub(super) fn look_at_lines(&mut self) {
        let lines = self.exchange.lines_with_talk();
        self.watch.keep(|line| lines.iter().any(|(up, _, _)| up == line));
        for (line, device, talking) in lines {
            let heard = self.parts.tunnels.last_heard(device);
            match self.watch.look(&line, talking, heard, Instant::now()) {
                Verdict::Fine => {}
                Verdict::CountPackets => {
                    let (count, back) = (self.parts.ari.packets_received(&line), self.back.clone());
                    tokio::spawn(async move {
                        if let Ok(count) = count.await {
                            let _ = back.send(Inward::Packets { line, count });
                        }
                    });
                }
                Verdict::Dead => {
                    info!(%device, "a line's app is gone: hanging up the line");
                    self.drop_line(line);
                }
            }
        }
    }
}
