//! SIP frames between a signed-in app and Asterisk's WebSocket on loopback.
