//! A provider by script in the place of the telephone network: ringing that is silent at first, calls that are
//! declined, and a trunk that answers OPTIONS and refuses or swallows every call.

use std::time::Duration;

use e2e::{
    scripted::{Scripted, Step},
    tones::tone,
    volunteer::Volunteer,
    world::World,
};
use protocol::{
    outcome::Outcome,
    session::{Desk, Session},
    trunk::{Complaint, NextTry, Trunk},
};

const SOON: Duration = Duration::from_secs(20);

async fn world(contacts: u8) -> World<Scripted> {
    // Whom a call did not reach at all may be rung again at once.
    World::lay().unwrap().spacing("0").contacts((0..contacts).map(number)).scripted().await.unwrap()
}

fn log(world: &World<Scripted>) -> String {
    std::fs::read_to_string(world.server.console()).unwrap()
}

fn number(which: u8) -> String {
    format!("+4477009002{which:02}")
}

fn is_shut(desk: &Desk) -> bool {
    desk.trunk != Trunk::Open
}

fn may_try(desk: &Desk) -> bool {
    matches!(desk.trunk, Trunk::Shut { next_try: NextTry::Yours, .. })
        && matches!(desk.session, Session::Ready { .. })
}

/// Presses Call as long as it is taken, until the trunk is shut.
async fn calls_until_shut(volunteer: &Volunteer) {
    let next = |desk: &Desk| is_shut(desk) || matches!(desk.session, Session::Ready { .. });
    loop {
        let desk = volunteer.until("a card, or the trouble", next).await.unwrap();
        if is_shut(&desk) {
            return;
        }
        // A press that comes while another call is to show what is the matter is refused, and the card stays.
        if let Ok(attempt) = volunteer.call().await {
            let over =
                |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt);
            volunteer.until("the outcome", over).await.unwrap();
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_every_call_burns_no_list_and_when_it_works_all_are_rung_today() {
    let world = world(40).await;
    world.provider.otherwise(vec![Step::Status(503)]);
    let volunteers = world.volunteers(&["Maya", "Noor", "Olu"]).await.unwrap();
    futures_util::future::join_all(volunteers.iter().map(calls_until_shut)).await;
    assert_eq!(world.provider.asked().len(), 3, "three calls showed it");

    for volunteer in &volunteers {
        let desk = volunteer.until("the trouble, and a card", |desk| {
            is_shut(desk) && matches!(desk.session, Session::Ready { .. })
        });
        let Trunk::Shut { complaint, .. } = desk.await.unwrap().trunk else { unreachable!("it is shut") };
        assert_eq!(complaint, Complaint::Refuses { sip: Some(503) }, "22.10 tells the status");
    }
    let status = world.server.command(&["status"]).unwrap();
    assert!(status.contains("the telephone provider refuses calls (SIP 503), since "), "{status}");
    assert!(log(&world).contains("the telephone provider refuses calls (SIP 503)"));
    let health = world.server.health().await.unwrap_err().to_string();
    assert!(health.contains("503 Service Unavailable"), "who watches the server is told: {health}");

    // Two tries, one volunteer each.
    for asked in [4, 5] {
        let tries =
            volunteers.iter().map(|v| Box::pin(v.until_within("a turn", Duration::from_secs(40), may_try)));
        let (_, whose, _) = futures_util::future::select_all(tries).await;
        volunteers[whose].call().await.unwrap();
        world.provider.call(asked, SOON).await.unwrap();
        let later = |desk: &Desk| matches!(desk.trunk, Trunk::Shut { next_try: NextTry::Later { .. }, .. });
        volunteers[whose].until("the next wait", later).await.unwrap();
    }
    let shown = world.server.command(&["campaign", "show", e2e::ringround::CAMPAIGN]).unwrap();
    assert!(shown.contains("40 may be rung") && shown.contains("0 done"), "{shown}");

    // The provider works again; everybody is rung the same day, those too whose calls were refused.
    world.provider.otherwise(vec![Step::Status(180), Step::Wait(0.2), Step::Status(486)]);
    let tries =
        volunteers.iter().map(|v| Box::pin(v.until_within("a turn", Duration::from_secs(80), may_try)));
    let (_, whose, _) = futures_util::future::select_all(tries).await;
    volunteers[whose].call().await.unwrap();
    for volunteer in &volunteers {
        volunteer.until("calls go out again", |desk| !is_shut(desk)).await.unwrap();
    }
    let provider = &world.provider;
    let calls = volunteers.iter().map(|volunteer| async move {
        loop {
            let next = |desk: &Desk| matches!(desk.session, Session::Ready { .. } | Session::Waiting { .. });
            let desk = volunteer.until("a card, or the end of the list", next).await.unwrap();
            let Session::Ready { .. } = desk.session else { return };
            if let Ok(attempt) = volunteer.call().await {
                let over =
                    |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt);
                volunteer.until("the outcome", over).await.unwrap();
            }
            let rung =
                |asked: &[e2e::scripted::Asked]| asked.iter().filter(|a| a.status == Some(486)).count();
            if rung(&provider.asked()) >= 40 {
                return;
            }
        }
    });
    futures_util::future::join_all(calls).await;
    let asked = world.provider.asked();
    let mut rung: Vec<&str> =
        asked.iter().filter(|asked| asked.status == Some(486)).map(|asked| asked.number.as_str()).collect();
    rung.sort_unstable();
    rung.dedup();
    assert_eq!(rung.len(), 40, "each of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_swallows_every_call_is_found_out_in_eight_seconds_a_call() {
    let world = world(10).await;
    let volunteers = world.volunteers(&["Maya", "Noor", "Olu"]).await.unwrap();
    let begun = std::time::Instant::now();
    for volunteer in &volunteers {
        volunteer.call().await.unwrap();
    }
    for volunteer in &volunteers {
        volunteer.until("the trouble", is_shut).await.unwrap();
    }
    let took = begun.elapsed();
    assert!((8..13).contains(&took.as_secs()), "three calls at once, given up after 8 s each: {took:?}");
    let Trunk::Shut { complaint, .. } = volunteers[0].desk().unwrap().trunk else {
        unreachable!("it is shut")
    };
    assert_eq!(complaint, Complaint::Silent);
    assert_eq!(world.provider.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_told_from_a_provider_that_refuses() {
    let world = world(4).await;
    let scripts = [
        (vec![Step::Status(180), Step::Wait(2.0), Step::Status(603)], Outcome::NoAnswer),
        (vec![Step::Status(180), Step::Wait(0.5), Step::Status(486)], Outcome::Busy),
        (vec![Step::Status(603)], Outcome::Failed),
        (vec![Step::Status(403)], Outcome::Failed),
    ];
    for (which, (script, _)) in (0..).zip(&scripts) {
        world.provider.on(&number(which), script.clone());
    }
    let maya = &world.volunteers(&["Maya"]).await.unwrap()[0];
    for which in 0..4 {
        // The one of 403 is due again at once, as this campaign has no spacing: the others go first.
        maya.until("a card", |desk| matches!(desk.session, Session::Ready { .. })).await.unwrap();
        assert!(!log(&world).contains("check the trunk's user name"), "no alarm before the 403 ({which})");
        let attempt = maya.call().await.unwrap();
        let over = |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt);
        maya.until("the outcome", over).await.unwrap();
    }
    let outcomes = world.server.outcomes().unwrap();
    for (which, (_, outcome)) in (0..).zip(&scripts) {
        assert_eq!(outcomes[&number(which)], outcome.word(), "{which}");
    }
    assert!(log(&world).contains("check the trunk's user name, password and caller ID"));
    assert_eq!(maya.desk().unwrap().trunk, Trunk::Open, "each was another matter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_rings_late_rings_long_enough() {
    let world = world(2).await;
    let silent =
        vec![Step::Status(100), Step::Wait(1.0), Step::Sound(183), Step::Wait(14.0), Step::Status(180)];
    let ringing = tone(8_000, 425.0, 0.2, 1_000);
    let in_band = vec![Step::Status(100), Step::Wait(1.0), Step::Sound(183), Step::Says(Some(ringing))];
    world.provider.on(&number(0), silent);
    world.provider.on(&number(1), in_band);
    let volunteers = world.volunteers(&["Maya", "Noor"]).await.unwrap();
    for volunteer in &volunteers {
        volunteer.call().await.unwrap();
    }
    let given_up =
        |asked: &[e2e::scripted::Asked]| asked.iter().filter(|call| call.cancelled.is_some()).count() == 2;
    let asked = world.provider.until("both given up", Duration::from_secs(60), given_up).await.unwrap();
    for call in asked {
        let lasted = call.cancelled.unwrap().duration_since(call.invited).as_secs_f32();
        let (least, most) = if call.number == number(0) { (39.0, 43.0) } else { (25.0, 28.5) };
        assert!((least..most).contains(&lasted), "{}: {lasted} s", call.number);
    }
    for volunteer in &volunteers {
        let over =
            |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.outcome == Outcome::NoAnswer);
        volunteer.until("no answer", over).await.unwrap();
    }
}
