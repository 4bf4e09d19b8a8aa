//! What a volunteer, an organiser and a telephone network see of the whole: real Asterisk, real server, real
//! softphone. One file a behaviour.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod a_clicked_link;
mod a_phone_in_a_terminal;
mod a_promise_kept;
mod a_redirected_line;
mod a_trunk_that_refuses;
mod after_a_revocation;
mod another_computer;
mod each_hears_the_other;
mod how_a_call_may_end;
mod killed_at_every_await;
mod many_at_the_door;
mod network;
mod nobody_twice_nothing_lost;
mod nothing_stays_behind;
mod settling_a_card;
mod the_counting_itself;
mod the_demo_with_a_window;
mod two_at_once;
mod what_a_callee_hears;
mod what_a_provider_allows;
mod what_a_screen_reader_gets;
mod what_a_sign_in_may_ask;
mod what_a_tunnel_lets_through;
mod what_rings_in_the_ear;
mod what_the_app_is_told;
mod when_something_dies;
mod when_the_app_cannot_save;
mod who_comes_back;
mod with_a_stolen_computer;
mod with_stolen_credentials;
mod without_a_keyring;
