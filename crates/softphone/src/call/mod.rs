//! The states of a registration and of a call: no tokio, no clock, no socket.
