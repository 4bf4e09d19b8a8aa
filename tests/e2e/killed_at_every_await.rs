//! The server is killed at every await between Call and the outcome: nobody is rung twice, nothing that was pressed is
//! lost, no line is left behind. The provider's records say so.

use std::io::Write;

use e2e::{
    every_await::Scene,
    trap::{Lane, Moment},
};

/// So much passes on each lane at least from Call to the outcome's answer; 3, 6, 40 and 3 were seen. Fewer mean that the
/// trap does not see what passes.
const POINTS: [(Lane, usize); 4] =
    [(Lane::FromApp, 3), (Lane::ToAsterisk, 4), (Lane::FromAsterisk, 28), (Lane::ToApp, 3)];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_every_await_rings_nobody_twice_and_loses_nothing() {
    let seed = fastrand::u64(..);
    let mut scene = Scene::set(seed).await.unwrap();
    let kills = scene.kill_at_each().await.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    let points: usize = kills.points.values().sum();
    writeln!(std::io::stderr(), "{points} points: {kills:?}").unwrap();
    assert!(kills.round.is_clean() && kills.round.outcomes_pressed > 0, "seed {seed}: {kills:?}");
    for (lane, least) in POINTS {
        for moment in [Moment::Before, Moment::After] {
            let points = kills.points.get(&(lane, moment)).copied().unwrap_or_default();
            assert!(points >= least, "{moment:?} {lane:?}: only {points} kills");
        }
    }
}
