//! The system's sound devices, through cpal's PulseAudio host where there is one.

use cpal::traits::{DeviceTrait as _, HostTrait as _};
use cpal::{Host, HostId};

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// For settings; stays the same over restarts.
    pub id: String,
    /// For people.
    pub name: String,
}

/// The devices there are now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceList {
    /// Inputs.
    pub microphones: Vec<Device>,
    /// Outputs.
    pub speakers: Vec<Device>,
}

/// Lists the devices; an empty list where the system has none or its sound server is away. Takes some
/// milliseconds: not for the engine's task.
pub fn list() -> DeviceList {
    let host = host();
    let all = |devices: Option<Vec<cpal::Device>>| {
        devices.unwrap_or_default().iter().filter_map(describe).collect()
    };
    DeviceList {
        microphones: all(host.input_devices().ok().map(Iterator::collect)),
        speakers: all(host.output_devices().ok().map(Iterator::collect)),
    }
}

/// PulseAudio's protocol (which PipeWire speaks too) where a server answers; else what cpal prefers.
pub(crate) fn host() -> Host {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    if let Ok(host) = cpal::host_from_id(HostId::PulseAudio) {
        return host;
    }
    cpal::default_host()
}

/// Id and name; a device that tells neither cannot be chosen, nor one that is none.
pub(crate) fn describe(device: &cpal::Device) -> Option<Device> {
    let id = device.id().ok()?.to_string();
    if is_plugin(&id) {
        return None;
    }
    let name = device.description().map_or_else(|_| id.clone(), |d| d.name().to_owned());
    Some(Device { id, name })
}

/// ALSA lists these beside the devices: what throws sound away, converts it for another, or leads to another
/// system of sound. Names of its own and of its plugins' configuration files.
const PLUGINS: [&str; 11] = [
    "null",
    "samplerate",
    "speexrate",
    "lavrate",
    "speex",
    "upmix",
    "vdownmix",
    "a52",
    "jack",
    "oss",
    "usbstream",
];

/// Whether an id is of such a plugin: `alsa:NAME` or `alsa:NAME:ARGUMENTS`.
fn is_plugin(id: &str) -> bool {
    let Some(pcm) = id.strip_prefix("alsa:") else { return false };
    let name = pcm.split_once(':').map_or(pcm, |(name, _)| name);
    PLUGINS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_plugin;

    #[test]
    fn what_only_converts_or_throws_away_is_no_device() {
        for id in ["alsa:null", "alsa:speexrate", "alsa:jack", "alsa:usbstream:CARD=PCH", "alsa:upmix"] {
            assert!(is_plugin(id), "{id}");
        }
        for id in [
            "alsa:default",
            "alsa:default:CARD=PCH",
            "alsa:sysdefault:CARD=PCH",
            "alsa:pulse",
            "alsa:pipewire",
            "alsa:hw:CARD=0,DEV=0",
            "alsa:plughw:CARD=null,DEV=0",
            "pulseaudio:null",
        ] {
            assert!(!is_plugin(id), "{id}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cpal_names_its_alsa_host_as_the_ids_begin() {
        assert_eq!(cpal::HostId::Alsa.to_string(), "alsa");
    }
}
