//! The harness of the end-to-end tests, the headless demo and the benches: one file a boundary.

pub mod api;
pub mod cable;
pub mod callee;
pub mod canary;
pub mod child;
pub mod desktop;
pub mod drain;
pub mod faults;
pub mod g711;
pub mod handset;
pub mod listening;
pub mod live;
pub mod pbx;
pub mod provider_records;
pub mod raw_sip;
pub mod report;
pub mod ringround;
pub mod sound;
pub mod sound_server;
pub mod tls;
pub mod volunteer;
pub mod window;
pub mod wire;
pub mod world;
