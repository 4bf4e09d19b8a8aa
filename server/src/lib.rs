//! The server beside one Asterisk. The way of a touch on Call: [`http`] -> [`dialling`] ->
//! [`ari`] -> Asterisk, and back over [`live`].

pub mod app;
pub mod ari;
pub mod campaign_form;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod dialling;
pub mod health;
pub mod http;
pub mod import;
pub mod live;
pub mod logs;
pub mod lookup;
pub mod metrics;
pub mod number;
pub mod number_form;
pub mod place;
pub mod process;
pub mod provisioning;
pub mod script;
pub mod secret;
pub mod store;
pub mod tls;
pub mod trunk_form;
pub mod tunnel;
pub mod undo;
