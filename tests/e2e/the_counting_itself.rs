//! The counts of `bench faults` against parts that were broken on purpose: what must be 0 elsewhere is not 0 here.

use std::process::Command;

use e2e::{
    child::poll,
    faults::{Fault, Stage},
    world::number,
};
use tokio::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_invite_a_stray_channel_and_a_lost_outcome_are_counted() {
    let mut stage = Stage::set(Fault::AppInWrapUp).await.unwrap();
    let clean = stage.round(7).await.unwrap();
    assert!(clean.is_clean() && clean.outcomes_pressed == 1, "{clean:?}");
    let records = stage.world.provider.records();
    let rung = records.arrivals().unwrap()[0].number.clone();

    // Behind the server's back: the same callee once more, and somebody who lets it ring.
    stage.world.node.ring(&rung).await.unwrap();
    stage.world.node.ring(&number(2, 5)).await.unwrap();
    let both = || async { records.arrivals().is_ok_and(|arrivals| arrivals.len() == 3) };
    poll("both INVITEs", Duration::from_secs(5), both).await.unwrap();
    let broken = stage.count(Instant::now()).await.unwrap();
    assert_eq!((broken.callees_dialled_twice, broken.without_outcome), (1, 1), "{broken:?}");
    assert!(broken.stuck_lines >= 1, "{broken:?}");

    // A disk that forgets.
    stage.world.server.kill();
    let forget = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                  db.execute('UPDATE attempts SET outcome = NULL'); db.commit()";
    let database = stage.world.server.data().join("ringround.db");
    assert!(Command::new("python3").args(["-c", forget]).arg(database).status().unwrap().success());

    stage.world.server.start_again().await.unwrap();
    stage.person.go_on(None).await.unwrap();
    let broken = stage.count(Instant::now()).await.unwrap();
    assert_eq!((broken.outcomes_lost, broken.without_outcome), (1, 2), "{broken:?}");
}
