//! The ids that we give to things in Asterisk, so that each tells whose it is, also after a restart.
//!
//! A callee's channel has its attempt's id, a line's channel `line-{device}-{new id}`, a device's
//! bridge `bridge-{device}`, an announcement `say-{new id}`.

use dialler::LineId;
use protocol::ids::{AttemptId, DeviceId};
use uuid::Uuid;

/// A new id for a line's channel.
pub(super) fn line(device: DeviceId) -> LineId {
    LineId(format!("line-{device}-{}", Uuid::now_v7()))
}

/// Whose line a channel is, if it is one.
pub(super) fn device_of_line(channel: &str) -> Option<DeviceId> {
    channel.strip_prefix("line-")?.get(..36)?.parse().ok()
}

/// Which attempt a channel belongs to, if it is a callee's.
pub(super) fn attempt(channel: &str) -> Option<AttemptId> {
    // Only the form with hyphens is one that we give.
    (channel.len() == 36).then(|| channel.parse().ok())?
}

/// A device's bridge.
pub(super) fn bridge(device: DeviceId) -> String {
    format!("bridge-{device}")
}

/// Whose bridge it is, if it is one of ours.
pub(super) fn device_of_bridge(bridge: &str) -> Option<DeviceId> {
    bridge.strip_prefix("bridge-")?.parse().ok()
}

/// A new id for an announcement.
pub(super) fn announcement() -> String {
    format!("say-{}", Uuid::now_v7())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is() {
        let device = DeviceId::new(Uuid::now_v7());
        assert_eq!(device_of_line(&line(device).0), Some(device));
        assert_eq!(device_of_bridge(&bridge(device)), Some(device));
        assert_eq!(attempt(&line(device).0), None);
        let id = Uuid::now_v7();
        assert_eq!(attempt(&id.to_string()), Some(AttemptId::new(id)));
        assert_eq!(attempt("1732192192.12"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_channel_name_makes_it_panic(name in ".{0,100}", tail in ".{0,60}") {
            let _ = (attempt(&name), device_of_line(&name), device_of_bridge(&name));
            let _ = device_of_line(&format!("line-{tail}"));
        }
    }
}
