//! Two phones talk to each other: offer and answer, ICE, DTLS, Opus, G.711, digits, and a lost socket.

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use crate::peer::{Meddler, PATIENCE, Peer, Phone, settings, without, yes};
use softphone::{BufferDevice, BufferEnds, CallId, CallState, Codec, Devices, Event, Quality, Registration};

struct Talker {
    phone: Phone,
    ends: BufferEnds,
    call: CallId,
}

async fn registered(peer: &Peer, user: &str) -> (Phone, BufferEnds) {
    let mut settings = settings("ws", peer.address, user);
    let (device, ends) = BufferDevice::new(Duration::from_secs(20));
    settings.devices = Devices::Buffers(device);
    let mut phone = Phone::start(settings);
    phone
        .wait("registered", |e| matches!(e, Event::Registration(Registration::Registered)).then_some(()))
        .await;
    (phone, ends)
}

async fn up(phone: &mut Phone) -> (CallId, Codec, bool) {
    phone
        .wait("up", |event| match event {
            Event::Call { id, state: CallState::Up { codec, line } } => Some((*id, *codec, *line)),
            Event::Call { .. }
            | Event::Registration(_)
            | Event::FirstMedia { .. }
            | Event::Media { .. }
            | Event::Level { .. }
            | Event::Devices(_) => None,
        })
        .await
}

async fn quality(phone: &mut Phone) -> Quality {
    phone
        .wait("quality", |event| match event {
            Event::Media { quality, .. } => Some(*quality),
            Event::Call { .. }
            | Event::Registration(_)
            | Event::FirstMedia { .. }
            | Event::Level { .. }
            | Event::Devices(_) => None,
        })
        .await
}

/// Its figures once nothing is under way any more.
async fn settled(phone: &mut Phone) -> Quality {
    while phone.events.try_recv().is_ok() {}
    quality(phone).await;
    quality(phone).await
}

async fn talking(peer: &Peer) -> (Talker, Talker) {
    talking_with(peer, Codec::Opus).await
}

async fn talking_with(peer: &Peer, expected: Codec) -> (Talker, Talker) {
    let (mut a, a_ends) = registered(peer, "a").await;
    let (mut b, b_ends) = registered(peer, "b").await;
    b.phone.expect_line("right".to_owned());
    a.phone.call("b");
    let (from, codec, line) = up(&mut a).await;
    assert_eq!((codec, line), (expected, false));
    let (to, codec, line) = up(&mut b).await;
    assert_eq!((codec, line), (expected, true));
    let a = Talker { phone: a, ends: a_ends, call: from };
    let b = Talker { phone: b, ends: b_ends, call: to };
    (a, b)
}

fn tone(hertz: f32, seconds: f32) -> Vec<f32> {
    (0..(48_000.0 * seconds) as usize).map(|n| 0.4 * (TAU * hertz * n as f32 / 48_000.0).sin()).collect()
}

/// How loud a frequency is in what was heard.
fn level(samples: &[f32], hertz: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = TAU * (hertz * n as f32 / 48_000.0).fract();
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f32
}

