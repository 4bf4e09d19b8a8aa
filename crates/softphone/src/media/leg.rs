//! One call's media over WebRTC: ICE, DTLS-SRTP, RTP. Only this and [`super::gate`], which is the
//! library's runtime, know the `webrtc` crate.
//!
//! Its faults are met here and nowhere else: the fingerprint's capitals and the default candidate in
//! [`crate::sip::sdp`], early datagrams in the gate, codec preferences after `add_track`, and one
//! `telephone-event` only, of the clock that will be spoken.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtrb::{Consumer, Producer, RingBuffer};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
    RTCStatsReportEntry, Registry, SettingEngineBuilder, StatsSelector, configure_rtcp_reports,
};

use super::gate::{Gate, GatedRuntime};
use super::{Outgoing, Packet};
use crate::random;
use crate::sip::sdp::{self, Agreed, Unusable};

/// Half a second of packets, both ways: more would only be late.
const MOST_PACKETS: usize = 32;
/// The library waits so long before its first check, too.
const CHECK_EVERY: Duration = Duration::from_millis(20);
const MOST_CHECKS: u16 = 250;
const GATHERED_WITHIN: Duration = Duration::from_secs(2);
/// A line that is silent between two calls has only ICE's own checks (RFC 7675) to show that sound would get through.
/// Seven in a row are lost by chance once in 20 minutes where a fifth of all packets is.
const KEPT_ALIVE_EVERY: Duration = Duration::from_millis(500);
const AWAY_AFTER: Duration = Duration::from_millis(3_500);
const FAILED_AFTER: Duration = Duration::from_secs(25);

const OPUS: u8 = 111;
const EVENTS: u8 = 110;

/// Why a leg could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LegError {
    #[error("{0}")]
    Peer(#[from] Unusable),
    #[error("the media library refused: {0}")]
    Library(#[from] webrtc::error::Error),
    #[error("no network address for media")]
    NoAddress,
}

/// What becomes of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LegState {
    New,
    Connected,
    Away,
    Failed,
}

/// The ends that the audio thread holds.
pub(crate) struct Ends {
    pub(crate) received: Consumer<Packet>,
    pub(crate) send: mpsc::Sender<Outgoing>,
    pub(crate) report: Arc<Report>,
}

/// What RTCP says of our sound, and what was counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Of 256, as in the report block.
    pub(crate) lost_up: AtomicU32,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Microseconds; 0: not known.
    pub(crate) round_trip: AtomicU64,
}

/// One call's media.
pub(crate) struct Leg {
    connection: Arc<dyn PeerConnection>,
    gate: Arc<Gate>,
    state: watch::Receiver<LegState>,
    gathered: watch::Receiver<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    /// What we sent to the peer.
    pub(crate) description: String,
}

impl Leg {
    /// A leg that offers: Opus, both kinds of G.711, events at 48 kHz.
    pub(crate) async fn offer(local: IpAddr) -> Result<(Self, Ends), LegError> {
        let (mut leg, ends) = Self::new(local, 48_000).await?;
        let offer = leg.connection.create_offer(None).await?;
        leg.describe(offer).await?;
        Ok((leg, ends))
    }

    /// A leg that answers.
    pub(crate) async fn answer(local: IpAddr, offer: &[u8]) -> Result<(Self, Ends, Agreed), LegError> {
        let (offer, agreed) = sdp::from_peer(offer, true)?;
        let (mut leg, ends) = Self::new(local, sdp::clock(agreed.codec)).await?;
        leg.connection.set_remote_description(RTCSessionDescription::offer(offer)?).await?;
        leg.gate.described();
        let answer = leg.connection.create_answer(None).await?;
        leg.describe(answer).await?;
        Ok((leg, ends, agreed))
    }

    /// Takes the peer's answer to our offer.
    pub(crate) async fn accept(&self, answer: &[u8]) -> Result<Agreed, LegError> {
        let (answer, agreed) = sdp::from_peer(answer, false)?;
        self.connection.set_remote_description(RTCSessionDescription::answer(answer)?).await?;
        self.gate.described();
        Ok(agreed)
    }

