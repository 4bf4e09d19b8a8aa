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

/// Id and name; a device that tells neither cannot be chosen.
pub(crate) fn describe(device: &cpal::Device) -> Option<Device> {
    let id = device.id().ok()?.to_string();
    let name = device.description().map_or_else(|_| id.clone(), |d| d.name().to_owned());
    Some(Device { id, name })
}
