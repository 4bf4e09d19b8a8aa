//! Phones against a peer in this process.

mod peer;
mod signalling;
mod two_phones;