    pub(crate) fn state(&self) -> watch::Receiver<LegState> {
        self.state.clone()
    }

    /// Ends it; may take 100 ms.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing media");
        }
    }

    async fn new(local: IpAddr, events_clock: u32) -> Result<(Self, Ends), LegError> {
        let gate = Arc::new(Gate::default());
        let (received_in, received) = RingBuffer::new(MOST_PACKETS);
        let (send, outgoing) = mpsc::channel(MOST_PACKETS);
        let (state_in, state) = watch::channel(LegState::New);
        let (gathered_in, gathered) = watch::channel(false);
        let report = Arc::new(Report::default());
        let handler = Handler {
            gate: Arc::clone(&gate),
            state: state_in,
            gathered: gathered_in,
            received: Arc::new(Mutex::new(received_in)),
            report: Arc::clone(&report),
        };
        let mut codecs = MediaEngine::default();
        for codec in our_codecs(events_clock) {
            codecs.register_codec(codec, RtpCodecKind::Audio)?;
        }
        let settings = SettingEngineBuilder::new()
            .with_ice_connection_attempts(Some(CHECK_EVERY), Some(MOST_CHECKS))
            .with_ice_timeouts(Some(AWAY_AFTER), Some(FAILED_AFTER), Some(KEPT_ALIVE_EVERY))
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            // Names of this network only mean nothing to the server, and the socket fails without a network.
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(local.is_loopback())
            .build();
        let connection = PeerConnectionBuilder::<String>::new()
            .with_configuration(RTCConfigurationBuilder::default().build())
            .with_media_engine(codecs)
            .with_setting_engine(settings)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_runtime(Arc::new(GatedRuntime(Arc::clone(&gate))))
            .with_handler(Arc::new(handler))
            .with_udp_addrs(addresses(local))
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let stream = u32::from_ne_bytes(random::bytes());
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "phone".to_owned(),
            "voice".to_owned(),
            "voice".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(stream), ..Default::default() },
                active: true,
                codec: our_codecs(events_clock).swap_remove(0).rtp_codec,
                ..Default::default()
            }],
        )));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        for transceiver in connection.get_transceivers().await {
            transceiver.set_codec_preferences(our_codecs(events_clock)).await?;
        }
        let tasks = vec![
            tokio::spawn(send_packets(Arc::clone(&track), outgoing, stream, Arc::clone(&report))),
            tokio::spawn(read_reports(track, Arc::clone(&report))),
            tokio::spawn(measure(Arc::clone(&connection), Arc::clone(&report))),
        ];
        let leg = Self { connection, gate, state, gathered, tasks, description: String::new() };
        Ok((leg, Ends { received, send, report }))
    }

    /// Applies our description and waits until its candidates are all there (Asterisk does not trickle).
    async fn describe(&mut self, description: RTCSessionDescription) -> Result<(), LegError> {
        self.connection.set_local_description(description).await?;
        // Addresses of this machine are known at once; a list that is not complete is better than none.
        let _ = timeout(GATHERED_WITHIN, self.gathered.wait_for(|all| *all)).await;
        let text = self.connection.local_description().await.map(|ours| ours.sdp).unwrap_or_default();
        self.description = sdp::to_peer(&text);
        if !self.description.contains("a=candidate:") {
            return Err(LegError::NoAddress);
        }
        Ok(())
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Every address of this machine and the one that leads to the server: that one may be the loopback,
/// which the library leaves out.
fn addresses(local: IpAddr) -> Vec<String> {
    let to_server = match local {
        IpAddr::V4(ip) => format!("{ip}:0"),
        IpAddr::V6(ip) => format!("[{ip}]:0"),
    };
    vec![to_server, "0.0.0.0:0".to_owned()]
}

fn our_codecs(events_clock: u32) -> Vec<RTCRtpCodecParameters> {
    let codec = |mime: &str, clock_rate: u32, channels: u16, parameters: &str, payload_type: u8| {
        let rtp_codec = RTCRtpCodec {
            mime_type: format!("audio/{mime}"),
            clock_rate,
            channels,
            sdp_fmtp_line: parameters.to_owned(),
            rtcp_feedback: Vec::new(),
        };
        RTCRtpCodecParameters { rtp_codec, payload_type }
    };
    vec![
        codec("opus", 48_000, 2, sdp::OPUS_PARAMETERS, OPUS),
        codec("PCMU", 8_000, 1, "", 0),
        codec("PCMA", 8_000, 1, "", 8),
        codec("telephone-event", events_clock, 1, "0-16", EVENTS),
    ]
}

async fn send_packets(
    track: Arc<TrackLocalStaticRTP>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    stream: u32,
    report: Arc<Report>,
) {
    let mut sequence = u16::from_ne_bytes(random::bytes());
    while let Some(Outgoing { timestamp, payload_type, marker, payload }) = outgoing.recv().await {
        sequence = sequence.wrapping_add(1);
        let header = rtc::rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: sequence,
            timestamp,
            ssrc: stream,
            ..Default::default()
        };
        if let Err(error) = track.write_rtp(rtc::rtp::Packet { header, payload }).await {
            tracing::debug!(%error, "the leg takes no more sound");
            return;
        }
        report.sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads what the peer reports of our sound (RFC 3550 section 6.4).
async fn read_reports(track: Arc<TrackLocalStaticRTP>, report: Arc<Report>) {
    while let Some(event) = track.poll().await {
        let TrackLocalEvent::OnRtcpPacket(packets) = event else { continue };
        for packet in packets {
            let any = packet.as_any();
            let blocks = if let Some(rr) = any.downcast_ref::<rtc::rtcp::receiver_report::ReceiverReport>() {
                &rr.reports
            } else if let Some(sr) = any.downcast_ref::<rtc::rtcp::sender_report::SenderReport>() {
                &sr.reports
            } else {
                continue;
            };
            if let Some(block) = blocks.first() {
                report.lost_up.store(u32::from(block.fraction_lost), Ordering::Relaxed);
            }
        }
    }
}

/// Asks the library for the round trip: of RTCP where there is one, else of ICE's checks.
async fn measure(connection: Arc<dyn PeerConnection>, report: Arc<Report>) {
    const EVERY: Duration = Duration::from_secs(2);
    loop {
        tokio::time::sleep(EVERY).await;
        let stats = connection.get_stats(Instant::now(), StatsSelector::None).await;
        let mut round_trip = 0.0;
        for entry in stats.iter() {
            if let RTCStatsReportEntry::RemoteInboundRtp(of_ours) = entry
                && of_ours.round_trip_time > 0.0
            {
                round_trip = of_ours.round_trip_time;
                break;
            }
            if let RTCStatsReportEntry::IceCandidatePair(pair) = entry
                && pair.nominated
            {
                round_trip = pair.current_round_trip_time;
            }
        }
        report.round_trip.store((round_trip * 1e6) as u64, Ordering::Relaxed);
    }
}

struct Handler {
    gate: Arc<Gate>,
    state: watch::Sender<LegState>,
    gathered: watch::Sender<bool>,
    received: Arc<Mutex<Producer<Packet>>>,
    report: Arc<Report>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if matches!(state, RTCIceConnectionState::Connected | RTCIceConnectionState::Completed) {
            self.gate.connected();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add states on the way")]
        let state = match state {
            RTCPeerConnectionState::Connected => LegState::Connected,
            RTCPeerConnectionState::Disconnected => LegState::Away,
            RTCPeerConnectionState::Failed => LegState::Failed,
            _ => return,
        };
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = Arc::clone(&self.received);
        let report = Arc::clone(&self.report);
        // Ends by itself when the connection is closed.
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
                report.received.fetch_add(1, Ordering::Relaxed);
                let packet = Packet {
                    stream: packet.header.ssrc,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    payload_type: packet.header.payload_type,
                    payload: packet.payload,
                    arrived: Instant::now(),
                };
                // Full: the audio thread is behind by half a second, and this would be later still.
                let _ = received.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
            }
        });
    }
}