/// Listens until half a second in a row is this tone.
async fn hears(ends: &mut BufferEnds, hertz: f32) -> bool {
    let end = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while Instant::now() < end {
        heard.extend(ends.heard());
        if heard.len() >= 24_000 {
            if level(&heard[heard.len() - 24_000..], hertz) > 0.2 {
                return true;
            }
            heard.drain(..heard.len() - 24_000);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hears_the_other_and_a_hang_up_ends_both() {
    let peer = Peer::start(yes).await;
    let (mut a, mut b) = talking(&peer).await;
    a.ends.say(&tone(400.0, 8.0));
    b.ends.say(&tone(700.0, 8.0));
    assert!(hears(&mut b.ends, 400.0).await);
    assert!(hears(&mut a.ends, 700.0).await);

    a.phone.phone.mute(a.call, true);
    let before = quality(&mut a.phone).await.sent;
    b.ends.heard();
    let end = Instant::now() + PATIENCE;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = b.ends.heard();
        if level(&heard, 400.0) < 0.001 {
            break;
        }
        assert!(Instant::now() < end, "muted, and still heard");
    }
    assert!(quality(&mut a.phone).await.sent > before, "muted is silence, not nothing");

    b.phone.phone.hang_up(b.call);
    for phone in [&mut a.phone, &mut b.phone] {
        phone
            .wait("ended", |e| matches!(e, Event::Call { state: CallState::Ended { .. }, .. }).then_some(()))
            .await;
    }
}

/// What an Asterisk that has no Opus says: events on the clock of G.711.
fn without_opus(description: &str) -> String {
    without(description, "opus/48000").replace("telephone-event/48000", "telephone-event/8000")
}

fn a_law_without_events(description: &str) -> String {
    without(&without(&without(description, "opus/48000"), "PCMU"), "telephone-event")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_opus_they_hear_each_other_in_g711() {
    let ways: [(Meddler, Codec); 2] = [(without_opus, Codec::Pcmu), (a_law_without_events, Codec::Pcma)];
    for (meddler, codec) in ways {
        let peer = Peer::meddling(yes, meddler).await;
        let (mut a, mut b) = talking_with(&peer, codec).await;
        a.ends.say(&tone(400.0, 8.0));
        b.ends.say(&tone(700.0, 8.0));
        assert!(hears(&mut b.ends, 400.0).await, "{codec:?}: b does not hear a");
        assert!(hears(&mut a.ends, 700.0).await, "{codec:?}: a does not hear b");
        let quality = quality(&mut b.phone).await;
        assert!(quality.loss < 0.5, "{codec:?}: {quality:?}");
    }
}

/// Packets of a key that is down for 100 ms: five, and the end twice more.
const PACKETS_OF_A_KEY: u64 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_as_an_event_in_opus_and_in_g711() {
    let ways: [(Meddler, Codec); 2] = [(str::to_owned, Codec::Opus), (without_opus, Codec::Pcmu)];
    for (meddler, codec) in ways {
        let mut peer = Peer::meddling(yes, meddler).await;
        let (mut a, mut b) = talking_with(&peer, codec).await;
        // With no sound under way, the key's packets are the only ones.
        for talker in [&a, &b] {
            talker.phone.phone.send_audio(talker.call, false);
        }
        for from_a in [true, false] {
            let (from, to) = if from_a { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let (sent, received) =
                (settled(&mut from.phone).await.sent, settled(&mut to.phone).await.received);
            from.phone.phone.send_digits(from.call, "5x#");
            let all = 2 * PACKETS_OF_A_KEY;
            let end = Instant::now() + PATIENCE;
            while quality(&mut to.phone).await.received < received + all {
                assert!(Instant::now() < end, "{codec:?}: the key's packets do not arrive");
            }
            assert_eq!(settled(&mut from.phone).await.sent, sent + all, "{codec:?}");
            assert_eq!(settled(&mut to.phone).await.received, received + all, "{codec:?}");
        }
        while let Ok(message) = peer.heard.try_recv() {
            assert!(!message.starts_with("INFO "), "{codec:?}: a key went twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_events_were_not_agreed_a_key_goes_as_info() {
    let mut peer = Peer::meddling(yes, a_law_without_events).await;
    let (a, b) = talking_with(&peer, Codec::Pcma).await;
    for (talker, from, key) in [(&a, "a", '5'), (&b, "b", '#')] {
        talker.phone.phone.send_digits(talker.call, &format!("x{key}"));
        let info = peer.hear("INFO ").await;
        assert!(
            info.starts_with("INFO sip:") && info.contains(&format!("From: <sip:{from}@test>")),
            "{info}"
        );
        assert!(info.contains("\r\nContent-Type: application/dtmf-relay\r\n"), "{info}");
        assert!(info.ends_with(&format!("\r\n\r\nSignal={key}\r\nDuration=100\r\n")), "{info}");
        let answer = peer.hear(" INFO\r\n").await;
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_sends_nothing_sends_not_one_packet_and_its_first_packet_is_told() {
    let peer = Peer::start(yes).await;
    let (mut a, mut b) = talking(&peer).await;
    for talker in [&a, &b] {
        talker.phone.phone.send_audio(talker.call, false);
    }
    quality(&mut a.phone).await;
    let before = quality(&mut a.phone).await.sent;
    let after = quality(&mut a.phone).await.sent;
    assert_eq!(before, after);
    while b.phone.events.try_recv().is_ok() {}
    a.phone.phone.send_audio(a.call, true);
    b.phone.wait("first media", |e| matches!(e, Event::FirstMedia { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_while_the_socket_is_lost() {
    let mut peer = Peer::start(yes).await;
    let (mut a, mut b) = talking(&peer).await;
    a.ends.say(&tone(400.0, 10.0));
    assert!(hears(&mut b.ends, 400.0).await);
    peer.cut();
    for phone in [&mut a.phone, &mut b.phone] {
        phone
            .wait("reconnecting", |e| {
                matches!(e, Event::Call { state: CallState::Reconnecting { .. }, .. }).then_some(())
            })
            .await;
    }
    b.ends.heard();
    assert!(hears(&mut b.ends, 400.0).await, "sound stopped with the socket");
    peer.hear("UPDATE ").await;
    a.phone.phone.hang_up(a.call);
    a.phone
        .wait("ended", |e| matches!(e, Event::Call { state: CallState::Ended { .. }, .. }).then_some(()))
        .await;
    a.phone.phone.stop().await;
    b.phone.phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ring_is_in_the_ear_until_the_first_media() {
    let peer = Peer::start(yes).await;
    let (mut a, b) = talking(&peer).await;
    b.phone.phone.send_audio(b.call, false);
    // What was under way has come.
    quality(&mut a.phone).await;
    quality(&mut a.phone).await;
    a.phone.phone.play_ring(true);
    assert!(rings(&mut a.ends, true).await);
    b.phone.phone.send_audio(b.call, true);
    assert!(rings(&mut a.ends, false).await);
}

/// Waits for a tenth of a second with the tone, or for two and a half without: longer than its pause.
async fn rings(ends: &mut BufferEnds, wanted: bool) -> bool {
    let end = Instant::now() + PATIENCE;
    let mut silent = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let heard = ends.heard();
        let loud = level(&heard, 400.0) > 0.02 && level(&heard, 450.0) > 0.02;
        silent = if loud { 0 } else { silent + 1 };
        if (wanted && loud) || (!wanted && silent > 25) {
            return true;
        }
    }
    false
}
