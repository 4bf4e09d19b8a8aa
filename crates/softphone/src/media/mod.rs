//! Media: the WebRTC leg, codecs, the jitter buffer, digits.
