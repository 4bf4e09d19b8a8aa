//! Counts for Prometheus. One struct; whoever counts something adds a field here.

use std::sync::Arc;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bounds of the histograms, seconds: from a loopback round trip to a disk that stalls.
const SECONDS: [f64; 9] = [0.000_5, 0.001, 0.002, 0.005, 0.015, 0.05, 0.2, 1.0, 5.0];

/// The counts, cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    refusals: Family<Vec<(&'static str, String)>, Counter>,
    /// Writes that the disk refused.
    pub writes_refused: Counter,
    /// Frames and messages from outside that made no sense and were dropped.
    pub frames_dropped: Counter,
    /// Inputs that did not fit the dialler's state.
    pub unexpected_inputs: Counter,
    /// Attempts committed.
    pub attempts: Counter,
    /// Volunteers' lines that are up.
    pub lines_up: Gauge,
    /// Volunteers' apps that follow `/live`.
    pub live_clients: Gauge,
    /// Volunteers' apps with an open SIP tunnel.
    pub tunnels: Gauge,
    /// Connections made to Asterisk.
    pub asterisk_connected: Counter,
    /// From a request to Asterisk until its answer.
    pub asterisk_answer_seconds: Histogram,
    /// From the request to dial until the attempt is committed and its channel asked for.
    pub dial_seconds: Histogram,
    /// Calls that have a place on the trunk.
    pub trunk_channels: Gauge,
    /// How many may have one; 0: any number.
    pub trunk_channels_limit: Gauge,
    /// How many calls may begin in a second; 0: any number.
    pub trunk_calls_per_second_limit: Gauge,
    /// Presses of Call that wait for a place on the trunk.
    pub calls_in_line: Gauge,
    /// Channels that nobody owned, hung up.
    pub strays_hung_up: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ringround");
        let refusals = Family::<Vec<(&'static str, String)>, Counter>::default();
        let writes_refused = Counter::default();
        let frames_dropped = Counter::default();
        let unexpected_inputs = Counter::default();
        let attempts = Counter::default();
        let lines_up = Gauge::default();
        registry.register("refusals", "Requests that were refused, by their code", refusals.clone());
        registry.register("writes_refused", "Writes that the disk refused", writes_refused.clone());
        registry.register(
            "frames_dropped",
            "Malformed frames and messages, counted and dropped",
            frames_dropped.clone(),
        );
        registry.register(
            "unexpected_inputs",
            "Inputs that did not fit the dialler's state",
            unexpected_inputs.clone(),
        );
        registry.register("attempts", "Attempts committed", attempts.clone());
        registry.register("lines_up", "Lines of volunteers that are up", lines_up.clone());
        let live_clients = Gauge::default();
        let tunnels = Gauge::default();
        let asterisk_connected = Counter::default();
        let asterisk_answer_seconds = Histogram::new(SECONDS);
        let dial_seconds = Histogram::new(SECONDS);
        let strays_hung_up = Counter::default();
        registry.register("live_clients", "Apps that follow /live", live_clients.clone());
        registry.register("tunnels", "Apps with an open SIP tunnel", tunnels.clone());
        registry.register("asterisk_connected", "Connections made to Asterisk", asterisk_connected.clone());
        registry.register(
            "asterisk_answer_seconds",
            "From a request to Asterisk until its answer",
            asterisk_answer_seconds.clone(),
        );
        registry.register(
            "dial_seconds",
            "From a request to dial until its attempt is committed and its channel asked for",
            dial_seconds.clone(),
        );
        registry.register("strays_hung_up", "Channels that nobody owned, hung up", strays_hung_up.clone());
        let trunk_channels = Gauge::default();
        let trunk_channels_limit = Gauge::default();
        let trunk_calls_per_second_limit = Gauge::default();
        let calls_in_line = Gauge::default();
        registry.register(
            "trunk_channels",
            "Calls on the trunk, from create to destroyed",
            trunk_channels.clone(),
        );
        registry.register(
            "trunk_channels_limit",
            "Calls that may be on the trunk at once; 0: any number",
            trunk_channels_limit.clone(),
        );
        registry.register(
            "trunk_calls_per_second_limit",
            "Calls that may begin on the trunk in any second; 0: any number",
            trunk_calls_per_second_limit.clone(),
        );
        registry.register("calls_in_line", "Presses of Call that wait for the trunk", calls_in_line.clone());
        Self {
            registry: Arc::new(registry),
            refusals,
            writes_refused,
            frames_dropped,
            unexpected_inputs,
            attempts,
            lines_up,
            live_clients,
            tunnels,
            asterisk_connected,
            asterisk_answer_seconds,
            dial_seconds,
            trunk_channels,
            trunk_channels_limit,
            trunk_calls_per_second_limit,
            calls_in_line,
            strays_hung_up,
        }
    }
}

impl Metrics {
    /// Counts a refused request by the code's word on the wire.
    pub fn refused(&self, code: &str) {
        self.refusals.get_or_create(&vec![("code", code.to_owned())]).inc();
    }

    /// The OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail; an empty page would be the answer if it did.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_shows_in_the_text() {
        let metrics = Metrics::default();
        metrics.attempts.inc();
        assert!(metrics.text().contains("ringround_attempts_total 1"), "{}", metrics.text());
    }
}
